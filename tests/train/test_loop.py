"""The loop: it learns, repeats bit for bit, resumes exactly, stops when it must."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from schur.errors import DataError, NumberError
from schur.train.config import TrainingConfig
from schur.train.loop import CHECKPOINT, HISTORY, Outcome, Trainer
from schur.train.progress import Silent

from .toy import Cubic, PolynomialTask


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


def test_repeats_bit_for_bit_and_leaves_global_seeds_alone() -> None:
    before = torch.get_rng_state()
    first, _ = train(settings())
    second, _ = train(settings())
    other, _ = train(settings(seed=1))
    assert torch.equal(first.weight, second.weight)
    assert not torch.equal(first.weight, other.weight)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("steps", [1, 6, 17, 60])
@pytest.mark.parametrize("amsgrad", [False, True])
def test_resumes_exactly(tmp_path: Path, steps: int, amsgrad: bool) -> None:
    """Stopped by Ctrl-C in an epoch or between two, the run ends in the same bits."""
    config = settings(amsgrad=amsgrad)
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
    from schur.train.tensor_file import load_tensors

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
