"""One frame of a file, as it stands there, and files as sequences of frames."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a file of structures, unaltered.

    Args:
        numbers: atomic numbers.
        positions: (n, 3), as in the file (Å by convention).
        info: what is said of the whole frame, by name: labels, `config_type`, charge ...
        arrays: what is said of each atom, by name, atoms first.
        cell: (3, 3), rows are the lattice vectors, or None.
        pbc: three truth values.
        path, index: the file, the frame counted from 0.
        line: its first line counted from 1; 0 where a file has no lines.
    """

    numbers: np.ndarray
    positions: np.ndarray
    info: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    cell: np.ndarray | None = None
    pbc: tuple[bool, bool, bool] = (False, False, False)
    path: str = ""
    index: int = 0
    line: int = 0

    @property
    def origin(self) -> str:
        """How messages call this frame."""
        where = f" (line {self.line})" if self.line else ""
        return f"{os.path.basename(self.path)} frame {self.index}{where}"


class FrameSource(ABC):
    """A file of structures that is read frame by frame, in order or by number.

    Args:
        path: the file.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fspath(path)

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def _frame(self, index: int) -> Frame:
        """The frame of a number between 0 and the length."""

    def __getitem__(self, index: int) -> Frame:
        if not 0 <= index < len(self):
            raise IndexError(f"{self.path} has {len(self)} frames; there is none numbered {index}")
        return self._frame(index)

    def __iter__(self) -> Iterator[Frame]:
        return (self._frame(index) for index in range(len(self)))

    @property
    def note(self) -> str:
        """What a reader should know about how this kind of file was read; mostly nothing."""
        return ""

    def close(self) -> None:  # noqa: B027 (most kinds keep nothing open)
        """Lets go of the file, where one is kept open; the next access opens it again."""
