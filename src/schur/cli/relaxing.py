"""`schur relax`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from ..atoms.calculator import Calculator
from ..atoms.extxyz import write_frames
from ..atoms.frame import Frame
from ..atoms.sources import read_frames
from ..atoms.units import MILLI
from ..errors import DataError, NumberError
from .tables import console, say


def run_relax(model: Path, start: Path, output: Path, force: float, steps: int, cell: bool) -> None:
    """Moves the last frame of a file to a minimum of the energy.

    Raises:
        DataError: a model or a structure that cannot be used.
        NumberError: no minimum within the steps.
    """
    *_, frame = read_frames(start)
    atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
    atoms.calc = Calculator(model)
    if cell and not atoms.pbc.all():
        raise DataError(
            "a cell can be relaxed only where it repeats in all directions",
            got=f"pbc {atoms.pbc.tolist()}",
            expected="pbc T T T",
        )
    out = console()
    before = atoms.get_potential_energy()
    target: Any = FrechetCellFilter(atoms) if cell else atoms
    optimiser = BFGS(target, logfile=None)
    reached = optimiser.run(fmax=force, steps=steps)
    largest = float(np.linalg.norm(target.get_forces(), axis=1).max())
    info = {"energy": float(atoms.get_potential_energy()), "relaxed": bool(reached)}
    box = atoms.cell.array if atoms.cell.array.any() else None
    arrays = {"forces": atoms.get_forces()}
    pbc = (bool(atoms.pbc[0]), bool(atoms.pbc[1]), bool(atoms.pbc[2]))
    write_frames(output, [Frame(atoms.numbers, atoms.positions, info, arrays, box, pbc)])
    say(
        out,
        f"{optimiser.nsteps} steps, energy {info['energy']:.5f} eV "
        f"({MILLI * (info['energy'] - before):+.2f} meV), largest force {largest:.4f} eV/Å",
        f"wrote {output}",
    )
    if not reached:
        raise NumberError(
            "no minimum was reached",
            got=f"a largest force of {largest:.4f} eV/Å after {steps} steps",
            expected=f"{force} eV/Å",
            remedy="more steps; the structure written is the last one",
        )
