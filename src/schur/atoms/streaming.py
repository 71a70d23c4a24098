"""Systems that stay on disk until they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np
from jaxtyping import Bool, Int

from .frame import FrameSource
from .labels import Labeller
from .system import System

STREAM_ABOVE = 1 << 29
"""Bytes of files; smaller data sets are kept in memory, where they take about three times that."""


class StreamedSystems(Sequence[System]):
    """Frames of some files, each read and labelled when it is asked for.

    Args:
        sources: the files.
        starts: number of the first frame of each file, and behind the last the number of all.
        frames: numbers of the frames of this sequence among all.
        labeller: which key holds which label.
        sizes: numbers of atoms of this sequence's frames.
        stressed: which of them have a stress.
    """

    def __init__(
        self,
        sources: Sequence[FrameSource],
        starts: Sequence[int],
        frames: Int[np.ndarray, " frames"],
        labeller: Labeller,
        sizes: Int[np.ndarray, " frames"],
        stressed: Bool[np.ndarray, " frames"],
    ) -> None:
        self._sources, self._starts = sources, np.asarray(starts)
        self._frames, self._labeller = frames, labeller
        self.sizes, self.stressed = sizes, stressed

    def __len__(self) -> int:
        return len(self._frames)

    @overload
    def __getitem__(self, index: int) -> System: ...
    @overload
    def __getitem__(self, index: slice) -> StreamedSystems: ...
    def __getitem__(self, index: int | slice) -> System | StreamedSystems:
        if isinstance(index, slice):
            return self.chosen(np.arange(len(self))[index])
        number = int(self._frames[index])
        file = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self._labeller.system(self._sources[file][number - int(self._starts[file])])

    def chosen(self, which: Int[np.ndarray, " chosen"]) -> StreamedSystems:
        """Those at some places of this sequence."""
        return StreamedSystems(
            self._sources,
            self._starts.tolist(),
            self._frames[which],
            self._labeller,
            self.sizes[which],
            self.stressed[which],
        )


def sizes_of(systems: Sequence[System]) -> Int[np.ndarray, " systems"]:
    """Numbers of atoms, which streamed systems know without being read.

    Example:
        >>> sizes_of([System([1, 1], [[0, 0, 0], [0, 0, 0.74]])])
        array([2])
    """
    if isinstance(systems, StreamedSystems):
        return systems.sizes
    return np.array([len(system) for system in systems], dtype=np.int64)


def has_stress(systems: Sequence[System]) -> bool:
    """Whether any system has a stress, which streamed ones know without being read."""
    if isinstance(systems, StreamedSystems):
        return bool(systems.stressed.any())
    return any(system.stress is not None for system in systems)


def stream_wanted(stream: str, files: Sequence[Path]) -> bool:
    """Whether frames shall stay on disk.

    Args:
        stream: always, never, or auto, which goes by the size of the files.
        files: what would be read.

    Example:
        >>> stream_wanted("auto", []), stream_wanted("always", [])
        (False, True)
    """
    if stream != "auto":
        return stream == "always"
    return sum(file.stat().st_size for file in files if file.exists()) > STREAM_ABOVE
