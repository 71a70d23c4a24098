"""`schur train`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from rich.console import Console

from ..atoms import config as settings
from ..atoms.choices import as_tree, choose, describe_neighbourhood
from ..atoms.config import RunConfig
from ..atoms.modelfile import read_header
from ..atoms.prepare import Prepared, prepare
from ..atoms.presets import TRAINING, Size
from ..atoms.report import write_report
from ..atoms.run import COLUMNS, MODEL, TrainedRun, device_for, train_potential
from ..errors import DataError
from ..train.loop import CHECKPOINT
from ..train.processes import Processes, joined_processes
from ..train.progress import ConsoleReporter, Reporter
from ..train.tensorboard import Reporters, TensorBoardReporter
from .tables import console, element_table, error_table, say, say_findings, say_notes

TENSORBOARD = "tensorboard"
"""Folder of event files in the folder of a run."""

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
    seed: int | None,
    device: str | None,
    restart: str,
    allow: Sequence[str],
    start: Path | None,
    tensorboard: bool,
    dry_run: bool,
) -> TrainedRun | None:
    """Resolves the settings, prepares the data, trains and prints what came of it.

    Raises:
        DataError: settings or data that cannot be used.
    """
    if restart not in ("auto", "never"):
        raise DataError("--restart cannot be this", got=restart, expected="auto or never")
    options = {
        "valid": valid,
        "test": test,
        "time_limit": time_limit,
        "seed": seed,
        "device": device,
        "allow": allow,
        "start": start,
        "model": model,
    }
    with joined_processes() as processes:
        plan = processes.all_do(lambda: _plan(words, size, options))
        out = console(quiet=not processes.leads)
        say(out, *plan.config.to_yaml().splitlines())
        say_notes(out, plan.prepared.notes)
        say_notes(out, plan.choices)
        say_findings(out, plan.prepared.findings)
        chosen = device_for(plan.config, processes)
        say(out, str(chosen))
        if dry_run:
            return None
        told: list[Reporter] = []
        if tensorboard and processes.leads:
            told.append(TensorBoardReporter(output / TENSORBOARD))
        resume = restart == "auto"
        if resume and (output / CHECKPOINT).exists():
            say(out, f"going on from {output / CHECKPOINT}; --restart never begins anew")
        # The report says beside the data what was chosen from them.
        prepared = replace(plan.prepared, notes=[*plan.prepared.notes, *plan.choices])
        return train_and_tell(
            plan.config, prepared, output, out, resume, processes, told, chosen.device
        )


@dataclass(frozen=True)
class _Plan:
    """Settings, the data, and why some settings are what they are."""

    config: RunConfig
    prepared: Prepared
    choices: list[str]


def _plan(words: Sequence[str], size: str, options: Mapping[str, Any]) -> _Plan:
    tree, overrides = split_words(words)
    tree, preset = _with_options(tree, options), checked_size(size)
    given = settings.asked_for(tree, overrides)
    if given.get("start") is not None:
        tree = settings.merged({"model": read_header(given["start"])["model"]}, tree)
    config = settings.resolve(tree, preset, overrides)
    prepared = prepare(config.data, config.model.cutoff, config.training.seed)
    systems = prepared.split.train
    choices = choose(config, systems, given)
    config = settings.resolve(tree, preset, overrides, as_tree(choices))
    around = describe_neighbourhood(systems, config.model.cutoff)
    lines = [around, *map(str, choices.values())]
    if config.start is not None:
        lines.append(f"parameters of {config.start}; its E0 move to the level of these energies")
    return _Plan(config, prepared, lines)


def train_and_tell(
    config: RunConfig,
    prepared: Prepared,
    output: Path,
    out: Console,
    resume: bool,
    processes: Processes | None = None,
    told: Sequence[Reporter] = (),
    device: torch.device | None = None,
) -> TrainedRun:
    """Trains with progress, which further reporters are told too, and prints all errors."""
    reporter = Reporters([ConsoleReporter(out, COLUMNS), *told])
    run = train_potential(config, prepared, output, reporter, resume, processes, device)
    if processes is not None and not processes.leads:
        return run
    say_errors(out, run)
    page, *_ = write_report(output, run, prepared, config)
    say(out, f"model: {output / MODEL}", f"report: {page}")
    return run


def say_errors(out: Console, run: TrainedRun) -> None:
    """Prints how a training ended and the errors on all sets."""
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
    if size not in TRAINING:
        raise DataError("there is no such preset", got=size, expected=", ".join(TRAINING))
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


def _with_options(tree: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options over the tree; those that were not given leave a YAML file's values alone."""
    over: dict[str, dict[str, Any]] = {"data": {}, "training": {}, "model": {}}
    for name in ("valid", "test", "allow"):
        if options[name]:
            over["data"][name] = [str(item) for item in options[name]]
    if options["time_limit"] is not None:
        over["training"]["time_limit"] = seconds(options["time_limit"])
    for name in ("seed", "device"):
        if options[name] is not None:
            over["training"][name] = options[name]
    if options["model"] is not None:
        over["model"]["architecture"] = options["model"]
    result = settings.merged(tree, {part: values for part, values in over.items() if values})
    return result if options["start"] is None else {**result, "start": str(options["start"])}
