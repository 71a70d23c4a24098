"""Triton source of a program: a module of kernels, and how they are launched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import prod

from schur.engine import triton_plan
from schur.engine.triton_kernels import Budget, Launches
from schur.engine.triton_lanes import ROWS, WARPS, LanesText
from schur.engine.triton_matrices import MatrixProduct
from schur.engine.triton_matrices_text import ROWS as MATRIX_ROWS
from schur.engine.triton_matrices_text import WARPS as MATRIX_WARPS
from schur.engine.triton_matrices_text import MatrixText
from schur.engine.triton_text import KernelText
from schur.forms import Program

HEAD = '''"""Kernels made by schur."""
import triton
import triton.language as tl
'''
# Number type of memory -> the one that is computed in.
COMPUTE = {
    "float64": "float64",
    "float32": "float32",
    "bfloat16": "float32",
    "float16": "float32",
}


@dataclass(frozen=True)
class Launch:
    """One kernel: its name and its arguments, as places among values and indices.

    Args:
        strides: values of which it makes one line for each block of channels.
        programs: how many programs an item has.
        warps: of 32 threads in a program.
        multiplies: whether it asks how matrices of float32 are multiplied.
    """

    name: str
    values: tuple[int, ...]
    indices: tuple[int, ...]
    strides: tuple[int, ...]
    programs: int
    warps: int = 1
    multiplies: bool = False


@dataclass(frozen=True)
class Target:
    """A value that a pass makes.

    Args:
        where: `"row"`, `"shared"` or `"walk"`.
        blocks: how many lines are added up for one, of different blocks of channels.
        cleared: whether the kernels leave numbers of it unwritten.
    """

    slot: int
    where: str
    size: int
    blocks: int
    cleared: bool


@dataclass(frozen=True)
class PassCalls:
    """A pass: what it makes, and the kernels in their order.

    Args:
        walk: number of the index that is walked.
        rows: how many rows a program has, where a thread has one; 0 where a program has an item.
    """

    walk: int | None
    chunked: bool
    rows: int
    targets: tuple[Target, ...]
    launches: tuple[Launch, ...]


@dataclass(frozen=True)
class Source:
    """The text of a module, with `PASSES`, the calls as literals, at its end."""

    text: str
    passes: tuple[PassCalls, ...]


def source(program: Program, dtype: str, budget: Budget | None = None) -> Source:
    """Triton text of a program.

    Args:
        program: what to compute.
        dtype: of the tensors: `"float64"`, `"float32"`, `"bfloat16"` or `"float16"`.
        budget: what a program may use.
    """
    made = _Source(program, dtype, budget or Budget())
    calls = ",\n".join(f"    {_literal(each)}" for each in made.passes)
    return Source(
        "\n\n".join([HEAD, *made.kernels, f"PASSES = [\n{calls}\n]\n"]), tuple(made.passes)
    )


def _literal(value: object) -> object:
    """Nested data classes as tuples of plain values."""
    if isinstance(value, tuple):
        return tuple(_literal(each) for each in value)
    if isinstance(value, (PassCalls, Target, Launch)):
        return tuple(_literal(getattr(value, field.name)) for field in fields(value))
    return value


def calls(literals: list[tuple]) -> tuple[PassCalls, ...]:
    """The calls that a module's `PASSES` stands for."""
    return tuple(
        PassCalls(
            walk,
            chunked,
            rows,
            tuple(Target(*each) for each in targets),
            tuple(Launch(*each) for each in launches),
        )
        for walk, chunked, rows, targets, launches in literals
    )


class _Source:
    def __init__(self, program: Program, dtype: str, budget: Budget) -> None:
        self.program, self.compute = program, COMPUTE[dtype]
        kept = {operand.name for operand in program.inputs} | set(program.outputs)
        self.cast = frozenset(kept if dtype != self.compute else ())
        self.slots = {name: k for k, name in enumerate(program.values)}
        self.kernels: list[str] = []
        self.passes = [
            self._made(number, each)
            for number, each in enumerate(triton_plan.plan(program, budget))
        ]

    def _made(self, number: int, each: Launches) -> PassCalls:
        if each.products:
            return self._matrices(number, each.products)
        return self._lanes(number) if each.work.lanes else self._pass(number, each)

    def _matrices(self, number: int, products: tuple[MatrixProduct, ...]) -> PassCalls:
        """A kernel for each product; those of one pass are of one kind."""
        launches = []
        for k, product in enumerate(products):
            text = MatrixText(self.program, product, f"pass_{number}_{k}", self.compute, self.cast)
            self.kernels.append(text.text())
            values = tuple(self.slots[name] for name in text.values)
            indices = tuple(text.numbers[name] for name in text.indices)
            launch = Launch(text.name, values, indices, (), text.programs, MATRIX_WARPS, True)
            launches.append(launch)
        outer = products[0].kind == "outer"
        written: dict[str, int] = {}
        for product in products:
            name = product.target.operand
            numbers = len(product.components) * prod(product.target.extents)
            written[name] = written.get(name, 0) + numbers
        targets = tuple(
            Target(
                self.slots[name],
                "shared" if outer else "row",
                self.program.values[name].size,
                1,
                size < self.program.values[name].size,
            )
            for name, size in written.items()
        )
        return PassCalls(None, outer, 0 if outer else MATRIX_ROWS, targets, tuple(launches))

    def _lanes(self, number: int) -> PassCalls:
        text = LanesText(self.program, f"pass_{number}", self.compute, bool(self.cast))
        launches = []
        for k in range(len(text.kernels)):
            self.kernels.append(text.text(k))
            slots = tuple(self.slots[name] for name in text.values(k))
            launches.append(Launch(f"pass_{number}_{k}", slots, (), (), 1, WARPS))
        targets = [
            Target(self.slots[name], "row", self.program.values[name].size, 1, False)
            for name in self.program.outputs
        ]
        return PassCalls(None, False, ROWS, tuple(targets), tuple(launches))

    def _pass(self, number: int, each: Launches) -> PassCalls:
        targets = [self.program.values[name] for name in each.targets]
        blocked = frozenset(t.name for t in targets if triton_plan.summed_over_blocks(t, each))
        launches = []
        for k, kernel in enumerate(each.kernels):
            name = f"pass_{number}_{k}"
            text = KernelText(self.program, each, kernel, name, self.compute, self.cast, blocked)
            self.kernels.append(text.text())
            launches.append(
                Launch(
                    name,
                    tuple(self.slots[value] for value in text.values),
                    tuple(text.numbers[index] for index in text.indices),
                    tuple(self.slots[value] for value in text.targets if value in blocked),
                    each.blocks * prod(kernel.hoisted),
                )
            )
        where: Mapping[str, str] = {"row": "row", "shared": "shared", "indexed": "walk"}
        made = tuple(
            Target(
                self.slots[t.name],
                where[t.mode],
                t.size,
                each.blocks if t.name in blocked else 1,
                t.name in blocked or not triton_plan.covered(t, each),
            )
            for t in targets
        )
        walk = None if each.work.walk is None else self.program.indices.index(each.work.walk)
        chunked = any(kernel.chunked for kernel in each.kernels)
        return PassCalls(walk, chunked, 0, made, tuple(launches))
