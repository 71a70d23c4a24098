"""A basis of the equivariant linear maps between tensor powers, for each group."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import numpy as np
from jaxtyping import Float, Int

from schur.errors import RepresentationError
from schur.forms import Program
from schur.groups import (
    O2,
    O3,
    SO2,
    SO3,
    Alt,
    Group,
    Orthogonal,
    PermutationGroup,
    Permuting,
    SpecialOrthogonal,
    Sym,
    Symplectic,
)
from schur.products.diagrams.counting import dimension
from schur.products.diagrams.diagram import (
    Diagram,
    determinants,
    jellyfish,
    pairings,
    partitions,
)
from schur.products.diagrams.matrices import matrix
from schur.products.diagrams.orbits import orbit_matrix, orbit_program, orbits
from schur.products.diagrams.program import linear_program
from schur.products.diagrams.spanning import independent


class EquivariantMaps(ABC):
    """A basis of Hom_G((R^n)^⊗k, (R^n)^⊗l)."""

    n: int
    k: int
    l: int

    @property
    @abstractmethod
    def dimension(self) -> int:
        """How many maps there are."""

    @abstractmethod
    def matrices(self) -> Float[np.ndarray, "dimension rows columns"]:
        """The basis as dense matrices of shape (n^l, n^k)."""

    @abstractmethod
    def squares(self) -> Float[np.ndarray, " dimension"]:
        """For each map the sum of its squared entries."""

    @abstractmethod
    def program(self, channels_in: int, channels_out: int, bias: EquivariantMaps | None) -> Program:
        """out = Σ_d D_d x weight_d (+ Σ_b B_b bias_b); see `linear_program`.

        Args:
            channels_in, channels_out: the extents of u and w.
            bias: the maps from order 0 to order l, of the same group; None for no bias.
        """


@dataclass(frozen=True, eq=False)
class DiagramMaps(EquivariantMaps):
    """Maps given by diagrams: applied in n^max(k, l)."""

    n: int
    k: int
    l: int
    diagrams: tuple[Diagram, ...]
    symplectic: bool = False

    @property
    def dimension(self) -> int:
        return len(self.diagrams)

    def matrices(self) -> Float[np.ndarray, "dimension rows columns"]:
        found = [matrix(diagram, self.n, self.symplectic) for diagram in self.diagrams]
        return np.array(found).reshape(len(found), self.n**self.l, self.n**self.k)

    def squares(self) -> Float[np.ndarray, " dimension"]:
        return np.array([self._square(diagram) for diagram in self.diagrams], dtype=np.float64)

    def _square(self, diagram: Diagram) -> float:
        free = len(diagram.blocks) - len(diagram.legs)
        # n or n - 1 distinct values can be chosen in n! ways.
        return float(self.n**free * (factorial(self.n) if diagram.legs else 1))

    def program(self, channels_in: int, channels_out: int, bias: EquivariantMaps | None) -> Program:
        return linear_program(
            self.diagrams,
            bias.diagrams if isinstance(bias, DiagramMaps) else (),
            self.n,
            (self.k, self.l),
            (channels_in, channels_out),
            self.symplectic,
        )


@dataclass(frozen=True, eq=False)
class OrbitMaps(EquivariantMaps):
    """Maps given by the orbits of index tuples: for any permutation group, at n^(k+l)."""

    n: int
    k: int
    l: int
    labels: Int[np.ndarray, "..."]

    @property
    def dimension(self) -> int:
        return int(self.labels.max()) + 1

    def matrices(self) -> Float[np.ndarray, "dimension rows columns"]:
        return np.stack([orbit_matrix(self.labels, i, self.l) for i in range(self.dimension)])

    def squares(self) -> Float[np.ndarray, " dimension"]:
        return np.bincount(self.labels.reshape(-1)).astype(np.float64)

    def program(self, channels_in: int, channels_out: int, bias: EquivariantMaps | None) -> Program:
        shifts = bias.labels if isinstance(bias, OrbitMaps) else None
        flat = self.labels.reshape(self.n**self.l, self.n**self.k)
        return orbit_program(flat, shifts, (channels_in, channels_out))


@lru_cache(maxsize=256)
def equivariant_maps(group: Group, k: int, l: int) -> EquivariantMaps:
    """A basis of the maps from order k to order l that commute with a group.

    Sym(n): partition diagrams of at most n blocks. Alt(n): with the jellyfish of n and n - 1
    blocks. O(n) and Sp(n): Brauer diagrams; where n is small they are dependent, and the first
    independent ones are kept. SO(n): with the (l+k)\\n diagrams. A group whose elements permute
    the unit vectors, and a product of such groups on the sum of their spaces (local symmetry):
    orbits.

    Args:
        group: one of those above; O2, SO2, O3 and SO3 as well.
        k, l: orders of input and output, at least 0.

    Raises:
        RepresentationError: another group, or a negative order.

    Example:
        >>> [equivariant_maps(group, 2, 2).dimension for group in (Sym(4), Sym(2), Orthogonal(2))]
        [15, 8, 3]
        >>> equivariant_maps(Alt(3), 1, 1).dimension, equivariant_maps(Sym(3), 1, 1).dimension
        (3, 2)
    """
    if k < 0 or l < 0:
        raise RepresentationError("orders of tensors", got=(k, l), expected="k >= 0, l >= 0")
    group = _general(group)
    n, order = group.n, k + l
    match group:
        case Sym():
            return DiagramMaps(n, k, l, tuple(partitions(k, l, n)))
        case Alt():
            more = tuple(jellyfish(k, l, n)) if n > 1 else ()
            return DiagramMaps(n, k, l, (*partitions(k, l, n), *more))
        case Permuting():
            return OrbitMaps(n, k, l, orbits(group, order))
        case Orthogonal() | SpecialOrthogonal():
            even = dimension(Orthogonal(n), order)
            kept = independent(list(pairings(k, l)), n, False, even)
            if isinstance(group, SpecialOrthogonal):
                odd = list(determinants(k, l, n))
                kept += independent(odd, n, False, dimension(group, order) - even)
            return DiagramMaps(n, k, l, kept)
        case Symplectic():
            kept = independent(list(pairings(k, l)), n, True, dimension(group, order))
            return DiagramMaps(n, k, l, kept, symplectic=True)
    raise RepresentationError(
        "no diagrams for this group",
        got=group,
        expected="Sym, Alt, Orthogonal, SpecialOrthogonal, Symplectic or permutations",
        remedy="solve for the maps with schur.reps.intertwiners",
    )


def _general(group: Group) -> Group:
    """The same group as one of the families; products of permutations as one permutation group."""
    if isinstance(group, (O2, O3)):
        return Orthogonal(group.n)
    if isinstance(group, (SO2, SO3)):
        return SpecialOrthogonal(group.n)
    h = group.discrete()
    if isinstance(group, Permuting) or group.dim or not np.all((h == 0) | (h == 1)):
        return group
    # 0-1 matrices that are orthogonal permute; a product of trivial groups has no generator.
    images = np.argmax(h, axis=-2).tolist() or [list(range(group.n))]
    return PermutationGroup(tuple(tuple(image) for image in images))
