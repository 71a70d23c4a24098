"""What every compiled routine needs around its loops, from `runtime.c`: items, threads, sorts."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from schur.engine import c_compiler

# Below this many operations a call stays on one thread: waking the others costs more.
_SERIAL_OPERATIONS = 1_000_000
_ITEM_WORDS = 6
_process = os.getpid()


@lru_cache(maxsize=1)
def runtime() -> ctypes.CDLL:
    """The compiled `runtime.c`."""
    text = Path(__file__).with_name("runtime.c").read_text()
    loaded = c_compiler.library_of(text)
    pointer, number = ctypes.c_void_p, ctypes.c_int64
    loaded.sort_index.argtypes = [pointer, number, number, pointer, pointer]
    loaded.sort_index.restype = number
    loaded.check_index.argtypes = [pointer, number, number]
    loaded.check_index.restype = number
    loaded.plan_segments.argtypes = [pointer, number, number, number, pointer, pointer]
    loaded.plan_segments.restype = number
    loaded.run_items.argtypes = [pointer, pointer, pointer, number, pointer, ctypes.c_int]
    loaded.sum_partials.argtypes = [pointer, pointer, number, number, ctypes.c_int]
    loaded.sum_splits.argtypes = [pointer, pointer, pointer, number, number, ctypes.c_int]
    return loaded


def first_outside(index: Int[Tensor, " rows"], size: int) -> int:
    """The first row whose entry is not among 0 … size - 1, or -1."""
    return runtime().check_index(index.data_ptr(), index.numel(), size)


def sort_into(
    index: Int[Tensor, " rows"],
    size: int,
    order: Int[Tensor, " rows"],
    start: Int[Tensor, " bounds"],
) -> int:
    """Write the stable order of an index and where each entry's rows start.

    Returns:
        The first row whose entry is not among 0 … size - 1, or -1.
    """
    rows = index.numel()
    addresses = (start.data_ptr(), order.data_ptr())
    return runtime().sort_index(index.data_ptr(), rows, size, *addresses)


class Items:
    """The pieces that the work of a pass is cut into.

    Args:
        memory: the pieces, as `runtime.c` reads them.
        address: of that memory.
        count: how many pieces there are.
        splits: how many of them are pieces of one entry of the walked index.
    """

    __slots__ = ("address", "count", "memory", "splits")

    def __init__(self, memory: Any, address: int, count: int, splits: int = 0) -> None:
        self.memory, self.address, self.count, self.splits = memory, address, count, splits

    def renew(self) -> None:
        """Cut the work anew where it depends on values; here it does not."""


@lru_cache(maxsize=256)
def row_items(rows: int, grain: int) -> Items:
    """Items of `grain` rows each in the rows' own order."""
    first = torch.arange(0, rows, grain, device="cpu")
    items = torch.zeros(len(first), _ITEM_WORDS, dtype=torch.int64, device="cpu")
    items[:, 2] = first
    items[:, 3] = (first + grain).clamp_(max=rows)
    items[:, 4] = torch.arange(len(first), device="cpu")
    items[:, 5] = -1
    return Items(items, items.data_ptr(), len(first))


class SegmentItems(Items):
    """Items of whole entries of the walked index, and pieces of entries with very many rows.

    Args:
        start: where each entry's rows start in the order of the walk.
        rows: how many rows there are.
        grain: rows of an item.
        longest: rows from which an entry is cut.

    Attributes:
        most, most_splits: what `count` and `splits` can come to for other values in `start`.
    """

    __slots__ = ("_plan", "most", "most_splits", "start")

    def __init__(self, start: Tensor, rows: int, grain: int, longest: int) -> None:
        segments = start.numel() - 1
        self.start = start
        # Each cut entry has over `longest` rows and ends a run; what is left over is one run more.
        self.most_splits = 2 * rows // longest
        self.most = rows // grain + segments // (4 * grain) + 3 * (rows // longest) + 4
        memory = torch.empty(self.most, _ITEM_WORDS, dtype=torch.int64, device="cpu")
        super().__init__(memory, memory.data_ptr(), 0)
        splits = ctypes.c_int64()
        call = (start.data_ptr(), segments, grain, longest, self.address, ctypes.byref(splits))
        self._plan = (call, splits)
        self.renew()

    def renew(self) -> None:
        """Cut the work anew, for the values that `start` has now."""
        call, splits = self._plan
        self.count = runtime().plan_segments(*call)
        self.splits = splits.value


def launcher(
    kernel: Any, call: ctypes.Structure, items: Items, operations: int
) -> Callable[[], None]:
    """Hands the items of a call to a kernel, on several threads where the work is worth it.

    How many is asked at each launch: a recording may be repeated with another number of threads,
    or in a forked process, which has one.
    """
    run_items, address, parallel = runtime().run_items, ctypes.byref(call), _parallel()
    if operations <= _SERIAL_OPERATIONS:
        return lambda: run_items(kernel, address, items.address, items.count, parallel, 1)
    return lambda: run_items(kernel, address, items.address, items.count, parallel, _threads())


@lru_cache(maxsize=1)
def _parallel() -> int | None:
    """The address of GOMP_parallel in the OpenMP runtime that torch uses.

    A second runtime in the process would fight the first for the cores.  Looking the symbol up
    through torch's own library finds the runtime that it is linked to.
    """
    name = "libtorch_cpu.dylib" if torch.backends.mps.is_built() else "libtorch_cpu.so"
    try:
        torch_library = ctypes.CDLL(str(Path(torch.__file__).parent / "lib" / name))
        return ctypes.cast(torch_library.GOMP_parallel, ctypes.c_void_p).value
    except (OSError, AttributeError):
        return None


def _threads() -> int:
    """As many threads as torch takes; one in a forked process, where the others are gone.

    The OpenMP runtime does not know that they are, and would wait for them forever.
    """
    return torch.get_num_threads() if os.getpid() == _process else 1
