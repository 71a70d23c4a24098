"""GL(n), GL+(n) and SL(n): invertible real matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.groups.group import Answers, check_size
from schur.groups.orthogonal import Orthogonal, SpecialOrthogonal
from schur.groups.reductive import Reductive


@dataclass(frozen=True)
class GeneralLinear(Reductive):
    """Invertible real matrices of n rows; with `positive`, those of positive determinant.

    The generators are the unit matrices E_ij, row by row.

    Args:
        size: n, at least 1.
        positive: whether to keep to GL+(n), the identity's component.

    Example:
        >>> group = GeneralLinear(2, positive=True)
        >>> str(group), group.dim, bool(group.contains(-np.eye(2)))
        ('GL+(2)', 4, True)
    """

    size: int
    positive: bool = False

    is_compact = False

    def __post_init__(self) -> None:
        check_size("invertible matrices of n rows", self.size)

    @property
    def n(self) -> int:
        return self.size

    def generators(self) -> Float[np.ndarray, "k n n"]:
        return np.eye(self.size**2).reshape(-1, self.size, self.size)

    def discrete(self) -> Float[np.ndarray, "d n n"]:
        return Orthogonal(self.size).discrete()[: 0 if self.positive else 1]

    def sample_compact(
        self, rng: np.random.Generator, count: int
    ) -> Float[np.ndarray, "{count} n n"]:
        kind = SpecialOrthogonal if self.positive else Orthogonal
        return kind(self.size).sample(rng, count)

    def word(self, g: Inexact[np.ndarray, "*batch n n"]) -> Int[np.ndarray, "*batch w"]:
        if self.positive:
            return super().word(g)
        return np.where(np.linalg.det(np.real(g)) < 0, 0, -1)[..., None]

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        # The smallest singular value against the largest: far from a matrix without an inverse.
        values = np.linalg.svd(g, compute_uv=False)
        regular = values[..., -1] > np.finfo(np.float64).eps * self.size * values[..., 0]
        return (
            _is_real(g, tolerance)
            & regular
            & (not self.positive or np.linalg.slogdet(np.real(g))[0] > 0)
        )

    def __str__(self) -> str:
        return f"GL{'+' if self.positive else ''}({self.size})"


@dataclass(frozen=True)
class SpecialLinear(Reductive):
    """Real matrices of n rows and determinant one.

    The generators are the E_ij with i ≠ j, row by row, then the E_ii - E_(i+1)(i+1).

    Args:
        size: n, at least 1.

    Example:
        >>> SpecialLinear(3).dim
        8
    """

    size: int

    is_compact = False

    def __post_init__(self) -> None:
        check_size("invertible matrices of n rows", self.size)

    @property
    def n(self) -> int:
        return self.size

    def generators(self) -> Float[np.ndarray, "k n n"]:
        units = np.eye(self.size**2).reshape(self.size, self.size, self.size, self.size)
        rows = range(self.size)
        off = [units[i, j] for i in rows for j in rows if i != j]
        diagonal = [units[i, i] - units[i + 1, i + 1] for i in range(self.size - 1)]
        return np.array(off + diagonal).reshape(-1, self.size, self.size)

    def sample_compact(
        self, rng: np.random.Generator, count: int
    ) -> Float[np.ndarray, "{count} n n"]:
        return SpecialOrthogonal(self.size).sample(rng, count)

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        # An entry that is off by δ moves the determinant by as much as δ times its cofactor.
        values = np.linalg.svd(g, compute_uv=False)
        cofactor = np.maximum(1.0, np.prod(values[..., :-1], axis=-1))
        defect = np.abs(np.linalg.det(g) - 1.0)
        return _is_real(g, tolerance) & (defect <= tolerance * self.size * cofactor)

    def __str__(self) -> str:
        return f"SL({self.size})"


def _is_real(g: np.ndarray, tolerance: float) -> np.ndarray | np.bool_:
    return np.all(np.abs(np.imag(g)) <= tolerance, axis=(-2, -1))
