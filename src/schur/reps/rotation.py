"""Irreps of SO(3) in e3nn's real basis: exact generators, stable Wigner matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float

from schur.errors import RepresentationError
from schur.groups import SO3
from schur.reps.euler import angles_of, matrix_of_angles, rotation_generators
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


def rotation_matrix(
    l: int,  # noqa: E741
    rotation: Float[np.ndarray, "*batch 3 3"],
) -> Float[np.ndarray, "*batch dim dim"]:
    """D^l(R) of rotation matrices, by way of their Euler angles."""
    return matrix_of_angles(l, *angles_of(rotation))


def rotation_character(
    l: int,  # noqa: E741
    rotation: Float[np.ndarray, "*batch 3 3"],
) -> np.ndarray | np.number:
    """Trace of D^l(R), Σ_m cos(m θ) with the angle θ of the rotation."""
    angle = np.linalg.norm(SO3().factor(rotation)[0], axis=-1)
    return np.cos(angle[..., None] * np.arange(-l, l + 1)).sum(axis=-1)
