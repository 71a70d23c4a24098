"""The C backend: a program's passes as compiled loops on the tensors' memory."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor
from torch._C._functorch import (  # pyright: ignore[reportMissingImports]
    is_legacy_batchedtensor,
)

from schur.engine import (
    allocation,
    c_arithmetic,
    c_compiler,
    c_lanes,
    c_runtime,
    c_sums,
    c_text,
    lanes,
    nest,
    recording,
)
from schur.engine import schedule as schedule_module
from schur.engine.c_text import source
from schur.engine.schedule import schedule
from schur.engine.sorting import out_of_range
from schur.engine.tracing import is_traced, is_transformed
from schur.errors import BackendError
from schur.forms import Operand, Program, cost

DTYPES = {torch.float32: "float", torch.float64: "double"}
# Partial sums of one pass take at most this many bytes.
_PARTIAL_BYTES = 1 << 26
# Rows that one partial sum covers at least.
_ROWS_SUMMED = 8
# From so many bytes on a pass writes past the caches, which saves reading what is overwritten.
_STREAM_BYTES = 1 << 24
# In lanes rows are written a piece at a time: where they tear cache lines apart, it pays sooner.
_STREAM_TORN_BYTES = 1 << 22
# The modules that decide what text a program becomes.
_EMITTERS = (c_text, c_arithmetic, c_sums, c_lanes, lanes, nest, schedule_module)


@lru_cache(maxsize=1)
def _emission() -> str:
    """A hash of the code that emits: another version of it means other libraries."""
    files = [Path(module.__file__ or "") for module in _EMITTERS]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def missing() -> str | None:
    """What this machine lacks for the C backend, or None."""
    if c_compiler.compiler() is None:
        return "there is no C compiler ($CC, cc, gcc, clang or the ziglang package)"
    return None


def unfit(example: Tensor) -> str | None:
    """Why the C backend cannot work on these tensors, or None."""
    if example.device.type != "cpu":
        return f"it computes on the CPU and the tensors are on {example.device}"
    if example.dtype not in DTYPES:
        return f"it computes in float32 and float64 and the tensors are {example.dtype}"
    return None


def takes(*tensors: Tensor | None) -> bool:
    """Whether C can be handed these as they are: plain tensors of one type, and nobody looks on."""
    if is_traced() or is_transformed() or torch.is_autocast_enabled("cpu"):
        return False
    dtype: torch.dtype | None = None
    for tensor in tensors:  # a loop, since small layers wait for this
        if tensor is None:
            continue
        dtype = dtype or tensor.dtype
        if tensor.dtype != dtype or not tensor.is_cpu or is_legacy_batchedtensor(tensor):
            return False
    return dtype in DTYPES and missing() is None


def dense(tensor: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
    """The tensor with its numbers in memory one after another and as they are."""
    return tensor.contiguous().resolve_neg()


def run(
    program: Program,
    values: Sequence[Tensor],
    indices: Sequence[Tensor],
    lengths: Sequence[int],
) -> list[Tensor]:
    """Evaluate a program; the arguments are those of the operator `schur::run`."""
    return _compiled(program, values[0].dtype).run(values, indices, lengths)


@dataclass(frozen=True)
class _Target:
    """A value that a pass makes: its place among the program's values and how it is summed."""

    slot: int
    size: int


@dataclass(frozen=True)
class _Kernel:
    """A compiled pass with what must be known to call it."""

    function: Any  # a function of a ctypes library
    walk: int | None  # number of the index that is walked
    lanes: bool
    shared: tuple[_Target, ...]
    summed: tuple[_Target, ...]
    rows: tuple[_Target, ...]

    def streams(self, held: ctypes.Array[ctypes.c_void_p], rows: int, itemsize: int) -> bool:
        """Whether outputs go past the caches: they are larger, and lie on whole cache lines."""
        kept = [target for target in self.rows if held[target.slot]]
        size = sum(target.size for target in kept) * rows * itemsize
        torn = self.lanes and any(target.size * itemsize % 64 for target in kept)
        least = _STREAM_TORN_BYTES if torn else _STREAM_BYTES
        return size >= least and not any((held[t.slot] or 0) % 64 for t in kept)


@dataclass(frozen=True)
class _Launch:
    """One pass over given memory: calling it computes.

    Args:
        launch: runs the items; see `c_runtime.launcher`.
        items: what the work is cut into.
        shared, summed: address, partial sums and size of what is added up afterwards.
        itemsize: bytes of a number.
        kept: what the addresses point to.
    """

    launch: Callable[[], None]
    items: c_runtime.Items
    shared: tuple[tuple[Any, Any, int], ...]
    summed: tuple[tuple[Any, Any, int], ...]
    itemsize: int
    kept: Any

    def __call__(self) -> None:
        self.launch()
        runtime, items = c_runtime.runtime(), self.items
        for out, sums, size in self.shared:
            runtime.sum_partials(out, sums, items.count, size, self.itemsize)
        for out, sums, size in self.summed:
            runtime.sum_splits(out, sums, items.address, items.count, size, self.itemsize)


class _Call(ctypes.Structure):
    """The struct `Call` of the emitted text."""

    _fields_ = [
        ("values", ctypes.c_void_p),
        ("partials", ctypes.c_void_p),
        ("index", ctypes.c_void_p),
        ("order", ctypes.c_void_p),
        ("start", ctypes.c_void_p),
        ("stream", ctypes.c_int64),
    ]


@lru_cache(maxsize=4096)
def _compiled(program: Program, dtype: torch.dtype) -> _Compiled:
    return _Compiled(program, dtype)


class _Compiled:
    """A program's compiled passes, and everything about a call that does not change."""

    def __init__(self, program: Program, dtype: torch.dtype) -> None:
        key = f"{program.key} {dtype} {_emission()}"
        loaded = c_compiler.library(key, lambda: source(program, DTYPES[dtype]))
        passes = schedule(program)
        self.program = program
        self.itemsize = dtype.itemsize
        self.operations = cost(program, {"rows": 1, **dict.fromkeys(program.indices, 1)}).operations
        slots = {name: k for k, name in enumerate(program.values)}
        numbers = {name: k for k, name in enumerate(program.indices)}
        made = {name for work in passes for name in work.targets if not work.lanes}
        made |= set(program.outputs)
        # For each value to allocate: its slot, where its length stands (rows first), its size.
        self.allocated = [
            (slots[name], _length_position(operand, numbers), operand.size)
            for name, operand in program.values.items()
            if name in made and operand not in program.inputs
        ]
        self.outputs = [slots[name] for name in program.outputs]
        written = {name for work in passes for name in work.targets}
        self.cleared = [slots[name] for name in program.outputs if name not in written]
        self.kernels: list[_Kernel] = []
        for number, work in enumerate(passes):
            by_mode: dict[str, list[_Target]] = {"shared": [], "indexed": [], "row": []}
            for name in work.targets:
                operand = program.values[name]
                by_mode[operand.mode].append(_Target(slots[name], operand.size))
            self.kernels.append(
                _Kernel(
                    getattr(loaded, f"pass_{number}"),
                    None if work.walk is None else numbers[work.walk],
                    work.lanes,
                    tuple(by_mode["shared"]),
                    tuple(by_mode["indexed"]),
                    tuple(by_mode["row"]),
                )
            )
        self.walked = {kernel.walk for kernel in self.kernels}

    def run(
        self, values: Sequence[Tensor], indices: Sequence[Tensor], lengths: Sequence[int]
    ) -> list[Tensor]:
        rows = lengths[0]
        tensors: list[Tensor | None] = [None] * len(self.program.values)
        for slot, value in enumerate(values):
            tensors[slot] = dense(value)
        for slot, position, size in self.allocated:
            shape = (size,) if position is None else (lengths[position], size)
            tensors[slot] = allocation.empty(*shape, like=values[0])
        index = [tensor.contiguous() for tensor in indices[::3]]
        sorts = [self._sorted(k, index[k], indices, lengths) for k in range(len(index))]
        held = (ctypes.c_void_p * len(tensors))(
            *[t if t is None else t.data_ptr() for t in tensors]
        )
        read = (ctypes.c_void_p * len(index))(*[i.data_ptr() for i in index])
        for slot in self.cleared:
            tensors[slot].zero_()  # pyright: ignore[reportOptionalMemberAccess]
        recorder = recording.active()
        launches: list[_Launch] = []
        for kernel in self.kernels:
            sort = None if kernel.walk is None else sorts[kernel.walk]
            moves = recorder is not None and sort is not None and recorder.depends(sort)
            launch = self._launch(kernel, held, read, sort, rows, moves)
            launches.append(launch)
            launch()
        outputs: list[Tensor] = [tensors[slot] for slot in self.outputs]  # pyright: ignore[reportAssignmentType]
        if recorder is not None:
            checks = self._checks(recorder, indices, index, lengths)
            sorted_by = [tensor for sort in sorts if sort is not None for tensor in sort]
            given = [*values, *indices[::3], *sorted_by]
            used = [*tensors[: len(values)], *index, *sorted_by]
            steps = [step for launch in launches for step in (launch.items.renew, launch)]
            recorder.kernel(given, used, outputs, [*checks, *steps], (tensors, sorts))
        return outputs

    def _checks(
        self,
        recorder: recording.Recorder,
        indices: Sequence[Tensor],
        index: Sequence[Tensor],
        lengths: Sequence[int],
    ) -> list[Callable[[], None]]:
        """The bounds of indices that depend on a recording's input, to be checked each time.

        Raises:
            BackendError: if rows are walked in the order of such an index, unless it carries a
                sort, which is then repeated with it.
        """
        checks: list[Callable[[], None]] = []
        for k, name in enumerate(self.program.indices):
            if not recorder.depends(indices[3 * k : 3 * k + 3]):
                continue
            if indices[3 * k + 2].numel():
                continue
            if k in self.walked:
                raise BackendError(
                    "this function cannot be recorded: rows are sorted by what it computes",
                    got=f"index {name!r}",
                    remedy="pass a Sorted, or evaluate it anew each time",
                )
            checks.append(partial(_check, name, index[k], lengths[k + 1]))
        return checks

    def _sorted(
        self, k: int, index: Tensor, indices: Sequence[Tensor], lengths: Sequence[int]
    ) -> tuple[Tensor, Tensor] | None:
        """The sort of an index: the one carried along, or a new one where the index is walked.

        Every index that does not carry a sort, whose making has checked it, is checked here.
        """
        order, start = indices[3 * k + 1], indices[3 * k + 2]
        size = lengths[k + 1]
        if start.numel():
            return order, start
        name = self.program.indices[k]
        if k not in self.walked:
            _check(name, index, size)
            return None
        order, start = torch.empty_like(index), index.new_empty(size + 1)
        if c_runtime.sort_into(index, size, order, start) >= 0:
            raise out_of_range(f"index {name!r}", int(index.min()), int(index.max()), size)
        return order, start

    def _launch(
        self,
        kernel: _Kernel,
        held: ctypes.Array[ctypes.c_void_p],
        read: ctypes.Array[ctypes.c_void_p],
        sort: tuple[Tensor, Tensor] | None,
        rows: int,
        moves: bool,
    ) -> _Launch:
        """A pass over given memory, ready to be made as often as wanted.

        Where the sort `moves` with a recording's input, partial sums have room for any sort.
        """
        order, start = sort or (None, None)
        shared_bytes = sum(target.size for target in kernel.shared) * self.itemsize
        most = min(64, max(1, _PARTIAL_BYTES // shared_bytes)) if shared_bytes else 256
        # Sums for single rows pass through the cache twice, which takes longer than making them.
        grain = max(_ROWS_SUMMED if kernel.shared else 1, -(-rows // most))
        if start is None:
            # In lanes only the last item may have a rest that does not fill a vector.
            items = c_runtime.row_items(rows, -(-grain // 64) * 64 if kernel.lanes else grain)
            count, splits = items.count, 0
        else:
            # Entries count too: many without rows must not become many items with partial sums.
            grain = max(grain, (start.numel() - 1) // (4 * most))
            width = max((target.size for target in kernel.summed), default=1) * self.itemsize
            longest = max(4 * grain, 256, rows * width // _PARTIAL_BYTES)
            items = c_runtime.SegmentItems(start, rows, grain, longest)
            count, splits = (
                (items.most, items.most_splits) if moves else (items.count, items.splits)
            )
        # Partial sums: one for each item of what all rows share, one for each piece of a segment.
        summed = kernel.summed if splits else ()
        sums: ctypes.Array[ctypes.c_void_p] | None = None
        buffers: list[Tensor] = []
        if kernel.shared or summed:
            sums = (ctypes.c_void_p * len(held))()
            for target, pieces in [(t, count) for t in kernel.shared] + [
                (t, splits) for t in summed
            ]:
                size = pieces * target.size * self.itemsize
                buffers.append(torch.empty(size, dtype=torch.uint8, device="cpu"))
                sums[target.slot] = buffers[-1].data_ptr()  # pyright: ignore[reportArgumentType]
        call = _Call(
            ctypes.addressof(held),
            0 if sums is None else ctypes.addressof(sums),
            ctypes.addressof(read),
            None if order is None else order.data_ptr(),
            None if start is None else start.data_ptr(),
            kernel.streams(held, rows, self.itemsize),
        )
        operations = self.operations * rows
        return _Launch(
            c_runtime.launcher(kernel.function, call, items, operations),
            items,
            tuple((held[t.slot], sums[t.slot], t.size) for t in kernel.shared if sums),
            tuple((held[t.slot], sums[t.slot], t.size) for t in summed if sums),
            self.itemsize,
            (call, held, read, sums, buffers),
        )


def _check(name: str, index: Tensor, size: int) -> None:
    """Raise unless every entry lies in 0 … size - 1."""
    if c_runtime.first_outside(index, size) >= 0:
        raise out_of_range(f"index {name!r}", int(index.min()), int(index.max()), size)


def _length_position(operand: Operand, numbers: dict[str, int]) -> int | None:
    """Where the operator's lengths tell how many lines an operand has."""
    if operand.mode == "shared":
        return None
    return 0 if operand.index is None else 1 + numbers[operand.index]
