"""The meaning of a form, in plain numpy: slow, short and exact; backends are tested against it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from schur.errors import IndexRangeError, ShapeError
from schur.forms.form import Form, Operand, Path
from schur.forms.program import Program


def evaluate(
    program: Program,
    values: Mapping[str, np.ndarray],
    indices: Mapping[str, np.ndarray] | None = None,
    sizes: Mapping[str, int] | None = None,
) -> dict[str, np.ndarray]:
    """Run a program in the number type of its inputs.

    Args:
        program: what to compute.
        values: for each input an array of shape (size,), (rows, size) or (table, size) for the
            modes shared, row and indexed.
        indices: for each index name the integers (rows,) that point into its tables.
        sizes: `"rows"` and the table length of each index, where no input tells.

    Returns:
        The outputs by name.
    """
    indices = dict(indices or {})
    lengths = dict(sizes or {})
    for name, index in indices.items():
        lengths["rows"] = len(index)
        lengths.setdefault(name, 0)
    for operand in program.inputs:
        expected = {"shared": 1, "row": 2, "indexed": 2}[operand.mode]
        array = values[operand.name]
        if array.ndim != expected or array.shape[-1] != operand.size:
            raise ShapeError(
                f"operand {operand.name!r}", got=array.shape, expected=("...", operand.size)
            )
        if operand.mode != "shared":
            lengths[operand.index or "rows"] = len(array)
    for name, index in indices.items():
        if len(index) and (index.min() < 0 or index.max() >= lengths[name]):
            got = f"entries from {index.min()} to {index.max()}"
            raise IndexRangeError(f"index {name!r}", got=got, expected=f"0 to {lengths[name] - 1}")
    known = {name: np.asarray(array) for name, array in values.items()}
    dtype = np.result_type(*known.values())
    for statement in program.statements:
        target = program.values[statement.target]
        if target.name not in known:
            known[target.name] = np.zeros(_shape(target, lengths), dtype)
        for path in statement.form.paths:
            _add_path(known, statement.form, path, target, indices, lengths["rows"])
    return {name: known[name] for name in program.outputs}


def _shape(operand: Operand, lengths: Mapping[str, int]) -> tuple[int, ...]:
    if operand.mode == "shared":
        return (operand.size,)
    return (lengths[operand.index or "rows"], operand.size)


def _add_path(
    known: dict[str, np.ndarray],
    form: Form,
    path: Path,
    target: Operand,
    indices: Mapping[str, np.ndarray],
    rows: int,
) -> None:
    """Add one path, a term at a time: gather, multiply with einsum, scatter."""
    (slot,) = path.positions(target.name)
    others = [k for k in range(len(path.factors)) if k != slot]
    extents = form.extents(path)
    # Letters that only the target has are broadcast; a factor of ones carries them.
    ones = np.ones([rows, *extents.values()], known[target.name].dtype)
    subscripts = ",".join(
        ["Z" + "".join(extents)] + ["Z" + path.factors[k].letters for k in others]
    )
    subscripts += "->Z" + path.factors[slot].letters
    for components, coefficient in zip(
        path.components.tolist(), path.coefficients.tolist(), strict=True
    ):
        read = [
            _entry(
                known,
                form.by_name[path.factors[k].operand],
                path.factors[k].block,
                components[k],
                indices,
                rows,
            )
            for k in others
        ]
        product = coefficient * np.einsum(subscripts, ones, *read)
        block = target.blocks[path.factors[slot].block]
        width = block.size // block.components
        start = target.offsets[path.factors[slot].block] + components[slot] * width
        array = _table(known, target)[:, start : start + width]
        where = _rows(target, indices, rows)
        np.add.at(array, where, product.reshape(rows, width).astype(array.dtype))


def _table(known: Mapping[str, np.ndarray], operand: Operand) -> np.ndarray:
    """A value as a view with two axes; what all rows share is a table of one line."""
    array = known[operand.name]
    return array[None] if operand.mode == "shared" else array


def _rows(operand: Operand, indices: Mapping[str, np.ndarray], rows: int) -> np.ndarray:
    """Which line of the operand's table each row reads."""
    if operand.mode == "shared":
        return np.zeros(rows, np.int64)
    return np.arange(rows) if operand.index is None else indices[operand.index]


def _entry(
    known: dict[str, np.ndarray],
    operand: Operand,
    block: int,
    component: int,
    indices: Mapping[str, np.ndarray],
    rows: int,
) -> np.ndarray:
    """One component of one block for every row, channels unfolded."""
    shape = operand.blocks[block]
    width = shape.size // shape.components
    start = operand.offsets[block] + component * width
    table = _table(known, operand)[:, start : start + width]
    return table[_rows(operand, indices, rows)].reshape(rows, *shape.channels)
