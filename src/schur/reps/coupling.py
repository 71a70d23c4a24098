"""The basis in which a tensor product of two sums of O(3) irreps is a sum of irreps."""

from __future__ import annotations

import math

import numpy as np
from jaxtyping import Float

from schur.reps.clebsch_gordan import clebsch_gordan
from schur.reps.irrep import Irrep
from schur.reps.irreps import Irreps


def coupling_basis(first: Irreps, second: Irreps) -> tuple[Irreps, Float[np.ndarray, "dim dim"]]:
    """Irreps of first ⊗ second, sorted and joined, and the orthogonal matrix Q to them.

    (ρ_1 ⊗ ρ_2)(g) Q = Q σ(g). The column of degree l, order m from the orders of l1 and l2 holds
    √(2l+1) C^{l1 l2 l}_{m1 m2 m}. Channels of one irrep are ordered by the terms of the first
    factor, those of the second, then the channels of both.

    Example:
        >>> coupling_basis(Irreps("1o"), Irreps("2x1o"))[0]
        2x0e+2x1e+2x2e
    """
    columns: dict[Irrep, list[np.ndarray]] = {}
    starts = [where.start for where in second.slices()]
    for (mul1, ir1), where1 in zip(first, first.slices(), strict=True):
        for (mul2, ir2), start2 in zip(second, starts, strict=True):
            rows = _rows(where1.start, mul1, ir1, start2, mul2, ir2, second.dim)
            for ir in ir1 * ir2:
                block = np.zeros((first.dim * second.dim, ir.dim, mul1 * mul2))
                coupling = clebsch_gordan(ir1.l, ir2.l, ir.l) * ir.dim**0.5
                for channel, places in enumerate(rows):
                    block[places, :, channel] = coupling
                columns.setdefault(ir, []).append(block)
    found = sorted(columns)
    joined = [np.concatenate(columns[ir], axis=2) for ir in found]
    irreps = Irreps([(block.shape[2], ir) for ir, block in zip(found, joined, strict=True)])
    size = first.dim * second.dim
    flat = [block.reshape(size, math.prod(block.shape[1:])) for block in joined]
    return irreps.simplify(), np.concatenate([np.zeros((size, 0)), *flat], axis=1)


def _rows(
    start1: int, mul1: int, ir1: Irrep, start2: int, mul2: int, ir2: Irrep, dim2: int
) -> np.ndarray:
    # Shape (channels, m1, m2): where the entries of a pair of blocks lie in x ⊗ y.
    left = start1 + np.arange(ir1.dim * mul1).reshape(ir1.dim, mul1)
    right = start2 + np.arange(ir2.dim * mul2).reshape(ir2.dim, mul2)
    rows = left[:, :, None, None] * dim2 + right  # m1, u, m2, v
    return rows.transpose(1, 3, 0, 2).reshape(mul1 * mul2, ir1.dim, ir2.dim)
