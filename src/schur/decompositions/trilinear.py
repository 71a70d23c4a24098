"""A trilinear form as a dense tensor, and back from factors to a program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from schur.errors import FormError
from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement

Tensor = Float64[np.ndarray, "_ _ _"]


@dataclass(frozen=True, eq=False)
class Trilinear:
    """A form on three operands that has one channel structure throughout.

    Args:
        form: the form; every path reads each operand once.
        names: its operands in the order of the tensor's axes; the last is the output.
        letters: the channel letters of each operand.
        tensor: all coefficients; an axis runs over the components of an operand's blocks in order.
    """

    form: Form
    names: tuple[str, str, str]
    letters: tuple[str, str, str]
    tensor: Tensor


def trilinear(form: Form, out: str = "out") -> Trilinear:
    """Read a form as one tensor times one pattern of channels.

    Raises:
        FormError: if the form is not trilinear, or paths differ in channels.

    Example:
        >>> from schur.products import full, normalised, tensor_product
        >>> from schur.reps import Irreps
        >>> rep = Irreps("1o")
        >>> rep_out, lines = full(rep, rep)
        >>> program = tensor_product(rep, rep, rep_out, normalised(rep, rep, rep_out, lines))
        >>> trilinear(program.statements[0].form).tensor.shape
        (3, 3, 9)
    """
    if len(form.operands) != 3 or not all(form.is_linear_in(o.name) for o in form.operands):
        raise FormError(
            "the form is not trilinear",
            got=", ".join(operand.name for operand in form.operands),
            expected="three operands, each read once by every path",
            remedy="take the product without weights, and put weights on its operands",
        )
    if out not in form.by_name:
        raise FormError("no such operand to open", got=out, expected=list(form.by_name))
    first, second = (operand.name for operand in form.operands if operand.name != out)
    names = (first, second, out)
    operands = [form.by_name[name] for name in names]
    starts = [np.cumsum([0, *(b.components for b in operand.blocks)]) for operand in operands]
    tensor = np.zeros([int(start[-1]) for start in starts])
    patterns: set[tuple[str, ...]] = set()
    for path in form.paths:
        order = [path.positions(name)[0] for name in names]
        factors = [path.factors[k] for k in order]
        patterns.add(_pattern([factor.letters for factor in factors]))
        places = [
            start[factor.block] + path.components[:, k]
            for start, factor, k in zip(starts, factors, order, strict=True)
        ]
        np.add.at(tensor, tuple(places), path.coefficients)
    channels = [{block.channels for block in operand.blocks} for operand in operands]
    if len(patterns) != 1 or any(len(found) != 1 for found in channels):
        raise FormError(
            "the paths of the form differ in their channels, so that it is not one tensor",
            got=sorted(patterns),
            expected="the same channels in all blocks of an operand and the same letters",
            remedy="decompose the paths of each kind on their own",
        )
    (letters,) = patterns
    return Trilinear(form, names, (letters[0], letters[1], letters[2]), tensor)


def _pattern(letters: Sequence[str]) -> tuple[str, ...]:
    """The letters renamed in order of appearance, so that equal patterns are equal."""
    renamed: dict[str, str] = {}
    for letter in "".join(letters):
        renamed.setdefault(letter, chr(ord("a") + len(renamed)))
    return tuple("".join(renamed[letter] for letter in text) for text in letters)


def factored_program(
    given: Trilinear,
    factors: Sequence[Float[np.ndarray, "_ _"]],
    core: Path | None = None,
) -> Program:
    """Transform both inputs, multiply, transform back.

        a_r = Σ_i A_ir x_i,   b_s = Σ_j B_js y_j,   c_t = Σ_rs G_rst a_r b_s,   z_k = Σ_t C_kt c_t

    Args:
        given: the form.
        factors: A, B and C.
        core: a path on the operands `a`, `b`, `c` whose coefficients are G; if not given
            G is the identity, so that values are multiplied one by one.

    Returns:
        A program with the inputs and the output of `form.open`.
    """
    operands = [given.form.by_name[name] for name in given.names]
    taken = set(given.names)
    values = []
    for name, operand, matrix in zip("abc", operands, factors, strict=True):
        while name in taken:
            name += "_"
        taken.add(name)
        values.append(Operand(name, (Block(matrix.shape[1], operand.blocks[0].channels),)))
    statements = [
        _transform(operands[k], values[k], given.letters[k], factors[k], values[k].name)
        for k in range(2)
    ]
    if core is None:
        rank = factors[0].shape[1]
        components, coefficients = np.tile(np.arange(rank)[:, None], (1, 3)), np.ones(rank)
    else:
        components, coefficients = core.components, core.coefficients
    middle = tuple(
        Factor(v.name, 0, letters) for v, letters in zip(values, given.letters, strict=True)
    )
    path = Path(middle, components, coefficients)
    statements.append(Statement(Form(tuple(values), (path,)), values[2].name))
    out = operands[2]
    statements.append(_transform(out, values[2], given.letters[2], factors[2], out.name))
    return Program((operands[0], operands[1]), tuple(statements), (out.name,))


def _transform(
    operand: Operand,
    value: Operand,
    letters: str,
    matrix: Float[np.ndarray, "components rank"],
    target: str,
) -> Statement:
    """Between an operand's blocks and the one block of a value."""
    paths, start = [], 0
    for place, block in enumerate(operand.blocks):
        part = matrix[start : start + block.components]
        start += block.components
        factors = (Factor(operand.name, place, letters), Factor(value.name, 0, letters))
        paths.append(Path.dense(factors, part))
    return Statement(Form((operand, value), tuple(paths)), target)
