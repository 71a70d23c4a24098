"""One row an epoch, kept as CSV while a run goes on."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path


class History:
    """Rows of numbers that are appended to a CSV file as they come.

    Args:
        path: the file, or None to keep rows in memory alone.
        rows: rows of an earlier part of the run; the file is written anew with them.

    Example:
        >>> history = History(None)
        >>> history.append({"epoch": 1, "loss": 0.5})
        >>> history.rows
        [{'epoch': 1, 'loss': 0.5}]
    """

    def __init__(
        self, path: str | os.PathLike[str] | None, rows: list[dict[str, int | float]] | None = None
    ) -> None:
        self._path = None if path is None else Path(path)
        self.rows: list[dict[str, int | float]] = []
        if self._path is not None and self._path.exists():
            self._path.unlink()
        for row in rows or []:
            self.append(row)

    def append(self, row: Mapping[str, int | float]) -> None:
        """Adds a row; the first one names the columns."""
        self.rows.append(dict(row))
        if self._path is None:
            return
        fresh = not self._path.exists()
        with open(self._path, "a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, fieldnames=list(self.rows[0]), extrasaction="ignore")
            if fresh:
                writer.writeheader()
            writer.writerow({key: _short(value) for key, value in row.items()})


def _short(value: int | float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.8g}"
