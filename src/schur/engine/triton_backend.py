"""The Triton backend: a program's passes as kernels of a GPU, or of Triton's interpreter."""

from __future__ import annotations

import contextlib
import importlib.util
import os
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from schur.engine import triton_check, triton_items, triton_model, triton_module, triton_sums
from schur.engine.sorting import check_bounds
from schur.engine.triton_source import COMPUTE, Launch, PassCalls, Target, calls, source
from schur.errors import BackendError
from schur.forms import Operand, Program

# Whether Triton runs kernels in its interpreter, on the CPU; it asks once, as this does.
INTERPRETED = os.environ.get("TRITON_INTERPRET", "").lower() in ("1", "true", "on", "yes", "y")
DTYPES = tuple(getattr(torch, name) for name in COMPUTE)
# More terms than this would be compiled for minutes.
_TERMS = 60_000
# Chunks of rows that what all rows share is summed over, and the bytes of their partial sums.
_CHUNKS = 1024
_PARTIAL_BYTES = 1 << 26
_MOST_PROGRAMS = 2**31 - 1


@lru_cache(maxsize=1)
def missing() -> str | None:
    """What this machine lacks for the Triton backend, or None."""
    if importlib.util.find_spec("triton") is None:
        return "the triton package is not installed (pip install 'schur[triton]')"
    return None


def unfit(example: Tensor) -> str | None:
    """Why the Triton backend cannot work on these tensors, or None."""
    device = example.device.type
    if device != "cuda" and not (device == "cpu" and INTERPRETED):
        return f"it computes on CUDA and ROCm devices and the tensors are on {example.device}"
    if example.dtype not in DTYPES:
        names = ", ".join(COMPUTE)
        return f"it computes in {names} and the tensors are {example.dtype}"
    return None


class Refused(BackendError):
    """A program or a device for which no kernel is made, with the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"backend 'triton' cannot serve: {reason}",
            remedy="use backend='auto', which takes torch in such a case",
        )
        self.reason = reason


def refusal(program: Program, device: torch.device) -> str | None:
    """Why no kernels of a program are made for a device, or None."""
    terms = sum(statement.form.terms for statement in program.statements)
    if terms > _TERMS:
        return f"the form has {terms:,} terms and it compiles at most {_TERMS:,}"
    return _too_old(device.index or 0) if device.type == "cuda" else None


@lru_cache(maxsize=64)
def _too_old(number: int) -> str | None:
    if torch.version.hip is not None:
        return None
    major, minor = torch.cuda.get_device_capability(number)
    if major >= 8:
        return None
    return f"Triton needs compute capability 8.0 and the device has {major}.{minor}"


def run(
    program: Program,
    values: Sequence[Tensor],
    indices: Sequence[Tensor],
    lengths: Sequence[int],
) -> list[Tensor]:
    """Evaluate a program; the arguments are those of the operator `schur::run`.

    Raises:
        Refused: if the program is too large or cannot be compiled, with the reason.
    """
    reason = refusal(program, values[0].device)
    if reason is not None:
        raise Refused(reason)
    compiled = _compiled(program, values[0].dtype)
    with _on(values[0].device):
        if triton_check.wanted():
            triton_check.checked(program, values[0].dtype, values[0].device, compiled.run)
        return compiled.run(values, indices, lengths)


def _on(device: torch.device) -> contextlib.AbstractContextManager[Any]:
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


@lru_cache(maxsize=4096)
def _compiled(program: Program, dtype: torch.dtype) -> _Compiled:
    return _Compiled(program, dtype)


class _Compiled:
    """A program's kernels, and what of a call does not change."""

    def __init__(self, program: Program, dtype: torch.dtype) -> None:
        name = str(dtype).removeprefix("torch.")
        budget = triton_model.budget(program, name)
        module = triton_module.module(
            f"{program.key} {name} {budget}", lambda: source(program, name, budget).text
        )
        self.program = program
        self.module = module
        self.passes = calls(module.PASSES)
        self.compute = getattr(torch, COMPUTE[name])
        self.names = list(program.values)
        self.walked = {each.walk for each in self.passes}
        made = {target.slot for each in self.passes for target in each.targets}
        # Outputs that no pass makes are zero.
        self.unmade = [
            k for k, each in enumerate(self.names) if each in program.outputs and k not in made
        ]

    def run(
        self, values: Sequence[Tensor], indices: Sequence[Tensor], lengths: Sequence[int]
    ) -> list[Tensor]:
        tensors: list[Tensor | None] = [None] * len(self.names)
        for slot, value in enumerate(values):
            tensors[slot] = value.detach().contiguous().resolve_neg()
        index = [tensor.contiguous() for tensor in indices[::3]]
        sorts = [self._sorted(k, index[k], indices, lengths) for k in range(len(index))]
        for slot in self.unmade:
            tensors[slot] = values[0].new_zeros(self._shape(slot, lengths))
        for each in self.passes:
            self._run_pass(each, tensors, index, sorts, lengths, values[0])
        return [tensors[self.names.index(name)] for name in self.program.outputs]  # pyright: ignore[reportReturnType]

    def _sorted(
        self, k: int, index: Tensor, indices: Sequence[Tensor], lengths: Sequence[int]
    ) -> tuple[Tensor, Tensor] | None:
        """The sort of a walked index, carried along or made; every other index is checked."""
        order, start = indices[3 * k + 1], indices[3 * k + 2]
        if start.numel():
            return order.contiguous(), start.contiguous()
        check_bounds(index, lengths[k + 1], f"index {self.program.indices[k]!r}")
        return triton_items.sort_index(index, lengths[k + 1]) if k in self.walked else None

    def _shape(self, slot: int, lengths: Sequence[int]) -> tuple[int, ...]:
        operand: Operand = self.program.values[self.names[slot]]
        if operand.mode == "shared":
            return (operand.size,)
        position = 0 if operand.index is None else 1 + self.program.indices.index(operand.index)
        return (lengths[position], operand.size)

    def _run_pass(
        self,
        each: PassCalls,
        tensors: list[Tensor | None],
        index: Sequence[Tensor],
        sorts: Sequence[tuple[Tensor, Tensor] | None],
        lengths: Sequence[int],
        example: Tensor,
    ) -> None:
        rows = lengths[0]
        sort = None if each.walk is None else sorts[each.walk]
        items, grain, walk = rows, 1, None
        if each.rows:
            items = -(-rows // each.rows)
        elif sort is not None:
            line = sum(
                target.size * target.blocks for target in each.targets if target.where == "walk"
            )
            programs = max((launch.programs for launch in each.launches), default=1)
            walk = triton_items.pieces(*sort, programs, line * self.compute.itemsize)
            items = walk.begin.numel()
        elif each.chunked:
            items, grain = self._chunks(each, rows)
        buffers: dict[int, Tensor] = {}
        for target in each.targets:
            buffers[target.slot] = self._buffer(target, items, walk, rows, example)
            tensors[target.slot] = buffers[target.slot]
        if items and rows:
            for launch in each.launches:
                self._launch(launch, tensors, index, walk, items, rows, grain, buffers)
        elif not rows:
            for buffer in buffers.values():
                buffer.zero_()
        for target in each.targets:
            kept = self._memory(target.slot, example)
            tensors[target.slot] = self._summed(buffers[target.slot], target, walk).to(kept)

    def _memory(self, slot: int, example: Tensor) -> torch.dtype:
        """The number type of a value: what is never handed out keeps the one computed in."""
        return example.dtype if self.names[slot] in self.program.outputs else self.compute

    def _chunks(self, each: PassCalls, rows: int) -> tuple[int, int]:
        """How many chunks of rows, and how long they are."""
        line = sum(
            target.size * target.blocks for target in each.targets if target.where == "shared"
        )
        most = max(1, min(_CHUNKS, _PARTIAL_BYTES // max(1, line * self.compute.itemsize)))
        grain = max(1, -(-rows // most))
        return -(-rows // grain), grain

    def _buffer(
        self,
        target: Target,
        items: int,
        walk: triton_items.Pieces | None,
        rows: int,
        example: Tensor,
    ) -> Tensor:
        """Memory that the kernels of a pass write: a target, or the partial sums of it."""
        lines = rows if target.where == "row" else items
        partial = (
            target.blocks > 1
            or target.where == "shared"
            or (walk is not None and walk.start is not None and target.where == "walk")
        )
        dtype = self.compute if partial else self._memory(target.slot, example)
        shape = (lines, target.size)
        if target.blocks > 1:
            shape = (target.blocks, *shape)
        if target.cleared:
            return example.new_zeros(shape, dtype=dtype)
        return example.new_empty(shape, dtype=dtype)

    def _summed(self, buffer: Tensor, target: Target, walk: triton_items.Pieces | None) -> Tensor:
        """A target from its partial sums, added in their order."""
        total = buffer if target.blocks == 1 else buffer.sum(0)
        if target.where == "shared":
            return total.sum(0)
        if target.where == "row" or walk is None or walk.start is None:
            return total
        return triton_sums.sum_pieces(total, walk.start)

    def _launch(
        self,
        launch: Launch,
        tensors: Sequence[Tensor | None],
        index: Sequence[Tensor],
        walk: triton_items.Pieces | None,
        items: int,
        rows: int,
        grain: int,
        buffers: dict[int, Tensor],
    ) -> None:
        programs = items * launch.programs
        if programs > _MOST_PROGRAMS:
            raise Refused(f"{programs:,} programs are more than one launch takes")
        if not programs:
            return
        arguments: list[Any] = [tensors[slot] for slot in launch.values]
        arguments += [index[number] for number in launch.indices]
        if walk is not None:
            arguments += [walk.order, walk.begin, walk.end]
        arguments += [buffers[slot].stride(0) for slot in launch.strides]
        arguments += [rows, grain]
        from triton.errors import TritonError

        kernel = getattr(self.module, launch.name)
        try:
            kernel[(programs,)](*arguments, num_warps=launch.warps, enable_fp_fusion=True)
        except TritonError as error:
            raise Refused(f"Triton makes no kernel of it: {str(error)[-500:]}") from error
