"""Random programs of every kind, numbers to run them on, and how wrong a result may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import hypothesis
import hypothesis.strategies as st
import numpy as np

from schur.forms import Block, Factor, Form, Mode, Operand, Path, Program, Statement, evaluate

# Letters of one factor: none, one, several, in either order.
LETTERS = ("", "u", "v", "w", "uv", "vu", "wu", "uvw")
Draw = Callable[[st.SearchStrategy[Any]], Any]
MODES: list[tuple[Mode, str | None]] = [
    ("shared", None),
    ("row", None),
    ("row", None),
    ("indexed", "i"),
    ("indexed", "j"),
]


def examples(count: int) -> int:
    """`count` examples in the usual profile, and in proportion in the one that searches."""
    return max(1, count * hypothesis.settings().max_examples // 15)


@dataclass(frozen=True)
class Case:
    """A program and numbers to run it on."""

    program: Program
    values: dict[str, np.ndarray]
    indices: dict[str, np.ndarray]
    lengths: dict[str, int]

    def exact(self) -> dict[str, np.ndarray]:
        """The oracle's outputs, in the number type of the values."""
        return evaluate(self.program, self.values, self.indices, self.lengths)


# Extents that a letter may have.
EXTENTS = {"u": (1, 3, 5, 16, 17, 32, 37), "v": (1, 2, 5), "w": (1, 3, 17)}
# For what is interpreted number by number.
SMALL_EXTENTS = {"u": (1, 3, 5), "v": (1, 2), "w": (1, 3)}


def draw_program(
    draw: Draw,
    count: int = 1,
    chained: bool = False,
    allowed: Mapping[str, tuple[int, ...]] = EXTENTS,
) -> Program:
    """`count` forms, each with one slot open; where chained, each reads what the last one made.

    Drawn in the body of a test (`st.data().draw`): the checks of shapes draw random numbers of
    their own, which hypothesis does not like to see inside a strategy.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    statements: list[Statement] = []
    inputs: list[Operand] = []
    given: Operand | None = None
    for number in range(count):
        form = _draw_form(draw, rng, number, given if chained else None, allowed)
        free = [name for name in form.by_name if given is None or name != given.name]
        part = form.open(draw(st.sampled_from(free)))
        statements += part.statements
        inputs += [o for o in part.inputs if given is None or o.name != given.name]
        made = part.statements[-1].target
        given = part.values[made]
    outputs = [statement.target for statement in statements]
    if chained and not draw(st.booleans()):
        outputs = outputs[-1:]
    return Program(tuple(inputs), tuple(statements), tuple(outputs)).pruned()


def _draw_form(
    draw: Draw,
    rng: np.random.Generator,
    number: int,
    given: Operand | None,
    allowed: Mapping[str, tuple[int, ...]],
) -> Form:
    """A form over `given` and operands of its own."""
    names = [f"{name}{number}" for name in ("a", "b", "c", "out")]
    blocks: dict[str, list[Block]] = {}
    if given is not None:
        blocks[given.name] = list(given.blocks)
    paths: list[Path] = []
    for position in range(draw(st.integers(1, 3))):
        extents = {letter: draw(st.sampled_from(some)) for letter, some in allowed.items()}
        factors: list[Factor] = []
        if given is not None:
            block = draw(st.integers(0, len(given.blocks) - 1))
            channels = given.blocks[block].channels
            extents.update(zip("uvw", channels, strict=False))
            factors.append(Factor(given.name, block, "uvw"[: len(channels)]))
        fewest = 0 if position else 1  # a program of constants alone has no number type
        sources = draw(st.lists(st.sampled_from(names[:-1]), min_size=fewest, max_size=3))
        for name in [*sources, names[-1]]:
            letters = draw(st.sampled_from(LETTERS))
            channels = tuple(extents[letter] for letter in letters)
            held = blocks.setdefault(name, [])
            fitting = [k for k, block in enumerate(held) if block.channels == channels]
            if not fitting or draw(st.booleans()):
                held.append(Block(draw(st.integers(1, 3)), channels))
                fitting = [len(held) - 1]
            factors.append(Factor(name, fitting[0], letters))
        terms = draw(st.integers(1, 4))
        limits = [blocks[factor.operand][factor.block].components for factor in factors]
        components = rng.integers(0, limits, (terms, len(factors)))
        coefficients = np.where(rng.random(terms) < 0.5, 1.0, rng.standard_normal(terms))
        label = draw(st.sampled_from(("", "together")))
        paths.append(Path(factors, components, coefficients, label))
    operands = [given] if given is not None else []
    for name, held in blocks.items():
        if given is None or name != given.name:
            mode, index = draw(st.sampled_from(MODES))
            operands.append(Operand(name, tuple(held), mode, index))
    return Form(tuple(operands), tuple(paths))


def draw_lane_program(draw: Draw) -> Program:
    """Programs without channels in which every value has one line a row: a chain of recurrences."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    sizes = draw(st.lists(st.sampled_from((1, 2, 3, 9, 10, 17)), min_size=2, max_size=4))
    x = Operand("x0", (Block(sizes[0]),))
    known, statements = [x], []
    for number, size in enumerate(sizes[1:], 1):
        made = Operand(f"x{number}", (Block(size),))
        read: list[Operand] = []
        paths = []
        for _ in range(draw(st.integers(1, 2))):
            sources = draw(st.lists(st.sampled_from(known), max_size=3))
            read += sources
            limits = [operand.size for operand in sources] + [size]
            terms = draw(st.integers(1, 4))
            factors = [Factor(operand.name) for operand in [*sources, made]]
            components = rng.integers(0, limits, (terms, len(limits)))
            paths.append(Path(factors, components, rng.standard_normal(terms)))
        operands = tuple({operand.name: operand for operand in read}.values())
        statements.append(Statement(Form((*operands, made), tuple(paths)), made.name))
        known.append(made)
    outputs = (known[-1].name,) if draw(st.booleans()) else tuple(o.name for o in known[1:])
    return Program((x,), tuple(statements), outputs).pruned()


def case(
    program: Program,
    seed: int = 0,
    rows: int = 5,
    tables: Mapping[str, int] | None = None,
    dtype: type = np.float64,
    sort: bool = False,
) -> Case:
    """Standard normal numbers and random indices for a program."""
    rng = np.random.default_rng(seed)
    lengths = dict.fromkeys(program.indices, 4) | dict(tables or {}) | {"rows": rows}
    indices = {name: rng.integers(0, lengths[name], rows) for name in program.indices}
    if sort:
        indices = {name: np.sort(index) for name, index in indices.items()}
    values = {
        operand.name: rng.standard_normal(shape_of(operand, lengths)).astype(dtype)
        for operand in program.inputs
    }
    return Case(program, values, indices, lengths)


def shape_of(operand: Operand, lengths: Mapping[str, int]) -> tuple[int, ...]:
    """The shape of an operand's array."""
    if operand.mode == "shared":
        return (operand.size,)
    return (lengths[operand.index or "rows"], operand.size)


def excess(given: Case, found: Mapping[str, np.ndarray], eps: float) -> float:
    """The largest error as a multiple of what rounding may do, entry by entry.

    An entry is a sum of products; each may be off by some eps of its size, and the errors of a
    sum add up like a random walk.  Allowed is 8 eps √(length) times the sum of the sizes.
    """
    exact = evaluate(
        given.program,
        {name: value.astype(np.float64) for name, value in given.values.items()},
        given.indices,
        given.lengths,
    )
    positive = evaluate(
        _positive(given.program),
        {name: np.abs(value.astype(np.float64)) for name, value in given.values.items()},
        given.indices,
        given.lengths,
    )
    allowed = 8 * eps * _length(given) ** 0.5
    worst = 0.0
    for name, value in exact.items():
        error = np.abs(found[name].astype(np.float64) - value)
        limit = allowed * positive[name] + np.finfo(np.float32).tiny
        share = float((error / limit).max(initial=0.0))
        if not share <= worst:  # so that a NaN stays
            worst = share
    return worst


def _positive(program: Program) -> Program:
    """The same program with the absolute values of its coefficients."""
    statements = []
    for statement in program.statements:
        paths = tuple(
            Path(path.factors, path.components, np.abs(path.coefficients), path.label)
            for path in statement.form.paths
        )
        statements.append(Statement(Form(statement.form.operands, paths), statement.target))
    return Program(program.inputs, tuple(statements), program.outputs)


def _length(given: Case) -> int:
    """At most how many terms an entry of an output is the sum of."""
    total = 1
    for statement in given.program.statements:
        for path in statement.form.paths:
            (slot,) = path.positions(statement.target)
            extents = statement.form.extents(path)
            kept = path.factors[slot].letters
            summed = [extent for letter, extent in extents.items() if letter not in kept]
            rows = (
                1 if given.program.values[statement.target].mode == "row" else given.lengths["rows"]
            )
            total += int(np.prod([len(path.coefficients), max(rows, 1), *summed]))
    return total
