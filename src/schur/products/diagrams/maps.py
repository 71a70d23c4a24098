"""Bases of equivariant linear maps: given by diagrams, or by orbits."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from math import factorial, prod

import numpy as np
from jaxtyping import Float, Int

from schur.forms import Program
from schur.products.diagrams.diagram import Diagram
from schur.products.diagrams.factoring import Factoring, Whole, factoring
from schur.products.diagrams.matrices import matrix
from schur.products.diagrams.orbits import orbit_program
from schur.products.diagrams.program import linear_program


class EquivariantMaps(ABC):
    """A basis of the linear maps that commute with a group, between tensors of two shapes."""

    @property
    @abstractmethod
    def shape_in(self) -> tuple[int, ...]:
        """Extents of the input's axes."""

    @property
    @abstractmethod
    def shape_out(self) -> tuple[int, ...]:
        """Extents of the output's axes."""

    @property
    @abstractmethod
    def dimension(self) -> int:
        """How many maps there are."""

    @abstractmethod
    def factorings(self) -> Iterator[Factoring]:
        """The basis taken apart: how each map is contracted, mixed and copied."""

    @abstractmethod
    def squares(self) -> Float[np.ndarray, " dimension"]:
        """For each map the sum of its squared entries."""

    def matrices(self) -> Float[np.ndarray, "dimension rows columns"]:
        """The basis as dense matrices, a row for each number of the output."""
        rows, columns = prod(self.shape_out), prod(self.shape_in)
        found = [one.dense(rows, columns) for one in self.factorings()]
        return np.array(found).reshape(len(found), rows, columns)

    def classes(
        self,
    ) -> tuple[Float[np.ndarray, "classes dimension"], Int[np.ndarray, "rows columns"]]:
        """Entries at which all maps agree, put together.

        Returns:
            What the maps hold in each class, and the class of each entry of the matrices.
        """
        found = self.matrices()
        entries = np.ascontiguousarray(found.reshape(len(found), -1).T) + 0.0  # no minus zero
        keys = entries.view(np.dtype((np.void, entries.dtype.itemsize * len(found)))).reshape(-1)
        _, first, labels = np.unique(keys, return_index=True, return_inverse=True)
        return entries[first], labels.reshape(found.shape[1:])

    def program(self, channels_in: int, channels_out: int, bias: EquivariantMaps | None) -> Program:
        """out = Σ_d D_d x weight_d (+ Σ_b B_b bias_b); see `linear_program`.

        Args:
            channels_in, channels_out: the extents of u and w.
            bias: the maps from order 0 to the same output, of the same group; None for no bias.
        """
        shifts = [] if bias is None else list(bias.factorings())
        extents = prod(self.shape_in), prod(self.shape_out)
        return linear_program(list(self.factorings()), shifts, extents, (channels_in, channels_out))


class TensorPowerMaps(EquivariantMaps):
    """Maps from the k-th to the l-th tensor power of one space R^n."""

    n: int
    k: int
    l: int

    @property
    def shape_in(self) -> tuple[int, ...]:
        return (self.n,) * self.k

    @property
    def shape_out(self) -> tuple[int, ...]:
        return (self.n,) * self.l


@dataclass(frozen=True, eq=False)
class DiagramMaps(TensorPowerMaps):
    """Maps given by diagrams: applied in n^max(k, l)."""

    n: int
    k: int
    l: int
    diagrams: tuple[Diagram, ...]
    symplectic: bool = False

    @property
    def dimension(self) -> int:
        return len(self.diagrams)

    def factorings(self) -> Iterator[Factoring]:
        for diagram in self.diagrams:
            yield factoring(diagram, self.n, self.symplectic)

    def matrices(self) -> Float[np.ndarray, "dimension rows columns"]:
        # By the definition, entry by entry, and not by the factoring that it is to confirm.
        found = [matrix(diagram, self.n, self.symplectic) for diagram in self.diagrams]
        return np.array(found).reshape(len(found), self.n**self.l, self.n**self.k)

    def squares(self) -> Float[np.ndarray, " dimension"]:
        return np.array([self._square(diagram) for diagram in self.diagrams], dtype=np.float64)

    def _square(self, diagram: Diagram) -> float:
        free = len(diagram.blocks) - len(diagram.legs)
        # n or n - 1 distinct values can be chosen in n! ways.
        return float(self.n**free * (factorial(self.n) if diagram.legs else 1))


@dataclass(frozen=True, eq=False)
class OrbitMaps(TensorPowerMaps):
    """Maps given by the orbits of index tuples: for any permutation group, at n^(k+l)."""

    n: int
    k: int
    l: int
    labels: Int[np.ndarray, "..."]

    @property
    def dimension(self) -> int:
        return int(self.labels.max()) + 1

    def factorings(self) -> Iterator[Factoring]:
        flat = self.labels.reshape(self.n**self.l, self.n**self.k)
        above, below = Whole(len(flat)), Whole(flat.shape[1])
        for orbit in range(self.dimension):
            couplings = np.argwhere(orbit == flat.T)
            yield Factoring(above, below, (couplings, np.ones(len(couplings))))

    def classes(
        self,
    ) -> tuple[Float[np.ndarray, "classes dimension"], Int[np.ndarray, "rows columns"]]:
        return np.eye(self.dimension), self.labels.reshape(self.n**self.l, self.n**self.k)

    def squares(self) -> Float[np.ndarray, " dimension"]:
        return np.bincount(self.labels.reshape(-1)).astype(np.float64)

    def program(self, channels_in: int, channels_out: int, bias: EquivariantMaps | None) -> Program:
        # One weight array read at each entry's orbit is less than a path for each orbit.
        shifts = bias.labels if isinstance(bias, OrbitMaps) else None
        flat = self.labels.reshape(self.n**self.l, self.n**self.k)
        return orbit_program(flat, shifts, (channels_in, channels_out))
