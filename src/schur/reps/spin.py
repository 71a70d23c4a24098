"""Irreps of SU(2), complex, half-integer spins included."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from jaxtyping import Complex

from schur.errors import RepresentationError
from schur.groups import SU2
from schur.reps.irreducible import Irreducible


@dataclass(frozen=True)
class SU2Irrep(Irreducible):
    """The irrep of SU(2) of spin j, in the basis m = -j, …, j of eigenvectors of J_z.

    dρ(X_a) = -i J_a with J_± |m⟩ = √(j(j+1) - m(m±1)) |m±1⟩ (phases of Condon and Shortley).

    Args:
        j: spin, 0, 1/2, 1, 3/2, …

    Raises:
        RepresentationError: twice the spin is no whole number, or it is negative.

    Source: Varshalovich et al., "Quantum Theory of Angular Momentum" (1988), chapters 2 and 4.

    Example:
        >>> SU2Irrep(1.5).dim
        4
        >>> minus_one = -np.eye(2, dtype=complex)
        >>> SU2Irrep(0.5).character(minus_one).real, SU2Irrep(1).character(minus_one).real
        (array(-2.), array(3.))
    """

    j: int | float

    def __post_init__(self) -> None:
        if not (self.j >= 0 and float(2 * self.j).is_integer()):
            raise RepresentationError(
                "a spin is a multiple of 1/2 that is not negative",
                got=self.j,
                expected="0, 0.5, 1, 1.5, …",
            )
        if float(self.j).is_integer():
            object.__setattr__(self, "j", int(self.j))  # one way to print an integer spin

    @classmethod
    def up_to(cls, weight: float) -> Sequence[Self]:
        return [cls(two_j / 2) for two_j in range(int(2 * weight) + 1)]

    @property
    def group(self) -> SU2:
        return SU2()

    @property
    def dim(self) -> int:
        return round(2 * self.j) + 1

    def generators(self) -> Complex[np.ndarray, "3 dim dim"]:
        return _spin_generators(self.dim)

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        # g = exp(α X_z) exp(β X_y) exp(γ X_z); where one of the two phases is arbitrary, the
        # elements that would show it vanish.
        total, difference = np.angle(g[..., 1, 1]), np.angle(g[..., 1, 0])
        beta = 2.0 * np.arctan2(np.abs(g[..., 1, 0]), np.abs(g[..., 1, 1]))
        m = _orders(self.dim)
        left = np.exp(-1j * (total + difference)[..., None] * m)
        right = np.exp(-1j * (total - difference)[..., None] * m)
        vectors = _eigenvectors_of_j_y(self.dim)
        phases = np.exp(-1j * beta[..., None] * m)
        middle = (vectors * phases[..., None, :]) @ vectors.conj().T
        return left[..., :, None] * np.real(middle) * right[..., None, :]

    def _character(self, g: np.ndarray) -> np.ndarray | np.number:
        # The eigenvalues of g are exp(± i θ/2); the trace is real.
        half = np.arccos(np.clip(np.trace(g, axis1=-2, axis2=-1).real / 2.0, -1.0, 1.0))
        return np.cos(2.0 * half[..., None] * _orders(self.dim)).sum(axis=-1) + 0j


def _orders(dim: int) -> np.ndarray:
    return np.arange(dim) - (dim - 1) / 2.0


@lru_cache(maxsize=256)
def _spin_generators(dim: int) -> np.ndarray:
    m, j = _orders(dim), (dim - 1) / 2.0
    raising = np.diag(np.sqrt(j * (j + 1.0) - m[:-1] * (m[:-1] + 1.0)), -1)
    j_x, j_y = (raising + raising.T) / 2.0, (raising - raising.T) / 2.0j
    out = -1j * np.stack([j_x, j_y, np.diag(m).astype(complex)])
    out.flags.writeable = False
    return out


@lru_cache(maxsize=256)
def _eigenvectors_of_j_y(dim: int) -> np.ndarray:
    return np.linalg.eigh(1j * _spin_generators(dim)[1])[1]
