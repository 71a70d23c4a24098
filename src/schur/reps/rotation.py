"""Irreps of SO(3) in e3nn's real basis: exact generators, stable Wigner matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Self

import numpy as np
from jaxtyping import Float

from schur.errors import RepresentationError
from schur.groups import SO3
from schur.reps.clebsch_gordan import clebsch_gordan
from schur.reps.irreducible import Irreducible


@dataclass(frozen=True)
class SO3Irrep(Irreducible):
    """The irrep of SO(3) of degree l: Wigner's D^l in the real basis of e3nn, m = -l, …, l.

    Args:
        l: degree, 0, 1, 2, …

    Raises:
        RepresentationError: the degree is no whole number, or it is negative.

    Source: Pinchon and Hoggan, J. Phys. A 40 (2007) 1597, for the factorisation of D^l.

    Example:
        >>> SO3Irrep(1).generators()[2].round(12) + 0.0
        array([[ 0., -1.,  0.],
               [ 1.,  0.,  0.],
               [ 0.,  0.,  0.]])
    """

    l: int  # noqa: E741

    def __post_init__(self) -> None:
        if not isinstance(self.l, int) or self.l < 0:
            raise RepresentationError(
                "a degree is a whole number that is not negative",
                got=repr(self.l),
                expected="0, 1, 2, …",
            )

    @classmethod
    def up_to(cls, weight: float) -> Sequence[Self]:
        return [cls(degree) for degree in range(int(weight) + 1)]

    @property
    def group(self) -> SO3:
        return SO3()

    @property
    def dim(self) -> int:
        return 2 * self.l + 1

    def generators(self) -> Float[np.ndarray, "3 dim dim"]:
        return rotation_generators(self.l)

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        return rotation_matrix(self.l, g)

    def _character(self, g: np.ndarray) -> np.ndarray | np.number:
        return rotation_character(self.l, g)


@lru_cache(maxsize=512)
def rotation_generators(l: int) -> Float[np.ndarray, "3 dim dim"]:  # noqa: E741
    """Generators of turns about x, y and z: antisymmetric, read-only, each entry rounded once.

    The only invariant form on 1 ⊗ l ⊗ l is the generator itself, so it is a multiple of the
    coupling: dD^l(X_a) = -√(l (l+1) (2l+1)) C^{1 l l}_a.
    """
    size = (l * (l + 1) * (2 * l + 1)) ** 0.5
    coupling = clebsch_gordan(1, l, l) if l else np.zeros((3, 1, 1))
    out = -size * coupling + 0.0
    out.flags.writeable = False
    return out


def rotation_matrix(
    l: int,  # noqa: E741
    rotation: Float[np.ndarray, "*batch 3 3"],
) -> Float[np.ndarray, "*batch dim dim"]:
    """D^l(R), from R = R_y(α) R_x(β) R_y(γ) and R_x(β) = R_z(-π/2) R_y(β) R_z(π/2).

    Every turn about y mixes the rows m and -m only; the quarter turn is one constant orthogonal
    matrix. Nothing is subtracted, so the error stays a few roundings times l.
    """
    alpha = np.arctan2(rotation[..., 0, 1], rotation[..., 2, 1])
    sine = np.hypot(rotation[..., 0, 1], rotation[..., 2, 1])
    beta = np.arctan2(sine, rotation[..., 1, 1])
    # R_x(β) R_y(γ) = R_y(-α) R starts with the row (cos γ, 0, sin γ), also at the poles.
    cos, sin = np.cos(alpha)[..., None], np.sin(alpha)[..., None]
    row = cos * rotation[..., 0, :] - sin * rotation[..., 2, :]
    gamma = np.arctan2(row[..., 2], row[..., 0])
    quarter = _quarter_turn(l)
    tilted = quarter.T @ _turned(beta, quarter)
    # (D_y(γ)ᵀ Tᵀ)ᵀ = T D_y(γ)
    right = np.swapaxes(_turned(-gamma, np.swapaxes(tilted, -1, -2)), -1, -2)
    return _turned(alpha, right)


def rotation_character(
    l: int,  # noqa: E741
    rotation: Float[np.ndarray, "*batch 3 3"],
) -> np.ndarray | np.number:
    """Trace of D^l(R), Σ_m cos(m θ) with the angle θ of the rotation."""
    angle = np.linalg.norm(SO3().factor(rotation)[0], axis=-1)
    return np.cos(angle[..., None] * np.arange(-l, l + 1)).sum(axis=-1)


def _turned(angle: np.ndarray | np.floating, matrix: np.ndarray) -> np.ndarray:
    # D^l(R_y(angle)) @ matrix
    degree = matrix.shape[-2] // 2
    phase = np.asarray(angle)[..., None] * np.arange(-degree, degree + 1)
    return np.cos(phase)[..., None] * matrix - np.sin(phase)[..., None] * matrix[..., ::-1, :]


@lru_cache(maxsize=512)
def _quarter_turn(l: int) -> np.ndarray:  # noqa: E741
    # exp(π/2 X_z). The eigenvalues of i X_z are the whole numbers -l … l; only the
    # eigenvectors, which are well separated, are computed.
    vectors = np.linalg.eigh(1j * rotation_generators(l)[2])[1]
    phases = np.array([1, -1j, -1, 1j])[np.arange(-l, l + 1) % 4]
    rough = np.real((vectors * phases) @ vectors.conj().T)
    # One Newton step towards the nearest orthogonal matrix takes the last rounding errors off.
    out = rough @ (3.0 * np.eye(2 * l + 1) - rough.T @ rough) / 2.0
    out.flags.writeable = False
    return out
