"""SU(2): rotations of spins, the double cover of SO(3)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Float, Inexact, Int

from schur.groups.group import Answers, Group, is_orthogonal, no_word
from schur.groups.so3 import random_quaternions, vector_of_quaternion


@dataclass(frozen=True)
class SU2(Group):
    """Unitary 2 x 2 matrices of determinant 1, X_a = -i σ_a / 2, spin up first.

    exp(Σ_a c_a X_a) covers the rotation with rotation vector c; a full turn is -1, and angles
    run to 2π.

    Example:
        >>> full_turn = SU2().exp(np.array([0.0, 0.0, 2 * np.pi]))
        >>> full_turn.real.round(12)
        array([[-1.,  0.],
               [ 0., -1.]])
    """

    is_complex = True

    @property
    def n(self) -> int:
        return 2

    def generators(self) -> Complex[np.ndarray, "3 2 2"]:
        pauli = np.array([[[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]])
        return -0.5j * pauli

    def sample(self, rng: np.random.Generator, count: int) -> Complex[np.ndarray, "{count} 2 2"]:
        return _matrix_of_quaternion(random_quaternions(rng, count))

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        return is_orthogonal(g, tolerance) & (np.abs(np.linalg.det(g) - 1.0) <= 2.0 * tolerance)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch 2 2"]:
        return np.conj(np.swapaxes(g, -1, -2))

    def exp(self, coordinates: Float[np.ndarray, "*batch k"]) -> Complex[np.ndarray, "*batch 2 2"]:
        self._check_coordinates(coordinates)
        half = np.linalg.norm(coordinates, axis=-1, keepdims=True) / 2.0
        imaginary = coordinates * np.sinc(half / np.pi) / 2.0
        return _matrix_of_quaternion(np.concatenate([np.cos(half), imaginary], axis=-1))

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch 3"], Int[np.ndarray, "*batch w"]]:
        self.require(g)
        return vector_of_quaternion(quaternion_of_spin_matrix(g)), no_word(g.shape[:-2])


def quaternion_of_spin_matrix(
    g: Inexact[np.ndarray, "*batch 2 2"],
) -> Float[np.ndarray, "*batch 4"]:
    """The unit quaternion (w, x, y, z) with g = w - i (x σ_x + y σ_y + z σ_z)."""
    up, off = (g[..., 0, 0] + np.conj(g[..., 1, 1])) / 2, (g[..., 1, 0] - np.conj(g[..., 0, 1])) / 2
    q = np.stack([up.real, -off.imag, off.real, -up.imag], axis=-1)
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def _matrix_of_quaternion(q: Float[np.ndarray, "*batch 4"]) -> Complex[np.ndarray, "*batch 2 2"]:
    scalar = q[..., 0, None, None] * np.eye(2)
    return scalar + 2.0 * np.tensordot(q[..., 1:], SU2().generators(), axes=1)
