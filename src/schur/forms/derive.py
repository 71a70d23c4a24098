"""The derivative of a program is a program: reverse-mode differentiation by opening slots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from schur.errors import FormError
from schur.forms.form import Operand
from schur.forms.program import Program, Statement


@dataclass(frozen=True)
class Derivative:
    """A derived program and which of its values stands for what.

    Args:
        program: computes the gradients from the inputs and the cotangents.
        cotangents: for each output of the original program the input that holds its cotangent.
        gradients: for each input differentiated by the output that holds its gradient; an input
            that no output depends on is absent.
    """

    program: Program
    cotangents: dict[str, str]
    gradients: dict[str, str]


def derive(program: Program, wrt: Sequence[str] | None = None) -> Program:
    """The vector-Jacobian product of a program.

    A statement `t = F(a, b, ...)` with slot t open contributes, for each operand b it reads, the
    same form with slot t filled by the cotangent of t and slot b open.  Nothing else is needed,
    to any order, because the result is again a program.

    Args:
        program: what is differentiated.
        wrt: names of inputs to differentiate by; all of them if not given.

    Returns:
        A program with the inputs of `program` followed by one cotangent for each output, and one
        output for each name in `wrt`.  Inputs that it does not read are left out.  An input that
        no output depends on is no output either.

    Example:
        >>> import numpy as np
        >>> from schur.forms import Block, Factor, Form, Operand, Path
        >>> operands = tuple(Operand(name, (Block(1, (4,)),)) for name in ("x", "y", "out"))
        >>> factors = tuple(Factor(operand.name, 0, "u") for operand in operands)
        >>> product = Form(operands, (Path.dense(factors, np.ones((1, 1, 1))),)).open("out")
        >>> backward = derive(product)
        >>> [operand.name for operand in backward.inputs], backward.outputs
        (['x', 'y', 'grad_out'], ('grad_x', 'grad_y'))
    """
    return derivative(program, wrt).program


def derivative(program: Program, wrt: Sequence[str] | None = None) -> Derivative:
    """As `derive`, with the names of cotangents and gradients."""
    names = tuple(o.name for o in program.inputs) if wrt is None else tuple(wrt)
    unknown = set(names) - {o.name for o in program.inputs}
    if unknown:
        raise FormError(
            "cannot differentiate by what is no input",
            got=sorted(unknown),
            expected=[o.name for o in program.inputs],
        )
    return _derive(program, names)


@lru_cache(maxsize=4096)
def _derive(program: Program, names: tuple[str, ...]) -> Derivative:
    taken = set(program.values)
    given = {name: program.values[name].renamed(_fresh(name, taken)) for name in program.outputs}
    made: dict[str, Operand] = {}
    active = _active(program, names)
    adjoints: list[Statement] = []
    for statement in reversed(program.statements):
        # The cotangent of an output that is also read inside is what comes in and what the uses
        # add. The two are not summed: one sum over rows would count what comes in once a row.
        for cotangents in (given, made):
            if statement.target not in cotangents:
                continue
            filled = statement.form.polarised(statement.target, cotangents[statement.target])
            for source in statement.sources:
                if source not in active or not statement.form.reads(source):
                    continue
                if source not in made:
                    made[source] = program.values[source].renamed(_fresh(source, taken))
                opened = filled.polarised(source, made[source])
                adjoints.append(Statement(opened, made[source].name))
    gradients = {name: made[name].name for name in names if name in made}
    outputs = tuple(gradients.values())
    inputs = program.inputs + tuple(given.values())
    whole = Program(inputs, program.statements + tuple(adjoints), outputs).pruned()
    read = {name for statement in whole.statements for name in statement.sources}
    inputs = tuple(operand for operand in whole.inputs if operand.name in read)
    cotangents = {name: operand.name for name, operand in given.items()}
    return Derivative(Program(inputs, whole.statements, outputs), cotangents, gradients)


@lru_cache(maxsize=4096)
def linearised(program: Program, moving: tuple[str, ...]) -> Derivative:
    """The Jacobian-vector product of a program: forward-mode differentiation.

    Args:
        program: what is differentiated.
        moving: the inputs that have a tangent.

    Returns:
        A program with a tangent input for each name in `moving`; `cotangents` names these inputs
        and `gradients` the tangent of each output that moves.
    """
    taken = set(program.values)
    tangents = {
        name: program.values[name].renamed(_fresh(name, taken, "tangent")) for name in moving
    }
    given = {name: operand.name for name, operand in tangents.items()}
    inputs = program.inputs + tuple(tangents.values())
    statements: list[Statement] = []
    for statement in program.statements:
        target = statement.target
        statements.append(statement)
        for source in statement.sources:
            if source not in tangents or not statement.form.reads(source):
                continue
            if target not in tangents:
                name = _fresh(target, taken, "tangent")
                tangents[target] = program.values[target].renamed(name)
            moved = statement.form.polarised(source, tangents[source])
            moved = moved.polarised(target, tangents[target])
            statements.append(Statement(moved, tangents[target].name))
    outputs = {name: tangents[name].name for name in program.outputs if name in tangents}
    whole = Program(inputs, tuple(statements), tuple(outputs.values())).pruned()
    read = {name for statement in whole.statements for name in statement.sources}
    inputs = tuple(operand for operand in whole.inputs if operand.name in read)
    return Derivative(Program(inputs, whole.statements, whole.outputs), given, outputs)


def _active(program: Program, names: tuple[str, ...]) -> set[str]:
    """The values that depend on one of the names."""
    active = set(names)
    for statement in program.statements:
        if active.intersection(statement.sources):
            active.add(statement.target)
    return active


def _fresh(name: str, taken: set[str], kind: str = "grad") -> str:
    """A name for the cotangent or tangent of `name` that the program does not use yet."""
    candidate, count = f"{kind}_{name}", 2
    while candidate in taken:
        candidate, count = f"{kind}{count}_{name}", count + 1
    taken.add(candidate)
    return candidate
