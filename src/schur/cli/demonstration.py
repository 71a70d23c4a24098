"""`schur demo`: a potential for ethanol from nothing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from ..atoms import config as settings
from ..atoms.extxyz import write_frames
from ..atoms.prepare import prepare
from ..atoms.run import MODEL
from ..atoms.sampling import require_tblite, sample_molecule
from .tables import console, say, say_findings, say_notes
from .training import seconds, train_and_tell

MOLECULE = "CH3CH2OH"
DATA = "ethanol.xyz"
TEMPERATURES = (300.0, 600.0)


def run_sampling(
    molecule: str, output: Path, frames: int, temperatures: Sequence[float], seed: int
) -> None:
    """Samples a molecule into a file of structures.

    Raises:
        BackendError: tblite is not installed, or failed.
        DataError: ASE knows no such molecule.
    """
    out = console()
    at = " and ".join(f"{temperature:.0f} K" for temperature in temperatures)
    say(out, f"sampling {frames} frames of {molecule} with GFN2-xTB at {at} ...")
    begin = time.perf_counter()
    sampled = sample_molecule(molecule, frames=frames, temperatures=temperatures, seed=seed)
    write_frames(output, sampled)
    say(out, f"wrote {output} ({len(sampled)} frames) after {time.perf_counter() - begin:.0f} s")


def run_demo(output: Path, *, frames: int, time_limit: str | None, seed: int) -> None:
    """Samples, trains and evaluates; everything lands in the folder.

    Raises:
        BackendError: tblite is not installed, or failed.
    """
    require_tblite()
    out = console()
    output.mkdir(parents=True, exist_ok=True)
    path = output / DATA
    run_sampling(MOLECULE, path, frames, TEMPERATURES, seed)
    training: dict[str, object] = {"seed": seed}
    if time_limit is not None:
        training["time_limit"] = seconds(time_limit)
    config = settings.resolve({"data": {"train": [str(path)]}, "training": training}, "small")
    prepared = prepare(config.data, config.model.cutoff, config.training.seed)
    say_notes(out, prepared.notes)
    say_findings(out, prepared.findings)
    train_and_tell(config, prepared, output, out, resume=False)
    say(out, f"next: schur md {output / MODEL} {path} --ensemble nve")
