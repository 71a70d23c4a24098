"""`schur md`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from ase import Atoms
from pydantic import ValidationError

from ..atoms.calculator import Calculator
from ..atoms.dynamics import DynamicsConfig, run_dynamics
from ..atoms.sources import read_frames
from ..atoms.units import MILLI
from ..errors import DataError
from .tables import console, say

_LINES = 20


def run_md(
    model: Path, start: Path, output: Path, settings: Mapping[str, Any], words: Sequence[str]
) -> None:
    """Moves the last frame of a file and prints what happens.

    Raises:
        DataError: a model, a structure or a setting that cannot be used.
        NumberError: motion that is no longer physical.
    """
    config = _config(settings, words)
    *_, frame = read_frames(start)
    atoms = Atoms(frame.numbers, frame.positions, cell=frame.cell, pbc=frame.pbc)
    atoms.calc = Calculator(model)
    out = console()
    say(out, ", ".join(f"{key} {value}" for key, value in config.model_dump().items()))
    say(out, f"{'time/fs':>10} {'E pot/eV':>16} {'E total/eV':>16} {'T/K':>9}")
    every = max(config.steps // config.interval // _LINES, 1)
    shown = 0

    def told(row: dict[str, float]) -> None:
        nonlocal shown
        if shown % every == 0:
            say(
                out,
                f"{row['time_fs']:10.1f} {row['potential_eV']:16.5f} "
                f"{row['total_eV']:16.5f} {row['temperature_K']:9.1f}",
            )
        shown += 1

    begin = time.perf_counter()
    result = run_dynamics(atoms, config, output, told)
    seconds = time.perf_counter() - begin
    mean = sum(row["temperature_K"] for row in result.rows) / len(result.rows)
    say(out, f"mean temperature {mean:.1f} K, {MILLI * seconds / config.steps:.2f} ms a step")
    if config.ensemble == "nve":
        drift = MILLI * result.drift() * 1000.0 / len(atoms)
        say(out, f"drift of the total energy {drift:.4f} meV/atom/ps")
    say(out, f"wrote {result.trajectory} and {result.log}")


def _config(settings: Mapping[str, Any], words: Sequence[str]) -> DynamicsConfig:
    tree = dict(settings)
    for word in words:
        key, mark, value = word.partition("=")
        if not mark:
            raise DataError("this word is no setting", got=word, expected="key=value")
        tree[key] = yaml.safe_load(value)
    try:
        return DynamicsConfig.model_validate(tree)
    except ValidationError as error:
        lines = [f"{item['loc'][0]}: {item['msg']}" for item in error.errors()]
        raise DataError("these settings cannot be used", got="; ".join(lines)) from error
