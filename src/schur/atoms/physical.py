"""Whether a moving structure still moves as atoms do."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from ase import Atoms

from ..errors import NumberError
from .bonds import find_bonds
from .elements import SYMBOLS
from .neighbours import complete_cell, neighbour_list
from .system import System

_TOO_CLOSE = 0.5  # Å
_TOO_HOT = 10.0  # times the temperature that was asked for, and 1000 K more
_TOO_LONG = 1.6  # times the length at the start; at 1000 K bonds stretch by a fifth


class PhysicalWatch:
    """Looks at a structure again and again.

    Args:
        atoms: as they are at the start, which says what is bonded.
        temperature: that was asked for, K.
        bonds: whether a bond that breaks is a failure; a proton may change its partner.
    """

    def __init__(self, atoms: Atoms, temperature: float, bonds: bool = True) -> None:
        system = _system(atoms)
        self._temperature = temperature
        self._bonds = find_bonds(system) if bonds else None
        if self._bonds is not None:
            self._lengths = self._bonds.lengths(system.positions, complete_cell(system))

    def require(self, atoms: Atoms, row: Mapping[str, float]) -> None:
        """Stops where motion is no longer that of atoms.

        Args:
            atoms: as they are now.
            row: `time_fs`, `temperature_K` and energies of this moment.

        Raises:
            NumberError: saying what was seen, and when.
        """
        if not np.isfinite(atoms.positions).all() or not all(map(np.isfinite, row.values())):
            broken = [name for name, value in row.items() if not np.isfinite(value)]
            raise unphysical(row, " and ".join(broken) or "positions", "finite numbers")
        require_temperature(row, self._temperature)
        system = _system(atoms)
        self._require_room(system, row)
        self._require_bonds(system, row)

    def _require_room(self, system: System, row: Mapping[str, float]) -> None:
        close = neighbour_list(system, _TOO_CLOSE)
        if len(close):
            i, j = int(close.receivers[0]), int(close.senders[0])
            distance = float(np.linalg.norm(close.vectors[0]))
            got = f"{_pair(system, i, j)} are {distance:.2f} Å apart"
            raise unphysical(row, got, f"{_TOO_CLOSE} Å at least")

    def _require_bonds(self, system: System, row: Mapping[str, float]) -> None:
        if self._bonds is None or not len(self._bonds):
            return
        lengths = self._bonds.lengths(system.positions, complete_cell(system))
        for k in np.flatnonzero(lengths > _TOO_LONG * self._lengths).tolist():
            i, j = int(self._bonds.first[k]), int(self._bonds.second[k])
            if _has_moved_on(system, i, j):
                continue
            limit = f"less than {_TOO_LONG * self._lengths[k]:.2f} Å ({_TOO_LONG} times the start)"
            got = f"the bond of {_pair(system, i, j)} is {lengths[k]:.2f} Å long"
            raise unphysical(row, got, limit, _BONDS_REMEDY)


_BONDS_REMEDY = (
    "training data nearer to where the dynamics goes; bonds=false where bonds are meant to break"
)


def _has_moved_on(system: System, i: int, j: int) -> bool:
    """Whether one of two atoms is a proton that has another partner now, as in an enol."""
    protons = [k for k in (i, j) if system.numbers[k] == 1]
    bonds = find_bonds(system)
    return any(k in bonds.first or k in bonds.second for k in protons)


def require_temperature(row: Mapping[str, float], temperature: float) -> None:
    """Stops at a temperature far beyond the one that was asked for, or at none at all.

    Raises:
        NumberError: saying which.
    """
    limit = _TOO_HOT * temperature + 1000.0
    if not row["temperature_K"] <= limit:
        raise unphysical(row, f"{row['temperature_K']:.0f} K", f"less than {limit:.0f} K")


def unphysical(
    row: Mapping[str, float],
    got: str,
    expected: str,
    remedy: str = "a shorter time step, or training data nearer to where the dynamics goes",
) -> NumberError:
    """The error that ends a run, with its time; at the start the structure itself is at fault."""
    if row["time_fs"] == 0.0:
        remedy = "relax the structure first (schur relax), or mend its positions or its cell"
        return NumberError(
            "the structure to start from is not physical",
            got=got,
            expected=expected,
            remedy=remedy,
        )
    return NumberError(
        f"after {row['time_fs']:.1f} fs the dynamics is no longer physical",
        got=got,
        expected=expected,
        remedy=remedy,
    )


def _pair(system: System, i: int, j: int) -> str:
    first, second = (SYMBOLS[int(system.numbers[k])] for k in (i, j))
    return f"atoms {i} ({first}) and {j} ({second})"


def _system(atoms: Atoms) -> System:
    return System(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
