"""The structure that a simulation starts from, and where what became of it goes."""

from __future__ import annotations

from pathlib import Path

from ase import Atoms

from ..atoms.frame import Frame
from ..atoms.sources import files_in, open_source


def last_structure(path: Path) -> Atoms:
    """The last frame of a file.

    Raises:
        DataError: a file that cannot be read or holds no structure.
    """
    source = open_source(files_in([path])[-1])
    frame = source[len(source) - 1]
    source.close()
    return Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)


def frame_of(atoms: Atoms, energy: float, **info: bool) -> Frame:
    """Atoms with their energy and forces, ready to be written."""
    cell = atoms.cell.array if atoms.cell.array.any() else None
    a, b, c = (bool(flag) for flag in atoms.pbc)
    arrays = {"forces": atoms.get_forces()}
    return Frame(
        atoms.numbers, atoms.positions, {"energy": energy, **info}, arrays, cell, (a, b, c)
    )
