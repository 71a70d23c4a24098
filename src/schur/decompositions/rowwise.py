"""A program as the map of one row, evaluated on many rows at once.

The oracle walks over terms and is made for small numbers of them; ranks of large products need
thousands of rows and terms, so here whole paths are taken at a time.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

from schur.forms import Form, Operand, Path, Program, Statement

# How many numbers the products of one batch of terms may hold.
_BUFFER = 1 << 22

Rows = Float64[np.ndarray, "_ _"]


def rowwise(program: Program) -> Program:
    """The program with every operand in mode `row`: neither gathered, nor summed, nor shared.

    Example:
        >>> from schur.products import convolution
        >>> from schur.reps import Irreps
        >>> program, _, _ = convolution(Irreps("0e"), Irreps("0e"), Irreps("0e"))
        >>> program.indices, rowwise(program).indices
        (('senders', 'receivers'), ())
    """

    def by_row(operand: Operand) -> Operand:
        return Operand(operand.name, operand.blocks)

    def form(given: Form) -> Form:
        return Form(tuple(by_row(operand) for operand in given.operands), given.paths)

    statements = tuple(Statement(form(s.form), s.target) for s in program.statements)
    return Program(tuple(map(by_row, program.inputs)), statements, program.outputs)


def evaluate_rows(program: Program, values: Mapping[str, Rows]) -> dict[str, Rows]:
    """The outputs of a program whose operands are all in mode `row`, as `evaluate` gives them.

    Args:
        program: from `rowwise`.
        values: for each input an array (rows, size).
    """
    known = dict(values)
    (rows,) = {len(array) for array in values.values()}
    for statement in program.statements:
        target = program.values[statement.target]
        out = known.setdefault(target.name, np.zeros((rows, target.size)))
        for path in statement.form.paths:
            if len(path.coefficients):
                _add(out, known, statement.form, path, target)
    return {name: known[name] for name in program.outputs}


def _add(out: Rows, known: Mapping[str, Rows], form: Form, path: Path, target: Operand) -> None:
    (slot,) = path.positions(target.name)
    others = [k for k in range(len(path.factors)) if k != slot]
    arrays = [
        _block(known, form.by_name[path.factors[k].operand], path.factors[k].block) for k in others
    ]
    letters = [path.factors[k].letters for k in others]
    # Letters that only the target has are broadcast; a factor of ones carries them.
    extents = form.extents(path)
    missing = [c for c in path.factors[slot].letters if not any(c in text for text in letters)]
    ones = np.ones([len(out), *(extents[letter] for letter in missing)])
    view = _block({target.name: out}, target, path.factors[slot].block)
    order = np.argsort(path.components[:, slot], kind="stable")
    numbers = len(out) * int(np.prod([extents[letter] for letter in extents], initial=1))
    batch = max(1, _BUFFER // max(1, numbers))
    subscripts = ",".join(["T", "Z" + "".join(missing)] + [f"ZT{text}" for text in letters])
    subscripts += f"->ZT{path.factors[slot].letters}"
    if len(others) == 1 and not missing:
        _add_matrix(view, path, slot, others[0], arrays[0], letters[0])
        return
    for first in range(0, len(order), batch):
        part = order[first : first + batch]
        read = [a[:, path.components[part, k]] for a, k in zip(arrays, others, strict=True)]
        product = np.einsum(subscripts, path.coefficients[part], ones, *read)
        into, starts = np.unique(path.components[part, slot], return_index=True)
        view[:, into] += np.add.reduceat(product, starts, axis=1)


def _add_matrix(
    view: np.ndarray, path: Path, slot: int, source: int, array: np.ndarray, letters: str
) -> None:
    """A linear path as one matrix product."""
    matrix = np.zeros((view.shape[1], array.shape[1]))
    where = path.components[:, slot], path.components[:, source]
    np.add.at(matrix, where, path.coefficients)
    product = np.einsum(f"Zi{letters}->i{letters}Z", array)
    summed = np.tensordot(matrix, product, 1)
    view += np.einsum(f"k{letters}Z->Zk{path.factors[slot].letters}", summed)


def _block(known: Mapping[str, np.ndarray], operand: Operand, block: int) -> np.ndarray:
    """One block as a view (rows, components, *channels)."""
    shape, start = operand.blocks[block], operand.offsets[block]
    table = known[operand.name][:, start : start + shape.size]
    return table.reshape(len(table), shape.components, *shape.channels)
