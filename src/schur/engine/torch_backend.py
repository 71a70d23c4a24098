"""The torch backend: any device, any number type, the reference that users can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import prod

import torch
from torch import Tensor

from schur.engine.tracing import is_traced
from schur.forms import Form, Operand, Path, Program

# Above this many numbers in a path's dense coefficient tensor its terms are multiplied one by one.
_DENSE_LIMIT = 4096
# How many numbers the products of one batch of terms may hold.
_TERM_BUFFER = 1 << 24


def run(
    program: Program,
    values: Sequence[Tensor],
    indices: Mapping[str, Tensor],
    lengths: Mapping[str, int],
) -> list[Tensor]:
    """Evaluate a program: gather, multiply path by path, sum.

    Args:
        program: what to compute.
        values: the inputs in order, shapes (size,), (rows, size) or (table, size).
        indices: for each index name its integers, shape (rows,).
        lengths: `"rows"` and for each index the length of its tables.
    """
    known = {operand.name: value for operand, value in zip(program.inputs, values, strict=True)}
    example = values[0]
    for statement in program.statements:
        target = program.values[statement.target]
        rows = example.new_zeros(lengths["rows"], target.size)
        for path in statement.form.paths:
            _add_path(rows, known, statement.form, path, target, indices)
        total = _collected(rows, target, indices, lengths)
        known[target.name] = known[target.name] + total if target.name in known else total
    return [
        known[name] if name in known else _empty(program.values[name], example, lengths)
        for name in program.outputs
    ]


def _empty(operand: Operand, example: Tensor, lengths: Mapping[str, int]) -> Tensor:
    """The value of an output that no statement adds to."""
    if operand.mode == "shared":
        return example.new_zeros(operand.size)
    return example.new_zeros(lengths[operand.index or "rows"], operand.size)


def _collected(
    rows: Tensor, target: Operand, indices: Mapping[str, Tensor], lengths: Mapping[str, int]
) -> Tensor:
    """From one line a row to the target's own shape."""
    if target.mode == "shared":
        return rows.sum(0)
    if target.index is None:
        return rows
    total = rows.new_zeros(lengths[target.index], target.size)
    return total.index_add_(0, indices[target.index], rows)


def _block(
    known: Mapping[str, Tensor], operand: Operand, block: int, indices: Mapping[str, Tensor]
) -> Tensor:
    """One block of one operand for every row: (rows or 1, components, *channels)."""
    shape = operand.blocks[block]
    start = operand.offsets[block]
    table = known[operand.name]
    table = (table[None] if operand.mode == "shared" else table)[:, start : start + shape.size]
    if operand.index is not None:
        table = table[indices[operand.index]]
    return table.reshape(table.shape[0], shape.components, *shape.channels)


def _add_path(
    rows: Tensor,
    known: Mapping[str, Tensor],
    form: Form,
    path: Path,
    target: Operand,
    indices: Mapping[str, Tensor],
) -> None:
    (slot,) = path.positions(target.name)
    factor = path.factors[slot]
    block = target.blocks[factor.block]
    start = target.offsets[factor.block]
    view = rows[:, start : start + block.size].view(len(rows), block.components, *block.channels)
    others = [k for k in range(len(path.factors)) if k != slot]
    arrays = [
        _block(known, form.by_name[path.factors[k].operand], path.factors[k].block, indices)
        for k in others
    ]
    letters = [path.factors[k].letters for k in others]
    missing = [letter for letter in factor.letters if not any(letter in text for text in letters)]
    ones = bool(missing) or not others
    if ones:  # letters that only the target has are broadcast, and so is a constant
        extents = form.extents(path)
        arrays.append(rows.new_ones(1, 1, *(extents[letter] for letter in missing)))
        letters.append("".join(missing))
    sizes = [array.shape[1] for array in arrays] + [block.components]
    columns = (*others, *([slot] if ones else []), slot)
    components, coefficients = _constants(path, columns, len(others) if ones else None, rows)
    if prod(sizes) <= _DENSE_LIMIT and len(arrays) <= 3:
        tensor = rows.new_zeros(sizes)
        tensor.index_put_(tuple(components), coefficients, accumulate=True)
        view += _contract(tensor, arrays, letters, factor.letters)
    else:
        _add_terms(view, coefficients, components, arrays, letters, factor.letters)


def _constants(
    path: Path, columns: tuple[int, ...], ones: int | None, example: Tensor
) -> tuple[list[Tensor], Tensor]:
    """For each column the component of every term, zero for that of the ones; the coefficients.

    Copied to another device once: such a copy has to be waited for. A tracer's tensors are not
    kept, as they are none outside of it.
    """
    make = _made_constants if example.device.type == "cpu" or is_traced() else _kept_constants
    return make(path, columns, ones, example.dtype, example.device)


def _made_constants(
    path: Path,
    columns: tuple[int, ...],
    ones: int | None,
    dtype: torch.dtype,
    device: torch.device,
) -> tuple[list[Tensor], Tensor]:
    places = path.components[:, list(columns)]
    if ones is not None:
        places[:, ones] = 0
    components = [torch.from_numpy(column.copy()).to(device) for column in places.T]
    return components, torch.from_numpy(path.coefficients.copy()).to(device, dtype)


@lru_cache(maxsize=4096)
def _kept_constants(
    path: Path,
    columns: tuple[int, ...],
    ones: int | None,
    dtype: torch.dtype,
    device: torch.device,
) -> tuple[list[Tensor], Tensor]:
    with torch.inference_mode(False):
        return _made_constants(path, columns, ones, dtype, device)


def _contract(tensor: Tensor, arrays: list[Tensor], letters: list[str], out: str) -> Tensor:
    """The dense contraction, an operand at a time, those with the fewest channels first."""
    axes = "ABCDEFGH"[: tensor.ndim]
    subscript, have = axes, tensor
    order = sorted(range(len(arrays)), key=lambda k: arrays[k].shape[1:].numel())
    for position, k in enumerate(order):
        remaining = [letters[j] for j in order[position + 1 :]] + [out]
        kept = "".join(c for c in subscript if c != axes[k])
        new = "".join(c for c in letters[k] if c not in kept)
        result = ("" if "Z" in kept else "Z") + kept + new
        result = "".join(c for c in result if c.isupper() or any(c in text for text in remaining))
        have = torch.einsum(f"{subscript},Z{axes[k]}{letters[k]}->{result}", have, arrays[k])
        subscript = result
    return torch.einsum(f"{subscript}->Z{axes[-1]}{out}", have)


def _add_terms(
    view: Tensor,
    coefficients: Tensor,
    components: list[Tensor],
    arrays: list[Tensor],
    letters: list[str],
    out: str,
) -> None:
    """The sparse contraction: the products of a batch of terms, added up by component."""
    channels: dict[str, int] = {}
    for text, array in zip(letters, arrays, strict=True):
        channels.update(zip(text, array.shape[2:], strict=True))
    batch = max(1, _TERM_BUFFER // max(1, view.shape[0] * prod(channels.values())))
    for first in range(0, len(coefficients), batch):
        part = slice(first, first + batch)
        read = [array[:, which[part]] for array, which in zip(arrays, components, strict=False)]
        subscripts = ",".join(["T"] + [f"ZT{text}" for text in letters])
        product = torch.einsum(f"{subscripts}->ZT{out}", coefficients[part], *read)
        view.index_add_(1, components[-1][part], product.expand(view.shape[0], *product.shape[1:]))
