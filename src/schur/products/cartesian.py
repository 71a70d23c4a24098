"""The product of irreps of degree up to two as 3 x 3 matrices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as pairs
from math import prod

import numpy as np

from schur.errors import RepresentationError
from schur.forms import Factor, Form, Operand, Path, Statement
from schur.products.embedded_product import (
    Side,
    Way,
    Weight,
    check_multiplicities,
    embedded_product,
)
from schur.products.product import Product
from schur.reps import Irreps
from schur.reps.cartesian import cartesian_basis


def cartesian(
    rep_in1: Irreps, rep_in2: Irreps, rep_out: Irreps, weight: Weight = "shared"
) -> Product:
    """Read both inputs as 3 x 3 matrices I + A + S, multiply these, split the result again.

        out = w · (X Y + Y X),    X = Σ_l w_l x_l,    Y = Σ_l w'_l y_l

    I is a multiple of the identity (degree 0), A antisymmetric (degree 1), S symmetric and
    traceless (degree 2).  Matrices with a polar vector as A go over into their transposes under
    inversion: X Y does not, X Y + Y X does, and X Y - Y X changes sign besides.  So with the
    *class* p (-1)^l of a part of degree l and parity p, products of classes c and c' make the class
    c c' by X Y + Y X (couplings of even degree sum) and -c c' by X Y - Y X (of odd sum).  Both are
    computed, each in so far as `rep_out` asks for it; reflections are never broken.

    Args:
        rep_in1, rep_in2, rep_out: representations of degrees up to 2 and one multiplicity, or of
            single irreps, which all channels share.
        weight: one for each term of each operand and channel, `"shared"` by all rows or one
            `"row"` each; or None.

    Returns:
        A product with inputs `x`, `y`, `weight` (blocks for x, then y, then out) and output `out`.

    Raises:
        RepresentationError: if a degree is above 2 or multiplicities differ.

    Source: Simeon and De Fabritiis, "TensorNet: Cartesian tensor representations for efficient
    learning of molecular potentials" (2023), section 3.3.

    Example:
        >>> rep = Irreps("8x0e+8x1o+8x2e")
        >>> cartesian(rep, rep, rep).missing
        ()
        >>> cartesian(rep, rep, Irreps("8x1e+8x2o")).missing  # X Y - Y X
        ()
    """
    check_multiplicities(rep_in1, rep_in2, rep_out)
    reps = (rep_in1, rep_in2, rep_out)
    if any(ir.l > 2 for rep in reps for _, ir in rep):
        raise RepresentationError(
            "3 x 3 matrices hold degrees up to 2",
            got=" and ".join(map(str, reps)),
            expected="0e, 0o, 1o, 1e, 2e, 2o",
            remedy="use tensor_product, gaunt or matrix_product for higher degrees",
        )
    basis = cartesian_basis(2)[1]
    sides = [
        Side(
            rep,
            tuple(
                Way(place, ir.p * (-1) ** ir.l, basis[:, ir.l**2 : (ir.l + 1) ** 2].T)
                for place, (_, ir) in enumerate(rep)
            ),
        )
        for rep in reps
    ]

    def core(inside: Sequence[Operand]) -> list[Statement]:
        return [Statement(_multiplied(sides, inside), inside[2].name)]

    return embedded_product(sides, core, weight)


def _multiplied(sides: Sequence[Side], matrices: Sequence[Operand]) -> Form:
    """X Y + Y X into the class of the product, X Y - Y X into the other."""
    i, j, k = (index.reshape(-1) for index in np.indices((3, 3, 3)))
    straight = np.stack([3 * i + k, 3 * k + j, 3 * i + j], axis=1)
    crossed = np.stack([3 * k + j, 3 * i + k, 3 * i + j], axis=1)
    components = np.concatenate([straight, crossed])
    paths = []
    for classes in pairs(*(enumerate(side.classes) for side in sides)):
        sign = prod(value for _, value in classes)
        factors = [
            Factor(matrix.name, place, side.letters)
            for matrix, (place, _), side in zip(matrices, classes, sides, strict=True)
        ]
        paths.append(Path(factors, components, np.repeat([1.0, sign], 27)).simplified())
    return Form(tuple(matrices), tuple(paths))
