"""Which atoms are bonded, and how long the bonds are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from ase.data import covalent_radii
from jaxtyping import Float, Int

from .elements import SYMBOLS
from .neighbours import complete_cell, neighbour_list
from .system import System

_FACTOR = 1.25  # of the sum of covalent radii
_METALLOIDS = {5, 14, 32, 33, 51, 52}
_NONMETALS = {1, 2, *range(6, 11), *range(15, 19), *range(34, 37), 53, 54, *_METALLOIDS}


@dataclass(frozen=True, eq=False)
class Bonds:
    """Covalent bonds of a structure.

    Args:
        first, second: atoms of each bond.
        shifts: lattice vectors that the second atom is moved by.
        kinds: elements of each bond, such as "C-H".
    """

    first: Int[np.ndarray, " bonds"]
    second: Int[np.ndarray, " bonds"]
    shifts: Int[np.ndarray, "bonds 3"]
    kinds: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.kinds)

    def lengths(
        self, positions: Float[np.ndarray, "n 3"], cell: Float[np.ndarray, "3 3"]
    ) -> Float[np.ndarray, " bonds"]:
        """Lengths in Å where the atoms are now; atoms must not have been wrapped since."""
        vectors = positions[self.first] - positions[self.second] - self.shifts @ cell
        return np.linalg.norm(vectors, axis=1)


def find_bonds(system: System) -> Bonds:
    """Pairs of non-metals nearer than 1.25 times the sum of their covalent radii.

    Metals have no bonds here: their neighbours change places as they should.

    Source: radii of Cordero et al., Dalton Trans. 2832 (2008).

    Example:
        >>> water = System([8, 1, 1], [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
        >>> find_bonds(water).kinds
        ('H-O', 'H-O')
    """
    radii = covalent_radii[system.numbers]
    pairs = neighbour_list(system, 2 * _FACTOR * float(radii.max(initial=0.1))).one_of_each()
    i, j = pairs.receivers, pairs.senders
    bonded = np.isin(system.numbers, list(_NONMETALS))
    limit = _FACTOR * (radii[i] + radii[j])
    keep = (np.linalg.norm(pairs.vectors, axis=1) < limit) & bonded[i] & bonded[j]
    symbols = [SYMBOLS[int(z)] for z in system.numbers]
    kinds = tuple(
        "-".join(sorted((symbols[a], symbols[b]))) for a, b in zip(i[keep], j[keep], strict=True)
    )
    return Bonds(i[keep], j[keep], pairs.shifts[keep], kinds)


def bond_lengths(systems: Sequence[System]) -> dict[str, Float[np.ndarray, " lengths"]]:
    """All lengths of each kind of bond, Å, as found in each system.

    Example:
        >>> h2 = System([1, 1], [[0, 0, 0], [0, 0, 0.74]])
        >>> bond_lengths([h2, h2])
        {'H-H': array([0.74, 0.74])}
    """
    found: dict[str, list[float]] = {}
    for system in systems:
        bonds = find_bonds(system)
        lengths = bonds.lengths(system.positions, complete_cell(system))
        for kind, length in zip(bonds.kinds, lengths.tolist(), strict=True):
            found.setdefault(kind, []).append(length)
    return {kind: np.array(lengths) for kind, lengths in sorted(found.items())}
