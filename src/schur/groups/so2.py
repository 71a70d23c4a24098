"""SO(2): rotations of the plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.groups.group import Answers, Group, is_orthogonal, no_word


@dataclass(frozen=True)
class SO2(Group):
    """Rotations of the plane, exp(θ X) = [[cos θ, -sin θ], [sin θ, cos θ]].

    Example:
        >>> SO2().log(SO2().exp(np.array([0.5])))
        array([0.5])
    """

    @property
    def n(self) -> int:
        return 2

    def generators(self) -> Float[np.ndarray, "1 2 2"]:
        return np.array([[[0.0, -1.0], [1.0, 0.0]]])

    def sample(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} 2 2"]:
        return self.exp(rng.uniform(-np.pi, np.pi, (count, 1)))

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        return is_orthogonal(g, tolerance) & (np.linalg.det(g) > 0)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch 2 2"]:
        return np.swapaxes(g, -1, -2)

    def exp(self, coordinates: Float[np.ndarray, "*batch k"]) -> Float[np.ndarray, "*batch 2 2"]:
        self._check_coordinates(coordinates)
        cos, sin = np.cos(coordinates[..., 0]), np.sin(coordinates[..., 0])
        rows = [np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)]
        return np.stack(rows, axis=-2)

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch 1"], Int[np.ndarray, "*batch w"]]:
        self.require(g)
        angle = np.arctan2(g[..., 1, 0] - g[..., 0, 1], g[..., 0, 0] + g[..., 1, 1])
        return angle[..., None], no_word(g.shape[:-2])
