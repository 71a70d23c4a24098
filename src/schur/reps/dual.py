"""Dual representations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Inexact

from schur.groups import Group
from schur.reps.representation import Representation


@dataclass(frozen=True, repr=False)
class Dual(Representation):
    """How linear functions on the vectors transform: g -> ρ(g^-1)ᵀ.

    Example:
        >>> from schur.reps import SU2Irrep
        >>> spin = SU2Irrep(0.5)
        >>> bool(np.all(spin.dual().generators() == spin.generators().conj()))
        True
    """

    base: Representation

    @property
    def group(self) -> Group:
        return self.base.group

    @property
    def dim(self) -> int:
        return self.base.dim

    def generators(self) -> Inexact[np.ndarray, "k dim dim"]:
        return -np.swapaxes(self.base.generators(), -1, -2)

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        return np.swapaxes(self.base._matrix(self.group.inverse(g)), -1, -2)

    def __repr__(self) -> str:
        return f"({self.base!r}).dual()"

    def dual(self) -> Representation:  # type: ignore[override]
        """The dual of the dual is the representation itself."""
        return self.base
