"""Block maps and their gradients by the weights, evaluated: compiled C, or torch.

Rows are products with small matrices that several lines of one row share; `matrix.c` reads them
where they stand, which a call of a linear algebra library cannot.
"""

from __future__ import annotations

import ctypes
import itertools
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from schur.engine import allocation, c_backend, c_compiler, c_runtime, recording
from schur.engine.autocast import switched_off
from schur.engine.block_map import (
    BlockMap,
    RowGroups,
    in_torch,
    in_torch_by_group,
    outer_in_torch,
    outer_in_torch_by_group,
)

# Rows that share a packed matrix: few enough to stay in the second cache while all blocks of a
# map pass over them.
_ROWS_APPLY = 128
# Rows that one partial sum of a gradient covers at least, and how many partial sums there are at
# most. They depend on the data alone, so that sums are the same for any number of threads.
_ROWS_OUTER = 512
_MOST_PARTIALS = 32


class _Path(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("start_in", "start_out", "components")],
        *[(name, ctypes.c_int64) for name in ("mul_in", "mul_out", "start_weight")],
        ("scale", ctypes.c_double),
    ]


class _Call(ctypes.Structure):
    _fields_ = [
        ("paths", ctypes.c_void_p),
        *[(name, ctypes.c_int64) for name in ("count", "dim_in", "dim_out", "weight_numel")],
        ("transposed", ctypes.c_int64),
        *[(name, ctypes.c_void_p) for name in ("x", "y", "out", "order")],
    ]


def apply(
    x: Float[Tensor, "rows dim_in"],
    weight: Float[Tensor, "*groups weight_numel"],
    blocks: BlockMap,
    groups: RowGroups | None,
) -> Float[Tensor, "rows dim_out"]:
    """out[row] = Σ_paths scale x[row] W; without a gradient.

    Bit for bit the same for any number of threads.
    """
    if not _serves(x):
        with torch.no_grad(), switched_off(x.device):
            if groups is None:
                return in_torch(x, weight, blocks, None)
            return in_torch_by_group(x, weight, blocks, groups)
    out = allocation.empty(len(x), blocks.dim_out, like=x)
    if not blocks.covers:
        out.zero_()
    bounds = (0, len(x)) if groups is None else groups.bounds
    items, _ = _items(bounds, _ROWS_APPLY)
    _run("apply", x, weight, out, blocks, groups, items)
    return out


def outer(
    x: Float[Tensor, "rows dim_in"],
    g: Float[Tensor, "rows dim_out"],
    blocks: BlockMap,
    groups: RowGroups | None,
) -> Float[Tensor, "*groups weight_numel"]:
    """The gradient of ⟨g, apply(x, w)⟩ by w; itself without a gradient.

    Bit for bit the same for any number of threads.
    """
    if not _serves(x):
        with torch.no_grad(), switched_off(x.device):
            if groups is None:
                return outer_in_torch(x, g, blocks, None)
            return outer_in_torch_by_group(x, g, blocks, groups)
    bounds = (0, len(x)) if groups is None else groups.bounds
    items, pieces = _items(bounds, max(_ROWS_OUTER, -(-len(x) // _MOST_PARTIALS)))
    partial = allocation.empty(items.count, blocks.weight_numel, like=x)
    _run("outer", x, g, partial, blocks, groups, items)
    if groups is None:
        return _summed(partial, pieces[0])
    if all(piece == 1 for piece in pieces):
        return partial
    return torch.stack([_summed(part, len(part)) for part in partial.split(pieces)])


def _serves(example: Tensor) -> bool:
    return c_backend.missing() is None and c_backend.unfit(example) is None


def _summed(partial: Tensor, pieces: int) -> Tensor:
    """The sum of partial sums in their order."""
    if pieces == 0:
        return partial.new_zeros(partial.shape[1])
    total = partial[0]
    for piece in partial[1:]:
        total = total + piece
    return total


@lru_cache(maxsize=256)
def _items(bounds: tuple[int, ...], rows: int) -> tuple[c_runtime.Items, list[int]]:
    """Pieces of at most `rows` rows of each group; how many each group has."""
    words: list[int] = []
    pieces: list[int] = []
    number = 0
    for group, (begin, end) in enumerate(itertools.pairwise(bounds)):
        starts = range(begin, end, rows)
        for start in starts:
            words += [group, group + 1, start, min(start + rows, end), number, -1]
            number += 1
        pieces.append(len(starts))
    memory = (ctypes.c_int64 * len(words))(*words)
    return c_runtime.Items(memory, ctypes.addressof(memory), number), pieces


def _run(
    name: str,
    x: Tensor,
    y: Tensor,
    out: Tensor,
    blocks: BlockMap,
    groups: RowGroups | None,
    items: c_runtime.Items,
) -> None:
    used = c_backend.dense(x), c_backend.dense(y)
    order = None if groups is None else groups.order
    paths = _paths(blocks)
    call = _Call(
        ctypes.addressof(paths),
        len(paths),
        blocks.dim_in,
        blocks.dim_out,
        blocks.weight_numel,
        blocks.transposed,
        used[0].data_ptr(),
        used[1].data_ptr(),
        out.data_ptr(),
        None if order is None else order.data_ptr(),
    )
    kernel = _kernel(name, x.dtype)
    launch = c_runtime.launcher(kernel, call, items, blocks.operations * len(x))
    launch()
    if (recorder := recording.active()) is not None:
        recorder.kernel((x, y), used, (out,), (launch,), (call, paths, items, order))


def _paths(blocks: BlockMap) -> Any:
    """The paths as C reads them, those into one block next to each other; kept with the map."""
    held = blocks.__dict__.get("_c_paths")
    if held is None:
        ordered = sorted(blocks.paths, key=lambda path: path.start_out)
        fields = [entry[0] for entry in _Path._fields_]
        held = (_Path * len(ordered))(
            *[_Path(*[getattr(path, field) for field in fields]) for path in ordered]
        )
        blocks.__dict__["_c_paths"] = held
    return held


@lru_cache(maxsize=4)
def _kernel(name: str, dtype: torch.dtype) -> Any:
    text = f"typedef {c_backend.DTYPES[dtype]} T;\n"
    text += Path(__file__).with_name("matrix.c").read_text()
    return getattr(c_compiler.library_of(text), name)
