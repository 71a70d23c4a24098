"""The product of irreps of degree up to two as 3 x 3 matrices."""

from __future__ import annotations

from itertools import product as pairs
from typing import Literal

import numpy as np
from jaxtyping import Float64

from schur.errors import RepresentationError
from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement
from schur.products.product import Product
from schur.reps import Irrep, Irreps
from schur.reps.cartesian import cartesian_basis

Weight = Literal["shared", "row"] | None


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
    reps = (rep_in1, rep_in2, rep_out)
    _check(*reps)
    x, y, out = (
        Operand(name, tuple(_block(ir.dim, mul, str(ir)) for mul, ir in rep))
        for name, rep in zip(("x", "y", "out"), reps, strict=True)
    )
    blocks = [_block(1, mul, str(ir)) for rep in reps for mul, ir in rep]
    held = None if weight is None else Operand("weight", tuple(blocks), weight)
    starts = (0, len(rep_in1), len(rep_in1) + len(rep_in2))
    classes = [tuple(dict.fromkeys(_class_of(ir) for _, ir in rep)) for rep in reps]
    matrices = [
        Operand(name, tuple(_block(9, rep[0].mul, f"class {c:+d}") for c in present))
        for name, rep, present in zip(("matrix1", "matrix2", "product"), reps, classes, strict=True)
    ]
    parts = [
        _parts(rep, operand, matrix, present, held, start)
        for rep, operand, matrix, present, start in zip(
            reps, (x, y, out), matrices, classes, starts, strict=True
        )
    ]
    statements = (
        Statement(parts[0], "matrix1"),
        Statement(parts[1], "matrix2"),
        Statement(_multiplied(matrices, classes), "product"),
        Statement(parts[2], "out"),
    )
    inputs = (x, y) if held is None else (x, y, held)
    return Product(Program(inputs, statements, ("out",)), *reps)


def _check(*reps: Irreps) -> None:
    if any(ir.l > 2 for rep in reps for _, ir in rep):
        raise RepresentationError(
            "3 x 3 matrices hold degrees up to 2",
            got=" and ".join(map(str, reps)),
            expected="0e, 0o, 1o, 1e, 2e, 2o",
            remedy="use tensor_product or gaunt for higher degrees",
        )
    muls = [{mul for mul, _ in rep} for rep in reps]
    several = set().union(*muls) - {1}
    if any(len(m) != 1 for m in muls) or len(several) > 1 or 0 in several:
        raise RepresentationError(
            "a product of matrices works channel by channel, on equally many of each irrep",
            got=" and ".join(map(str, reps)),
            expected="one multiplicity for all terms; an operand may have 1 throughout",
            remedy="put a Linear before it",
        )
    if several and muls[2] == {1}:
        raise RepresentationError(
            "the product of several channels has several", got=reps[2], expected=several
        )


def _block(components: int, mul: int, label: str) -> Block:
    """Single copies have no channel axis and broadcast."""
    return Block(components, () if mul == 1 else (mul,), label)


def _class_of(ir: Irrep) -> int:
    return ir.p * (-1) ** ir.l


def _parts(
    rep: Irreps,
    operand: Operand,
    matrix: Operand,
    classes: tuple[int, ...],
    weight: Operand | None,
    start: int,
) -> Form:
    """Between irreps and the matrices of their classes, orthogonal in either direction."""
    basis = cartesian_basis(2)[1]
    paths = []
    for place, (mul, ir) in enumerate(rep):
        letters = "" if mul == 1 else "u"
        factors = [
            Factor(operand.name, place, letters),
            Factor(matrix.name, classes.index(_class_of(ir)), letters),
        ]
        tensor = basis[:, ir.l**2 : (ir.l + 1) ** 2].T
        if weight is not None:
            factors.append(Factor(weight.name, start + place, letters))
            tensor = tensor[..., None]
        paths.append(Path.dense(factors, tensor))
    return Form((operand, matrix) if weight is None else (operand, weight, matrix), tuple(paths))


def _multiplied(matrices: list[Operand], classes: list[tuple[int, ...]]) -> Form:
    """X Y + Y X into the class of the product, X Y - Y X into the other."""
    i, j, k = (index.reshape(-1) for index in np.indices((3, 3, 3)))
    straight = np.stack([3 * i + k, 3 * k + j, 3 * i + j], axis=1)
    crossed = np.stack([3 * k + j, 3 * i + k, 3 * i + j], axis=1)
    components = np.concatenate([straight, crossed])
    letters = ["u" * len(matrix.blocks[0].channels) for matrix in matrices]
    paths = []
    for (a, sign1), (b, sign2) in pairs(enumerate(classes[0]), enumerate(classes[1])):
        for c, sign3 in enumerate(classes[2]):
            signs: Float64[np.ndarray, " terms"] = np.ones(54)
            signs[27:] = sign1 * sign2 * sign3
            factors = [
                Factor(matrix.name, place, text)
                for matrix, place, text in zip(matrices, (a, b, c), letters, strict=True)
            ]
            paths.append(Path(factors, components, signs).simplified())
    return Form(tuple(matrices), tuple(paths))
