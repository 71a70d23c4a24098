"""Symmetric and exterior powers."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations, combinations_with_replacement, permutations
from math import comb, factorial

import numpy as np
from jaxtyping import Float, Inexact

from schur.errors import RepresentationError
from schur.groups import Group
from schur.reps.representation import Representation

# Entries of the largest table of tensors that is made: half a gigabyte.
_LARGEST_TABLE = 2**26


@dataclass(frozen=True, repr=False)
class _Power(Representation):
    base: Representation
    degree: int

    def __post_init__(self) -> None:
        if self.degree < 1:
            raise RepresentationError(
                "a power has a degree of one or more", got=self.degree, expected="1, 2, 3, …"
            )
        if self.base.dim**self.degree * max(1, self.dim) > _LARGEST_TABLE:
            raise RepresentationError(
                "this power is too large to be written as matrices",
                got=f"{self.base.dim}^{self.degree} entries, {self.dim} times",
                expected=f"at most {_LARGEST_TABLE} numbers",
                remedy="decompose the base first and take powers of its irreps",
            )

    @property
    def group(self) -> Group:
        return self.base.group

    @abstractmethod
    def embedding(self) -> Float[np.ndarray, "..."]:
        """The basis as tensors: shape (d, …, d, dim), orthonormal."""

    def generators(self) -> Inexact[np.ndarray, "k dim dim"]:
        # By symmetry each of the equal factors contributes the same.
        basis = self.embedding().reshape(self.base.dim, -1, self.dim)
        moved = np.einsum("aij,jrn->airn", self.base.generators(), basis)
        return self.degree * np.einsum("irm,airn->amn", basis, moved)

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        one = self.base._matrix(g)
        batch = one.shape[:-2]
        one = one.reshape(-1, self.base.dim, self.base.dim)
        out = np.stack([self._power(matrix) for matrix in one]) if len(one) else one
        return out.reshape(*batch, self.dim, self.dim)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base!r}, {self.degree})"

    def _power(self, matrix: np.ndarray) -> np.ndarray:
        tensors = self.embedding()
        for axis in range(self.degree):
            tensors = np.moveaxis(np.tensordot(matrix, tensors, axes=(1, axis)), 0, axis)
        return self.embedding().reshape(-1, self.dim).T @ tensors.reshape(-1, self.dim)


@dataclass(frozen=True, repr=False)
class SymmetricPower(_Power):
    """Sym^n: the tensors of n equal factors that every permutation leaves as they are.

    The basis is orthonormal and labelled by i_1 ≤ … ≤ i_n; the dimension is
    (d + n - 1 choose n). Batches are walked one element at a time.

    Args:
        base: the representation on one factor.
        degree: n, one or more.

    Raises:
        RepresentationError: a degree below one, or more than 2^26 numbers in the basis.

    Source: Fulton and Harris, "Representation Theory" (1991), appendix B.2.

    Example:
        >>> from schur.reps import Irreps
        >>> SymmetricPower(Irreps("1o"), 2).dim
        6
    """

    @property
    def dim(self) -> int:
        return comb(self.base.dim + self.degree - 1, self.degree)

    def embedding(self) -> Float[np.ndarray, "..."]:
        return _symmetric_tensors(self.base.dim, self.degree)


@dataclass(frozen=True, repr=False)
class ExteriorPower(_Power):
    """Λ^n: the tensors of n equal factors that change sign with every exchange.

    The basis is orthonormal and labelled by i_1 < … < i_n; the dimension is (d choose n).

    Args:
        base: the representation on one factor.
        degree: n, one or more; above the base's dimension the power has dimension zero.

    Raises:
        RepresentationError: a degree below one, or more than 2^26 numbers in the basis.

    Source: Fulton and Harris, "Representation Theory" (1991), appendix B.3.

    Example:
        >>> from schur.reps import Irreps
        >>> ExteriorPower(Irreps("1o"), 3).decompose().irreps
        1x0o
    """

    @property
    def dim(self) -> int:
        return comb(self.base.dim, self.degree)

    def embedding(self) -> Float[np.ndarray, "..."]:
        return _alternating_tensors(self.base.dim, self.degree)


@lru_cache(maxsize=32)
def _symmetric_tensors(dim: int, degree: int) -> np.ndarray:
    labels = list(combinations_with_replacement(range(dim), degree))
    out = np.zeros((dim,) * degree + (len(labels),))
    for column, label in enumerate(labels):
        orders = set(permutations(label))
        for order in orders:
            out[(*order, column)] = len(orders) ** -0.5
    out.flags.writeable = False
    return out


@lru_cache(maxsize=32)
def _alternating_tensors(dim: int, degree: int) -> np.ndarray:
    labels = list(combinations(range(dim), degree))
    out = np.zeros((dim,) * degree + (len(labels),))
    signs = {order: _sign(order) for order in permutations(range(degree))}
    for column, label in enumerate(labels):
        for order, sign in signs.items():
            out[(*(label[i] for i in order), column)] = sign * factorial(degree) ** -0.5
    out.flags.writeable = False
    return out


def _sign(order: tuple[int, ...]) -> int:
    inversions = sum(a > b for a, b in combinations(order, 2))
    return -1 if inversions % 2 else 1
