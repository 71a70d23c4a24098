"""Groups of permutation matrices."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.errors import NumberError, RepresentationError
from schur.groups.group import Answers, Group

# Elements that are listed one by one, at most: some hundred megabytes of words.
LARGEST_LIST = 100_000

Permutation = tuple[int, ...]


class Permuting(Group):
    """A group whose elements permute the n unit vectors: g e_j = e_p(j).

    A subclass says `n`, `permutations` (its generators), `has`, `word` and `sample`.
    """

    @abstractmethod
    def permutations(self) -> tuple[Permutation, ...]:
        """Generators h_j, each as the tuple of the images p(0), …, p(n - 1)."""

    @abstractmethod
    def has(self, p: Permutation) -> bool:
        """Whether a permutation is an element."""

    @abstractmethod
    def word(self, p: Permutation) -> list[int]:
        """Places of generators whose product, from left to right, is the element p."""

    def generators(self) -> Float[np.ndarray, "0 n n"]:
        return np.zeros((0, self.n, self.n))

    def discrete(self) -> Float[np.ndarray, "d n n"]:
        found = [permutation_matrix(p) for p in self.permutations()]
        return np.array(found).reshape(len(found), self.n, self.n)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch n n"]:
        return np.swapaxes(g, -1, -2)

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        images = np.argmax(np.real(g), axis=-2)
        exact = np.swapaxes(np.eye(self.n)[images], -1, -2)
        near = np.all(np.abs(g - exact) <= tolerance, axis=(-2, -1))
        flat = images.reshape(-1, self.n)
        there = [sorted(p) == list(range(self.n)) and self.has(tuple(p)) for p in flat.tolist()]
        return near & np.array(there, dtype=bool).reshape(images.shape[:-1])

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch 0"], Int[np.ndarray, "*batch w"]]:
        self.require(g)
        images = np.argmax(np.real(g), axis=-2)
        words = [self.word(tuple(p)) for p in images.reshape(-1, self.n).tolist()]
        width = max((len(word) for word in words), default=0)
        filled = [word + [-1] * (width - len(word)) for word in words]
        out = np.array(filled, dtype=np.int64).reshape(*images.shape[:-1], width)
        return np.zeros((*images.shape[:-1], 0)), out


@dataclass(frozen=True)
class PermutationGroup(Permuting):
    """The permutations that some generators make, listed one by one.

    Args:
        images: for each generator the images of 0, …, n - 1; at least one, the unit will do.

    Raises:
        RepresentationError: a generator is no permutation, or their lengths differ.
        NumberError: there are more than 100,000 elements.

    Example:
        >>> square = PermutationGroup(((1, 2, 3, 0), (1, 0, 3, 2)))
        >>> square.n, square.order
        (4, 8)
    """

    images: tuple[Permutation, ...]

    def __post_init__(self) -> None:
        lengths = {len(p) for p in self.images}
        proper = all(sorted(p) == list(range(len(p))) for p in self.images)
        if len(lengths) != 1 or 0 in lengths or not proper:
            raise RepresentationError(
                "generators of a permutation group list each of 0, …, n - 1 once",
                got=self.images,
                expected="at least one permutation, all of one n >= 1",
            )

    @property
    def n(self) -> int:
        return len(self.images[0])

    def permutations(self) -> tuple[Permutation, ...]:
        return self.images

    @property
    def order(self) -> int:
        """How many elements there are."""
        return len(self._words)

    @property
    def elements(self) -> tuple[Permutation, ...]:
        """All elements, the unit first."""
        return tuple(self._words)

    @cached_property
    def _words(self) -> dict[Permutation, list[int]]:
        unit = tuple(range(self.n))
        found: dict[Permutation, list[int]] = {unit: []}
        waiting = [unit]
        for p in waiting:  # grows as it is read: breadth first, so that words are shortest
            for place, h in enumerate(self.images):
                product = tuple(p[i] for i in h)
                if product not in found:
                    found[product] = [*found[p], place]
                    waiting.append(product)
            if len(found) > LARGEST_LIST:
                raise NumberError(
                    "this permutation group is too large to be listed",
                    got=f"more than {LARGEST_LIST} elements",
                    remedy="use Sym(n) or Alt(n) where it is one of them",
                )
        return found

    def has(self, p: Permutation) -> bool:
        return p in self._words

    def word(self, p: Permutation) -> list[int]:
        return self._words[p]

    def sample(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} n n"]:
        listed = self.elements
        chosen = [permutation_matrix(listed[i]) for i in rng.integers(0, len(listed), count)]
        return np.array(chosen).reshape(count, self.n, self.n)


def permutation_matrix(p: Sequence[int]) -> Float[np.ndarray, "n n"]:
    """The matrix g with g e_j = e_p(j)."""
    return np.eye(len(p))[list(p)].T


def sign(p: Sequence[int]) -> int:
    """The sign of a permutation: -1 to the number of its cycles of even length.

    Example:
        >>> sign((1, 0, 2)), sign((1, 2, 0))
        (-1, 1)
    """
    seen: set[int] = set()
    total = 1
    for start in range(len(p)):
        place, length = start, 0
        while place not in seen:
            seen.add(place)
            place, length = p[place], length + 1
        total *= -1 if length and length % 2 == 0 else 1
    return total
