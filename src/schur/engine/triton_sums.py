"""Kernels that do not depend on a program: sums of partial sums, in their order."""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["size"])
def sum_pieces(partial, out, start, size, WIDTH: tl.constexpr):
    """out[s] = Σ partial[p] over the pieces p = start[s] ... start[s + 1] of an entry s."""
    s = tl.program_id(0).to(tl.int64)
    c = tl.program_id(1) * WIDTH + tl.arange(0, WIDTH)
    inside = c < size
    total = tl.zeros([WIDTH], partial.dtype.element_ty)
    for piece in range(tl.load(start + s), tl.load(start + s + 1)):
        total += tl.load(partial + piece * size + c, mask=inside, other=0.0)
    tl.store(out + s * size + c, total, mask=inside)
