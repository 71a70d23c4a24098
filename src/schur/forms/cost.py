"""What a program costs, counted and not measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from schur.forms.form import Form, Operand
from schur.forms.program import Program


@dataclass(frozen=True)
class Cost:
    """Multiplications and additions, and the numbers that must cross memory at least once.

    Args:
        operations: floating-point operations if every term is multiplied out on its own; a
            backend that shares factors needs fewer.
        read: numbers read by all inputs together, each once.
        written: numbers written by all outputs together, each once.
    """

    operations: int
    read: int
    written: int

    def __str__(self) -> str:
        return f"{self.operations:,} operations, {self.read:,} numbers in, {self.written:,} out"


def cost(program: Program, sizes: Mapping[str, int]) -> Cost:
    """Count a program's work.

    Args:
        program: what is counted.
        sizes: `"rows"`, and for each index name the length of its tables.

    Example:
        >>> import numpy as np
        >>> from schur.forms import Block, Factor, Form, Operand, Path
        >>> operands = tuple(Operand(name, (Block(1, (4,)),)) for name in ("x", "y", "out"))
        >>> factors = tuple(Factor(operand.name, 0, "u") for operand in operands)
        >>> product = Form(operands, (Path.dense(factors, np.ones((1, 1, 1))),)).open("out")
        >>> print(cost(product, {"rows": 10}))
        80 operations, 80 numbers in, 40 out
    """
    operations = sum(_operations(s.form) for s in program.statements) * sizes["rows"]
    read = sum(_numbers(operand, sizes) for operand in program.inputs)
    written = sum(_numbers(program.values[name], sizes) for name in program.outputs)
    return Cost(operations, read, written)


def _operations(form: Form) -> int:
    """For one row: a term of n factors takes n - 1 multiplications and one addition.

    The coefficient counts as a factor unless it is one or minus one.
    """
    total = 0
    for path in form.paths:
        scaled = int((abs(path.coefficients) != 1.0).sum())
        each = len(path.factors) - 1
        total += prod(form.extents(path).values()) * (each * len(path.coefficients) + scaled)
    return total


def _numbers(operand: Operand, sizes: Mapping[str, int]) -> int:
    if operand.mode == "shared":
        return operand.size
    return operand.size * sizes[operand.index or "rows"]
