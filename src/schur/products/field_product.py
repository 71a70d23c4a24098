"""Pointwise products of fields on the sphere: what scalar and vector Gaunt products share.

A field of spin s has at each point p of the sphere a tensor of degree s, in a fixed frame:

    F(p)_σ = Σ_{j, l} w_{jl} Σ_m x_{jm} √(2j+1) Σ_{m'} C^{lsj}_{m'σm} Y_{lm'}(p).

For s = 0 that is Σ w_l x_lm Y_lm(p).  An inversion takes F(p) to c F(-p) with a sign c, the field's
class, so an irrep of degree j and parity p enters at orbital degree l the field of class p (-1)^l.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain
from itertools import product as pairs
from math import sqrt
from typing import Literal

import numpy as np
from jaxtyping import Float64

from schur.errors import RepresentationError
from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement
from schur.harmonics import gaunt_coefficients
from schur.products.product import Product
from schur.products.sphere_stages import Matrix, fourier_stages, grid_stages
from schur.reps import Irrep, Irreps, clebsch_gordan

Method = Literal["grid", "fourier", "coefficients"]
Weight = Literal["shared", "row"] | None
Spins = tuple[int, int, int]
_STAGES = {"grid": grid_stages, "fourier": fourier_stages}
_CLASSES = (1, -1)


@dataclass(frozen=True)
class _Side:
    """One operand of the product: its representation and the fields that it spans."""

    rep: Irreps
    spin: int

    @property
    def entries(self) -> list[tuple[int, int, int]]:
        """For each way into a field: term, orbital degree and class."""
        return [
            (place, degree, ir.p * (-1) ** degree)
            for place, (_, ir) in enumerate(self.rep)
            for degree in range(abs(ir.l - self.spin), ir.l + self.spin + 1)
        ]

    @property
    def lmax(self) -> int:
        """The highest orbital degree."""
        return max(degree for _, degree, _ in self.entries)

    @property
    def channels(self) -> tuple[int, ...]:
        """The channel axis that all terms share; none for single copies."""
        (mul,) = {mul for mul, _ in self.rep}
        return () if mul == 1 else (mul,)

    @property
    def letters(self) -> str:
        return "u" * len(self.channels)

    def operand(self, name: str) -> Operand:
        blocks = (Block(ir.dim, self.channels, str(ir)) for _, ir in self.rep)
        return Operand(name, tuple(blocks))

    def weight_blocks(self) -> list[Block]:
        return [
            Block(1, self.channels, f"{self.rep[place].ir}" + f" at {degree}" * (self.spin > 0))
            for place, degree, _ in self.entries
        ]

    def values(self, name: str, components: int, classes: tuple[int, ...]) -> Operand:
        """A value with one block for each class of field."""
        blocks = (Block(components, self.channels, f"class {c:+d}") for c in classes)
        return Operand(name, tuple(blocks))


def field_product(
    rep_in1: Irreps,
    rep_in2: Irreps,
    rep_out: Irreps,
    spins: Spins,
    method: Method,
    weight: Weight,
) -> Product:
    """The product of two fields of spins s1 and s2, coupled to s3 at each point, and projected.

    Raises:
        RepresentationError: if multiplicities differ, an operand is empty or a term of the output
            cannot come out.
    """
    sides = _checked(rep_in1, rep_in2, rep_out, spins)
    if method not in (*_STAGES, "coefficients"):
        raise RepresentationError(
            "there is no such method", got=method, expected=[*_STAGES, "coefficients"]
        )
    x, y, out = (side.operand(name) for side, name in zip(sides, ("x", "y", "out"), strict=True))
    classes = [tuple(c for c in _CLASSES if c in {e[2] for e in s.entries}) for s in sides]
    coefficients = [
        side.values(name, (2 * side.spin + 1) * (side.lmax + 1) ** 2, present)
        for side, name, present in zip(sides, ("field1", "field2", "field"), classes, strict=True)
    ]
    blocks = [side.weight_blocks() for side in sides]
    held = None if weight is None else Operand("weight", tuple(chain(*blocks)), weight)
    starts = (0, len(blocks[0]), len(blocks[0]) + len(blocks[1]))
    statements = [
        _embedding(sides[k], (x, y)[k], coefficients[k], classes[k], held, starts[k])
        for k in range(2)
    ]
    if method == "coefficients":
        statements.append(_by_coefficients(sides, coefficients, classes))
    else:
        statements += _by_points(sides, coefficients, classes, method)
    last = _embedding(sides[2], out, coefficients[2], classes[2], held, starts[2])
    statements.append(Statement(last.form, "out"))
    inputs = (x, y) if held is None else (x, y, held)
    return Product(Program(inputs, tuple(statements), ("out",)), rep_in1, rep_in2, rep_out)


def _embedding(
    side: _Side,
    operand: Operand,
    field: Operand,
    classes: tuple[int, ...],
    weight: Operand | None,
    start: int,
) -> Statement:
    """From a representation to the coefficients of its fields; read backwards, from them."""
    paths = []
    for number, (place, degree, sign) in enumerate(side.entries):
        tensor = _coupling(side.rep[place].ir.l, degree, side.spin, side.lmax)
        factors = [
            Factor(operand.name, place, side.letters),
            Factor(field.name, classes.index(sign), side.letters),
        ]
        if weight is not None:
            factors.append(Factor(weight.name, start + number, side.letters))
            tensor = tensor[..., None]
        paths.append(Path.dense(factors, tensor))
    operands = (operand, field) if weight is None else (operand, weight, field)
    return Statement(Form(operands, tuple(paths)), field.name)


def _coupling(j: int, degree: int, spin: int, lmax: int) -> Float64[np.ndarray, "m field"]:
    """√(2j+1) C^{lsj}: an isometry from irrep j to the coefficients (σ, l m')."""
    tensor = np.zeros((2 * j + 1, 2 * spin + 1, (lmax + 1) ** 2))
    coupling = sqrt(2 * j + 1) * clebsch_gordan(degree, spin, j)
    tensor[:, :, degree**2 : (degree + 1) ** 2] = np.transpose(coupling, (2, 1, 0))
    return tensor.reshape(2 * j + 1, -1)


def _by_points(
    sides: list[_Side], fields: list[Operand], classes: list[tuple[int, ...]], method: str
) -> list[Statement]:
    """Synthesis of both factors, product point by point, analysis."""
    stages = _STAGES[method](*(side.lmax for side in sides))
    statements: list[Statement] = []
    values = []
    for k, matrices in enumerate((stages.synthesis1, stages.synthesis2)):
        source = fields[k]
        for number, matrix in enumerate(matrices):
            spread = _for_each_component(matrix, sides[k])
            made = sides[k].values(f"values{k + 1}_{number + 1}", len(spread), classes[k])
            statements.append(_linear(sides[k], source, made, spread))
            source = made
        values.append(source)
    source = sides[2].values("product", (2 * sides[2].spin + 1) * stages.points, classes[2])
    statements.append(
        _multiplied(
            sides,
            [*values, source],
            classes,
            lambda s: _same_point(s, stages.points),
        )
    )
    for number, matrix in enumerate(stages.analysis):
        spread = _for_each_component(matrix, sides[2])
        made = fields[2]
        if number + 1 < len(stages.analysis):
            made = sides[2].values(f"product_{number + 1}", len(spread), classes[2])
        statements.append(_linear(sides[2], source, made, spread))
        source = made
    return statements


def _for_each_component(matrix: Matrix, side: _Side) -> Matrix:
    return np.kron(np.eye(2 * side.spin + 1), matrix)


def _linear(side: _Side, source: Operand, target: Operand, matrix: Matrix) -> Statement:
    """The same matrix on the field of each class."""
    paths = tuple(
        Path.dense(
            (Factor(target.name, k, side.letters), Factor(source.name, k, side.letters)), matrix
        )
        for k in range(len(source.blocks))
    )
    return Statement(Form((source, target), paths), target.name)


_Terms = tuple[np.ndarray, np.ndarray]


def _multiplied(
    sides: list[_Side],
    values: list[Operand],
    classes: list[tuple[int, ...]],
    terms: Callable[[list[_Side]], _Terms],
) -> Statement:
    """A bilinear statement for each pair of classes whose product is asked for."""
    components, coefficients = terms(sides)
    paths = []
    for (a, sign1), (b, sign2) in pairs(enumerate(classes[0]), enumerate(classes[1])):
        if sign1 * sign2 in classes[2]:
            factors = (
                Factor(values[0].name, a, sides[0].letters),
                Factor(values[1].name, b, sides[1].letters),
                Factor(values[2].name, classes[2].index(sign1 * sign2), sides[2].letters),
            )
            paths.append(Path(factors, components, coefficients))
    return Statement(Form(tuple(values), tuple(paths)), values[2].name)


def _spin_coupling(sides: list[_Side]) -> Float64[np.ndarray, "s1 s2 s3"]:
    """1, δ or ε: the coupling of the spins, with entries of size 1."""
    coupling = clebsch_gordan(*(side.spin for side in sides))
    return coupling / np.abs(coupling).max()


def _same_point(sides: list[_Side], points: int) -> _Terms:
    coupling = _spin_coupling(sides)
    spins = np.argwhere(coupling)
    components = spins[:, None] * points + np.arange(points)[:, None]
    return components.reshape(-1, 3), np.repeat(coupling[tuple(spins.T)], points)


def _by_coefficients(
    sides: list[_Side], fields: list[Operand], classes: list[tuple[int, ...]]
) -> Statement:
    """The product written out with the integrals of three harmonics that are not zero."""

    def terms(sides: list[_Side]) -> _Terms:
        coupling = _spin_coupling(sides)
        degrees = [sorted({degree for _, degree, _ in side.entries}) for side in sides]
        components, coefficients = [], []
        for l1, l2, l3 in pairs(*degrees):
            if (l1 + l2 + l3) % 2 or not abs(l1 - l2) <= l3 <= l1 + l2:
                continue
            integrals = gaunt_coefficients(l1, l2, l3)
            where = np.argwhere(integrals)
            for spins in np.argwhere(coupling):
                starts = np.array([l1**2, l2**2, l3**2]) + spins * [
                    (side.lmax + 1) ** 2 for side in sides
                ]
                components.append(where + starts)
                coefficients.append(coupling[tuple(spins)] * integrals[tuple(where.T)])
        return np.concatenate(components), np.concatenate(coefficients)

    return _multiplied(sides, fields, classes, terms)


def _checked(rep_in1: Irreps, rep_in2: Irreps, rep_out: Irreps, spins: Spins) -> list[_Side]:
    reps = (rep_in1, rep_in2, rep_out)
    muls = [{mul for mul, _ in rep} for rep in reps]
    several = set().union(*muls) - {1}
    if any(len(m) != 1 for m in muls) or len(several) > 1 or 0 in several:
        raise RepresentationError(
            "a product of fields works channel by channel, on equally many of each irrep",
            got=f"{rep_in1}, {rep_in2} -> {rep_out}",
            expected="one multiplicity for all terms; an operand may have 1 throughout",
            remedy="put a Linear before it",
        )
    if several and muls[2] == {1}:
        raise RepresentationError(
            "the product of several channels has several", got=rep_out, expected=several
        )
    sides = [_Side(rep, spin) for rep, spin in zip(reps, spins, strict=True)]
    for place, (_, ir) in enumerate(rep_out):
        if not _comes_out(sides, place):
            raise RepresentationError(
                f"{ir} cannot come out of this product",
                got=f"{rep_in1} x {rep_in2}",
                expected="irreps whose degrees, orbital and total, and parities couple",
                remedy="vector_gaunt reaches couplings of odd degree sum that gaunt does not"
                if spins == (0, 0, 0)
                else None,
            )
    return sides


def _comes_out(sides: list[_Side], place: int) -> bool:
    """Whether parities, and triangles of total and of orbital degrees, allow a term."""

    def total(side: _Side, term: int) -> Irrep:
        return side.rep[term].ir

    ends = [entry for entry in sides[2].entries if entry[0] == place]
    for (a, l1, c1), (b, l2, c2), (_, l3, c3) in pairs(sides[0].entries, sides[1].entries, ends):
        if c1 * c2 != c3 or (l1 + l2 + l3) % 2 or not abs(l1 - l2) <= l3 <= l1 + l2:
            continue
        if total(sides[2], place) in tuple(total(sides[0], a) * total(sides[1], b)):
            return True
    return False
