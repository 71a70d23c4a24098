"""A neighbour list that outlives the positions it was made for."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float

from .neighbours import NeighbourList, complete_cell, neighbour_list
from .system import System

# All pairs of a molecule are kept where they are few, or at most this many times those in reach.
_FEW_PAIRS = 64
_ALL_OVER_NEAR = 1.5


class VerletList:
    """One direction of each pair within cutoff + skin of a system.

    It serves until an atom has moved by half the skin, or until cell, periodicity or elements
    change.  Of a small molecule it holds all pairs and serves wherever the atoms go.

    Args:
        system: what the list is made for.
        cutoff, skin: Å.

    Source: Verlet, Phys. Rev. 159, 98 (1967).

    Example:
        >>> pair = System([1, 1], [[0, 0, 0], [0, 0, 0.74]])
        >>> kept = VerletList(pair, cutoff=1.0, skin=0.5)
        >>> apart = System([1, 1], [[0, 0, 0], [0, 0, 3.0]])
        >>> kept.serves(apart), kept.vectors(apart), kept.near(kept.vectors(apart))
        (True, array([[0., 0., 3.]]), array([False]))
    """

    def __init__(self, system: System, cutoff: float, skin: float) -> None:
        self.cutoff, self.skin = cutoff, skin
        self._system = system
        self.half = neighbour_list(system, cutoff + skin).one_of_each()
        self._complete = False
        if skin > 0 and not system.periodic:
            every = len(system) * (len(system) - 1) // 2
            if every <= max(_FEW_PAIRS, _ALL_OVER_NEAR * len(self.half)):
                self.half, self._complete = _all_pairs(system), True
        self._offsets = self.half.shifts @ complete_cell(system) if system.periodic else None

    def serves(self, system: System) -> bool:
        """Whether every pair within the cutoff is in the list."""
        if self._complete:
            return _same_but_for_positions(self._system, system)
        return moved_little(self._system, system, self.skin)

    def vectors(self, system: System) -> Float[np.ndarray, "pairs 3"]:
        """r_receiver - r_sender of every pair, Å."""
        half = self.half
        vectors = system.positions[half.receivers] - system.positions[half.senders]
        return vectors if self._offsets is None else vectors - self._offsets

    def near(self, vectors: Float[np.ndarray, "pairs 3"]) -> Bool[np.ndarray, " pairs"]:
        """Which of the pairs are within the cutoff."""
        return np.einsum("ij,ij->i", vectors, vectors) < self.cutoff**2


def moved_little(old: System, system: System, skin: float) -> bool:
    """Whether no atom has moved by half the skin, and nothing else has changed.

    Example:
        >>> first, then = (System([1], [[x, 0, 0]]) for x in (0.0, 0.2))
        >>> moved_little(first, then, skin=0.5), moved_little(first, then, skin=0.3)
        (True, False)
    """
    if not _same_but_for_positions(old, system):
        return False
    moved = np.square(system.positions - old.positions).sum(axis=1)
    return bool(moved.max(initial=0.0) < (0.5 * skin) ** 2)


def _same_but_for_positions(old: System, system: System) -> bool:
    return (
        np.array_equal(old.numbers, system.numbers)
        and np.array_equal(old.cell, system.cell)
        and np.array_equal(old.pbc, system.pbc)
    )


def _all_pairs(system: System) -> NeighbourList:
    receivers, senders = np.tril_indices(len(system), -1)
    vectors = system.positions[receivers] - system.positions[senders]
    return NeighbourList(senders, receivers, np.zeros((len(senders), 3), dtype=np.int64), vectors)
