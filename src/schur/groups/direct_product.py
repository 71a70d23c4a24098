"""Direct products of groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.errors import RepresentationError
from schur.groups.group import Answers, Group


@dataclass(frozen=True)
class DirectProduct(Group):
    """Tuples of elements of several groups, as block-diagonal matrices.

    Args:
        factors: two groups or more.

    Example:
        >>> from schur.groups import O3, SO2
        >>> group = O3() * SO2()
        >>> str(group), group.n, group.dim, len(group.discrete())
        ('O3 x SO2', 5, 4, 1)
    """

    factors: tuple[Group, ...]

    def __post_init__(self) -> None:
        if len(self.factors) < 2:
            raise RepresentationError(
                "a direct product has two factors or more",
                got=len(self.factors),
                expected="at least 2",
            )

    @property
    def is_compact(self) -> bool:  # type: ignore[override]
        return all(factor.is_compact for factor in self.factors)

    @property
    def is_complex(self) -> bool:  # type: ignore[override]
        return any(factor.is_complex for factor in self.factors)

    @property
    def n(self) -> int:
        return sum(factor.n for factor in self.factors)

    def slices(self) -> list[slice]:
        """For each factor the rows of its block."""
        ends = np.cumsum([factor.n for factor in self.factors]).tolist()
        return [slice(end - f.n, end) for f, end in zip(self.factors, ends, strict=True)]

    def embed(
        self, factor: int, g: Inexact[np.ndarray, "*batch m m"]
    ) -> Inexact[np.ndarray, "*batch n n"]:
        """The element that is `g` in one factor and the unit in the others."""
        out = np.zeros((*g.shape[:-2], self.n, self.n), dtype=self.dtype)
        out[...] = np.eye(self.n)
        rows = self.slices()[factor]
        out[..., rows, rows] = g
        return out

    def project(
        self, factor: int, g: Inexact[np.ndarray, "*batch n n"]
    ) -> Inexact[np.ndarray, "*batch m m"]:
        """The component of each element in one factor."""
        rows = self.slices()[factor]
        part = g[..., rows, rows]
        return part if self.factors[factor].is_complex else np.real(part)

    def generators(self) -> Inexact[np.ndarray, "k n n"]:
        blocks = []
        for factor, rows in zip(self.factors, self.slices(), strict=True):
            x = np.zeros((factor.dim, self.n, self.n), dtype=self.dtype)
            x[:, rows, rows] = factor.generators()
            blocks.append(x)
        return np.concatenate(blocks)

    def discrete(self) -> Inexact[np.ndarray, "d n n"]:
        return np.concatenate([self.embed(i, f.discrete()) for i, f in enumerate(self.factors)])

    def sample(self, rng: np.random.Generator, count: int) -> Inexact[np.ndarray, "{count} n n"]:
        out = np.zeros((count, self.n, self.n), dtype=self.dtype)
        for factor, rows in zip(self.factors, self.slices(), strict=True):
            out[:, rows, rows] = factor.sample(rng, count)
        return out

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        outside = np.ones((self.n, self.n), dtype=bool)
        for rows in self.slices():
            outside[rows, rows] = False
        member = np.all((np.abs(g) <= tolerance) | ~outside, axis=(-2, -1))
        for i, factor in enumerate(self.factors):
            rows = self.slices()[i]
            real = np.all(np.abs(np.imag(g[..., rows, rows])) <= tolerance, axis=(-2, -1))
            member = member & factor.contains(self.project(i, g), tolerance)
            member = member & (real | factor.is_complex)
        return member

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch n n"]:
        out = np.zeros_like(g)
        for i, (factor, rows) in enumerate(zip(self.factors, self.slices(), strict=True)):
            out[..., rows, rows] = factor.inverse(self.project(i, g))
        return out

    def exp(self, coordinates: Float[np.ndarray, "*batch k"]) -> Inexact[np.ndarray, "*batch n n"]:
        self._check_coordinates(coordinates)
        out = np.zeros((*coordinates.shape[:-1], self.n, self.n), dtype=self.dtype)
        start = 0
        for factor, rows in zip(self.factors, self.slices(), strict=True):
            stop = start + factor.dim
            out[..., rows, rows] = factor.exp(coordinates[..., start:stop])
            start = stop
        return out

    def exponentials(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> list[tuple[Float[np.ndarray, "*batch k"], Int[np.ndarray, "*batch w"]]]:
        self.require(g)
        found, offset, start = [], 0, 0
        for i, factor in enumerate(self.factors):
            for part, word in factor.exponentials(self.project(i, g)):
                coordinates = np.zeros((*g.shape[:-2], self.dim))
                coordinates[..., start : start + factor.dim] = part
                found.append((coordinates, np.where(word >= 0, word + offset, -1)))
            offset, start = offset + len(factor.discrete()), start + factor.dim
        return found

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch k"], Int[np.ndarray, "*batch w"]]:
        self.require(g)
        coordinates, words, offset = [], [], 0
        for i, factor in enumerate(self.factors):
            part, word = factor.factor(self.project(i, g))
            coordinates.append(part)
            # Elements of different factors commute, so their words may follow each other.
            words.append(np.where(word >= 0, word + offset, -1))
            offset += len(factor.discrete())
        return np.concatenate(coordinates, axis=-1), np.concatenate(words, axis=-1)

    def __str__(self) -> str:
        return " x ".join(
            f"({factor})" if isinstance(factor, DirectProduct) else str(factor)
            for factor in self.factors
        )
