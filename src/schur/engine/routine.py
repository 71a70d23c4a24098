"""A program as a callable on tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from schur.engine import backends, operator
from schur.engine.sorting import Sorted, as_index
from schur.errors import DtypeError, FormError, ShapeError
from schur.forms import Program

Backend = Literal["auto", "torch", "c", "triton"]


class Routine:
    """A program compiled for tensors; differentiable to any order.

    Args:
        program: what to compute.
        backend: `"auto"` takes compiled C for float32 and float64 on a CPU, Triton on a GPU, and
            torch where they cannot serve; a backend asked for by name serves or raises.

    Raises:
        BackendError: if the named backend cannot serve, with the reason.
        FormError: if the program has no inputs, whose type and device its outputs would take.

    Example:
        >>> import numpy as np
        >>> from schur.forms import Block, Factor, Form, Operand, Path
        >>> operands = tuple(Operand(name, (Block(1, (4,)),)) for name in ("x", "y", "out"))
        >>> factors = tuple(Factor(operand.name, 0, "u") for operand in operands)
        >>> product = Form(operands, (Path.dense(factors, np.ones((1, 1, 1))),)).open("out")
        >>> Routine(product)(torch.ones(2, 4), 3 * torch.ones(2, 4))
        tensor([[3., 3., 3., 3.],
                [3., 3., 3., 3.]])
    """

    def __init__(self, program: Program, backend: Backend = "auto") -> None:
        if not program.inputs:
            raise FormError(
                "a program without inputs is a constant and has no number type or device",
                got=f"outputs {program.outputs}",
                remedy="take its value from schur.forms.evaluate, or give it an operand of ones",
            )
        self.program = program
        self.backend: Backend = backend
        if backend != "auto":
            backends.require(backend)
        # Found once and held here, so that tracers see plain strings.
        self._keys = {name: operator.register_program(program, name) for name in backends.NAMES}
        self._missing = backends.missing()
        # A tracer cannot enter a cached property, but sees the value that one has kept.
        _ = (program.indices, *(operand.size for operand in program.inputs))

    def __call__(
        self,
        *values: Tensor,
        indices: Mapping[str, Tensor | Sorted] | None = None,
        sizes: Mapping[str, int] | None = None,
    ) -> Any:
        """Apply the program.

        Args:
            values: the inputs in the order of `program.inputs`; shape (size,) for a shared
                operand, (rows, size) for a row operand, (table, size) for an indexed one.
            indices: for each index name its integers, shape (rows,), or a `Sorted`.
            sizes: table lengths of indices that no input tells, and `"rows"` likewise.

        Returns:
            The output tensor, or a tuple of them where the program has several.

        Raises:
            ShapeError, DtypeError, IndexRangeError: if an argument does not fit.
        """
        tensors = _checked(self.program, values)
        arrays = _index_arrays(self.program, indices or {}, tensors[0].device)
        lengths = _lengths(self.program, tensors, arrays, sizes or {})
        name = backends.choose(self.backend, tensors[0], self._missing)
        extents = [lengths["rows"], *(lengths[index] for index in self.program.indices)]
        outputs = operator.call(tensors, arrays, self._keys[name], extents)
        return outputs[0] if len(outputs) == 1 else tuple(outputs)

    def __reduce__(self) -> tuple[type[Routine], tuple[Program, Backend]]:
        """Copies and pickles are built anew, so that a process that loads one knows its program."""
        return Routine, (self.program, self.backend)

    def __repr__(self) -> str:
        inputs = ", ".join(operand.name for operand in self.program.inputs)
        return f"Routine({inputs} -> {', '.join(self.program.outputs)}; backend={self.backend})"


def _checked(program: Program, values: tuple[Tensor, ...]) -> list[Tensor]:
    """The inputs, after a check of number, shape, type and device."""
    if len(values) != len(program.inputs):
        raise ShapeError(
            "wrong number of operands",
            got=len(values),
            expected=[operand.name for operand in program.inputs],
        )
    tensors = list(values)
    for operand, tensor in zip(program.inputs, tensors, strict=True):
        if not (isinstance(tensor, Tensor) and tensor.is_floating_point()):
            raise DtypeError(
                f"operand {operand.name!r} does not hold real floating-point numbers",
                got=tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__,
                expected="a tensor of float32, float64 or another floating-point type",
                remedy="convert it with torch.as_tensor(x, dtype=...)",
            )
    if any(tensor.dtype != tensors[0].dtype for tensor in tensors):
        tensors = _one_dtype(program, tensors)
    for operand, tensor in zip(program.inputs, tensors, strict=True):
        expected = 1 if operand.mode == "shared" else 2
        if tensor.ndim != expected or tensor.shape[-1] != operand.size:
            lead = {"shared": "", "row": "rows, ", "indexed": f"entries of {operand.index}, "}
            raise ShapeError(
                f"operand {operand.name!r} has the wrong shape",
                got=tuple(tensor.shape),
                expected=f"({lead[operand.mode]}{operand.size})",
            )
        if tensor.device != tensors[0].device:
            raise DtypeError(
                f"operand {operand.name!r} is on another device than the rest",
                got=tensor.device,
                expected=tensors[0].device,
            )
    return tensors


def _one_dtype(program: Program, tensors: list[Tensor]) -> list[Tensor]:
    """Under autocast everything in the widest type; otherwise mixed types are an error."""
    if torch.is_autocast_enabled(tensors[0].device.type):
        widest = torch.float32
        for tensor in tensors:
            widest = torch.promote_types(widest, tensor.dtype)
        return [tensor.to(widest) for tensor in tensors]
    raise DtypeError(
        "the operands differ in number type",
        got={o.name: str(t.dtype) for o, t in zip(program.inputs, tensors, strict=True)},
        expected="one type for all",
        remedy="convert with .to(dtype), or run under torch.autocast",
    )


def _lengths(
    program: Program,
    tensors: list[Tensor],
    arrays: list[Tensor],
    sizes: Mapping[str, int],
) -> dict[str, int]:
    """The number of rows and the table length of each index, each told consistently."""
    found: dict[str, int] = {}

    def tell(name: str, length: int, source: str) -> None:
        if found.setdefault(name, length) != length:
            raise ShapeError(
                f"{source} disagrees about the length of {name!r}", got=length, expected=found[name]
            )

    for name, length in sizes.items():
        whole = isinstance(length, (int, torch.SymInt)) or hasattr(length, "__index__")
        if not whole or length < 0:
            raise ShapeError(
                f"sizes[{name!r}] is no length", got=repr(length), expected="an integer, 0 or more"
            )
        tell(name, length, f"sizes[{name!r}]")
    for operand, tensor in zip(program.inputs, tensors, strict=True):
        if operand.mode != "shared":
            tell(operand.index or "rows", tensor.shape[0], f"operand {operand.name!r}")
    for k, name in enumerate(program.indices):
        index, _, start = arrays[3 * k : 3 * k + 3]
        if start.shape[0]:
            tell(name, start.shape[0] - 1, f"the sorted index {name!r}")
        tell("rows", index.shape[0], f"index {name!r}")
    missing = [name for name in ("rows", *program.indices) if name not in found]
    if missing:
        raise ShapeError(
            "no operand tells how long these are",
            got=missing,
            remedy=f"pass sizes={{{missing[0]!r}: ...}}",
        )
    return found


def _index_arrays(
    program: Program, indices: Mapping[str, Tensor | Sorted], device: torch.device
) -> list[Tensor]:
    """Index, order and start of every index name; the last two empty where no sort is carried."""
    arrays: list[Tensor] = []
    for name in program.indices:
        if name not in indices:
            raise ShapeError("an index array is missing", got=list(indices), expected=name)
        index = indices[name]
        if not isinstance(index, (Tensor, Sorted)):
            raise DtypeError(
                f"index {name!r} is no tensor",
                got=type(index).__name__,
                expected="an int32 or int64 tensor, or a Sorted",
                remedy="convert it with torch.as_tensor(index)",
            )
        if index.device != device:
            raise DtypeError(
                f"index {name!r} is on another device than the operands",
                got=index.device,
                expected=device,
                remedy="move it with .to(device)",
            )
        if isinstance(index, Sorted):
            arrays += [index.index, index.order, index.start]
        else:
            checked = as_index(index, f"index {name!r}")
            empty = checked.new_empty(0)
            arrays += [checked, empty, empty]
    return arrays
