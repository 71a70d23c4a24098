"""`schur demo`: a potential for ethanol from nothing."""

from __future__ import annotations

import time
from pathlib import Path

from ..atoms import config as settings
from ..atoms.extxyz import write_frames
from ..atoms.prepare import prepare
from ..atoms.sampling import require_tblite, sample_molecule
from .tables import console, say, say_findings
from .training import seconds, train_and_tell

MOLECULE = "CH3CH2OH"
DATA = "ethanol.xyz"


def run_demo(output: Path, *, frames: int, time_limit: str | None, seed: int) -> None:
    """Samples, trains and evaluates; everything lands in the folder.

    Raises:
        BackendError: tblite is not installed, or failed.
    """
    require_tblite()
    out = console()
    output.mkdir(parents=True, exist_ok=True)
    say(out, f"sampling {frames} frames of ethanol with GFN2-xTB at 300 K and 600 K ...")
    begin = time.perf_counter()
    sampled = sample_molecule(MOLECULE, frames=frames, seed=seed)
    path = output / DATA
    write_frames(path, sampled)
    say(out, f"wrote {path} ({len(sampled)} frames) after {time.perf_counter() - begin:.0f} s")
    training: dict[str, object] = {"seed": seed}
    if time_limit is not None:
        training["time_limit"] = seconds(time_limit)
    config = settings.resolve({"data": {"train": [str(path)]}, "training": training}, "small")
    prepared = prepare(config.data, config.model.cutoff, config.training.seed)
    say(out, *prepared.notes)
    say_findings(out, prepared.findings)
    train_and_tell(config, prepared, output, out, resume=False)
    say(out, f"next: schur eval {output / 'model.schur'} {path}")
