"""`schur demo`: a potential for ethanol from nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ase import Atoms
from rich.console import Console

from ..atoms import config as settings
from ..atoms.calculator import Calculator
from ..atoms.dynamics import DynamicsResult, run_dynamics
from ..atoms.dynamics_config import DynamicsConfig
from ..atoms.elements import formula
from ..atoms.methods import chosen_method, require_tblite
from ..atoms.prepare import Prepared, prepare
from ..atoms.report import write_report
from ..atoms.run import COLUMNS, MODEL, train_potential
from ..atoms.sampling import sample_molecule
from ..atoms.sources import write_any
from ..atoms.structures import first_structure
from ..train.device import choose_device
from ..train.progress import ConsoleReporter
from .moving import RowPrinter
from .tables import console, say, say_findings, say_notes
from .training import say_errors, seconds

MOLECULE = "CH3CH2OH"
DATA = "ethanol.xyz"
TEMPERATURES = (300.0, 600.0)

_TIMESTEP = 0.5  # fs


def run_sampling(
    molecule: str,
    output: Path,
    frames: int,
    temperatures: Sequence[float],
    seed: int,
    calculator: str | None = None,
) -> None:
    """Samples a structure into a file of structures of any format that can be written.

    Raises:
        BackendError: tblite is not installed, or failed.
        DataError: there is no such structure or calculator.
    """
    out = console()
    start = first_structure(molecule)
    method = chosen_method(calculator, any(start.pbc))
    meant = f"{molecule} ({formula(start.numbers.tolist())})"
    at = " and ".join(f"{temperature:.0f} K" for temperature in temperatures)
    say(out, f"sampling {frames} frames of {meant} with {method} at {at} ...")
    begin = time.perf_counter()
    sampled = sample_molecule(
        molecule, frames=frames, temperatures=temperatures, seed=seed, method=method
    )
    write_any(output, sampled)
    say(out, f"wrote {output} ({len(sampled)} frames) after {time.perf_counter() - begin:.0f} s")


@dataclass(frozen=True)
class Demo:
    """What the demonstration does.

    Args:
        frames: of ethanol to sample.
        time_limit: of the training, as on the command line.
        picoseconds: length of the dynamics.
        seed: of everything.
        device: of training and dynamics; see `schur.train.device`.
    """

    frames: int
    time_limit: str | None
    picoseconds: float
    seed: int
    device: str = "auto"


def run_demo(output: Path, demo: Demo) -> None:
    """Samples, trains, evaluates, moves and reports; everything lands in the folder.

    Raises:
        BackendError: tblite is not installed, or failed; or a device that is not there.
        NumberError: dynamics that is not physical.
    """
    choose_device(demo.device)  # before anything is sampled
    require_tblite()
    out, begin = console(), time.perf_counter()
    output.mkdir(parents=True, exist_ok=True)
    path = output / DATA
    _say_part(out, 1, "data from nothing")
    run_sampling(MOLECULE, path, demo.frames, TEMPERATURES, demo.seed)
    config = settings.resolve(_tree(path, demo), "small")
    prepared = prepare(config.data, config.model.cutoff, config.training.seed)
    say_notes(out, prepared.notes)
    say_findings(out, prepared.findings)
    _say_part(out, 2, "training; E and F are errors on frames that it does not see")
    run = train_potential(config, prepared, output, ConsoleReporter(out, COLUMNS))
    _say_part(out, 3, "how good it is")
    say_errors(out, run)
    _say_part(out, 4, f"dynamics: {demo.picoseconds:g} ps with the new potential")
    motion = _move(output, prepared, demo, out)
    _say_part(out, 5, "the report")
    page, *_ = write_report(output, run, prepared, config, motion)
    say(out, f"done in {time.perf_counter() - begin:.0f} s; open {page} in a browser", "")
    say(out, *_next(output))


def _tree(path: Path, demo: Demo) -> dict[str, Any]:
    training: dict[str, Any] = {"seed": demo.seed, "device": demo.device}
    if demo.time_limit is not None:
        training["time_limit"] = seconds(demo.time_limit)
    return {"data": {"train": [str(path)]}, "training": training}


def _move(output: Path, prepared: Prepared, demo: Demo, out: Console) -> DynamicsResult:
    """Langevin dynamics from a frame of the lower temperature that training did not see."""
    split = prepared.split
    cold = f"{min(TEMPERATURES):.0f}K"
    held_out = [*split.test, *split.valid]
    start = next((s for s in held_out if s.config_type == cold), held_out[0])
    atoms = Atoms(start.numbers, start.positions)
    atoms.calc = calculator = Calculator(output / MODEL, device=demo.device)
    say(out, str(calculator.chosen))
    steps = max(round(1000 * demo.picoseconds / _TIMESTEP), 1)
    config = DynamicsConfig(
        temperature=min(TEMPERATURES), timestep=_TIMESTEP, steps=steps, seed=demo.seed
    )
    result = run_dynamics(atoms, config, output, RowPrinter(out, config))
    say_notes(out, [f"{name}: {text}" for name, text in result.summary().items()])
    return result


def _say_part(out: Console, number: int, what: str) -> None:
    say(out, "", f"[{number}/5] {what}")


def _next(output: Path) -> list[str]:
    """What a reader may do now."""
    model = output / MODEL
    return [
        "next, with this model:",
        f"  schur md {model} {output / DATA} --ensemble nve --steps 20000",
        f"  schur relax {model} {output / DATA}",
        f"  python: atoms.calc = schur.Calculator('{model}')",
        "next, with your own data (extended XYZ, energies in eV, forces in eV/Å):",
        "  schur data check data.xyz",
        "  schur train data.xyz",
    ]
