"""Maps between groups along which representations are pulled back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact

from schur.groups.group import Group
from schur.groups.o3 import O3
from schur.groups.so2 import SO2
from schur.groups.so3 import SO3, rotation_of_quaternion
from schur.groups.su2 import SU2, quaternion_of_spin_matrix

Elements = Inexact[np.ndarray, "*batch n n"]


@dataclass(frozen=True, repr=False)
class Homomorphism:
    """A map φ from one group to another with φ(g h) = φ(g) φ(h).

    Args:
        source: the group that is mapped.
        target: the group that it is mapped into.
        on_elements: φ on a batch of matrices.
        differential: rows of coordinates; the algebra element X_a of the source goes to
            Σ_b differential[a][b] X_b of the target.

    Example:
        >>> SO2_IN_SO3(SO2().exp(np.array([np.pi / 2]))).round(12) + 0.0
        array([[ 0.,  0.,  1.],
               [ 0.,  1.,  0.],
               [-1.,  0.,  0.]])
    """

    source: Group
    target: Group
    on_elements: Callable[[np.ndarray], np.ndarray]
    differential: tuple[tuple[float, ...], ...]

    def __call__(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch m m"]:
        """φ(g) for each element."""
        return self.on_elements(g)

    def __repr__(self) -> str:
        return f"{self.source} -> {self.target}"

    def matrix(self) -> Float[np.ndarray, "k_source k_target"]:
        """The differential as an array."""
        return np.array(self.differential, dtype=np.float64).reshape(
            self.source.dim, self.target.dim
        )

    def after(self, first: Homomorphism) -> Homomorphism:
        """The composition g -> φ(first(g))."""
        differential = first.matrix() @ self.matrix()
        return Homomorphism(
            first.source,
            self.target,
            _Composition(first.on_elements, self.on_elements),
            tuple(map(tuple, differential.tolist())),
        )


@dataclass(frozen=True)
class _Composition:
    first: Callable[[np.ndarray], np.ndarray]
    second: Callable[[np.ndarray], np.ndarray]

    def __call__(self, g: np.ndarray) -> np.ndarray:
        return self.second(self.first(g))


def _about_polar_axis(g: np.ndarray) -> np.ndarray:
    out = np.zeros((*g.shape[:-2], 3, 3))
    out[..., 1, 1] = 1.0
    out[..., 2, 2], out[..., 2, 0] = g[..., 0, 0], g[..., 0, 1]
    out[..., 0, 2], out[..., 0, 0] = g[..., 1, 0], g[..., 1, 1]
    return out


def _unchanged(g: np.ndarray) -> np.ndarray:
    return g


def _rotation_of_spin(g: np.ndarray) -> np.ndarray:
    return rotation_of_quaternion(quaternion_of_spin_matrix(g))


_UNIT = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))

# Rotations of the (z, x) plane, about the polar axis y, among the rotations of space.
SO2_IN_SO3 = Homomorphism(SO2(), SO3(), _about_polar_axis, ((0.0, 1.0, 0.0),))
SO3_IN_O3 = Homomorphism(SO3(), O3(), _unchanged, _UNIT)
SU2_ONTO_SO3 = Homomorphism(SU2(), SO3(), _rotation_of_spin, _UNIT)
