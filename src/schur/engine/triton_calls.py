"""Calls of a program's kernels: memory for what they make, items for their programs, launches."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from schur.engine import triton_ahead, triton_items, triton_sums
from schur.engine.device_graphs import is_quiet
from schur.engine.sorting import check_bounds
from schur.engine.triton_source import COMPUTE, Launch, PassCalls, Target, calls
from schur.errors import BackendError
from schur.forms import Operand, Program

# Chunks of rows that what all rows share is summed over, and the bytes of their partial sums.
_CHUNKS = 1024
_PARTIAL_BYTES = 1 << 26
_MOST_PROGRAMS = 2**31 - 1


class Refused(BackendError):
    """A program or a device for which no kernel is made, with the reason."""

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"backend 'triton' cannot serve: {reason}",
            remedy="use backend='auto', which takes torch in such a case",
        )
        self.reason = reason


def precision(dtype: torch.dtype) -> str:
    """How matrix units multiply float32, in the words of `tl.dot`.

    As it is, unless torch was told that its own matrix products need not
    (`torch.set_float32_matmul_precision("high")`): then in TF32, with 10 bits. Products of numbers
    that memory holds in 16 bits are made in TF32, which has no fewer.

    Example:
        >>> precision(torch.float32), precision(torch.float64), precision(torch.bfloat16)
        ('ieee', 'ieee', 'tf32')
    """
    short = dtype in (torch.bfloat16, torch.float16)
    told = dtype == torch.float32 and torch.get_float32_matmul_precision() != "highest"
    return "tf32" if (short or told) and torch.version.hip is None else "ieee"


class Compiled:
    """A program's kernels, and what of a call does not change.

    Args:
        program: what is computed.
        dtype: of the tensors, as `"float32"`.
        module: the kernels.
    """

    def __init__(self, program: Program, dtype: str, module: ModuleType) -> None:
        self.program = program
        self.module = module
        self.passes = calls(module.PASSES)
        self.compute = getattr(torch, COMPUTE[dtype])
        self.names = list(program.values)
        self.walked = {each.walk for each in self.passes}
        made = {target.slot for each in self.passes for target in each.targets}
        self._has_asked = not triton_ahead.wanted()
        # Outputs that no pass makes are zero.
        self.unmade = [
            k for k, each in enumerate(self.names) if each in program.outputs and k not in made
        ]

    def rounding(self, dtype: torch.dtype) -> float:
        """Of products that are made in TF32; zero where none are."""
        multiplies = any(launch.multiplies for each in self.passes for launch in each.launches)
        return 2.0**-10 if multiplies and precision(dtype) == "tf32" else 0.0

    def run(
        self, values: Sequence[Tensor], indices: Sequence[Tensor], lengths: Sequence[int]
    ) -> list[Tensor]:
        """Evaluate the program; the arguments are those of the operator `schur::run`.

        Where launches only ask for kernels (`triton_ahead.asking`), what is returned is zero.
        """
        self.precision = precision(values[0].dtype)
        inputs = [value.detach().contiguous().resolve_neg() for value in values]
        index = [tensor.contiguous() for tensor in indices[::3]]
        sorts = [self._sorted(k, index[k], indices, lengths) for k in range(len(index))]
        ask = triton_ahead.is_asking()
        if ask or not (self._has_asked or is_quiet()):
            self._has_asked = True
            # What the kernels would make takes no memory.
            with triton_ahead.asking():
                self._evaluate(inputs, index, sorts, lengths, inputs[0].to("meta"))
        if ask:
            slots = [self.names.index(name) for name in self.program.outputs]
            return [inputs[0].new_zeros(self._shape(slot, lengths)) for slot in slots]
        return self._evaluate(inputs, index, sorts, lengths, inputs[0])

    def _evaluate(
        self,
        inputs: Sequence[Tensor],
        index: Sequence[Tensor],
        sorts: Sequence[tuple[Tensor, Tensor] | None],
        lengths: Sequence[int],
        example: Tensor,
    ) -> list[Tensor]:
        """Pass by pass; what they make is like the example."""
        tensors: list[Tensor | None] = [*inputs, *[None] * (len(self.names) - len(inputs))]
        for slot in self.unmade:
            tensors[slot] = example.new_zeros(self._shape(slot, lengths))
        for each in self.passes:
            self._run_pass(each, tensors, index, sorts, lengths, example)
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
        # Layers taken into two passes may add to one target.
        before = {target.slot: tensors[target.slot] for target in each.targets}
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
            made = self._summed(buffers[target.slot], target, walk).to(kept)
            earlier = before[target.slot]
            tensors[target.slot] = made if earlier is None else earlier + made

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
        options: dict[str, Any] = {"num_warps": launch.warps, "enable_fp_fusion": True}
        if launch.multiplies:
            options["precision"] = self.precision
        try:
            triton_ahead.launch(kernel, (programs,), arguments, options)
        except TritonError as error:
            raise Refused(f"Triton makes no kernel of it: {str(error)[-500:]}") from error
