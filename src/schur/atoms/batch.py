"""Several systems as one graph: what a model and a loss read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import Tensor

from ..engine import Sorted
from ..engine.transfer import moved
from ..errors import DataError
from ..nn.species import Species
from ..tensors import Graph
from .elements import SYMBOLS
from .neighbours import NeighbourList, neighbour_list
from .streaming import StreamedSystems, has_stress, sizes_of
from .system import System


@dataclass(frozen=True, eq=False)
class Batch:
    """Systems side by side; atoms are numbered through.

    Edges come in opposite pairs: edge k + edges/2 is edge k with sender and receiver exchanged and
    its vector reversed, so that what depends on distances alone need be computed for one half.

    Args:
        species: (atoms,) index of each atom's element in the list of elements.
        vectors: (edges, 3) r_receiver - r_sender in Å, in the number type of the model.
        edge_index: (2, edges) senders and receivers.
        system: (atoms,) which system an atom belongs to.
        sizes: (systems,) atoms of each system, float64.
        volumes: (systems,) Å^3, float64; 1 for a system without a cell.
        energies: (systems,) eV, float64; NaN where unknown.
        forces: (atoms, 3) eV/Å; NaN where unknown.
        stresses: (systems, 3, 3) eV/Å^3; NaN where unknown.
        weights: (systems,) factors in a loss, float64.
        origins: where each system was read.
        topology: neighbours and elements checked and sorted, where that is not left to the model.
    """

    species: Tensor
    vectors: Tensor
    edge_index: Tensor
    system: Tensor
    sizes: Tensor
    volumes: Tensor
    energies: Tensor
    forces: Tensor
    stresses: Tensor
    weights: Tensor
    origins: tuple[str, ...]
    topology: Topology | None = None

    @property
    def num_systems(self) -> int:
        """Number of systems."""
        return len(self.origins)

    @property
    def num_atoms(self) -> int:
        """Number of atoms of all systems together."""
        return int(self.species.shape[0])

    def to(self, device: torch.device, elements: int) -> Batch:
        """The same on another device; the batch itself where that is its own.

        What a model looks at of elements and neighbours (bounds, order, counts) is looked at
        here, so that nobody need wait for the other device.

        Args:
            device: where to.
            elements: how many the model knows.
        """
        if device == self.vectors.device:
            return self
        graph = Graph(self.edge_index, self.num_atoms, paired=True)
        topology = Topology(graph, Species(self.species, elements)).to(device)
        tensors = {
            field.name: moved(value, device)
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), Tensor)
        }
        return replace(self, **tensors, topology=topology)


@dataclass(frozen=True, eq=False)
class Topology:
    """Who is whose neighbour and which element, known beforehand.

    Args:
        graph: edges in opposite pairs.
        species: of each atom.
    """

    graph: Graph
    species: Species

    def to(self, device: torch.device) -> Topology:
        """The same on another device."""
        return Topology(self.graph.to(device), self.species.to(device))

    def varying(self) -> tuple[Tensor, ...]:
        """What depends on who is whose neighbour, apart from how many neighbours there are."""
        ends = (self.graph.senders, self.graph.receivers)
        return tuple(part for end in ends for part in (end.index, end.order, end.start))

    def with_varying(self, parts: Sequence[Tensor]) -> Topology:
        """The same with other tensors in place of what `varying` gives."""
        ends = (Sorted.known(*parts[:3]), Sorted.known(*parts[3:]))
        return Topology(Graph.known(*ends, self.graph.pairs), self.species)

    def with_lone_atoms(self) -> Topology:
        """The same with one atom of each element at the end that no edge touches."""
        species = self.species.with_one_of_each()
        return Topology(self.graph.with_further_nodes(species.count), species)


def unlabelled(system: System, species: Tensor, vectors: Tensor, edge_index: Tensor) -> Batch:
    """One system as a batch without labels, where its vectors are.

    Args:
        system: for its volume and number of atoms.
        species: (atoms,) index of each atom's element.
        vectors: (edges, 3) r_receiver - r_sender, Å.
        edge_index: (2, edges) senders and receivers, in opposite pairs.
    """
    device = vectors.device
    unknown = torch.full((1,), float("nan"), dtype=torch.float64, device=device)
    return Batch(
        species=species,
        vectors=vectors,
        edge_index=edge_index,
        system=torch.zeros(len(system), dtype=torch.int64, device=device),
        sizes=torch.full_like(unknown, float(len(system))),
        volumes=torch.full_like(unknown, system.volume or 1.0),
        energies=unknown,
        forces=unknown.to(vectors.dtype).expand(len(system), 3),
        stresses=unknown.expand(1, 3, 3),
        weights=torch.ones_like(unknown),
        origins=(system.origin,),
    )


@dataclass(frozen=True, eq=False)
class _Entry:
    """What is kept of a system between epochs."""

    system: System
    species: np.ndarray
    half: NeighbourList

    @property
    def nbytes(self) -> int:
        """Memory of the arrays and of the objects that hold them."""
        s, half = self.system, self.half
        labels = [array for array in (s.forces, s.stress) if array is not None]
        pairs = [half.senders, half.receivers, half.shifts, half.vectors]
        arrays = [s.numbers, s.positions, s.cell, s.pbc, self.species, *labels, *pairs]
        return sum(array.nbytes for array in arrays) + _OBJECTS


_OBJECTS = 3000  # bytes; a dozen arrays without their numbers, and what refers to them


class AtomicDataset:
    """Systems with their neighbour lists, made once and joined into batches on demand.

    Args:
        systems: in order. Streamed ones are read, and their neighbour lists made, when a batch
            asks for them; of these as many are kept for the next time as memory allows.
        elements: atomic numbers that the model knows, ascending.
        cutoff: Å.
        dtype: number type of vectors and forces in the batches.
        memory: bytes for streamed systems that are kept.
        pairs: directed pairs of neighbours of all systems, where they have been counted.

    Raises:
        DataError: a system with an element that is not among `elements`.

    Example:
        >>> h2 = System([1, 1], [[0, 0, 0], [0, 0, 0.74]], energy=-31.0)
        >>> data = AtomicDataset([h2, h2], (1,), cutoff=2.0, dtype=torch.float64)
        >>> batch = data.batch([0, 1])
        >>> batch.edge_index
        tensor([[0, 2, 1, 3],
                [1, 3, 0, 2]])
    """

    def __init__(
        self,
        systems: Sequence[System],
        elements: Sequence[int],
        cutoff: float,
        dtype: torch.dtype = torch.float32,
        memory: int = 10**9,
        pairs: int | None = None,
    ) -> None:
        self.elements = tuple(int(z) for z in elements)
        self.cutoff = float(cutoff)
        self.dtype = dtype
        self.systems = systems
        self._room = memory
        self._pairs = pairs
        self._entries: dict[int, _Entry] = {}
        self.sizes, self.stressed = sizes_of(systems), has_stress(systems)
        if not isinstance(systems, StreamedSystems):
            self._entries = {k: self._made(system) for k, system in enumerate(systems)}

    def __len__(self) -> int:
        return len(self.systems)

    def _made(self, system: System) -> _Entry:
        return _Entry(
            system,
            species_index(system, self.elements),
            neighbour_list(system, self.cutoff).one_of_each(),
        )

    def _entry(self, index: int) -> _Entry:
        entry = self._entries.get(index)
        if entry is None:
            entry = self._made(self.systems[index])
            # Frames come in a new order each epoch: the first that fit serve as well as any.
            size = entry.nbytes
            if size <= self._room:
                self._room -= size
                self._entries[index] = entry
        return entry

    def mean_neighbours(self) -> float:
        """Mean number of neighbours of an atom, over all systems."""
        if self._pairs is None:
            self._pairs = 2 * sum(len(self._entry(k).half) for k in range(len(self)))
        return self._pairs / max(int(self.sizes.sum()), 1)

    def thinned(self, count: int) -> AtomicDataset:
        """At most so many systems, evenly spaced where they are streamed; else all of them."""
        if not isinstance(self.systems, StreamedSystems) or len(self) <= count:
            return self
        which = np.linspace(0, len(self) - 1, count).round().astype(np.int64)
        systems = self.systems.chosen(which)
        return AtomicDataset(systems, self.elements, self.cutoff, self.dtype, self._room)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Joins the systems of these indices."""
        entries = [self._entry(int(i)) for i in indices]
        sizes = np.array([len(entry.system) for entry in entries])
        starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
        edges = [
            np.stack([entry.half.senders, entry.half.receivers]) + start
            for entry, start in zip(entries, starts, strict=True)
        ]
        half = np.concatenate(edges, axis=1)
        vectors = np.concatenate([entry.half.vectors for entry in entries])
        systems = [entry.system for entry in entries]
        dtype = self.dtype
        return Batch(
            species=torch.from_numpy(np.concatenate([entry.species for entry in entries])),
            vectors=_tensor(np.concatenate([vectors, -vectors]), dtype),
            edge_index=torch.from_numpy(np.concatenate([half, half[::-1]], axis=1)),
            system=torch.from_numpy(np.repeat(np.arange(len(entries)), sizes)),
            sizes=torch.from_numpy(sizes.astype(np.float64)),
            volumes=torch.from_numpy(np.array([s.volume or 1.0 for s in systems])),
            energies=torch.from_numpy(np.array([_or_nan(s.energy) for s in systems])),
            forces=_tensor(np.concatenate([_forces(s) for s in systems]), dtype),
            stresses=torch.from_numpy(np.stack([_stress(s) for s in systems])),
            weights=torch.from_numpy(np.array([s.weight for s in systems])),
            origins=tuple(s.origin for s in systems),
        )

    def batches(self, size: int, order: Sequence[int] | None = None) -> Iterator[Batch]:
        """Batches of `size` systems in the given order; the last may be smaller."""
        indices = list(range(len(self))) if order is None else [int(i) for i in order]
        for start in range(0, len(indices), size):
            yield self.batch(indices[start : start + size])


def species_index(system: System, elements: Sequence[int]) -> np.ndarray:
    """Index of each atom's element in `elements`.

    Raises:
        DataError: an element that is not among them.
    """
    table = np.full(len(SYMBOLS), -1, dtype=np.int64)
    table[list(elements)] = np.arange(len(elements))
    index = table[system.numbers]
    if (index < 0).any():
        strange = sorted({SYMBOLS[int(z)] for z in system.numbers[index < 0]})
        raise DataError(
            f"{system.origin} has elements that the model does not know",
            got=", ".join(strange),
            expected=", ".join(SYMBOLS[z] for z in elements),
            remedy="train on structures that contain these elements",
        )
    return index


def _tensor(array: np.ndarray, dtype: torch.dtype) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array)).to(dtype)


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def _forces(system: System) -> np.ndarray:
    return np.full((len(system), 3), np.nan) if system.forces is None else system.forces


def _stress(system: System) -> np.ndarray:
    return np.full((3, 3), np.nan) if system.stress is None else system.stress
