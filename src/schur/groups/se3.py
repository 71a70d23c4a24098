"""SE(3): rotations and translations of space."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.groups.group import Answers, Group, no_word
from schur.groups.so3 import SO3


@dataclass(frozen=True)
class SE3(Group):
    """Motions x -> R x + t as 4 x 4 matrices [[R, t], [0, 1]].

    Coordinates are the rotation vector, then the translation generators. The group is not
    compact: `sample` draws the rotation by the Haar measure and the translation from the
    standard normal distribution.

    Source: Murray, Li, Sastry, "A Mathematical Introduction to Robotic Manipulation" (1994),
    appendix A.

    Example:
        >>> SE3().log(SE3().exp(np.array([0.1, 0.2, 0.3, 1.0, 2.0, 3.0]))).round(12)
        array([0.1, 0.2, 0.3, 1. , 2. , 3. ])
    """

    is_compact = False

    @property
    def n(self) -> int:
        return 4

    def generators(self) -> Float[np.ndarray, "6 4 4"]:
        x = np.zeros((6, 4, 4))
        x[:3, :3, :3] = SO3().generators()
        x[3:, :3, 3] = np.eye(3)
        return x

    def sample(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} 4 4"]:
        return _motion(SO3().sample(rng, count), rng.standard_normal((count, 3)))

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        last_row = np.abs(g[..., 3, :] - np.array([0.0, 0.0, 0.0, 1.0])) <= tolerance
        return SO3().contains(g[..., :3, :3], tolerance) & np.all(last_row, axis=-1)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch 4 4"]:
        back = np.swapaxes(g[..., :3, :3], -1, -2)
        return _motion(back, -(back @ g[..., :3, 3:])[..., 0])

    def exp(self, coordinates: Float[np.ndarray, "*batch k"]) -> Float[np.ndarray, "*batch 4 4"]:
        self._check_coordinates(coordinates)
        vector, velocity = coordinates[..., :3], coordinates[..., 3:]
        along = _left_jacobian(vector) @ velocity[..., None]
        return _motion(SO3().exp(vector), along[..., 0])

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch 6"], Int[np.ndarray, "*batch w"]]:
        self.require(g)
        vector = SO3().log(g[..., :3, :3])
        velocity = np.linalg.solve(_left_jacobian(vector), g[..., :3, 3:])[..., 0]
        return np.concatenate([vector, velocity], axis=-1), no_word(g.shape[:-2])


def _motion(
    rotation: Float[np.ndarray, "*batch 3 3"], translation: Float[np.ndarray, "*batch 3"]
) -> Float[np.ndarray, "*batch 4 4"]:
    g = np.zeros((*rotation.shape[:-2], 4, 4))
    g[..., :3, :3] = rotation
    g[..., :3, 3] = translation
    g[..., 3, 3] = 1.0
    return g


def _left_jacobian(vector: Float[np.ndarray, "*batch 3"]) -> Float[np.ndarray, "*batch 3 3"]:
    # ∫_0^1 exp(s W) ds = 1 + (1 - cos θ)/θ² W + (θ - sin θ)/θ³ W²; invertible for θ < 2π.
    angle = np.linalg.norm(vector, axis=-1)[..., None, None]
    w = np.tensordot(vector, SO3().generators(), axes=1)
    first = np.sinc(angle / (2.0 * np.pi)) ** 2 / 2.0
    small = angle < 0.1
    safe = np.where(small, 1.0, angle)
    square = angle**2
    series = 1 / 6 - square / 120 * (1 - square / 42 * (1 - square / 72 * (1 - square / 110)))
    second = np.where(small, series, (safe - np.sin(safe)) / safe**3)
    return np.eye(3) + first * w + second * (w @ w)
