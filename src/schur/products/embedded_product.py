"""Products by way of an algebra: embed both inputs, multiply there, read the output off.

What Gaunt and matrix products share.  Each irrep enters the algebra in one or several ways, each
with its own weight; ways that behave differently under inversion enter different copies of the
algebra, their *classes* +1 and -1, and classes multiply like signs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from itertools import product as pairs
from typing import Literal

import numpy as np
from jaxtyping import Float64, Int64

from schur.errors import RepresentationError
from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement
from schur.products.product import Product
from schur.reps import Irreps

Weight = Literal["shared", "row"] | None


@dataclass(frozen=True, eq=False)
class Way:
    """One embedding of one term: an isometry of its irrep into the algebra.

    Args:
        term: which term of the representation.
        sign: the class.
        tensor: shape (2l+1, components of the algebra).
        label: which way, for a reader; empty where a term has one only.
    """

    term: int
    sign: int
    tensor: Float64[np.ndarray, "_ _"]
    label: str = ""


@dataclass(frozen=True, eq=False)
class Side:
    """One operand of a product, and how it enters the algebra.

    Args:
        rep: its representation, of one multiplicity.
        ways: at least one for each term.
    """

    rep: Irreps
    ways: tuple[Way, ...]

    @property
    def channels(self) -> tuple[int, ...]:
        """The channel axis that all terms share; none for single copies, which broadcast."""
        (mul,) = {mul for mul, _ in self.rep}
        return () if mul == 1 else (mul,)

    @property
    def letters(self) -> str:
        """The channel letter, if there are channels."""
        return "u" * len(self.channels)

    @cached_property
    def classes(self) -> tuple[int, ...]:
        """Which copies of the algebra are used."""
        return tuple(sorted({way.sign for way in self.ways}, reverse=True))

    def operand(self, name: str) -> Operand:
        """The operand in its representation."""
        blocks = (Block(ir.dim, self.channels, str(ir)) for _, ir in self.rep)
        return Operand(name, tuple(blocks))

    def weight_blocks(self) -> list[Block]:
        """One weight for each way and channel."""
        return [
            Block(1, self.channels, f"{self.rep[way.term].ir} {way.label}".strip())
            for way in self.ways
        ]

    def value(self, name: str, components: int) -> Operand:
        """An operand with one block for each class."""
        blocks = (Block(components, self.channels, f"class {c:+d}") for c in self.classes)
        return Operand(name, tuple(blocks))


Core = Callable[[Sequence[Operand]], Sequence[Statement]]


def check_multiplicities(rep_in1: Irreps, rep_in2: Irreps, rep_out: Irreps) -> None:
    """Raise unless the product can be taken channel by channel.

    Raises:
        RepresentationError: if multiplicities differ or an operand is empty.
    """
    muls = [{mul for mul, _ in rep} for rep in (rep_in1, rep_in2, rep_out)]
    several = set().union(*muls) - {1}
    if any(len(m) != 1 for m in muls) or len(several) > 1 or 0 in several:
        raise RepresentationError(
            "this product works channel by channel, on equally many of each irrep",
            got=f"{rep_in1}, {rep_in2} -> {rep_out}",
            expected="one multiplicity for all terms; an operand may have 1 throughout",
            remedy="put a Linear before it",
        )
    if several and muls[2] == {1}:
        raise RepresentationError(
            "the product of several channels has several", got=rep_out, expected=several
        )


def embedded_product(sides: Sequence[Side], core: Core, weight: Weight) -> Product:
    """The product that a core makes of embedded operands.

    Args:
        sides: of x, y and out.
        core: makes the statements from the embedded operands `algebra1` and `algebra2` to
            `algebra`, which it is given.
        weight: one for each way and channel, `"shared"` by all rows or one `"row"` each; or None.
    """
    x, y, out = (side.operand(name) for side, name in zip(sides, ("x", "y", "out"), strict=True))
    inside = [
        side.value(name, side.ways[0].tensor.shape[1])
        for side, name in zip(sides, ("algebra1", "algebra2", "algebra"), strict=True)
    ]
    blocks = [side.weight_blocks() for side in sides]
    held = None if weight is None else Operand("weight", tuple(chain(*blocks)), weight)
    starts = (0, len(blocks[0]), len(blocks[0]) + len(blocks[1]))
    statements = (
        Statement(_embedding(sides[0], x, inside[0], held, starts[0]), "algebra1"),
        Statement(_embedding(sides[1], y, inside[1], held, starts[1]), "algebra2"),
        *core(inside),
        Statement(_embedding(sides[2], out, inside[2], held, starts[2]), "out"),
    )
    inputs = (x, y) if held is None else (x, y, held)
    program = Program(inputs, statements, ("out",))
    return Product(program, sides[0].rep, sides[1].rep, sides[2].rep)


def _embedding(
    side: Side, operand: Operand, inside: Operand, weight: Operand | None, start: int
) -> Form:
    """Between a representation and the algebra: opened at one end it embeds, at the other reads."""
    paths = []
    for number, way in enumerate(side.ways):
        factors = [
            Factor(operand.name, way.term, side.letters),
            Factor(inside.name, side.classes.index(way.sign), side.letters),
        ]
        tensor = way.tensor
        if weight is not None:
            factors.append(Factor(weight.name, start + number, side.letters))
            tensor = tensor[..., None]
        paths.append(Path.dense(factors, tensor))
    operands = (operand, inside) if weight is None else (operand, weight, inside)
    return Form(operands, tuple(paths))


def linear_in_each_class(
    side: Side, source: Operand, target: Operand, matrix: Float64[np.ndarray, "rows columns"]
) -> Statement:
    """The same matrix on every copy of the algebra."""
    paths = tuple(
        Path.dense(
            (Factor(target.name, k, side.letters), Factor(source.name, k, side.letters)), matrix
        )
        for k in range(len(source.blocks))
    )
    return Statement(Form((source, target), paths), target.name)


def multiplied(
    sides: Sequence[Side],
    values: Sequence[Operand],
    components: Int64[np.ndarray, "terms 3"],
    coefficients: Float64[np.ndarray, " terms"],
) -> Statement:
    """A bilinear map, for each pair of classes whose product is asked for."""
    paths = []
    for (a, sign1), (b, sign2) in pairs(enumerate(sides[0].classes), enumerate(sides[1].classes)):
        if sign1 * sign2 in sides[2].classes:
            places = (a, b, sides[2].classes.index(sign1 * sign2))
            factors = tuple(
                Factor(value.name, place, side.letters)
                for value, place, side in zip(values, places, sides, strict=True)
            )
            paths.append(Path(factors, components, coefficients))
    return Statement(Form(tuple(values), tuple(paths)), values[2].name)
