"""Representations of subgroups, and pulled back along a homomorphism."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Inexact

from schur.errors import RepresentationError
from schur.groups import SO2_IN_SO3, SO3_IN_O3, SU2_ONTO_SO3, Group, Homomorphism
from schur.reps.representation import Representation

_KNOWN = (SO2_IN_SO3, SO3_IN_O3, SU2_ONTO_SO3)


@dataclass(frozen=True, repr=False)
class Restriction(Representation):
    """g -> ρ(φ(g)) for a homomorphism φ into the group of ρ.

    Raises:
        RepresentationError: φ does not end in the group of ρ.

    Example:
        >>> from schur.reps import Irreps
        >>> from schur.groups import SO3
        >>> Irreps("1o + 1e").restrict(SO3()).decompose().irreps
        SO3Irrep(l=1) + SO3Irrep(l=1)
    """

    base: Representation
    along: Homomorphism

    def __post_init__(self) -> None:
        if self.along.target != self.base.group:
            raise RepresentationError(
                "the homomorphism does not end in the group of the representation",
                got=f"a map into {self.along.target}",
                expected=f"a map into {self.base.group}",
            )

    @property
    def group(self) -> Group:
        return self.along.source

    @property
    def dim(self) -> int:
        return self.base.dim

    def generators(self) -> Inexact[np.ndarray, "k dim dim"]:
        return np.tensordot(self.along.matrix(), self.base.generators(), axes=1)

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        return self.base._matrix(self.along(g))

    def _character(self, g: np.ndarray) -> np.ndarray | np.number:
        return self.base._character(self.along(g))

    def __repr__(self) -> str:
        return f"({self.base!r}).restrict({self.along!r})"


def homomorphism_between(source: Group, target: Group) -> Homomorphism:
    """The library's map from one group into another, composed of known ones.

    Raises:
        RepresentationError: none is known.

    Example:
        >>> from schur.groups import O3, SO2
        >>> homomorphism_between(SO2(), O3()).matrix()
        array([[0., 1., 0.]])
    """
    for first in _KNOWN:
        if first.source != source:
            continue
        if first.target == target:
            return first
        for second in _KNOWN:
            if second.source == first.target and second.target == target:
                return second.after(first)
    raise RepresentationError(
        "no homomorphism between these groups is known",
        got=f"{source} -> {target}",
        expected=", ".join(f"{phi.source} -> {phi.target}" for phi in _KNOWN),
        remedy="give a schur.groups.Homomorphism",
    )
