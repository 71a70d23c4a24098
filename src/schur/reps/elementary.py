"""Trivial and defining representations, and those given by matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Inexact

from schur.errors import RepresentationError, ShapeError
from schur.groups import Group, matrix_exponential
from schur.reps.representation import Representation


@dataclass(frozen=True)
class Trivial(Representation):
    """Every element acts as the unit matrix.

    Example:
        >>> from schur.groups import SO3
        >>> Trivial(SO3(), 2).generators().shape
        (3, 2, 2)
    """

    of: Group
    size: int = 1

    @property
    def group(self) -> Group:
        return self.of

    @property
    def dim(self) -> int:
        return self.size

    def generators(self) -> Inexact[np.ndarray, "k dim dim"]:
        return np.zeros((self.of.dim, self.size, self.size))

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.eye(self.size), (*g.shape[:-2], self.size, self.size))


@dataclass(frozen=True)
class Defining(Representation):
    """The group's own matrices.

    Example:
        >>> from schur.groups import O3
        >>> Defining(O3()).decompose().irreps
        1x1o
    """

    of: Group

    @property
    def group(self) -> Group:
        return self.of

    @property
    def dim(self) -> int:
        return self.of.n

    def generators(self) -> Inexact[np.ndarray, "k dim dim"]:
        return self.of.generators()

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        return g


class GeneratedRepresentation(Representation):
    """A representation given by the matrices of the group's generators.

    ρ(exp(Σ c_a X_a) h_w1 h_w2 …) = exp(Σ c_a dρ(X_a)) ρ(h_w1) ρ(h_w2) …. That the matrices do
    represent the group is checked: products of random elements must go to products.

    Args:
        group: the group.
        generators: matrices dρ(X_a) of shape (k, dim, dim), in the order of the group's.
        discrete: matrices ρ(h_j) of shape (d, dim, dim); may be left out where d is 0.

    Raises:
        ShapeError: the arrays do not fit the group.
        RepresentationError: the matrices do not represent the group.

    Example:
        >>> from schur.groups import SO2
        >>> twice = GeneratedRepresentation(SO2(), 2 * SO2().generators())
        >>> twice.decompose().irreps
        SO2Irrep(m=2)
    """

    __slots__ = ("_discrete", "_generators", "_group")

    def __init__(
        self,
        group: Group,
        generators: Inexact[np.ndarray, "k dim dim"],
        discrete: Inexact[np.ndarray, "d dim dim"] | None = None,
    ) -> None:
        size = generators.shape[-1]
        given = np.zeros((0, size, size)) if discrete is None else discrete
        counts = (len(generators), len(given))
        expected = (group.dim, len(group.discrete()))
        if counts != expected:
            raise ShapeError(
                f"one matrix for each generator of {group}",
                got=f"{counts[0]} Lie generators, {counts[1]} discrete ones",
                expected=f"{expected[0]} Lie generators, {expected[1]} discrete ones",
            )
        self._group = group
        self._generators = _frozen_copy(generators)
        self._discrete = _frozen_copy(given)
        self._check_products()

    @property
    def group(self) -> Group:
        return self._group

    @property
    def dim(self) -> int:
        return self._generators.shape[-1]

    def generators(self) -> Inexact[np.ndarray, "k dim dim"]:
        return self._generators

    def discrete(self) -> Inexact[np.ndarray, "d dim dim"]:
        return self._discrete

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        letters = np.concatenate([self._discrete, np.eye(self.dim)[None]])  # -1 is the unit
        out = letters[-1]
        for coordinates, words in self._group.exponentials(g):
            out = out @ matrix_exponential(np.tensordot(coordinates, self._generators, axes=1))
            for place in range(words.shape[-1]):
                out = out @ letters[words[..., place]]
        return out

    def _check_products(self) -> None:
        g, h = np.split(self._group.sample(np.random.default_rng(0), 16), 2)
        separately, at_once = self._matrix(g) @ self._matrix(h), self._matrix(g @ h)
        size = max(1.0, float(np.abs(separately).max(initial=0.0)))
        defect = float(np.abs(separately - at_once).max(initial=0.0))
        if not defect <= 1e-8 * size:
            raise RepresentationError(
                f"these matrices do not represent {self._group}",
                got=f"ρ(g) ρ(h) differs from ρ(g h) by {defect:.1e}",
                expected="equal matrices",
                remedy="check the commutators, and that a full turn gives the unit matrix",
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, GeneratedRepresentation):
            return NotImplemented
        return (
            self._group == other._group
            and np.array_equal(self._generators, other._generators)
            and np.array_equal(self._discrete, other._discrete)
        )

    def __hash__(self) -> int:
        return hash((self._group, self._generators.shape, self._discrete.shape))

    def __repr__(self) -> str:
        return f"GeneratedRepresentation({self._group}, dim={self.dim})"


def _frozen_copy(a: np.ndarray) -> np.ndarray:
    out = np.array(a)
    out.flags.writeable = False
    return out
