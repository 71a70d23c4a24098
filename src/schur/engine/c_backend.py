"""The C backend: a program's passes as compiled loops on the tensors' memory."""

from __future__ import annotations

import ctypes
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from schur.engine import allocation, c_arithmetic, c_compiler, c_lanes, c_text, lanes, nest
from schur.engine import schedule as schedule_module
from schur.engine.c_text import source
from schur.engine.schedule import Pass, schedule
from schur.engine.sorting import out_of_range
from schur.forms import Program, cost

_DTYPES = {torch.float32: "float", torch.float64: "double"}
# Below this many operations a call stays on one thread: waking the others costs more.
_SERIAL_OPERATIONS = 200_000
# Partial sums of one pass take at most this many bytes.
_PARTIAL_BYTES = 1 << 26
_ITEM_WORDS = 6
# The modules that decide what text a program becomes.
_EMITTERS = (c_text, c_arithmetic, c_lanes, lanes, nest, schedule_module)


class _Call(ctypes.Structure):
    _fields_ = [
        ("values", ctypes.c_void_p),
        ("partials", ctypes.c_void_p),
        ("index", ctypes.c_void_p),
        ("order", ctypes.c_void_p),
        ("start", ctypes.c_void_p),
    ]


@dataclass(frozen=True)
class _Compiled:
    """A program's compiled passes and how its values are numbered."""

    passes: tuple[tuple[Pass, ctypes._CFuncPtr], ...]
    slots: dict[str, int]
    operations: int


@lru_cache(maxsize=1)
def _emission() -> str:
    """A hash of the code that emits: another version of it means other libraries."""
    files = [Path(module.__file__ or "") for module in _EMITTERS]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@lru_cache(maxsize=1)
def _runtime() -> ctypes.CDLL:
    text = Path(__file__).with_name("runtime.c").read_text()
    loaded = c_compiler.library(hashlib.sha256(text.encode()).hexdigest(), lambda: text)
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


@lru_cache(maxsize=4096)
def _compiled(program: Program, dtype: str) -> _Compiled:
    key = f"{program.key} {dtype} {_emission()}"
    loaded = c_compiler.library(key, lambda: source(program, dtype))
    passes = tuple(
        (work, getattr(loaded, f"pass_{number}")) for number, work in enumerate(schedule(program))
    )
    operations = cost(program, {"rows": 1, **dict.fromkeys(program.indices, 1)}).operations
    return _Compiled(passes, {name: k for k, name in enumerate(program.values)}, operations)


def unavailable(example: Tensor | None = None) -> str | None:
    """Why the C backend cannot serve, or None if it can."""
    if c_compiler.compiler() is None:
        return "there is no C compiler ($CC, cc, gcc, clang or the ziglang package)"
    if example is not None and example.device.type != "cpu":
        return f"it computes on the CPU and the tensors are on {example.device}"
    if example is not None and example.dtype not in _DTYPES:
        return f"it computes in float32 and float64 and the tensors are {example.dtype}"
    return None


def run(
    program: Program,
    values: Sequence[Tensor],
    indices: Sequence[Tensor],
    lengths: Sequence[int],
) -> list[Tensor]:
    """Evaluate a program; the arguments are those of the operator `schur::run`."""
    return _Run(program, values, indices, lengths).outputs()


class _Run:
    """One evaluation: the memory it works on and the passes over it."""

    def __init__(
        self,
        program: Program,
        values: Sequence[Tensor],
        indices: Sequence[Tensor],
        lengths: Sequence[int],
    ) -> None:
        self.program = program
        self.dtype = values[0].dtype
        self.compiled = _compiled(program, _DTYPES[self.dtype])
        self.rows = lengths[0]
        self.extents = dict(zip(program.indices, lengths[1:], strict=True))
        self.tensors = {
            operand.name: value.contiguous()
            for operand, value in zip(program.inputs, values, strict=True)
        }
        hidden = {n for work, _ in self.compiled.passes if work.lanes for n in work.targets}
        for name, operand in program.values.items():
            if name not in self.tensors and (name not in hidden or name in program.outputs):
                lead = (self.extents.get(operand.index or "", self.rows), operand.size)
                shape = lead[1:] if operand.mode == "shared" else lead
                self.tensors[name] = allocation.empty(*shape, like=values[0])
        self.sorts: dict[str, tuple[Tensor, Tensor]] = {}
        self.index = [tensor.contiguous() for tensor in indices[::3]]
        self._prepare_indices(indices)
        work = self.compiled.operations * max(self.rows, 1)
        self.threads = 1 if work < _SERIAL_OPERATIONS else torch.get_num_threads()

    def _prepare_indices(self, indices: Sequence[Tensor]) -> None:
        """Sort what is walked and not sorted yet; check the bounds of the rest."""
        walked = {work.walk for work, _ in self.compiled.passes}
        for k, name in enumerate(self.program.indices):
            index, order, start = self.index[k], indices[3 * k + 1], indices[3 * k + 2]
            size = self.extents[name]
            if start.numel():
                self.sorts[name] = (order, start)
                continue
            if name in walked:
                order, start = torch.empty_like(index), index.new_empty(size + 1)
                bad = _runtime().sort_index(
                    index.data_ptr(), self.rows, size, start.data_ptr(), order.data_ptr()
                )
                self.sorts[name] = (order, start)
            else:
                bad = _runtime().check_index(index.data_ptr(), self.rows, size)
            if bad >= 0:
                raise out_of_range(f"index {name!r}", int(index.min()), int(index.max()), size)

    def outputs(self) -> list[Tensor]:
        for work, kernel in self.compiled.passes:
            self._pass(work, kernel)
        made = {statement.target for statement in self.program.statements}
        return [
            self.tensors[name] if name in made else self.tensors[name].zero_()
            for name in self.program.outputs
        ]

    def _pass(self, work: Pass, kernel: ctypes._CFuncPtr) -> None:
        targets = [self.program.values[name] for name in work.targets if name in self.tensors]
        shared = [t for t in targets if t.mode == "shared"]
        summed = [t for t in targets if t.mode == "indexed"]
        itemsize = self.dtype.itemsize
        most = 256
        if shared:
            bytes_each = sum(t.size for t in shared) * itemsize
            most = max(1, min(64, _PARTIAL_BYTES // max(1, bytes_each)))
        grain = max(1, -(-self.rows // most))
        if work.lanes:
            grain = -(-grain // 64) * 64  # whole blocks of rows: only the last item has a rest
        if work.walk is None:
            items, count, splits = self._row_items(grain)
            order, start = None, None
        else:
            order, start = self.sorts[work.walk]
            width = max((t.size for t in summed), default=1) * itemsize
            longest = max(4 * grain, 256, self.rows * width // _PARTIAL_BYTES)
            items, count, splits = self._segment_items(start, grain, longest)
        partials: dict[str, Tensor] = {}
        for target in shared:
            partials[target.name] = torch.empty(count * target.size, dtype=self.dtype)
        for target in summed if splits else ():
            partials[target.name] = torch.empty(splits * target.size, dtype=self.dtype)
        self._call(kernel, items, count, partials, order, start)
        for target in shared:
            _runtime().sum_partials(
                self.tensors[target.name].data_ptr(),
                partials[target.name].data_ptr(),
                count,
                target.size,
                itemsize,
            )
        for target in summed if splits else ():
            _runtime().sum_splits(
                self.tensors[target.name].data_ptr(),
                partials[target.name].data_ptr(),
                items.data_ptr(),
                count,
                target.size,
                itemsize,
            )

    def _row_items(self, grain: int) -> tuple[Tensor, int, int]:
        first = torch.arange(0, self.rows, grain)
        items = torch.zeros(len(first), _ITEM_WORDS, dtype=torch.int64)
        items[:, 2] = first
        items[:, 3] = (first + grain).clamp_(max=self.rows)
        items[:, 4] = torch.arange(len(first))
        items[:, 5] = -1
        return items, len(first), 0

    def _segment_items(self, start: Tensor, grain: int, longest: int) -> tuple[Tensor, int, int]:
        segments = start.numel() - 1
        bound = self.rows // grain + segments // (4 * grain) + 3 * (self.rows // longest) + 4
        items = torch.empty(bound, _ITEM_WORDS, dtype=torch.int64)
        splits = ctypes.c_int64()
        count = _runtime().plan_segments(
            start.data_ptr(), segments, grain, longest, items.data_ptr(), ctypes.byref(splits)
        )
        return items, count, splits.value

    def _call(
        self,
        kernel: ctypes._CFuncPtr,
        items: Tensor,
        count: int,
        partials: dict[str, Tensor],
        order: Tensor | None,
        start: Tensor | None,
    ) -> None:
        names = self.compiled.slots
        values = (ctypes.c_void_p * len(names))(
            *(self.tensors[n].data_ptr() if n in self.tensors else None for n in names)
        )
        held = (ctypes.c_void_p * len(names))(
            *(partials[n].data_ptr() if n in partials else None for n in names)
        )
        index = (ctypes.c_void_p * len(self.index))(*(i.data_ptr() for i in self.index))
        call = _Call(
            ctypes.addressof(values),
            ctypes.addressof(held),
            ctypes.addressof(index),
            None if order is None else order.data_ptr(),
            None if start is None else start.data_ptr(),
        )
        _runtime().run_items(
            kernel, ctypes.byref(call), items.data_ptr(), count, _parallel(), self.threads
        )
