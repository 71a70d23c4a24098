"""A group of another kind is one class: a finite one and one that is not compact."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, permutations

import numpy as np

from schur.groups import Group, matrix_exponential
from schur.reps import Defining, GeneratedRepresentation, Trivial, intertwiners


@dataclass(frozen=True)
class Symmetric(Group):
    """Permutations of `size` things, as matrices."""

    size: int

    @property
    def n(self) -> int:
        return self.size

    def generators(self) -> np.ndarray:
        return np.zeros((0, self.n, self.n))

    def discrete(self) -> np.ndarray:
        swaps = [np.eye(self.n) for _ in range(self.n - 1)]
        for i, swap in enumerate(swaps):
            swap[[i, i + 1]] = swap[[i + 1, i]]
        return np.stack(swaps)

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        return np.stack([np.eye(self.n)[rng.permutation(self.n)] for _ in range(count)])

    def _is_member(self, g: np.ndarray, tolerance: float) -> np.ndarray | np.bool_:
        whole = np.all(np.abs(g - np.round(g)) <= tolerance, axis=(-2, -1))
        once = np.all(np.round(g).sum(axis=-1) == 1, axis=-1)
        return whole & once & np.all(np.round(g).sum(axis=-2) == 1, axis=-1)

    def factor(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.require(g)
        rows = np.argmax(g, axis=-1).reshape(-1, self.n)
        words = [self._word(list(row)) for row in rows]
        longest = max(map(len, words), default=0)
        padded = [word + [-1] * (longest - len(word)) for word in words]
        batch = g.shape[:-2]
        return np.zeros((*batch, 0)), np.array(padded, dtype=np.int64).reshape(*batch, longest)

    def _word(self, row: list[int]) -> list[int]:
        word = []
        while any(a > b for a, b in pairwise(row)):
            i = next(i for i, (a, b) in enumerate(pairwise(row)) if a > b)
            row[i], row[i + 1] = row[i + 1], row[i]
            word.append(i)
        return word


@dataclass(frozen=True)
class Lorentz(Group):
    """The identity's component of SO(1, 3), by turns and boosts."""

    is_compact = False

    @property
    def n(self) -> int:
        return 4

    def generators(self) -> np.ndarray:
        x = np.zeros((6, 4, 4))
        for a, (b, c) in enumerate(((1, 2), (2, 0), (0, 1))):
            x[a, 1 + b, 1 + c], x[a, 1 + c, 1 + b] = -1.0, 1.0
            x[3 + a, 0, 1 + a] = x[3 + a, 1 + a, 0] = 1.0
        return x

    def sample(self, rng: np.random.Generator, count: int) -> np.ndarray:
        return self.exp(0.5 * rng.standard_normal((count, 6)))

    def _is_member(self, g: np.ndarray, tolerance: float) -> np.ndarray | np.bool_:
        metric = np.diag([1.0, -1.0, -1.0, -1.0])
        defect = np.abs(g @ metric @ np.swapaxes(g, -1, -2) - metric)
        return np.all(defect <= tolerance * np.abs(g).max() ** 2, axis=(-2, -1))

    def factor(self, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        raise NotImplementedError


def test_permutations_have_words() -> None:
    group = Symmetric(4)
    g = np.stack([np.eye(4)[list(order)] for order in permutations(range(4))])
    _, words = group.factor(g)
    letters = [*group.discrete(), np.eye(4)]
    for element, word in zip(g, words, strict=True):
        product = np.eye(4)
        for letter in word:
            product = product @ letters[letter]
        np.testing.assert_array_equal(product, element)


def test_permutation_maps_count_orbits() -> None:
    # Equivariant maps on k-fold tensors of the permutation representation are the partitions of
    # 2k indices: Bell numbers 2, 15 (where n >= 2k).
    vectors = Defining(Symmetric(4))
    assert len(intertwiners(vectors, vectors)) == 2
    assert len(intertwiners(vectors.tensor(vectors), vectors.tensor(vectors))) == 15
    assert len(intertwiners(vectors, Trivial(Symmetric(4)))) == 1
    sign = GeneratedRepresentation(Symmetric(4), np.zeros((0, 1, 1)), -np.ones((3, 1, 1)))
    assert len(intertwiners(vectors, sign)) == 0
    assert len(intertwiners(vectors.exterior_power(4), sign)) == 1


def test_the_minkowski_metric_is_the_only_invariant_form() -> None:
    vectors = Defining(Lorentz())
    found = intertwiners(vectors, vectors.dual())
    metric = np.diag([1.0, -1.0, -1.0, -1.0]) / 2
    assert len(found) == 1
    np.testing.assert_allclose(found[0] * np.sign(found[0, 0, 0]), metric, rtol=0, atol=1e-14)
    # Λ² of a four-vector is the electromagnetic field: E + iB and E - iB, so two real maps.
    field = vectors.exterior_power(2)
    assert len(intertwiners(field, field)) == 2
    g = Lorentz().sample(np.random.default_rng(0), 2)
    c = np.random.default_rng(1).standard_normal(6) / 2
    moved = field.matrix(Lorentz().exp(c))
    expected = matrix_exponential(np.tensordot(c, field.generators(), axes=1))
    np.testing.assert_allclose(moved, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        field.matrix(g[0] @ g[1]), field.matrix(g[0]) @ field.matrix(g[1]), rtol=0, atol=1e-12
    )
