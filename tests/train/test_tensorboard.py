"""Curves for TensorBoard, read back by its own reader."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from schur.errors import BackendError
from schur.train.config import TrainingConfig
from schur.train.loop import Trainer
from schur.train.progress import Silent
from schur.train.tensorboard import Reporters, TensorBoardReporter

from .toy import Cubic, PolynomialTask

INSTALLED = importlib.util.find_spec("tensorboard") is not None


class Counts(Silent):
    """How many epochs it was told."""

    epochs = 0

    def epoch(self, row: object) -> None:
        """One more."""
        self.epochs += 1


@pytest.mark.skipif(not INSTALLED, reason="the extra tensorboard is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_number_of_every_epoch_is_written(tmp_path: Path) -> None:
    model, config = Cubic(), TrainingConfig(epochs=3, batch_size=20)
    told = Counts()
    reporter = Reporters([TensorBoardReporter(tmp_path), told])
    outcome = Trainer(model, PolynomialTask(model, config), config, reporter=reporter).run()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert set(events.Tags()["scalars"]) == {"rate", "loss", "score"}
    for key in ("loss", "score"):
        found = [(event.step, event.value) for event in events.Scalars(key)]
        expected = [(row["step"], pytest.approx(row[key], rel=1e-6)) for row in outcome.rows]
        assert found == expected
    assert told.epochs == 3


@pytest.mark.skipif(INSTALLED, reason="tensorboard is installed")
def test_without_the_package_it_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"schur\[tensorboard\]"):
        TensorBoardReporter(tmp_path)


def test_the_package_is_not_loaded_unless_asked() -> None:
    code = "import sys, schur.cli.training; sys.exit('tensorboard' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
