"""A system that moves, on another device: positions go there, energies and forces come back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from ..engine.transfer import moved
from ..nn.species import Species
from ..tensors import Graph
from .batch import Batch, Topology, species_index, unlabelled
from .device_pairs import device_pairs
from .potential import Potential
from .repeated import rounded_up
from .system import System
from .verlet import moved_little


class DeviceList:
    """All pairs within cutoff + skin, made, sorted and kept where the potential is.

    A call moves positions there and nothing else; it waits for nothing before the result is
    read. Pairs beyond the cutoff are kept, and some are added so that few numbers of pairs occur:
    they add nothing.

    Args:
        system: what the list is made for.
        potential: whose device, elements, cutoff and number type count.
        skin: Å.

    Attributes:
        pairs: how many there are.
        key: tells apart what is constant in a repetition; see `RepeatedBatches.of`.
    """

    def __init__(self, system: System, potential: Potential, skin: float) -> None:
        self.device, self.dtype, self.skin = potential.device, potential.dtype, skin
        self._system = system
        known = torch.from_numpy(species_index(system, potential.elements))
        species = Species(known, len(potential.elements)).to(self.device)
        found = device_pairs(system, potential.cutoff + skin, self.device)
        self.pairs = rounded_up(len(found.senders))
        self.key = (self.pairs, self.dtype, system.numbers.tobytes())
        self._pairs = found.filled_up(self.pairs, len(system), 2.0 * potential.cutoff)
        graph = Graph(self._pairs.edge_index, len(system), paired=True)
        self._batch = replace(
            unlabelled(system, species.index, self._vectors(system), graph.edge_index),
            topology=Topology(graph, species),
        )

    def serves(self, system: System, potential: Potential) -> bool:
        """Whether every pair within the cutoff is in the list, and the list where it is needed."""
        there = (potential.device, potential.dtype) == (self.device, self.dtype)
        return there and moved_little(self._system, system, self.skin)

    def batch(self, system: System) -> Batch:
        """The system as a batch for the potential."""
        return replace(self._batch, vectors=self._vectors(system))

    def _vectors(self, system: System) -> torch.Tensor:
        positions = moved(torch.from_numpy(np.array(system.positions)), self.device)
        half = self._pairs.vectors(positions).to(self.dtype)
        return torch.cat([half, -half])
