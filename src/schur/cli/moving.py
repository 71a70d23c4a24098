"""`schur md`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from rich.console import Console

from ..atoms import picture
from ..atoms.calculator import Calculator
from ..atoms.dynamics import (
    LOG,
    STOPPED,
    TRAJECTORY,
    DynamicsResult,
    Row,
    run_dynamics,
)
from ..atoms.dynamics_config import DynamicsConfig
from ..atoms.dynamics_figures import dynamics_pictures
from ..errors import DataError, NumberError
from .starting import last_structure
from .tables import console, say, say_notes

_LINES = 20


class RowPrinter:
    """Prints about twenty rows of the log of a run.

    Args:
        to: where.
        config: of the run.
        committee: whether there is a deviation to show.
    """

    def __init__(self, to: Console, config: DynamicsConfig, committee: bool = False) -> None:
        self._to = to
        self._every = -(-config.steps // (config.interval * _LINES))
        self._seen = 0
        more = f" {'ΔF/(eV/Å)':>11}" if committee else ""
        say(to, f"{'time/fs':>10} {'E pot/eV':>16} {'E total/eV':>16} {'T/K':>9}{more}")

    def __call__(self, row: Row) -> None:
        """One row of the log."""
        if self._seen % self._every == 0:
            deviation = row.get("force_deviation_eV_A")
            more = "" if deviation is None else f" {deviation:11.4f}"
            say(
                self._to,
                f"{row['time_fs']:10.1f} {row['potential_eV']:16.5f} "
                f"{row['total_eV']:16.5f} {row['temperature_K']:9.1f}{more}",
            )
        self._seen += 1


def run_md(
    models: Sequence[Path],
    output: Path,
    settings: Mapping[str, Any],
    words: Sequence[str],
    device: str = "auto",
) -> DynamicsResult:
    """Moves the last frame of a file and prints what happens.

    Args:
        models: of `--model`.
        output: folder for everything written.
        settings: of the other options.
        words: further models, the structure, then key=value.
        device: see `schur.train.device`.

    Raises:
        DataError: a model, a structure or a setting that cannot be used.
        BackendError: a device that is not there.
        NumberError: motion that is no longer physical.
    """
    further, start, overrides = split_words(words, have_model=bool(models))
    config = dynamics_config(settings, overrides)
    members = [*further, *models]
    atoms = last_structure(start)
    atoms.calc = calculator = Calculator(members, device=device)
    out = console()
    say(out, str(calculator.chosen))
    who = f", committee of {len(members)}" if len(members) > 1 else ""
    say_notes(out, [f"{atoms.get_chemical_formula('hill')}{who}: {config.describe()}"])
    try:
        result = run_dynamics(atoms, config, output, RowPrinter(out, config, len(members) > 1))
    except NumberError:
        say(out, f"the structure that stopped the run: {output / STOPPED}")
        say(out, f"what came before: {output / TRAJECTORY}, {output / LOG}")
        raise
    say_result(out, result)
    return result


def say_result(out: Console, result: DynamicsResult) -> None:
    """Prints what came of a run, and draws it where matplotlib is installed."""
    say_notes(out, [f"{name}: {text}" for name, text in result.summary().items()])
    written = [result.trajectory, result.log]
    if picture.available():
        written += [p.save(result.log.parent) for p in dynamics_pictures(result)]
    say(out, *[f"wrote {path}" for path in written])


def split_words(words: Sequence[str], have_model: bool) -> tuple[list[Path], Path, list[str]]:
    """Models, the structure (the last path) and overrides.

    Raises:
        DataError: no model or no structure among them.

    Example:
        >>> split_words(["a.schur", "b.schur", "water.xyz", "friction=0.1"], have_model=False)[0]
        [PosixPath('a.schur'), PosixPath('b.schur')]
    """
    overrides = [word for word in words if "=" in word and not Path(word).exists()]
    paths = [Path(word) for word in words if word not in overrides]
    if len(paths) + have_model < 2:
        raise DataError(
            "it is not clear what shall move",
            got=" ".join(words),
            expected="schur md MODEL STRUCTURE, then key=value",
        )
    return paths[:-1], paths[-1], overrides


def dynamics_config(settings: Mapping[str, Any], words: Sequence[str]) -> DynamicsConfig:
    """Settings of options and of key=value words; the latter win.

    Raises:
        DataError: a setting that does not exist or has no sensible value.
    """
    tree = dict(settings)
    for word in words:
        key, _, value = word.partition("=")
        tree[key] = yaml.safe_load(value)
    try:
        return DynamicsConfig.model_validate(tree)
    except ValidationError as error:
        lines = [f"{item['loc'][0]}: {item['msg']}" for item in error.errors()]
        raise DataError(
            "these settings cannot be used",
            got="\n            ".join(lines),
            expected=f"settings among {', '.join(DynamicsConfig.model_fields)}",
        ) from error
