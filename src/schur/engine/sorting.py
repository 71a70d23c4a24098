"""Index arrays whose sort is made once and carried along."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from schur.engine import c_runtime, recording
from schur.engine.transfer import moved
from schur.errors import DtypeError, IndexRangeError, ShapeError


def as_index(index: Int[Tensor, " rows"], name: str = "index") -> Tensor:
    """The index as int64 with one axis; its bounds are checked where it is used.

    Raises:
        DtypeError, ShapeError: if it is no list of integers.
    """
    if index.dtype not in (torch.int32, torch.int64):
        raise DtypeError(f"{name} must hold integers", got=index.dtype, expected="int32 or int64")
    if index.ndim != 1:
        raise ShapeError(f"{name} must have one axis", got=tuple(index.shape), expected="(rows,)")
    return index.to(torch.int64)


def check_bounds(index: Int[Tensor, " rows"], size: int, name: str = "index") -> None:
    """Raise unless every entry lies in a table of `size` entries.

    Raises:
        IndexRangeError: if an entry is negative or not below `size`.
    """
    if not index.numel():
        return
    low, high = (int(value) for value in torch.aminmax(index))
    if low < 0 or high >= size:
        raise out_of_range(name, low, high, size)


def out_of_range(name: str, low: int, high: int, size: int) -> IndexRangeError:
    """The error for an index that points outside its table."""
    return IndexRangeError(
        f"{name} points outside its table",
        got=f"entries from {low} to {high}",
        expected=f"0 to {size - 1}",
        remedy="pass the table's length (num_nodes) that the index was made for",
    )


class Sorted:
    """An index array with the order in which its rows are walked.

    A routine that sums at `index` walks the rows in the order of the index.  Plain tensors are
    sorted anew at each call; a `Sorted` carries the sort through a whole model.

    Args:
        index: for each row the entry it points to, shape (rows,).
        size: the length of the tables that the index points into.

    Example:
        >>> edges = Sorted(torch.tensor([1, 0, 1]), 3)
        >>> edges.order.tolist(), edges.start.tolist()
        ([1, 0, 2], [0, 1, 3, 3])
    """

    def __init__(self, index: Int[Tensor, " rows"], size: int) -> None:
        if size < 0:
            raise ShapeError("a table has no negative length", got=size, expected="at least 0")
        # A copy: what the caller writes into the index later must not contradict the sort.
        self.index = as_index(index).clone()
        self.size = size
        # order[start[n]:start[n + 1]] are the rows that point to entry n, in their own order.
        self.order, self.start = _sorted(self.index, size)

    @classmethod
    def repeated(cls, size: int, times: int, device: torch.device | str = "cpu") -> Sorted:
        """All entries of a table in order, `times` times over.

        Example:
            >>> Sorted.repeated(3, 2).index.tolist(), Sorted.repeated(3, 2).order.tolist()
            ([0, 1, 2, 0, 1, 2], [0, 3, 1, 4, 2, 5])
        """
        rows = torch.arange(size * times, device=device)
        return cls.known(
            torch.arange(size, device=device).repeat(times),
            rows.view(times, size).T.flatten(),
            torch.arange(size + 1, device=device) * times,
        )

    @classmethod
    def known(
        cls,
        index: Int[Tensor, " rows"],
        order: Int[Tensor, " rows"],
        start: Int[Tensor, " entries"],
    ) -> Sorted:
        """An index whose sort the caller knows; nothing is checked and nothing is copied."""
        made = object.__new__(cls)
        made.index, made.order, made.start, made.size = index, order, start, len(start) - 1
        return made

    @property
    def device(self) -> torch.device:
        """Where the index and its sort lie."""
        return self.index.device

    def to(self, device: torch.device | str) -> Sorted:
        """The same on another device."""
        parts = (self.index, self.order, self.start)
        return Sorted.known(*(moved(tensor, device) for tensor in parts))


def _sorted(index: Tensor, size: int) -> tuple[Tensor, Tensor]:
    recorder = recording.recorder_of(index)
    if recorder is not None:
        return _sorted_each_time(recorder, index, size)
    check_bounds(index, size)
    start = torch.zeros(size + 1, dtype=torch.int64, device=index.device)
    torch.cumsum(torch.bincount(index, minlength=size), 0, out=start[1:])
    return torch.argsort(index, stable=True), start


def _sorted_each_time(
    recorder: recording.Recorder, index: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """The same inside a recording, whose repetitions sort again, with other values."""
    order, start = torch.empty_like(index), index.new_empty(size + 1)

    def sort() -> None:
        if c_runtime.sort_into(index, size, order, start) >= 0:
            raise out_of_range("index", int(index.min()), int(index.max()), size)

    sort()
    recorder.kernel((index,), (index,), (order, start), (sort,), ())
    return order, start
