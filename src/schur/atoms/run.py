"""The main job: from files of structures to a trained potential and its honest errors."""

from __future__ import annotations

import csv
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from .. import __version__
from ..errors import BackendError, DataError
from ..models.registry import config_of
from ..train.device import Chosen, choose_device, current
from ..train.json_text import json_text, without_nan
from ..train.loop import Outcome, Trainer
from ..train.processes import Processes
from ..train.progress import Column, Reporter
from .batch import AtomicDataset
from .config import RunConfig
from .evaluate import Evaluation, evaluate
from .finetune import start_from
from .level import level
from .modelfile import build_potential, save_potential
from .potential import Potential
from .prepare import Prepared
from .task import PotentialTask

MODEL = "model.schur"
CONFIG = "config.yaml"
METRICS_JSON = "metrics.json"
METRICS_CSV = "metrics.csv"

EVALUATED = 10_000
"""Frames of a streamed set that the errors at the end are measured on; all of one in memory."""

COLUMNS = (
    Column("epoch", "epoch", "5.0f"),
    Column("seconds", "time/s", "7.0f"),
    Column("rate", "rate", "9.2e"),
    Column("loss", "loss", "9.3e"),
    Column("energy_rmse", "E rmse meV", "10.2f"),
    Column("forces_rmse", "F rmse meV/A", "12.2f"),
)
"""The table of epochs; errors are those on the validation set."""

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


@dataclass(frozen=True)
class TrainedRun:
    """A finished run.

    Args:
        potential: with the best averaged parameters.
        outcome: how the training ended.
        evaluations: errors on train, valid and test (sets that are not empty); none in a process
            that does not lead.
        seconds: wall time from neighbour lists to the last file.
    """

    potential: Potential
    outcome: Outcome
    evaluations: dict[str, Evaluation]
    seconds: float

    def summary(self) -> dict[str, Any]:
        """Everything that `metrics.json` holds."""
        return {
            "ended_by": self.outcome.reason,
            "epochs": self.outcome.epochs,
            "steps": self.outcome.steps,
            "training_seconds": self.outcome.seconds,
            "total_seconds": self.seconds,
            "parameters": sum(p.numel() for p in self.potential.parameters()),
            "threads": torch.get_num_threads(),
            "device": str(self.potential.device),
            "versions": {
                "schur": __version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
            "errors": {name: e.summary() for name, e in self.evaluations.items()},
        }


def train_potential(
    config: RunConfig,
    prepared: Prepared,
    directory: Path,
    reporter: Reporter | None = None,
    resume: bool = False,
    processes: Processes | None = None,
    device: torch.device | None = None,
) -> TrainedRun:
    """Trains, evaluates and writes model, settings, history and errors into a folder.

    Of several processes the first alone evaluates and writes, once all have trained.

    Args:
        config: settings.
        prepared: data, of `prepare`.
        directory: made where it does not exist.
        reporter: who is told; nobody by default.
        resume: continue from the checkpoint in the folder, where there is one.
        processes: who trains; this process alone by default.
        device: where; what the settings ask for by default.

    Raises:
        BackendError: a device that is not there.
        NumberError: a loss that is not finite.
        DataError: a checkpoint or a folder that cannot be used.
    """
    together = Processes() if processes is None else processes
    place = device_for(config, together).device if device is None else device
    with current(place):
        return _train(config, prepared, directory, reporter, resume, together, place)


def device_for(config: RunConfig, processes: Processes) -> Chosen:
    """The device that the settings ask for, of one kind in all processes.

    Raises:
        BackendError: a device that is not there, or GPUs for some of the processes only.
    """
    chosen = processes.each(lambda: choose_device(config.training.device))
    kinds = [each.device.type for each in chosen]
    if len(set(kinds)) > 1:
        raise BackendError(
            "the processes of this run have devices of different kinds",
            got=", ".join(f"process {rank}: {each}" for rank, each in enumerate(chosen)),
            expected="a GPU for each process, or none",
            remedy="--device cpu, or fewer processes on the machines with few GPUs",
        )
    return chosen[processes.rank]


def _train(
    config: RunConfig,
    prepared: Prepared,
    directory: Path,
    reporter: Reporter | None,
    resume: bool,
    together: Processes,
    device: torch.device,
) -> TrainedRun:
    begin = time.perf_counter()
    together.all_do(lambda: _open_folder(directory, config, together.leads))
    potential, sets = together.all_do(lambda: _begin(config, prepared))
    potential.to(device)
    train, valid = sets["train"], sets["valid"]
    task = PotentialTask(potential, train, valid, config.loss, config.training, together)
    fingerprint = config.model_dump(mode="json", exclude={"training"})
    fingerprint["structures and labels"] = prepared.digest
    trainer = Trainer(potential, task, config.training, directory, reporter, fingerprint, together)
    outcome = trainer.run(resume=resume)
    if not together.leads:
        return TrainedRun(potential, outcome, {}, time.perf_counter() - begin)
    potential.eval()
    level(potential, train.thinned(EVALUATED))
    evaluations = {
        name: evaluate(potential, part.thinned(EVALUATED))
        for name, part in sets.items()
        if len(part)
    }
    run = TrainedRun(potential, outcome, evaluations, time.perf_counter() - begin)
    write_run(run, directory)
    return run


def _begin(config: RunConfig, prepared: Prepared) -> tuple[Potential, dict[str, AtomicDataset]]:
    """A potential to train, new or from a file, and the sets with neighbour lists."""
    dtype = _DTYPES[config.training.dtype]
    if config.start is not None:
        potential = start_from(config.start, prepared.split.train, dtype)
        if config_of(potential.model) != config.model:
            raise DataError(
                f"the settings of the model are not those of {config.start}",
                got=config.model.describe(),
                expected=config_of(potential.model).describe(),
                remedy="leave out --model and words that begin with model.",
            )
        return potential, prepared.datasets(config.model.cutoff, dtype, potential.elements)
    sets = prepared.datasets(config.model.cutoff, dtype)
    reference = prepared.reference
    potential = build_potential(
        config.model,
        reference.elements,
        tuple(reference.values[z] for z in reference.elements),
        sets["train"].mean_neighbours(),
        prepared.scale,
        prepared.shift,
        config.training.seed,
        dtype,
    )
    return potential, sets


def _open_folder(directory: Path, config: RunConfig, write: bool) -> None:
    if write:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / CONFIG).write_text(config.to_yaml(), encoding="utf-8")


def write_run(run: TrainedRun, directory: Path) -> None:
    """Model file, metrics as JSON and as CSV."""
    summary = without_nan(run.summary())
    save_potential(directory / MODEL, run.potential, summary)
    (directory / METRICS_JSON).write_text(json_text(summary) + "\n", encoding="utf-8")
    write_metrics_csv(directory / METRICS_CSV, run.evaluations)


def write_metrics_csv(path: Path, evaluations: dict[str, Evaluation]) -> None:
    """One line for each set, and each `config_type` in it."""
    with open(path, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        headed = False
        for name, evaluation in evaluations.items():
            groups = {"all": evaluation.total, **evaluation.by_config_type}
            for group, errors in groups.items():
                row = errors.summary()
                if not headed:
                    writer.writerow(["set", "config_type", *row])
                    headed = True
                writer.writerow([name, group, *row.values()])
