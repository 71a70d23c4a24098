"""Runs that several processes make together; each process of the test calls this file.

Words: a rank, the number of processes, a file to meet at, a folder for what came of it.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schur.errors import SchurError
from schur.train.config import TrainingConfig
from schur.train.loop import Trainer
from schur.train.processes import Processes, joined_processes
from schur.train.progress import Silent
from tests.train.toy import Cubic, PolynomialTask, Sample

# 40 samples in batches of 13 and one of 1, of which the second process has nothing.
BASE = {"epochs": 12, "batch_size": 13, "learning_rate": 0.05, "ema_decay": 0.9}

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "clipped": {"clip_norm": 0.1, "weight_decay": 0.1, "optimiser": "adamw", "amsgrad": True},
    "early stop": {"epochs": 500, "patience": 3, "learning_rate": 3.0, "schedule": "constant"},
    "time limit": {"epochs": 10**6, "time_limit": 0.3},
}


class InterruptsOne(Silent):
    """Ctrl-C in the last process alone, after so many steps."""

    def __init__(self, processes: Processes, steps: int) -> None:
        self.left = steps if processes.rank == processes.size - 1 else -1

    def step(self, progress: float) -> None:
        """Counts down."""
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


class FailsInOne(PolynomialTask):
    """An error of another kind in the last process alone."""

    def batches(self, epoch: int, start: int) -> Any:
        """As the toy's, with a batch that nobody can use."""
        for batch in super().batches(epoch, start):
            broken = epoch == 2 and self.processes.rank == self.processes.size - 1
            yield "no batch" if broken else batch


def trained(
    processes: Processes,
    folder: Path | None = None,
    resume: bool = False,
    reporter: Silent | None = None,
    task: Callable[..., PolynomialTask] = PolynomialTask,
    poison: int | None = None,
    **settings: Any,
) -> dict[str, Any]:
    """One run, as numbers."""
    config = TrainingConfig.model_validate({**BASE, **settings})
    model = Cubic()
    problem = task(model, config, poison, processes)
    trainer: Trainer[Sample] = Trainer(
        model, problem, config, folder, reporter, processes=processes
    )
    try:
        outcome = trainer.run(resume=resume)
    except SchurError as error:
        return {"error": type(error).__name__, "text": str(error), "steps": trainer.state.step}
    return {
        "reason": outcome.reason,
        "steps": outcome.steps,
        "weight": model.weight.tolist(),
        "scores": [row["score"] for row in outcome.rows],
        "losses": [row["loss"] for row in outcome.rows],
    }


def everything(processes: Processes, folder: Path) -> dict[str, Any]:
    """All cases, in the same order in every process."""
    found = {name: trained(processes, **settings) for name, settings in CASES.items()}
    found["poisoned"] = trained(processes, poison=11)
    found["failed"] = trained(processes, task=FailsInOne)
    stopped = InterruptsOne(processes, 10)
    found["interrupted"] = trained(processes, folder / "run", reporter=stopped)
    return found


def main(rank: str, size: str, meeting: str, target: str) -> None:
    """Writes what this process found."""
    folder = Path(target)
    environment = {"RANK": rank, "WORLD_SIZE": size}
    with joined_processes(environment, f"file://{meeting}") as processes:
        found = everything(processes, folder)
    (folder / f"{rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
