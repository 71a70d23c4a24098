"""Programs run in few passes, and derivatives cost a small multiple of what they derive."""

from __future__ import annotations

from math import prod

import numpy as np
import pytest

from schur.engine.nest import Group, groups
from schur.engine.schedule import schedule
from schur.forms import Block, Factor, Form, Operand, Path, Program, derive
from schur.products import convolution
from schur.reps import Irreps

from .message import message_program

HARMONICS = Irreps("0e+1o+2e+3o")


@pytest.fixture(scope="module")
def messages() -> Program:
    """A depth-wise product from nodes along edges to nodes: what a layer of MACE does."""
    nodes = Irreps("32x0e+32x1o+32x2e")
    return convolution(nodes, HARMONICS, Irreps("0e+1o+2e+3o"))[0]


def operations(program: Program) -> int:
    """Multiply-adds for one row, vectors counted by their channels."""
    return sum(_group_operations(group) for work in schedule(program) for group in groups(work))


def _group_operations(group: Group) -> int:
    graph = group.graph
    outside = prod(extent for _, extent in group.outer)
    total, scalars = 0, set()
    for loop in group.loops:
        roots = [value for _, value in loop.stores] + [value for value, _ in loop.reductions]
        nodes = graph.reachable(value for value in roots if not isinstance(value, float))
        vectors = [n for n in nodes if n in graph.sums and graph.vector[n]]
        scalars |= {n for n in nodes if n in graph.sums and not graph.vector[n]}
        total += group.extent * sum(len(graph.sums[n]) for n in vectors)
    return outside * total + sum(outside * len(graph.sums[n]) for n in scalars)


def terms(program: Program) -> int:
    """Multiply-adds for one row if every term is multiplied out on its own."""
    total = 0
    for statement in program.statements:
        for path in statement.form.paths:
            each = (len(path.factors) - 1) * len(path.coefficients)
            total += each * prod(statement.form.extents(path).values())
    return total


def test_all_gradients_in_one_pass(messages: Program) -> None:
    assert len(schedule(messages)) == 1
    (backward,) = schedule(derive(messages))
    assert len(backward.targets) == 3
    assert backward.walk == derive(messages).values[backward.targets[0]].index


def test_gradients_of_everything_share_the_walk() -> None:
    """Sums at a node, rows and what all rows share: one pass where none reads the other."""
    program = message_program()
    (forward,) = schedule(program)
    assert set(forward.targets) == {"out", "total"} and forward.walk == "receivers"
    (backward,) = schedule(derive(program))
    assert len(backward.targets) == 4 and backward.walk == "senders"


def test_sums_at_two_indices_are_two_passes() -> None:
    block = (Block(1, (4,)),)
    x = Operand("x", block)
    statements = []
    for name in ("i", "j"):
        out = Operand(f"out_{name}", block, "indexed", name)
        factors = (Factor("x", 0, "u"), Factor(out.name, 0, "u"))
        path = Path.dense(factors, np.ones((1, 1)))
        statements += Form((x, out), (path,)).open(out.name).statements
    program = Program((x,), tuple(statements), ("out_i", "out_j"))
    assert sorted(str(work.walk) for work in schedule(program)) == ["i", "j"]


@pytest.mark.parametrize("kind", ["messages", "own"])
def test_what_is_read_is_finished(kind: str, messages: Program) -> None:
    """No pass reads what the same or a later pass makes, and every value is made once."""
    program = derive(derive(messages if kind == "messages" else message_program()))
    made: list[str] = []
    inputs = {operand.name for operand in program.inputs}
    for work in schedule(program):
        for statement in work.statements:
            assert set(statement.sources) <= inputs | set(made)
        made += work.targets
    assert len(set(made)) == len(made)
    assert set(program.outputs) <= set(made)


def test_derivatives_do_not_explode(messages: Program) -> None:
    """A backward of three gradients takes at most 2.5 times the forward, a second one 8 times.

    Multiplied out term by term they take 3 and more than 9 times, of what is four times as much.
    """
    forward = operations(messages)
    backward = derive(messages)
    assert forward < 0.5 * terms(messages)
    assert forward < operations(backward) <= 2.5 * forward
    assert operations(derive(backward)) <= 8 * forward
    assert terms(backward) == 3 * terms(messages)


def test_the_count_sees_an_explosion(messages: Program) -> None:
    """Paths that share nothing, because none has a label, cost what their terms cost."""
    (statement,) = messages.statements
    apart = tuple(
        Path(path.factors, path.components[k : k + 1], path.coefficients[k : k + 1])
        for path in statement.form.paths
        for k in range(len(path.coefficients))
    )
    exploded = Form(statement.form.operands, apart).open(statement.target)
    assert operations(exploded) > 1.5 * operations(messages)
