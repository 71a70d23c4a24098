"""A check of each new routine against the torch backend, on random numbers, at first use.

Switched on by the environment variable SCHUR_SELF_CHECK=1.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from math import prod

import torch
from torch import Tensor

from schur.engine import torch_backend
from schur.errors import BackendError
from schur.forms import Form, Operand, Path, Program, Statement

Run = Callable[[Sequence[Tensor], Sequence[Tensor], Sequence[int]], list[Tensor]]

# Small, and prime to each other and to the lengths of blocks.
_ROWS, _ENTRIES = 7, 3
_passed: set[tuple[str, str, torch.dtype, torch.device]] = set()


def wanted() -> bool:
    """Whether routines are checked: SCHUR_SELF_CHECK is set, and not to 0."""
    return os.environ.get("SCHUR_SELF_CHECK", "0") not in ("", "0")


def checked(
    program: Program,
    name: str,
    dtype: torch.dtype,
    device: torch.device,
    run: Run,
    rounding: float = 0.0,
) -> None:
    """Compare the routine of that name with torch in float64, once for each type and device.

    A number is a sum of products, each of which may be off by some eps of its size; allowed are
    16 eps √(length of the sum) times the sum of the sizes, with the eps of the type or the
    `rounding` of its products, whichever is larger.

    Raises:
        BackendError: if the routine computes something else.
    """
    key = (program.key, f"{name} {rounding}", dtype, device)
    if key in _passed:
        return
    lengths = {"rows": _ROWS, **dict.fromkeys(program.indices, _ENTRIES)}
    generator = torch.Generator().manual_seed(0)
    values = [
        torch.randn(_shape(operand, lengths), generator=generator).to(device, dtype)
        for operand in program.inputs
    ]
    named = {
        name: torch.randint(_ENTRIES, (_ROWS,), generator=generator).to(device)
        for name in program.indices
    }
    empty = torch.empty(0, dtype=torch.int64, device=device)
    arrays = [tensor for index in named.values() for tensor in (index, empty, empty)]
    found = run(values, arrays, list(lengths.values()))
    exact_values = [value.double() for value in values]
    with torch.no_grad(), torch.autocast(device.type, enabled=False):
        exact = torch_backend.run(program, exact_values, named, lengths)
        sizes = [value.abs() for value in exact_values]
        size = torch_backend.run(_positive(program), sizes, named, lengths)
    eps = max(torch.finfo(dtype).eps, rounding)
    for name, value, right, scale in zip(program.outputs, found, exact, size, strict=True):
        allowed = 16 * eps * _length(program) ** 0.5 * scale + torch.finfo(dtype).tiny
        off = ((value.double() - right).abs() / allowed).max() if right.numel() else 0.0
        if not float(off) <= 1:
            raise BackendError(
                f"backend 'triton' computes something else than the torch backend: {name!r}",
                got=f"an error {float(off):.3g} times what rounding explains",
                expected="at most 1",
                remedy="report this with the program (print(routine.program)), and use "
                "backend='torch' meanwhile",
            )
    _passed.add(key)


def _shape(operand: Operand, lengths: dict[str, int]) -> tuple[int, ...]:
    if operand.mode == "shared":
        return (operand.size,)
    return (lengths[operand.index or "rows"], operand.size)


def _length(program: Program) -> int:
    """More than the products in any sum."""
    products = 1
    for statement in program.statements:
        for path in statement.form.paths:
            (slot,) = path.positions(statement.target)
            kept = path.factors[slot].letters
            extents = statement.form.extents(path)
            summed = prod(extent for letter, extent in extents.items() if letter not in kept)
            products += len(path.coefficients) * summed
    return products * _ROWS


def _positive(program: Program) -> Program:
    """The same program with the sizes of its coefficients."""
    statements = []
    for statement in program.statements:
        paths = tuple(
            Path(path.factors, path.components, abs(path.coefficients), path.label)
            for path in statement.form.paths
        )
        statements.append(Statement(Form(statement.form.operands, paths), statement.target))
    return Program(program.inputs, tuple(statements), program.outputs)
