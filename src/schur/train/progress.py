"""How a run is shown: a live bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn


@dataclass(frozen=True)
class Column:
    """One column of the table of epochs: the key of a row, its heading and format."""

    key: str
    heading: str
    format: str = "10.4g"

    @property
    def width(self) -> int:
        """Characters that the column takes."""
        return max(len(self.heading), int(self.format.split(".")[0].rstrip("dgfse") or 0))

    def show(self, row: Mapping[str, int | float]) -> str:
        """The cell of a row, right-aligned."""
        value = row.get(self.key)
        text = "" if value is None else format(value, self.format)
        return text.rjust(self.width)


@runtime_checkable
class Reporter(Protocol):
    """Who is told how a run goes."""

    def begin(self) -> None:
        """The run starts."""
        ...

    def step(self, progress: float) -> None:
        """A step is done; `progress` is the fraction of the run that is over."""
        ...

    def epoch(self, row: Mapping[str, int | float]) -> None:
        """An epoch is done."""
        ...

    def end(self) -> None:
        """The run is over."""
        ...


class Silent:
    """A reporter that shows nothing."""

    def begin(self) -> None:
        """Does nothing."""

    def step(self, progress: float) -> None:
        """Does nothing."""

    def epoch(self, row: Mapping[str, int | float]) -> None:
        """Does nothing."""

    def end(self) -> None:
        """Does nothing."""


class ConsoleReporter:
    """A table of epochs; in a terminal with a bar below it.

    Args:
        console: where to print; its `is_terminal` decides on the bar.
        columns: of the table.
        lines: about how many epochs to print of the whole run, so that a log stays readable.
    """

    def __init__(self, console: Console, columns: Sequence[Column], lines: int = 40) -> None:
        self._console = console
        self._columns = tuple(columns)
        self._lines = lines
        self._bar: Progress | None = None
        self._progress = 0.0
        self._printed = -1

    def begin(self) -> None:
        """Prints the headings and starts the bar."""
        self._print("  ".join(c.heading.rjust(c.width) for c in self._columns))
        if self._console.is_terminal:
            self._bar = Progress(
                TextColumn("training"),
                BarColumn(),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=self._console,
                transient=True,
            )
            self._bar.add_task("training", total=1.0)
            self._bar.start()

    def step(self, progress: float) -> None:
        """Moves the bar."""
        self._progress = progress
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=progress)

    def epoch(self, row: Mapping[str, int | float]) -> None:
        """Prints a row where a new share of the run is over."""
        share = int(self._progress * self._lines)
        if share > self._printed or self._progress >= 1.0:
            self._printed = share
            self._print("  ".join(column.show(row) for column in self._columns))

    def end(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def _print(self, line: str) -> None:
        self._console.print(line, highlight=False, markup=False, soft_wrap=True)
