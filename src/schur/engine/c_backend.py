"""The C backend: a program's passes as compiled loops on the tensors' memory."""

from __future__ import annotations

import ctypes
import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from schur.engine import (
    allocation,
    c_arithmetic,
    c_compiler,
    c_lanes,
    c_text,
    lanes,
    nest,
    recording,
)
from schur.engine import schedule as schedule_module
from schur.engine.c_text import source
from schur.engine.schedule import schedule
from schur.engine.sorting import out_of_range
from schur.errors import BackendError
from schur.forms import Operand, Program, cost

DTYPES = {torch.float32: "float", torch.float64: "double"}
# Below this many operations a call stays on one thread: waking the others costs more.
_SERIAL_OPERATIONS = 1_000_000
# Partial sums of one pass take at most this many bytes.
_PARTIAL_BYTES = 1 << 26
# From so many bytes on a pass writes past the caches, which saves reading what is overwritten.
_STREAM_BYTES = 1 << 24
_ITEM_WORDS = 6
# The modules that decide what text a program becomes.
_EMITTERS = (c_text, c_arithmetic, c_lanes, lanes, nest, schedule_module)


@lru_cache(maxsize=1)
def _emission() -> str:
    """A hash of the code that emits: another version of it means other libraries."""
    files = [Path(module.__file__ or "") for module in _EMITTERS]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@lru_cache(maxsize=1)
def _runtime() -> ctypes.CDLL:
    text = Path(__file__).with_name("runtime.c").read_text()
    loaded = c_compiler.library(hashlib.sha256(text.encode()).hexdigest(), lambda: [text])
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


_process = os.getpid()


def _threads() -> int:
    """As many threads as torch takes; one in a forked process, where the others are gone.

    The OpenMP runtime does not know that they are, and would wait for them forever.
    """
    return torch.get_num_threads() if os.getpid() == _process else 1


def launcher(
    kernel: Any, call: ctypes.Structure, items: Any, count: int, operations: int
) -> Callable[[], None]:
    """Hands the items of a call to a kernel, on several threads where the work is worth it.

    How many is asked at each launch: a recording may be repeated with another number of threads,
    or in a forked process, which has one.
    """
    run_items, address, parallel = _runtime().run_items, ctypes.byref(call), _parallel()
    if operations <= _SERIAL_OPERATIONS:
        return lambda: run_items(kernel, address, items, count, parallel, 1)
    return lambda: run_items(kernel, address, items, count, parallel, _threads())


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
        size = sum(target.size for target in self.rows) * rows * itemsize
        return size >= _STREAM_BYTES and not any((held[t.slot] or 0) % 64 for t in self.rows)


@dataclass(frozen=True)
class _Launch:
    """One pass over given memory: calling it computes.

    Args:
        launch: runs the items; see `launcher`.
        items: address of the items.
        count: how many.
        shared, summed: address, partial sums and size of what is added up afterwards.
        itemsize: bytes of a number.
        kept: what the addresses point to.
    """

    launch: Callable[[], None]
    items: int
    count: int
    shared: tuple[tuple[Any, Any, int], ...]
    summed: tuple[tuple[Any, Any, int], ...]
    itemsize: int
    kept: Any

    def __call__(self) -> None:
        self.launch()
        runtime = _runtime()
        for out, sums, size in self.shared:
            runtime.sum_partials(out, sums, self.count, size, self.itemsize)
        for out, sums, size in self.summed:
            runtime.sum_splits(out, sums, self.items, self.count, size, self.itemsize)


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
            tensors[slot] = value.contiguous().resolve_neg()
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
        launches = []
        for kernel in self.kernels:
            sort = None if kernel.walk is None else sorts[kernel.walk]
            launches.append(self._launch(kernel, held, read, sort, rows))
            launches[-1]()
        outputs: list[Tensor] = [tensors[slot] for slot in self.outputs]  # pyright: ignore[reportAssignmentType]
        if (recorder := recording.active()) is not None:
            checks = self._checks(recorder, indices, index, lengths)
            given, read = [*values, *indices[::3]], [*tensors[: len(values)], *index]
            recorder.kernel(given, read, outputs, [*checks, *launches], (tensors, sorts))
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
            BackendError: if rows are walked in the order of such an index.
        """
        checks: list[Callable[[], None]] = []
        for k, name in enumerate(self.program.indices):
            if not recorder.depends(indices[3 * k : 3 * k + 3]):
                continue
            if k in self.walked:
                raise BackendError(
                    "this function cannot be recorded: rows are sorted by what it computes",
                    got=f"index {name!r}",
                    remedy="evaluate it anew each time",
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
        rows, size = lengths[0], lengths[k + 1]
        if start.numel():
            return order, start
        name = self.program.indices[k]
        if k not in self.walked:
            _check(name, index, size)
            return None
        order, start = torch.empty_like(index), index.new_empty(size + 1)
        addresses = (start.data_ptr(), order.data_ptr())
        if _runtime().sort_index(index.data_ptr(), rows, size, *addresses) >= 0:
            raise out_of_range(f"index {name!r}", int(index.min()), int(index.max()), size)
        return order, start

    def _launch(
        self,
        kernel: _Kernel,
        held: ctypes.Array[ctypes.c_void_p],
        read: ctypes.Array[ctypes.c_void_p],
        sort: tuple[Tensor, Tensor] | None,
        rows: int,
    ) -> _Launch:
        """A pass over given memory, ready to be made as often as wanted."""
        order, start = sort or (None, None)
        shared_bytes = sum(target.size for target in kernel.shared) * self.itemsize
        most = min(64, max(1, _PARTIAL_BYTES // shared_bytes)) if shared_bytes else 256
        grain = max(1, -(-rows // most))
        if start is None:
            # In lanes only the last item may have a rest that does not fill a vector.
            items, count, splits = (
                *_row_items(rows, -(-grain // 64) * 64 if kernel.lanes else grain),
                0,
            )
        else:
            # Entries count too: many without rows must not become many items with partial sums.
            grain = max(grain, (start.numel() - 1) // (4 * most))
            width = max((target.size for target in kernel.summed), default=1) * self.itemsize
            longest = max(4 * grain, 256, rows * width // _PARTIAL_BYTES)
            items, count, splits = _segment_items(start, rows, grain, longest)
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
            launcher(kernel.function, call, items.data_ptr(), count, operations),
            items.data_ptr(),
            count,
            tuple((held[t.slot], sums[t.slot], t.size) for t in kernel.shared if sums),
            tuple((held[t.slot], sums[t.slot], t.size) for t in summed if sums),
            self.itemsize,
            (call, items, held, read, sums, buffers),
        )


def _check(name: str, index: Tensor, size: int) -> None:
    """Raise unless every entry lies in 0 … size - 1."""
    if _runtime().check_index(index.data_ptr(), index.numel(), size) >= 0:
        raise out_of_range(f"index {name!r}", int(index.min()), int(index.max()), size)


def _length_position(operand: Operand, numbers: dict[str, int]) -> int | None:
    """Where the operator's lengths tell how many lines an operand has."""
    if operand.mode == "shared":
        return None
    return 0 if operand.index is None else 1 + numbers[operand.index]


@lru_cache(maxsize=256)
def _row_items(rows: int, grain: int) -> tuple[Tensor, int]:
    """Items of `grain` rows each in the rows' own order."""
    first = torch.arange(0, rows, grain, device="cpu")
    items = torch.zeros(len(first), _ITEM_WORDS, dtype=torch.int64, device="cpu")
    items[:, 2] = first
    items[:, 3] = (first + grain).clamp_(max=rows)
    items[:, 4] = torch.arange(len(first), device="cpu")
    items[:, 5] = -1
    return items, len(first)


def _segment_items(start: Tensor, rows: int, grain: int, longest: int) -> tuple[Tensor, int, int]:
    """Items of whole entries of the walked index, and pieces of entries with very many rows."""
    segments = start.numel() - 1
    bound = rows // grain + segments // (4 * grain) + 3 * (rows // longest) + 4
    items = torch.empty(bound, _ITEM_WORDS, dtype=torch.int64, device="cpu")
    splits = ctypes.c_int64()
    count = _runtime().plan_segments(
        start.data_ptr(), segments, grain, longest, items.data_ptr(), ctypes.byref(splits)
    )
    return items, count, splits.value
