"""A run that is killed in the middle of an epoch, as `kill -9` does; a test calls this file.

Words: a folder, and after how many steps.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from schur.train import loop
from schur.train.config import TrainingConfig
from schur.train.loop import Trainer
from schur.train.progress import Silent
from tests.train.toy import Cubic, PolynomialTask


class Dies(Silent):
    """Kills its own process, which no handler can catch."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def step(self, progress: float) -> None:
        """Counts down."""
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    # After each step, so that the last checkpoint lies within an epoch.
    loop._SECONDS_BETWEEN_CHECKPOINTS = 0.0
    config = TrainingConfig(epochs=20, batch_size=7, learning_rate=0.05, ema_decay=0.9)
    model = Cubic()
    task = PolynomialTask(model, config)
    Trainer(model, task, config, Path(sys.argv[1]), Dies(int(sys.argv[2]))).run()
