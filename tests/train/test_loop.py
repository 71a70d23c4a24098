"""The loop: it learns, repeats bit for bit, resumes exactly, stops when it must."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from schur.errors import DataError, NumberError
from schur.train.config import TrainingConfig
from schur.train.loop import CHECKPOINT, HISTORY, Outcome, Trainer
from schur.train.progress import Silent
from schur.train.task import Loss
from schur.train.tensor_file import load_tensors

from .toy import Cubic, PolynomialTask, Sample


def settings(**changes: Any) -> TrainingConfig:
    base = {"epochs": 20, "batch_size": 7, "learning_rate": 0.05, "ema_decay": 0.9}
    return TrainingConfig.model_validate({**base, **changes})


def train(
    config: TrainingConfig, directory: Path | None = None, **more: Any
) -> tuple[Cubic, Outcome]:
    model = Cubic()
    resume = more.pop("resume", False)
    poison = more.pop("poison", None)
    trainer = Trainer(model, PolynomialTask(model, config, poison), config, directory, **more)
    return model, trainer.run(resume=resume)


class StopsAfter(Silent):
    """Sends Ctrl-C after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self, progress: float) -> None:
        """Counts down."""
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def test_learns_the_polynomial() -> None:
    model, outcome = train(settings(epochs=300))
    assert outcome.reason == "epochs" and outcome.epochs == 300 and outcome.steps == 300 * 6
    expected = torch.tensor([1.0, -2.0, 0.0, 1.0], dtype=torch.float64)
    assert torch.allclose(model.weight, expected, atol=1e-3)


class OutlierTask(PolynomialTask):
    """One sample weighs a million in one epoch."""

    def batches(self, epoch: int, start: int) -> Iterable[Sample | None]:
        """As ever, but for one batch."""
        for number, batch in enumerate(super().batches(epoch, start)):
            if batch is not None and (epoch, number) == (150, 2):
                x, y, names = batch
                batch = (x, y + 1e6, names)
            yield batch


@pytest.mark.parametrize(("ratio", "spoiled"), [(5.0, False), (1e9, True)])
def test_one_outlier_does_not_throw_the_parameters_away(ratio: float, spoiled: bool) -> None:
    """Adam would remember the outlier for a thousand steps, and the average for longer."""
    config = settings(epochs=152, clip_norm=1e12, clip_ratio=ratio, ema_decay=0.0)
    model = Cubic()
    rows = Trainer(model, OutlierTask(model, config), config).run().rows
    assert (rows[-1]["score"] > 4 * rows[-3]["score"]) == spoiled


def test_repeats_bit_for_bit_and_leaves_global_seeds_alone() -> None:
    before = torch.get_rng_state()
    first, _ = train(settings())
    second, _ = train(settings())
    other, _ = train(settings(seed=1))
    assert torch.equal(first.weight, second.weight)
    assert not torch.equal(first.weight, other.weight)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("steps", [1, 6, 17, 60])
@pytest.mark.parametrize(
    "optimiser", [{}, {"optimiser": "adamw"}, {"optimiser": "adamw", "amsgrad": True}]
)
def test_resumes_exactly(tmp_path: Path, steps: int, optimiser: dict[str, Any]) -> None:
    """Stopped by Ctrl-C in an epoch or between two, the run ends in the same bits."""
    config = settings(**optimiser)
    whole, outcome = train(config)
    _, stopped = train(config, tmp_path, reporter=StopsAfter(steps))
    assert stopped.reason == "interrupted" and stopped.steps == steps
    resumed, finished = train(config, tmp_path, resume=True)
    assert finished.steps == outcome.steps
    assert torch.equal(resumed.weight, whole.weight)
    scores = [[row["score"] for row in o.rows] for o in (finished, outcome)]
    assert scores[0] == scores[1]
    lines = (tmp_path / HISTORY).read_text().splitlines()
    assert len(lines) == 1 + config.epochs


def test_buffers_go_through_a_checkpoint(tmp_path: Path) -> None:
    """What a layer counts beside its parameters is there again in another process."""

    class Counting(Cubic):
        """Keeps a running sum of what it has seen."""

        seen: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("seen", torch.zeros((), dtype=torch.float64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if torch.is_grad_enabled():
                self.seen += x.square().sum()
            return super().forward(x)

    def run(directory: Path | None, stop: int = 0, resume: bool = False) -> float:
        model = Counting()
        reporter = StopsAfter(stop) if stop else None
        task = PolynomialTask(model, settings())
        Trainer(model, task, settings(), directory, reporter).run(resume=resume)
        return float(model.seen)

    whole = run(None)
    assert 0 < run(tmp_path, stop=17) < whole
    assert run(tmp_path, resume=True) == whole


@pytest.mark.parametrize("steps", [4, 18])
def test_a_killed_run_resumes_exactly(tmp_path: Path, steps: int) -> None:
    """`kill -9` in an epoch: another process goes on, and ends in the bits of an unbroken run."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "tests.train.killed", str(tmp_path), str(steps)],
        cwd=root,
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    _, header = load_tensors(tmp_path / CHECKPOINT)
    assert header["state"]["step"] == steps - 1 and header["state"]["batch"] > 0
    whole, outcome = train(settings())
    resumed, finished = train(settings(), tmp_path, resume=True)
    assert torch.equal(resumed.weight, whole.weight)
    assert finished.steps == outcome.steps
    assert [row["loss"] for row in finished.rows] == [row["loss"] for row in outcome.rows]


class FillsDisk(Silent):
    """No space on the disk from the first epoch's end on."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch

    def epoch(self, row: Mapping[str, int | float]) -> None:
        """Any write to the disk fails from here."""

        def full(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        self.patch.setattr(os, "fsync", full)


def test_a_full_disk_keeps_the_checkpoint_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run stops and says so; with space again it goes on to the same end."""
    with monkeypatch.context() as patch:
        patch.setattr("schur.train.loop._SECONDS_BETWEEN_CHECKPOINTS", 0.0)
        with pytest.raises(DataError, match="No space left") as caught:
            train(settings(), tmp_path, reporter=FillsDisk(patch))
    assert CHECKPOINT in str(caught.value) and "unchanged" in str(caught.value)
    assert {path.name for path in tmp_path.iterdir()} == {CHECKPOINT, HISTORY}
    resumed, finished = train(settings(), tmp_path, resume=True)
    assert finished.reason == "epochs"
    assert torch.equal(resumed.weight, train(settings())[0].weight)


class SecondInterrupt(Silent):
    """Ctrl-C twice within a step."""

    def step(self, progress: float) -> None:
        """Presses."""
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)


def test_a_second_interrupt_stops_at_once() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(settings(), reporter=SecondInterrupt())
    assert signal.getsignal(signal.SIGINT) is before


def test_a_run_that_stopped_early_is_over(tmp_path: Path) -> None:
    """Resuming it takes no further step."""
    config = settings(epochs=500, patience=3, learning_rate=3.0, schedule="constant")
    first, stopped = train(config, tmp_path)
    again, resumed = train(config, tmp_path, resume=True)
    assert resumed.reason == stopped.reason == "early stop" and resumed.steps == stopped.steps
    assert torch.equal(first.weight, again.weight)


def test_an_infinite_gradient_names_its_samples() -> None:
    """A finite loss whose gradient is not: no step is taken with it."""

    class Steep(PolynomialTask):
        def loss(self, batch: Sample, stage: float) -> Loss:
            usual = super().loss(batch, stage)
            slope = (self.model.weight.sum() * 0.0).sqrt()  # zero, with infinite slope
            return Loss(usual.total + slope, usual.samples, usual.names)

    model = Cubic()
    with pytest.raises(NumberError, match=r"gradient is not finite(.|\n)*sample \d+"):
        Trainer(model, Steep(model, settings()), settings()).run()
    assert not model.weight.any()


def test_resume_refuses_changed_settings(tmp_path: Path) -> None:
    train(settings(), tmp_path)
    with pytest.raises(DataError, match=r"learning_rate: 0.05 then 0.1"):
        train(settings(learning_rate=0.1), tmp_path, resume=True)


def test_damaged_checkpoint_is_an_error(tmp_path: Path) -> None:
    train(settings(), tmp_path)
    path = tmp_path / CHECKPOINT
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read"):
        train(settings(), tmp_path, resume=True)


def test_averaged_parameters_are_not_stored_as_raw(tmp_path: Path) -> None:
    train(settings(schedule="constant", epochs=3), tmp_path)
    tensors, _ = load_tensors(tmp_path / CHECKPOINT)
    assert not torch.equal(tensors["raw/weight"], tensors["average/weight"])


def test_non_finite_loss_names_the_sample() -> None:
    with pytest.raises(NumberError, match=r"nan from sample 11"):
        train(settings(), poison=11)


def test_time_limit_ends_the_run_and_the_schedule() -> None:
    model = Cubic()
    config = settings(epochs=10**6, time_limit=0.5, final_rate=0.0)
    trainer = Trainer(model, PolynomialTask(model, config), config)
    outcome = trainer.run()
    assert outcome.reason == "time limit" and 0.5 <= outcome.seconds < 5.0
    assert outcome.rows[-1]["rate"] < 0.2 * config.learning_rate
    assert outcome.rows[-1]["score"] < 0.5


def test_time_limit_in_seconds_of_the_processor() -> None:
    """A machine that gives the process little of its time does not shorten the run."""

    class Waiting(Silent):
        def step(self, progress: float) -> None:
            time.sleep(0.005)

    seconds = {}
    for clock in ("wall", "processor"):
        model = Cubic()
        config = settings(epochs=10**6, time_limit=0.2, clock=clock)
        begin, used = time.monotonic(), time.process_time()
        task = PolynomialTask(model, config)
        outcome = Trainer(model, task, config, reporter=Waiting()).run()
        wall, processor = time.monotonic() - begin, time.process_time() - used
        seconds[clock] = outcome.seconds, wall, processor
    told, wall, processor = seconds["wall"]
    assert 0.2 <= told <= wall and processor < 0.8 * wall
    told, wall, processor = seconds["processor"]
    assert 0.2 <= told <= processor + 1e-3 and processor < 0.8 * wall


def test_early_stop() -> None:
    _, outcome = train(settings(epochs=500, patience=3, learning_rate=3.0, schedule="constant"))
    assert outcome.reason == "early stop" and outcome.epochs < 500


def test_second_stage_begins_late() -> None:
    model = Cubic()
    config = settings(epochs=10, late_stage=0.7)
    task = PolynomialTask(model, config)
    Trainer(model, task, config).run()
    assert task.late_steps == 17


def test_best_parameters_are_kept() -> None:
    """A rate that makes the run diverge: the model that is handed back is the best one seen."""
    config = settings(learning_rate=3.0, schedule="constant", ema_decay=0.0, epochs=30)
    model, outcome = train(config)
    scores = [row["score"] for row in outcome.rows]
    assert outcome.best_score == min(scores) < scores[-1]
    task = PolynomialTask(model, settings())
    assert task.validate()["score"] == outcome.best_score
