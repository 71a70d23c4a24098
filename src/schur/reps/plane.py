"""Irreps of SO(2) and O(2), real."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float

from schur.errors import RepresentationError
from schur.groups import O2, SO2
from schur.reps.irreducible import Irreducible


@dataclass(frozen=True)
class SO2Irrep(Irreducible):
    """The real irrep of SO(2) in which the plane turns m times as fast.

    exp(θ X) acts as [[cos mθ, -sin mθ], [sin mθ, cos mθ]]; for m = 0 it is trivial.

    Args:
        m: order, 0, 1, 2, …

    Example:
        >>> SO2Irrep(3).generators()
        array([[[ 0., -3.],
                [ 3.,  0.]]])
    """

    m: int

    def __post_init__(self) -> None:
        _check_order(self.m)

    @classmethod
    def up_to(cls, weight: float) -> Sequence[Self]:
        return [cls(m) for m in range(int(weight) + 1)]

    @property
    def group(self) -> SO2:
        return SO2()

    @property
    def dim(self) -> int:
        return 2 if self.m else 1

    @property
    def commutant(self) -> int:
        return 2 if self.m else 1

    def generators(self) -> Float[np.ndarray, "1 dim dim"]:
        return _turn_generator(self.m)

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        return _turn(self.m, g)


@dataclass(frozen=True)
class O2Irrep(Irreducible):
    """The real irrep of O(2) of order m; for m = 0 the sign says what a reflection does.

    Rotations act as in `SO2Irrep`, the reflection diag(1, -1) acts as itself.

    Args:
        m: order, 0, 1, 2, …
        p: +1 or -1, the value of a reflection where m is 0; +1 otherwise.

    Example:
        >>> O2Irrep(0, -1).discrete()
        array([[[-1.]]])
    """

    m: int
    p: int = 1

    def __post_init__(self) -> None:
        _check_order(self.m)
        if self.p not in (1, -1) or (self.m and self.p != 1):
            raise RepresentationError(
                "the sign of this irrep of O(2) does not exist",
                got=f"m={self.m}, p={self.p}",
                expected="p = 1, or p = -1 where m = 0",
            )

    @classmethod
    def up_to(cls, weight: float) -> Sequence[Self]:
        return [cls(0), cls(0, -1), *(cls(m) for m in range(1, int(weight) + 1))]

    @property
    def group(self) -> O2:
        return O2()

    @property
    def dim(self) -> int:
        return 2 if self.m else 1

    def generators(self) -> Float[np.ndarray, "1 dim dim"]:
        return _turn_generator(self.m)

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        reflected = (np.linalg.det(g) < 0)[..., None, None]
        if self.m == 0:
            return np.where(reflected, float(self.p), 1.0)
        reflection = np.diag([1.0, -1.0])
        turned = _turn(self.m, np.where(reflected, g @ reflection, g))
        return np.where(reflected, turned @ reflection, turned)


def _check_order(m: object) -> None:
    if not isinstance(m, int) or m < 0:
        raise RepresentationError(
            "the order of an irrep of the plane is a whole number that is not negative",
            got=repr(m),
            expected="0, 1, 2, …",
        )


def _turn_generator(m: int) -> np.ndarray:
    return m * SO2().generators() if m else np.zeros((1, 1, 1))


def _turn(m: int, g: np.ndarray) -> np.ndarray:
    if m == 0:
        return np.ones((*g.shape[:-2], 1, 1))
    return SO2().exp(m * SO2().factor(g)[0])
