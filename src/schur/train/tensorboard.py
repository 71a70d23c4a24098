"""The course of a run for TensorBoard, an optional package that is imported only when asked for."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import optional_package
from .progress import Reporter

_PLACES = ("epoch", "step", "seconds")


class TensorBoardReporter:
    """Writes every number of every epoch, over the steps taken.

    Args:
        folder: of the event files.

    Raises:
        BackendError: the package tensorboard is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        problem, remedy = (
            "curves for TensorBoard need its package",
            "pip install 'schur[tensorboard]'",
        )
        with optional_package(problem, "tensorboard", remedy):
            from torch.utils.tensorboard import SummaryWriter
        self._open = lambda: SummaryWriter(os.fspath(folder))
        self._writer: Any = None

    def begin(self) -> None:
        """Opens the file."""
        self._writer = self._open()

    def step(self, progress: float) -> None:
        """Does nothing; numbers come with epochs."""

    def epoch(self, row: Mapping[str, int | float]) -> None:
        """Writes a row."""
        for key, value in row.items():
            if key not in _PLACES:
                self._writer.add_scalar(key, value, row["step"])

    def end(self) -> None:
        """Closes the file."""
        self._writer.close()


class Reporters:
    """Several reporters as one.

    Args:
        members: told in this order.
    """

    def __init__(self, members: Sequence[Reporter]) -> None:
        self._members = tuple(members)

    def begin(self) -> None:
        """The run starts."""
        for member in self._members:
            member.begin()

    def step(self, progress: float) -> None:
        """A step is done."""
        for member in self._members:
            member.step(progress)

    def epoch(self, row: Mapping[str, int | float]) -> None:
        """An epoch is done."""
        for member in self._members:
            member.epoch(row)

    def end(self) -> None:
        """The run is over."""
        for member in self._members:
            member.end()
