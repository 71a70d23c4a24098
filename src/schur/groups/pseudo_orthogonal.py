"""O(p, q) and its parts: matrices that keep an indefinite form; the Lorentz group."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.errors import RepresentationError
from schur.groups.group import Answers
from schur.groups.orthogonal import Orthogonal
from schur.groups.reductive import Reductive

Part = Literal["O", "SO", "SO+"]


@dataclass(frozen=True)
class PseudoOrthogonal(Reductive):
    """Real matrices with gᵀ η g = η, η = diag(1 p times, -1 q times).

    O(p, q) has four components, told apart by the signs of the determinants of the two diagonal
    blocks; SO(p, q) are the two of determinant one, SO+(p, q) is that of the unit. The generator
    of a plane (i, j), i < j, turns e_i towards e_j; across the two blocks it is the boost
    E_ij + E_ji.

    Args:
        p, q: both at least 1.
        part: `"O"`, `"SO"` or `"SO+"`.

    Example:
        >>> group = PseudoOrthogonal(2, 1, "SO+")
        >>> str(group), group.dim, group.metric().diagonal()
        ('SO+(2,1)', 3, array([ 1.,  1., -1.]))
    """

    p: int
    q: int
    part: Part = "O"

    is_compact = False

    def __post_init__(self) -> None:
        if self.p < 1 or self.q < 1 or self.part not in ("O", "SO", "SO+"):
            raise RepresentationError(
                "an indefinite orthogonal group",
                got=f"p={self.p}, q={self.q}, part={self.part!r}",
                expected="p >= 1, q >= 1, part one of 'O', 'SO', 'SO+'",
                remedy="for p or q zero use Orthogonal(n) or SpecialOrthogonal(n)",
            )

    @property
    def n(self) -> int:
        return self.p + self.q

    def metric(self) -> Float[np.ndarray, "n n"]:
        """The invariant form η."""
        return np.diag([1.0] * self.p + [-1.0] * self.q)

    def generators(self) -> Float[np.ndarray, "k n n"]:
        planes = list(combinations(range(self.n), 2))
        x = np.zeros((len(planes), self.n, self.n))
        for a, (i, j) in enumerate(planes):
            x[a, j, i], x[a, i, j] = 1.0, 1.0 if i < self.p <= j else -1.0
        return x

    def discrete(self) -> Float[np.ndarray, "d n n"]:
        first = np.diag([-1.0, *[1.0] * (self.n - 1)])
        last = np.diag([*[1.0] * (self.n - 1), -1.0])
        found = {"O": [first, last], "SO": [first @ last], "SO+": []}[self.part]
        return np.array(found).reshape(len(found), self.n, self.n)

    def sample_compact(
        self, rng: np.random.Generator, count: int
    ) -> Float[np.ndarray, "{count} n n"]:
        g = np.zeros((count, self.n, self.n))
        g[:, : self.p, : self.p] = Orthogonal(self.p).sample(rng, count)
        g[:, self.p :, self.p :] = Orthogonal(self.q).sample(rng, count)
        if self.part == "O":
            return g
        signs = self._signs(g)
        # Reflections of the first and of the last axis lead back to the wanted components.
        if self.part == "SO":
            signs = np.stack([np.ones(count), signs[:, 0] * signs[:, 1]], axis=-1)
        g[:, :, 0] *= signs[:, :1]
        g[:, :, -1] *= signs[:, 1:]
        return g

    def word(self, g: Inexact[np.ndarray, "*batch n n"]) -> Int[np.ndarray, "*batch w"]:
        signs = self._signs(np.real(g))
        width = len(self.discrete())
        return np.where(signs < 0, np.arange(2) if width == 2 else 0, -1)[..., :width]

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch n n"]:
        return self.metric() @ np.swapaxes(g, -1, -2) @ self.metric()

    def _signs(self, g: np.ndarray) -> np.ndarray:
        blocks = g[..., : self.p, : self.p], g[..., self.p :, self.p :]
        return np.stack([np.linalg.slogdet(block)[0] for block in blocks], axis=-1)

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        real = np.all(np.abs(np.imag(g)) <= tolerance, axis=(-2, -1))
        defect = np.swapaxes(g, -1, -2) @ self.metric() @ g - self.metric()
        size = np.maximum(1.0, np.abs(g).max(axis=(-2, -1)))
        member = real & (np.abs(defect).max(axis=(-2, -1)) <= tolerance * self.n * size)
        signs = self._signs(np.real(g))
        if self.part == "SO":
            member = member & (signs[..., 0] * signs[..., 1] > 0)
        if self.part == "SO+":
            member = member & np.all(signs > 0, axis=-1)
        return member

    def __str__(self) -> str:
        return f"{self.part}({self.p},{self.q})"


def Lorentz(part: Part = "SO+") -> PseudoOrthogonal:
    """O(1, 3), SO(1, 3) or the proper orthochronous group on (t, x, y, z), η = diag(1, -1, -1, -1).

    Example:
        >>> Lorentz()
        PseudoOrthogonal(p=1, q=3, part='SO+')
        >>> boost = Lorentz().exp(np.array([1.0, 0, 0, 0, 0, 0]))
        >>> bool(np.allclose(boost[0], [np.cosh(1), np.sinh(1), 0, 0]))
        True
    """
    return PseudoOrthogonal(1, 3, part)
