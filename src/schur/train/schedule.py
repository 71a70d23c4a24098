"""How far a run is, and the learning rate there."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from .config import TrainingConfig


def rate_factor(config: TrainingConfig, progress: float) -> float:
    """Learning rate as a fraction of its peak, at `progress` in [0, 1] of the run.

    Example:
        >>> config = TrainingConfig(schedule="linear", warmup=0.1, final_rate=0.0)
        >>> [round(rate_factor(config, p), 3) for p in (0.05, 0.1, 0.55, 1.0)]
        [0.5, 1.0, 0.5, 0.0]
    """
    progress = min(max(progress, 0.0), 1.0)
    if progress < config.warmup:
        return progress / config.warmup
    if config.schedule == "constant":
        return 1.0
    fallen = (progress - config.warmup) / (1.0 - config.warmup)
    left = 1.0 - fallen if config.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * fallen))
    return config.final_rate + (1.0 - config.final_rate) * left


def late_fraction(config: TrainingConfig, progress: float) -> float:
    """How far the second stage is: 0 before it begins, 1 at the end of the run.

    Weights that change along it change smoothly. A sudden change would meet second moments of
    Adam that are far too small, and throw the parameters off.

    Example:
        >>> config = TrainingConfig(late_stage=0.75)
        >>> [late_fraction(config, p) for p in (0.5, 0.75, 0.875, 1.0)]
        [0.0, 0.0, 0.5, 1.0]
    """
    if progress <= config.late_stage:
        return 0.0
    return min((progress - config.late_stage) / (1.0 - config.late_stage), 1.0)


class Budget:
    """Steps and time of a run; both may end it.

    Args:
        steps: steps of the whole run.
        time_limit: seconds, or None.
        clock: seconds since any moment; tests put in their own.

    Example:
        >>> budget = Budget(steps=10)
        >>> budget.step = 5
        >>> budget.progress()
        0.5
    """

    def __init__(
        self,
        steps: int,
        time_limit: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.steps = max(steps, 1)
        self.time_limit = time_limit
        self.step = 0
        self._clock = clock
        self._begin = clock()

    @property
    def elapsed(self) -> float:
        """Seconds used so far, those before a resume included."""
        return self._clock() - self._begin

    @elapsed.setter
    def elapsed(self, seconds: float) -> None:
        self._begin = self._clock() - seconds

    def progress(self) -> float:
        """Fraction of the run that is over, by steps or by time, whichever is more."""
        by_steps = self.step / self.steps
        by_time = 0.0 if self.time_limit is None else self.elapsed / self.time_limit
        return min(max(by_steps, by_time), 1.0)

    def exhausted(self) -> bool:
        """Whether the run is over."""
        return self.progress() >= 1.0
