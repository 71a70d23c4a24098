"""SO(3): rotations of space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.groups.group import Answers, Group, is_orthogonal, no_word


@dataclass(frozen=True)
class SO3(Group):
    """Rotations of space; coordinates are rotation vectors, axis times angle, in (x, y, z).

    (X_a)_{bc} = -ε_{abc}, so that exp(Σ_a c_a X_a) turns by the angle |c| about c, by the right
    hand. The logarithm goes through the quaternion, which keeps full accuracy at the angles 0
    and π; of the two rotation vectors of a half turn it takes either.

    Example:
        >>> quarter_turn_about_z = SO3().exp(np.array([0.0, 0.0, np.pi / 2]))
        >>> quarter_turn_about_z.round(12) + 0.0
        array([[ 0., -1.,  0.],
               [ 1.,  0.,  0.],
               [ 0.,  0.,  1.]])
    """

    @property
    def n(self) -> int:
        return 3

    def generators(self) -> Float[np.ndarray, "3 3 3"]:
        x = np.zeros((3, 3, 3))
        for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            x[a, b, c], x[a, c, b] = -1.0, 1.0
        return x

    def sample(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} 3 3"]:
        return rotation_of_quaternion(random_quaternions(rng, count))

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        return is_orthogonal(g, tolerance) & (np.linalg.det(g) > 0)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch 3 3"]:
        return np.swapaxes(g, -1, -2)

    def exp(self, coordinates: Float[np.ndarray, "*batch k"]) -> Float[np.ndarray, "*batch 3 3"]:
        self._check_coordinates(coordinates)
        half = np.linalg.norm(coordinates, axis=-1, keepdims=True) / 2.0
        # sin(θ/2) / θ, finite at zero
        imaginary = coordinates * np.sinc(half / np.pi) / 2.0
        return rotation_of_quaternion(np.concatenate([np.cos(half), imaginary], axis=-1))

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch 3"], Int[np.ndarray, "*batch w"]]:
        self.require(g)
        return vector_of_quaternion(quaternion_of_rotation(g)), no_word(g.shape[:-2])


def random_quaternions(rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} 4"]:
    """Unit quaternions (w, x, y, z), uniform on the sphere in four dimensions."""
    q = rng.standard_normal((count, 4))
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def rotation_of_quaternion(
    q: Float[np.ndarray, "*batch 4"],
) -> Float[np.ndarray, "*batch 3 3"]:
    """The rotation v -> q v q^-1 of a unit quaternion (w, x, y, z)."""
    w, v = q[..., :1, None], q[..., 1:]
    outer = v[..., :, None] * v[..., None, :]
    square = np.sum(v * v, axis=-1)[..., None, None]
    cross = np.tensordot(v, SO3().generators(), axes=1)
    return (w * w - square) * np.eye(3) + 2.0 * (outer + w * cross)


def quaternion_of_rotation(
    g: Inexact[np.ndarray, "*batch 3 3"],
) -> Float[np.ndarray, "*batch 4"]:
    """The unit quaternion (w, x, y, z) with w >= 0 of a rotation.

    4 q_a q_b is linear in the matrix; the row with the largest diagonal entry is divided by its
    root, so that no digit is lost at any angle.

    Source: Shepperd, J. Guidance and Control 1 (1978) 223.
    """
    trace = np.trace(g, axis1=-2, axis2=-1)
    outer = np.zeros((*g.shape[:-2], 4, 4))
    outer[..., 0, 0] = 1.0 + trace
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        outer[..., 1 + a, 1 + a] = 1.0 + 2.0 * g[..., a, a] - trace
        difference, total = g[..., c, b] - g[..., b, c], g[..., c, b] + g[..., b, c]
        outer[..., 0, 1 + a] = outer[..., 1 + a, 0] = difference
        outer[..., 1 + b, 1 + c] = outer[..., 1 + c, 1 + b] = total
    largest = np.argmax(np.diagonal(outer, axis1=-2, axis2=-1), axis=-1)
    q = np.take_along_axis(outer, largest[..., None, None], axis=-2)[..., 0, :]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., :1] < 0, -q, q)


def vector_of_quaternion(q: Float[np.ndarray, "*batch 4"]) -> Float[np.ndarray, "*batch 3"]:
    """Axis times angle of a unit quaternion (w, x, y, z), the angle in [0, 2π]."""
    v = q[..., 1:]
    sine = np.linalg.norm(v, axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, q[..., :1])
    tiny = sine < np.finfo(np.float64).tiny
    # At w = 1 the vector vanishes; at w = -1 every axis serves, and z is taken.
    axis = np.where(tiny, np.array([0.0, 0.0, 1.0]), v / np.where(tiny, 1.0, sine))
    return axis * angle
