"""The training loop: optimiser, schedule, clipping, averages, checkpoints, a clock."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import torch
from torch import Tensor, nn

from ..errors import DataError
from .checkpoint import RunState, load_checkpoint, save_checkpoint
from .config import TrainingConfig
from .ema import AveragedParameters
from .exchange import Agreement, GradientExchange
from .history import History
from .interrupt import StopRequest, stop_on_interrupt
from .late import LateReading, gradient_not_finite, usual_norm
from .processes import Processes
from .progress import Reporter, Silent
from .schedule import Budget, late_fraction, rate_factor
from .soap import Soap
from .task import BatchT, Task

CHECKPOINT = "checkpoint.safetensors"
HISTORY = "history.csv"
_SECONDS_BETWEEN_CHECKPOINTS = 20.0


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        reason: `epochs`, `time limit`, `early stop` or `interrupted`.
        epochs, steps: what it took, earlier parts of a resumed run included.
        seconds: likewise, by the clock of the settings.
        rows: the history.
        best_score: validation score of the parameters that the model now holds.
    """

    reason: str
    epochs: int
    steps: int
    seconds: float
    rows: list[dict[str, int | float]]
    best_score: float


class Trainer(Generic[BatchT]):
    """Trains a model on a task; afterwards the model holds the best averaged parameters.

    Everything random comes from the task and its seed; no global state is touched. A run that
    was stopped resumes from its checkpoint and, without a time limit, ends in the same bits.

    Several processes, each with a Trainer of its own, train together: each differentiates its
    share of every batch, the gradients are averaged over samples, and whatever ends a run
    (clock, Ctrl-C, early stop, a loss that is not finite) ends it in all after the same step.

    Args:
        model: whose parameters are trained.
        task: batches, loss and validation.
        config: settings.
        directory: for checkpoint and history, or None to keep nothing.
        reporter: who is told; nobody by default.
        fingerprint: further settings that a resumed run must share.
        processes: who trains; this process alone by default.
    """

    def __init__(
        self,
        model: nn.Module,
        task: Task[BatchT],
        config: TrainingConfig,
        directory: str | os.PathLike[str] | None = None,
        reporter: Reporter | None = None,
        fingerprint: Mapping[str, Any] | None = None,
        processes: Processes | None = None,
    ) -> None:
        self.model, self.task, self.config = model, task, config
        self.processes = Processes() if processes is None else processes
        self.directory = None if directory is None else Path(directory)
        self.reporter = Silent() if reporter is None else reporter
        settings = config.model_dump(exclude={"time_limit", "clock", "device"})
        self.state = RunState(fingerprint={**settings, **(fingerprint or {})})
        self.optimiser = _optimiser(model, config)
        self.processes.copy_from_leader(model)
        self.average = AveragedParameters(model, config.ema_decay)
        self.best: dict[str, Tensor] = self.average.state()
        # Seconds count from here in every process.
        self._time = time.monotonic if config.clock == "wall" else time.process_time
        self._begin = self._time()
        self.agreed = Agreement(loss=0.0, stop=False, seconds=0.0)
        self._parameters = list(model.parameters())
        self.exchange = GradientExchange(self.processes, self._parameters)
        steps = config.epochs * task.num_batches
        self.budget = Budget(steps, config.time_limit, self._clock)
        self.history = History(None)
        self.stop = StopRequest()
        self._saved = time.monotonic()
        # Where nobody has to agree, a GPU is left to work while the next steps are prepared.
        elsewhere = self._parameters[0].device.type != "cpu" and self.processes.size == 1
        self._late = self._read_late() if elsewhere else None

    def run(self, resume: bool = False) -> Outcome:
        """Trains to the end of the budget, to an early stop, or until Ctrl-C.

        Args:
            resume: continue from the checkpoint in the directory, where there is one.

        Raises:
            NumberError: a loss that is not finite, with the samples named.
            DataError: a checkpoint that cannot be read, written or belongs to another run.
        """
        if resume:
            self.processes.all_do(self._resume)
            self._require_one_step()
            self._late = None if self._late is None else self._read_late()
        path = None if self.directory is None else self.directory / HISTORY
        path = path if self.processes.leads else None
        self.history = History(path, self.state.rows)
        self.reporter.begin()
        try:
            with stop_on_interrupt() as self.stop:
                reason = self._epochs()
        finally:
            self.reporter.end()
        self._save()
        if self.state.best_score == float("inf"):
            self.best = self.average.state()
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(self.best[name])
        state = self.state
        return Outcome(
            reason,
            state.epoch,
            state.step,
            self.budget.elapsed,
            self.history.rows,
            state.best_score,
        )

    def _epochs(self) -> str:
        while True:
            patience = self.config.patience
            if patience is not None and self.state.stale >= patience:
                return "early stop"
            if self.budget.exhausted():
                return "time limit" if self.budget.step < self.budget.steps else "epochs"
            self._epoch()
            if self._stopping():
                return "interrupted"

    def _epoch(self) -> None:
        state = self.state
        for batch in self.task.batches(state.epoch, state.batch):
            state.loss_sum += self._step(batch)
            state.batch += 1
            self.reporter.step(self.budget.progress())
            if self._stopping():
                return
            if self.budget.exhausted():
                break
            if time.monotonic() - self._saved > _SECONDS_BETWEEN_CHECKPOINTS:
                self._save()
        self._read()
        row = {
            "epoch": state.epoch + 1,
            "step": state.step,
            "seconds": self.budget.elapsed,
            "rate": self.optimiser.param_groups[0]["lr"],
            "loss": state.loss_sum / max(state.batch, 1),
        }
        state.epoch, state.batch, state.loss_sum = state.epoch + 1, 0, 0.0
        if state.epoch % self.config.validate_every == 0 or self.budget.exhausted():
            row.update(self._validate())
            self.history.append(row)
            state.rows = self.history.rows
            self.reporter.epoch(row)

    def _step(self, batch: BatchT | None) -> float:
        progress = self.budget.progress()
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * rate_factor(self.config, progress)
        self.optimiser.zero_grad(set_to_none=True)
        stage = late_fraction(self.config, progress)
        if self._late is not None and batch is not None:
            self._late.step(self.task.loss(batch, stage))
            return self._stepped(0.0)
        self.agreed = self.exchange(
            lambda: self._differentiate(batch, stage),
            self.stop.made,
            self._time() - self._begin,
        )
        if not self._clip():
            self.processes.each(lambda: self._blame(batch))
        self.optimiser.step()
        return self._stepped(self.agreed.loss)

    def _stepped(self, loss: float) -> float:
        self.average.update()
        self.budget.step += 1
        self.state.step += 1
        return loss

    def _read_late(self) -> LateReading:
        return LateReading(self.model, self.optimiser, self.config, self.state.usual_norm)

    def _read(self) -> None:
        """Takes note of the steps that nobody has looked at yet."""
        if self._late is not None:
            self._late.read(self.state)

    def _clip(self) -> bool:
        """Bound the gradient's norm, absolutely and by what is usual; False if it is infinite."""
        usual = self.state.usual_norm
        bound = self.config.clip_norm
        if usual is not None:
            bound = min(bound, self.config.clip_ratio * usual)
        norm = float(nn.utils.clip_grad_norm_(self.model.parameters(), bound))
        if not math.isfinite(norm):
            return False
        self.state.usual_norm = usual_norm(usual, min(norm, bound))
        return True

    def _differentiate(self, batch: BatchT | None, stage: float) -> tuple[int, float]:
        if batch is None:
            return 0, 0.0
        loss = self.task.loss(batch, stage)
        loss.require_finite()
        loss.differentiate(self._parameters)
        return len(loss.names), float(loss.total.detach())

    def _blame(self, batch: BatchT | None) -> None:
        names = [] if batch is None else self.task.loss(batch, 0.0).names
        raise gradient_not_finite(names)

    def _stopping(self) -> bool:
        """Whether Ctrl-C was pressed; several processes hear of it with the next step."""
        return self.stop.made if self.processes.size == 1 else self.agreed.stop

    def _clock(self) -> float:
        """Seconds of this process, or those of process 0 where there are several."""
        alone = self.processes.size == 1
        return self._time() - self._begin if alone else self.agreed.seconds

    def _validate(self) -> dict[str, int | float]:
        with self.average.swapped_in():
            errors = self.task.validate()  # the same in every process
        if errors["score"] < self.state.best_score:
            self.state.best_score, self.state.stale = errors["score"], 0
            self.best = self.average.state()
        else:
            self.state.stale += 1
        return errors

    def _save(self) -> None:
        self._read()
        self._saved = time.monotonic()
        if self.directory is None or not self.processes.leads:
            return
        self.state.elapsed = self.budget.elapsed
        self.state.updates = self.average.updates
        self.state.threads = torch.get_num_threads()
        save_checkpoint(
            self.directory / CHECKPOINT,
            self.state,
            self.model,
            self.average.state(),
            self.best,
            self.optimiser,
        )

    def _resume(self) -> None:
        if self.directory is None or not (self.directory / CHECKPOINT).exists():
            return
        path = self.directory / CHECKPOINT
        wanted = self.state.fingerprint
        self.state, average, self.best = load_checkpoint(path, self.model, self.optimiser, wanted)
        self.average.load(average, self.state.updates)
        self.budget.step = self.state.step
        self.budget.elapsed = self.state.elapsed

    def _require_one_step(self) -> None:
        steps = self.processes.each(lambda: self.state.step)
        if len(set(steps)) > 1:
            raise DataError(
                "the processes do not see the same checkpoint",
                got=f"steps {steps} in order of rank",
                expected=f"one {CHECKPOINT} that all can read",
                remedy="write to a folder that all machines share",
            )


def _optimiser(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    betas, decay = (config.beta1, config.beta2), config.weight_decay
    if config.optimiser == "soap":
        return Soap(model, config.learning_rate, betas, weight_decay=decay)
    return torch.optim.AdamW(
        model.parameters(),
        lr=config.learning_rate,
        betas=betas,
        weight_decay=decay,
        amsgrad=config.amsgrad,
        fused=True,
    )
