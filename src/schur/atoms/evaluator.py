"""One system at a time, quickly: what dynamics calls again and again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .batch import Batch, species_index
from .neighbours import NeighbourList, complete_cell, neighbour_list
from .potential import Potential
from .system import System


@dataclass(frozen=True)
class Outcome:
    """What a potential says of one system, in eV, eV/Å and eV/Å^3."""

    energy: float
    energies: Float[np.ndarray, " atoms"]
    forces: Float[np.ndarray, "atoms 3"]
    stress: Float[np.ndarray, "3 3"] | None


@dataclass(frozen=True)
class _Kept:
    """A neighbour list with a skin, and what it was made for."""

    system: System
    half: NeighbourList
    species: Tensor
    zeros: Tensor


class Evaluator:
    """A potential with a Verlet list.

    The list holds all pairs within cutoff + skin and serves until an atom has moved by half the
    skin, or until cell, periodicity or elements change.

    Args:
        potential: what to evaluate.
        skin: Å; zero makes a new list each time.
    """

    def __init__(self, potential: Potential, skin: float = 0.5) -> None:
        self.potential = potential
        self.skin = skin
        self.lists_made = 0
        self._kept: _Kept | None = None

    def __call__(self, system: System, stress: bool = False) -> Outcome:
        """Energy and forces, and the stress where asked for.

        Raises:
            DataError: an element that the potential does not know.
        """
        said = self.potential(self._batch(system), forces=True, stress=stress)
        energies = said.atom_energies.numpy()
        return Outcome(
            float(said.energies),
            energies,
            said.forces.numpy().astype(np.float64),
            None if said.stresses is None else said.stresses[0].numpy(),
        )

    def _batch(self, system: System) -> Batch:
        kept = self._kept
        if kept is None or not self._serves(kept, system):
            kept = self._kept = self._make(system)
        half = kept.half
        vectors = system.positions[half.receivers] - system.positions[half.senders]
        if system.periodic:
            vectors -= half.shifts @ complete_cell(system)
        near = np.einsum("ij,ij->i", vectors, vectors) < self.potential.cutoff**2
        edges = np.stack([half.senders[near], half.receivers[near]])
        dtype = next(self.potential.parameters()).dtype
        both = np.concatenate([vectors[near], -vectors[near]])
        unknown = torch.full((1,), float("nan"), dtype=torch.float64)
        return Batch(
            species=kept.species,
            vectors=torch.from_numpy(both).to(dtype),
            edge_index=torch.from_numpy(np.concatenate([edges, edges[::-1]], axis=1)),
            system=kept.zeros,
            sizes=torch.full((1,), float(len(system)), dtype=torch.float64),
            volumes=torch.full((1,), system.volume or 1.0, dtype=torch.float64),
            energies=unknown,
            forces=unknown.to(dtype).expand(len(system), 3),
            stresses=unknown.expand(1, 3, 3),
            weights=torch.ones_like(unknown),
            origins=(system.origin,),
        )

    def _serves(self, kept: _Kept, system: System) -> bool:
        old = kept.system
        same = (
            np.array_equal(old.numbers, system.numbers)
            and np.array_equal(old.cell, system.cell)
            and np.array_equal(old.pbc, system.pbc)
        )
        if not same:
            return False
        moved = np.square(system.positions - old.positions).sum(axis=1)
        return bool(moved.max(initial=0.0) < (0.5 * self.skin) ** 2)

    def _make(self, system: System) -> _Kept:
        self.lists_made += 1
        species = species_index(system, self.potential.elements)
        half = neighbour_list(system, self.potential.cutoff + self.skin).one_of_each()
        return _Kept(
            system,
            half,
            torch.from_numpy(species),
            torch.zeros(len(system), dtype=torch.int64),
        )
