"""The kernel that does not depend on a program: partial sums, added up in their order."""

from __future__ import annotations

from functools import lru_cache
from types import ModuleType

from jaxtyping import Float, Int
from torch import Tensor

from schur.engine import triton_ahead, triton_module
from schur.engine.triton_source import HEAD

_WIDTH = 128
TEXT = f"""{HEAD}

@triton.jit(do_not_specialize=['size'])
def sum_pieces(partial, out, start, size):
    s = tl.program_id(0).to(tl.int64)
    c = tl.program_id(1) * {_WIDTH} + tl.arange(0, {_WIDTH})
    inside = c < size
    total = tl.zeros([{_WIDTH}], partial.dtype.element_ty)
    for piece in range(tl.load(start + s), tl.load(start + s + 1)):
        total += tl.load(partial + piece * size + c, mask=inside, other=0.0)
    tl.store(out + s * size + c, total, mask=inside)
"""


def sum_pieces(
    partial: Float[Tensor, "pieces size"], start: Int[Tensor, " entries_and_one"]
) -> Float[Tensor, "entries size"]:
    """For each entry s the sum of the lines `start[s]` to `start[s + 1]`, one after another."""
    entries, size = start.numel() - 1, partial.shape[1]
    out = partial.new_empty(entries, size)
    if out.numel():
        grid = (entries, -(-size // _WIDTH))
        options = {"num_warps": 1, "enable_fp_fusion": True}
        triton_ahead.launch(_module().sum_pieces, grid, (partial, out, start, size), options)
    return out


@lru_cache(maxsize=1)
def _module() -> ModuleType:
    return triton_module.module(TEXT, lambda: TEXT)
