"""Pairs of atoms closer than a cutoff, periodic images included; made by vesin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ..errors import DataError
from .system import System

_ONE_THREAD_BELOW = 5000  # atoms; starting threads costs more than so small a list


@dataclass(frozen=True, eq=False)
class NeighbourList:
    """Directed pairs, sorted by receiver.

    Args:
        senders, receivers: atom indices of each pair; every pair occurs in both directions.
        shifts: how many lattice vectors the sender is moved by.
        vectors: r_receiver - (r_sender + shift · cell), Å.
    """

    senders: Int[np.ndarray, " pairs"]
    receivers: Int[np.ndarray, " pairs"]
    shifts: Int[np.ndarray, "pairs 3"]
    vectors: Float[np.ndarray, "pairs 3"]

    def __len__(self) -> int:
        return int(self.senders.shape[0])

    def one_of_each(self) -> NeighbourList:
        """One direction of each pair: sender before receiver, or the larger shift for an image.

        The other direction has sender and receiver exchanged, and vector and shift reversed.
        """
        same = self.senders == self.receivers
        keep = (self.senders < self.receivers) | (same & (_first_sign(self.shifts) > 0))
        return NeighbourList(
            self.senders[keep], self.receivers[keep], self.shifts[keep], self.vectors[keep]
        )


def neighbour_list(system: System, cutoff: float) -> NeighbourList:
    """All pairs with 0 < distance < cutoff; an atom meets its own images but not itself.

    Args:
        system: atoms; where a direction repeats its lattice vector must not vanish.
        cutoff: Å.

    Raises:
        DataError: a periodic direction without a lattice vector, or a flat cell.

    Example:
        >>> pair = System([1, 1], [[0, 0, 0], [0, 0, 0.74]])
        >>> found = neighbour_list(pair, cutoff=1.0)
        >>> found.senders, found.receivers, found.vectors[0]
        (array([1, 0]), array([0, 1]), array([ 0.  ,  0.  , -0.74]))
    """
    from vesin import NeighborList

    cell = complete_cell(system)
    threads = 1 if len(system) < _ONE_THREAD_BELOW else 0
    search = NeighborList(cutoff=cutoff, full_list=True, sorted=True, n_threads=threads)
    first, second, shifts = search.compute(
        points=system.positions, box=cell, periodic=system.pbc, quantities="ijS"
    )
    receivers, senders = first.astype(np.int64), second.astype(np.int64)
    shifts = shifts.astype(np.int64)
    moved = system.positions[senders] + shifts @ cell
    vectors = system.positions[receivers] - moved
    return NeighbourList(senders, receivers, shifts, vectors)


def _first_sign(shifts: np.ndarray) -> np.ndarray:
    """Sign of the first entry of each row that is not zero."""
    signs = np.sign(shifts)
    first = np.where(signs[:, 0] != 0, signs[:, 0], signs[:, 1])
    return np.where(first != 0, first, signs[:, 2])


def complete_cell(system: System) -> Float[np.ndarray, "3 3"]:
    """The cell with unit vectors put in where a direction does not repeat and has none.

    Raises:
        DataError: a periodic direction without a lattice vector, or a flat cell.
    """
    cell = np.array(system.cell)
    empty = ~cell.any(axis=1)
    if (empty & system.pbc).any():
        raise DataError(
            f"{system.origin} repeats along a direction that has no lattice vector",
            got=f"pbc {system.pbc.tolist()}, cell {system.cell.tolist()}",
            expected="a lattice vector for each periodic direction",
            remedy='give Lattice="..." or set pbc="F F F" for a molecule',
        )
    if empty.any():
        # The rows of vh beyond the rank span the complement of the lattice vectors given.
        rank = int((~empty).sum())
        complement = np.linalg.svd(cell[~empty])[2][rank:] if rank else np.eye(3)
        cell[empty] = complement
    lengths = np.linalg.norm(cell, axis=1)
    if abs(np.linalg.det(cell)) < 1e-6 * float(np.prod(lengths)):
        raise DataError(
            f"the cell of {system.origin} is flat",
            got=system.cell.tolist(),
            expected="three lattice vectors that span a volume",
        )
    return cell
