"""O(2): rotations and reflections of the plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.groups.group import Answers, Group, is_orthogonal
from schur.groups.so2 import SO2


@dataclass(frozen=True)
class O2(Group):
    """Orthogonal matrices of the plane: SO(2) and the reflection diag(1, -1).

    Example:
        >>> angle, word = O2().factor(np.diag([1.0, -1.0]))
        >>> angle + 0.0, word
        (array([0.]), array([0]))
    """

    @property
    def n(self) -> int:
        return 2

    def generators(self) -> Float[np.ndarray, "1 2 2"]:
        return SO2().generators()

    def discrete(self) -> Float[np.ndarray, "1 2 2"]:
        return np.diag([1.0, -1.0])[None]

    def sample(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} 2 2"]:
        rotations = SO2().sample(rng, count)
        reflected = rng.integers(0, 2, count).astype(bool)
        return np.where(reflected[:, None, None], rotations @ self.discrete()[0], rotations)

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        return is_orthogonal(g, tolerance)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch 2 2"]:
        return np.swapaxes(g, -1, -2)

    def exp(self, coordinates: Float[np.ndarray, "*batch k"]) -> Float[np.ndarray, "*batch 2 2"]:
        return SO2().exp(coordinates)

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch 1"], Int[np.ndarray, "*batch 1"]]:
        self.require(g)
        reflected = np.linalg.det(g) < 0
        rotations = np.where(reflected[..., None, None], g @ self.discrete()[0], g)
        word = np.where(reflected, 0, -1)[..., None]
        return SO2().factor(rotations)[0], word
