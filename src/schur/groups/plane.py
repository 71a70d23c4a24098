"""C_n and D_n: the finite groups of turns and mirrors of the plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.errors import RepresentationError
from schur.groups.group import Answers, Group


@dataclass(frozen=True)
class Cyclic(Group):
    """C_n: the turns of the plane by multiples of 2π/n.

    Args:
        order: n, at least 1.

    Example:
        >>> Cyclic(4).elements()[1] + 0.0
        array([[ 0., -1.],
               [ 1.,  0.]])
    """

    order: int

    def __post_init__(self) -> None:
        _check_order(self.order)

    @property
    def n(self) -> int:
        return 2

    def generators(self) -> Float[np.ndarray, "0 2 2"]:
        return np.zeros((0, 2, 2))

    def discrete(self) -> Float[np.ndarray, "1 2 2"]:
        return _turns(self.order)[1 % self.order][None]

    def elements(self) -> Float[np.ndarray, "count 2 2"]:
        """All elements, the unit first; entries 0 and ±1 are exact."""
        return _turns(self.order)

    def sample(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} 2 2"]:
        return self.elements()[rng.integers(0, self.order, count)]

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        return _listed(g, self.elements(), tolerance)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch 2 2"]:
        return np.swapaxes(g, -1, -2)

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch 0"], Int[np.ndarray, "*batch w"]]:
        self.require(g)
        turns = _nearest(g, self.elements())
        return np.zeros((*g.shape[:-2], 0)), _powers(turns, self.order)

    def __str__(self) -> str:
        return f"C{self.order}"


@dataclass(frozen=True)
class Dihedral(Group):
    """D_n: the turns of the plane by multiples of 2π/n, and the mirror diag(1, -1) before them.

    Args:
        order: n, at least 1; the group has 2n elements.

    Example:
        >>> len(Dihedral(4).elements())
        8
    """

    order: int

    def __post_init__(self) -> None:
        _check_order(self.order)

    @property
    def n(self) -> int:
        return 2

    def generators(self) -> Float[np.ndarray, "0 2 2"]:
        return np.zeros((0, 2, 2))

    def discrete(self) -> Float[np.ndarray, "2 2 2"]:
        return np.stack([Cyclic(self.order).discrete()[0], np.diag([1.0, -1.0])])

    def elements(self) -> Float[np.ndarray, "count 2 2"]:
        """All elements, the unit first, mirrored ones last; entries 0 and ±1 are exact."""
        turns = _turns(self.order)
        return np.concatenate([turns, turns @ np.diag([1.0, -1.0])])

    def sample(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} 2 2"]:
        return self.elements()[rng.integers(0, 2 * self.order, count)]

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        return _listed(g, self.elements(), tolerance)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch 2 2"]:
        return np.swapaxes(g, -1, -2)

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch 0"], Int[np.ndarray, "*batch w"]]:
        self.require(g)
        place = _nearest(g, self.elements())
        turns = _powers(np.asarray(place % self.order), self.order)
        mirror = np.where(place >= self.order, 1, -1)[..., None]
        return np.zeros((*g.shape[:-2], 0)), np.concatenate([turns, mirror], axis=-1)

    def __str__(self) -> str:
        return f"D{self.order}"


def _check_order(order: int) -> None:
    if order < 1:
        raise RepresentationError("a turn by 2π/n", got=order, expected="n >= 1")


def _turns(order: int) -> np.ndarray:
    angle = 2.0 * np.pi * np.arange(order) / order
    cos, sin = np.cos(angle), np.sin(angle)
    g = np.stack([np.stack([cos, -sin], axis=-1), np.stack([sin, cos], axis=-1)], axis=-2)
    whole = np.abs(g - np.round(g)) < 1e-12
    return np.where(whole, np.round(g), g)


def _distances(g: np.ndarray, elements: np.ndarray) -> np.ndarray:
    return np.abs(g[..., None, :, :] - elements).max(axis=(-2, -1))


def _nearest(g: np.ndarray, elements: np.ndarray) -> np.ndarray:
    return np.asarray(np.argmin(_distances(g, elements), axis=-1))


def _listed(g: np.ndarray, elements: np.ndarray, tolerance: float) -> Answers:
    return np.min(_distances(g, elements), axis=-1) <= tolerance


def _powers(turns: np.ndarray, order: int) -> np.ndarray:
    """The word h_0 h_0 … of each number of turns."""
    places = np.arange(max(order - 1, 0))
    return np.where(places < turns[..., None], 0, -1).astype(np.int64)
