"""O(3): rotations of space and the inversion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.groups.group import Answers, Group, is_orthogonal
from schur.groups.so3 import SO3


@dataclass(frozen=True)
class O3(Group):
    """Orthogonal matrices of space: SO(3) and the inversion -1.

    Example:
        >>> vector, word = O3().factor(-np.eye(3))
        >>> vector + 0.0, word
        (array([0., 0., 0.]), array([0]))
    """

    @property
    def n(self) -> int:
        return 3

    def generators(self) -> Float[np.ndarray, "3 3 3"]:
        return SO3().generators()

    def discrete(self) -> Float[np.ndarray, "1 3 3"]:
        return -np.eye(3)[None]

    def sample(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} 3 3"]:
        signs = 1.0 - 2.0 * rng.integers(0, 2, count)
        return SO3().sample(rng, count) * signs[:, None, None]

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        return is_orthogonal(g, tolerance)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch 3 3"]:
        return np.swapaxes(g, -1, -2)

    def exp(self, coordinates: Float[np.ndarray, "*batch k"]) -> Float[np.ndarray, "*batch 3 3"]:
        return SO3().exp(coordinates)

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch 3"], Int[np.ndarray, "*batch 1"]]:
        self.require(g)
        improper = np.linalg.det(g) < 0
        rotations = np.where(improper[..., None, None], -g, g)
        return SO3().factor(rotations)[0], np.where(improper, 0, -1)[..., None]
