"""`schur train`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from rich.console import Console

from ..atoms import config as settings
from ..atoms.config import RunConfig
from ..atoms.prepare import Prepared, prepare
from ..atoms.presets import DEFAULT_ARCHITECTURE, PRESETS, Size
from ..atoms.report import write_report
from ..atoms.run import COLUMNS, MODEL, TrainedRun, train_potential
from ..errors import DataError
from ..train.processes import Processes, joined_processes
from ..train.progress import ConsoleReporter
from .tables import console, element_table, error_table, say, say_findings, say_notes

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


def run_training(
    words: Sequence[str],
    *,
    output: Path,
    model: str | None,
    size: str,
    valid: Sequence[Path],
    test: Sequence[Path],
    time_limit: str | None,
    seed: int,
    restart: str,
    allow: Sequence[str],
    dry_run: bool,
) -> TrainedRun | None:
    """Resolves the settings, prepares the data, trains and prints what came of it.

    Raises:
        DataError: settings or data that cannot be used.
    """
    if restart not in ("auto", "never"):
        raise DataError("--restart cannot be this", got=restart, expected="auto or never")
    tree, overrides = split_words(words)
    if model is not None:
        overrides = [f"model.architecture={model}", *overrides]
    tree = _with_options(tree, valid, test, time_limit, seed, allow)
    config = settings.resolve(tree, checked_size(size), overrides)
    with joined_processes() as processes:
        out = console(quiet=not processes.leads)
        say(out, *config.to_yaml().splitlines())
        prepared = processes.all_do(
            lambda: prepare(config.data, config.model.cutoff, config.training.seed)
        )
        say_notes(out, prepared.notes)
        say_findings(out, prepared.findings)
        if dry_run:
            return None
        return train_and_tell(config, prepared, output, out, restart == "auto", processes)


def train_and_tell(
    config: RunConfig,
    prepared: Prepared,
    output: Path,
    out: Console,
    resume: bool,
    processes: Processes | None = None,
) -> TrainedRun:
    """Trains with progress and prints the errors on all sets."""
    reporter = ConsoleReporter(out, COLUMNS)
    run = train_potential(config, prepared, output, reporter, resume, processes)
    if processes is not None and not processes.leads:
        return run
    outcome = run.outcome
    parameters = sum(p.numel() for p in run.potential.parameters())
    say(
        out,
        f"ended by {outcome.reason} after {outcome.epochs} epochs, {outcome.steps} steps, "
        f"{outcome.seconds:.0f} s; {parameters} parameters",
        "",
        *error_table(run.evaluations),
    )
    last = list(run.evaluations.values())[-1]
    if len(last.by_element) > 1:
        say(out, *element_table(last))
    page, *_ = write_report(output, run, prepared, config)
    say(out, f"model: {output / MODEL}", f"report: {page}")
    return run


def use_threads(count: int | None) -> None:
    """Sets the threads of this process, which is the command's own; None leaves them."""
    if count is not None:
        torch.set_num_threads(count)


def split_words(words: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Structure files or one YAML file, apart from overrides.

    Raises:
        DataError: no file at all, or a YAML file beside structure files.
    """
    files = [word for word in words if "=" not in word or Path(word).exists()]
    overrides = [word for word in words if word not in files]
    trees = [word for word in files if Path(word).suffix in (".yaml", ".yml")]
    if trees and len(files) == 1:
        return settings.read_settings(Path(trees[0])), overrides
    if trees or not files:
        raise DataError(
            "it is not clear what to train on",
            got=" ".join(words),
            expected="structure files, or one YAML file",
        )
    return {"data": {"train": files}}, overrides


def checked_size(size: str) -> Size:
    """The name of a preset, the same for all architectures.

    Raises:
        DataError: no such preset.
    """
    sizes = PRESETS[DEFAULT_ARCHITECTURE]
    if size not in sizes:
        raise DataError("there is no such preset", got=size, expected=", ".join(sizes))
    return cast("Size", size)


def seconds(text: str) -> float:
    """A time such as 90s, 15m or 2h in seconds.

    Example:
        >>> seconds("15m")
        900.0
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([smh]?)\s*", text)
    if match is None:
        raise DataError("this is no length of time", got=text, expected="90s, 15m or 2h")
    return float(match[1]) * _SECONDS[match[2]]


def _with_options(
    tree: dict[str, Any],
    valid: Sequence[Path],
    test: Sequence[Path],
    time_limit: str | None,
    seed: int,
    allow: Sequence[str],
) -> dict[str, Any]:
    """Options over the tree; those left at their default leave a YAML file's values alone."""
    data, training = dict(tree.get("data", {})), dict(tree.get("training", {}))
    for name, value in (("valid", valid), ("test", test), ("allow", allow)):
        if value:
            data[name] = [str(item) for item in value]
    if time_limit is not None:
        training["time_limit"] = seconds(time_limit)
    training.setdefault("seed", seed)
    return {**tree, "data": data, "training": training}
