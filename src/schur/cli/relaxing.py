"""`schur relax`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from ase import Atoms
from ase.filters import FrechetCellFilter
from ase.optimize import BFGS

from ..atoms.calculator import Calculator
from ..atoms.sources import write_any
from ..atoms.units import MILLI
from ..errors import DataError, NumberError
from .starting import frame_of, last_structure
from .tables import console, say

_LINES = 15


def run_relax(
    model: Path,
    start: Path,
    output: Path,
    force: float,
    steps: int,
    cell: bool,
    device: str = "auto",
) -> None:
    """Moves the last frame of a file to a minimum of the energy.

    Raises:
        DataError: a model or a structure that cannot be used.
        BackendError: a device that is not there.
        NumberError: no minimum within the steps.
    """
    atoms = last_structure(start)
    atoms.calc = calculator = Calculator(model, device=device)
    if cell and not atoms.pbc.all():
        raise DataError(
            "a cell can be relaxed only where it repeats in all directions",
            got=f"pbc {atoms.pbc.tolist()}",
            expected="pbc T T T",
        )
    out = console()
    say(out, str(calculator.chosen))
    target: Any = FrechetCellFilter(atoms) if cell else atoms
    optimiser = BFGS(target, logfile=None)
    before = float(atoms.get_potential_energy())
    volume = float(atoms.get_volume()) if cell else 0.0
    say(out, f"{'step':>6} {'E/eV':>16} {'largest F/(eV/Å)':>18}")
    reached = False
    for reached in optimiser.irun(fmax=force, steps=steps):
        number = optimiser.nsteps
        if reached or number < 5 or number % max(steps // _LINES, 1) == 0:
            energy = atoms.get_potential_energy()
            say(out, f"{number:6d} {energy:16.5f} {_largest(target):18.4f}")
    largest = _largest(target)
    energy = float(atoms.get_potential_energy())
    write_any(output, [frame_of(atoms, energy, relaxed=bool(reached))])
    say(out, f"energy {MILLI * (energy - before):+.2f} meV after {optimiser.nsteps} steps")
    if cell:
        say(out, _describe_cell(atoms, volume))
    say(out, f"wrote {output}")
    if not reached:
        raise NumberError(
            "no minimum was reached",
            got=f"a largest force of {largest:.4f} eV/Å after {steps} steps",
            expected=f"{force} eV/Å",
            remedy="more --steps; the structure written is the last one",
        )


def _largest(target: Any) -> float:
    """Length of the largest force; with a cell, of its generalised forces too."""
    return float(np.linalg.norm(target.get_forces(), axis=1).max())


def _describe_cell(atoms: Atoms, before: float) -> str:
    a, b, c, *angles = atoms.cell.cellpar()
    change = 100 * (atoms.get_volume() / before - 1)
    return (
        f"cell {a:.4f} {b:.4f} {c:.4f} Å, {angles[0]:.2f} {angles[1]:.2f} {angles[2]:.2f}°, "
        f"volume {change:+.2f} %"
    )
