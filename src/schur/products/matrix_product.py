"""The matrix product of (l ⊗ l) blocks: irreps as parts of square matrices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as pairs
from math import sqrt

import numpy as np

from schur.errors import RepresentationError
from schur.forms import Operand, Statement
from schur.products.embedded_product import (
    Side,
    Way,
    Weight,
    check_multiplicities,
    embedded_product,
    multiplied,
)
from schur.products.product import Product
from schur.reps import Irrep, Irreps, clebsch_gordan


def matrix_product(
    rep_in1: Irreps,
    rep_in2: Irreps,
    rep_out: Irreps,
    space: Irreps | Irrep | None = None,
    weight: Weight = "shared",
) -> Product:
    """Read both inputs as matrices on a space V, multiply them, read coefficients off.

        X_ab = Σ_j w_jab Σ_m x_jm √(2j+1) C^{abj}_{··m},    Z_ac = Σ_b X_ab Y_bc

    where a, b, c run over the irreps of V: the block l ⊗ l of one irrep l holds the degrees 0 to 2l
    once each.  All couplings are within reach, odd ones as commutators, save where a 6j symbol
    vanishes; in O(n³) operations for n = dim V, which grows like L for one irrep and like L² for
    all degrees to L.

    Args:
        rep_in1, rep_in2, rep_out: representations of one multiplicity, or of single irreps, which
            all channels share.
        space: V, each of its irreps once; without it the smallest single irrep whose block has
            all degrees.
        weight: `"shared"` by all rows, one `"row"` each, or None.

    Returns:
        A product with inputs `x`, `y`, `weight` (blocks for x, then y, then out) and output `out`.

    Raises:
        RepresentationError: if multiplicities differ or a term of an operand has no place in V ⊗ V
            or cannot come out.

    Source: Unke and Maennel, "E3x: E(3)-equivariant deep learning made easy" (2024), for the
    idea; Xie et al., "The price of freedom" (2025), section 3, as the matrix tensor product.

    Example:
        >>> rep = Irreps("4x0e+4x1e+4x2e")
        >>> product = matrix_product(rep, rep, rep)
        >>> product.missing, product.program.values["algebra1"].blocks[0].components
        ((), 9)
    """
    check_multiplicities(rep_in1, rep_in2, rep_out)
    highest = max(rep.lmax for rep in (rep_in1, rep_in2, rep_out))
    V = Irreps(Irrep((highest + 1) // 2, 1) if space is None else space)
    if any(mul != 1 for mul, _ in V):
        raise RepresentationError("each irrep of the space stands once", got=V, expected="1x…")
    reps = (rep_in1, rep_in2, rep_out)
    sides = [Side(rep, tuple(_ways(rep, V))) for rep in reps]
    for rep, side in zip(reps, sides, strict=True):
        _check_places(rep, side, V)
    _check_output(sides)

    def core(inside: Sequence[Operand]) -> list[Statement]:
        row, between, column = (index.reshape(-1) for index in np.indices((V.dim,) * 3))
        places = [row * V.dim + between, between * V.dim + column, row * V.dim + column]
        return [multiplied(sides, inside, np.stack(places, 1), np.ones(V.dim**3))]

    return embedded_product(sides, core, weight)


def _ways(rep: Irreps, space: Irreps) -> list[Way]:
    """One for each block of V ⊗ V that has the degree."""
    found = []
    slices = space.slices()
    for place, (_, ir) in enumerate(rep):
        for (a, (_, left)), (b, (_, right)) in pairs(enumerate(space), enumerate(space)):
            if abs(left.l - right.l) <= ir.l <= left.l + right.l:
                tensor = np.zeros((ir.dim, space.dim, space.dim))
                coupling = sqrt(ir.dim) * clebsch_gordan(left.l, right.l, ir.l)
                tensor[:, slices[a], slices[b]] = np.moveaxis(coupling, -1, 0)
                sign = ir.p * left.p * right.p
                label = f"in {left} x {right}" if len(space) > 1 else ""
                found.append(Way(place, sign, tensor.reshape(ir.dim, -1), label))
    return found


def _check_places(rep: Irreps, side: Side, space: Irreps) -> None:
    for place in set(range(len(rep))) - {way.term for way in side.ways}:
        raise RepresentationError(
            f"{rep[place].ir} has no place in a matrix on {space}",
            got=rep,
            expected=f"degrees up to {2 * space.lmax}",
            remedy="take a larger space",
        )


def _check_output(sides: Sequence[Side]) -> None:
    inputs = [(ir1, ir2) for _, ir1 in sides[0].rep for _, ir2 in sides[1].rep]
    for _, ir in sides[2].rep:
        if not any(ir in tuple(ir1 * ir2) for ir1, ir2 in inputs):
            raise RepresentationError(
                f"{ir} cannot come out of this product",
                got=f"{sides[0].rep} x {sides[1].rep}",
                expected="irreps whose degrees and parities couple",
            )
