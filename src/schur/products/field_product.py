"""Pointwise products of fields on the sphere: what scalar and vector Gaunt products share.

A field of spin s has at each point p of the sphere a tensor of degree s, in a fixed frame:

    F(p)_σ = Σ_{j, l} w_{jl} Σ_m x_{jm} √(2j+1) Σ_{m'} C^{lsj}_{m'σm} Y_{lm'}(p).

For s = 0 that is Σ w_l x_lm Y_lm(p).  An inversion takes F(p) to c F(-p) with a sign c, the field's
class, so an irrep of degree j and parity p enters at orbital degree l the field of class p (-1)^l.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product as pairs
from math import sqrt
from typing import Literal

import numpy as np
from jaxtyping import Float64

from schur.errors import RepresentationError
from schur.forms import Operand, Statement
from schur.harmonics import gaunt_coefficients
from schur.products.embedded_product import (
    Side,
    Way,
    Weight,
    check_multiplicities,
    embedded_product,
    linear_in_each_class,
    multiplied,
)
from schur.products.product import Product
from schur.products.sphere_stages import fourier_stages, grid_stages
from schur.reps import Irrep, Irreps, clebsch_gordan

Method = Literal["grid", "fourier", "coefficients"]
Spins = tuple[int, int, int]
_STAGES = {"grid": grid_stages, "fourier": fourier_stages}


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
        RepresentationError: if multiplicities differ, an operand is empty, a term of the output
            cannot come out, or there is no such method.
    """
    if method not in (*_STAGES, "coefficients"):
        raise RepresentationError(
            "there is no such method", got=method, expected=[*_STAGES, "coefficients"]
        )
    check_multiplicities(rep_in1, rep_in2, rep_out)
    reps = (rep_in1, rep_in2, rep_out)
    _check_output(reps, spins)
    lmaxs = [rep.lmax + spin for rep, spin in zip(reps, spins, strict=True)]
    sides = [
        Side(rep, tuple(_ways(rep, spin, lmax)))
        for rep, spin, lmax in zip(reps, spins, lmaxs, strict=True)
    ]

    def core(inside: Sequence[Operand]) -> list[Statement]:
        if method == "coefficients":
            return [_by_coefficients(sides, inside, spins, lmaxs)]
        return _by_points(sides, inside, spins, lmaxs, method)

    return embedded_product(sides, core, weight)


def _orbital(ir: Irrep, spin: int) -> range:
    """The orbital degrees at which an irrep enters a field."""
    return range(abs(ir.l - spin), ir.l + spin + 1)


def _ways(rep: Irreps, spin: int, lmax: int) -> list[Way]:
    return [
        Way(
            place,
            ir.p * (-1) ** degree,
            _coupling(ir.l, degree, spin, lmax),
            f"at {degree}" if spin else "",
        )
        for place, (_, ir) in enumerate(rep)
        for degree in _orbital(ir, spin)
    ]


def _coupling(j: int, degree: int, spin: int, lmax: int) -> Float64[np.ndarray, "m field"]:
    """√(2j+1) C^{lsj}: an isometry from irrep j to the coefficients (σ, l m')."""
    tensor = np.zeros((2 * j + 1, 2 * spin + 1, (lmax + 1) ** 2))
    coupling = sqrt(2 * j + 1) * clebsch_gordan(degree, spin, j)
    tensor[:, :, degree**2 : (degree + 1) ** 2] = np.transpose(coupling, (2, 1, 0))
    return tensor.reshape(2 * j + 1, -1)


def _spin_coupling(spins: Spins) -> Float64[np.ndarray, "s1 s2 s3"]:
    """1, δ or ε: the coupling of the spins, with entries of size 1."""
    coupling = clebsch_gordan(*spins)
    return coupling / np.abs(coupling).max()


def _by_points(
    sides: list[Side], inside: Sequence[Operand], spins: Spins, lmaxs: list[int], method: str
) -> list[Statement]:
    """Synthesis of both factors, product point by point, analysis."""
    stages = _STAGES[method](*lmaxs)
    each = [np.eye(2 * spin + 1) for spin in spins]
    statements: list[Statement] = []
    values = []
    for k, matrices in enumerate((stages.synthesis1, stages.synthesis2)):
        source = inside[k]
        for number, matrix in enumerate(matrices):
            spread = np.kron(each[k], matrix)
            made = sides[k].value(f"values{k + 1}_{number + 1}", len(spread))
            statements.append(linear_in_each_class(sides[k], source, made, spread))
            source = made
        values.append(source)
    source = sides[2].value("product", len(each[2]) * stages.points)
    coupling = _spin_coupling(spins)
    entries = np.argwhere(coupling)
    components = entries[:, None] * stages.points + np.arange(stages.points)[:, None]
    coefficients = np.repeat(coupling[tuple(entries.T)], stages.points)
    statements.append(multiplied(sides, [*values, source], components.reshape(-1, 3), coefficients))
    for number, matrix in enumerate(stages.analysis):
        spread = np.kron(each[2], matrix)
        made = inside[2]
        if number + 1 < len(stages.analysis):
            made = sides[2].value(f"product_{number + 1}", len(spread))
        statements.append(linear_in_each_class(sides[2], source, made, spread))
        source = made
    return statements


def _by_coefficients(
    sides: list[Side], inside: Sequence[Operand], spins: Spins, lmaxs: list[int]
) -> Statement:
    """The product written out with the integrals of three harmonics that are not zero."""
    coupling = _spin_coupling(spins)
    degrees = [
        sorted({degree for _, ir in side.rep for degree in _orbital(ir, spin)})
        for side, spin in zip(sides, spins, strict=True)
    ]
    widths = np.array([(lmax + 1) ** 2 for lmax in lmaxs])
    components, coefficients = [], []
    for l1, l2, l3 in pairs(*degrees):
        if not _integral_exists(l1, l2, l3):
            continue
        integrals = gaunt_coefficients(l1, l2, l3)
        where = np.argwhere(integrals)
        for entry in np.argwhere(coupling):
            components.append(where + entry * widths + np.array([l1, l2, l3]) ** 2)
            coefficients.append(coupling[tuple(entry)] * integrals[tuple(where.T)])
    return multiplied(sides, inside, np.concatenate(components), np.concatenate(coefficients))


def _integral_exists(l1: int, l2: int, l3: int) -> bool:
    return (l1 + l2 + l3) % 2 == 0 and abs(l1 - l2) <= l3 <= l1 + l2


def _check_output(reps: Sequence[Irreps], spins: Spins) -> None:
    """Raise if parities and triangles, of total and of orbital degrees, leave a term empty."""
    for ir in dict.fromkeys(ir for _, ir in reps[2]):
        inputs = pairs({ir1 for _, ir1 in reps[0]}, {ir2 for _, ir2 in reps[1]})
        if not any(_couples((ir1, ir2, ir), spins) for ir1, ir2 in inputs):
            raise RepresentationError(
                f"{ir} cannot come out of this product",
                got=f"{reps[0]} x {reps[1]}",
                expected="irreps whose degrees, orbital and total, and parities couple",
                remedy=None if any(spins) else "vector_gaunt reaches odd sums of degrees",
            )


def _couples(irreps: tuple[Irrep, Irrep, Irrep], spins: Spins) -> bool:
    first, second, out = irreps
    degrees = pairs(*(_orbital(ir, spin) for ir, spin in zip(irreps, spins, strict=True)))
    # Parities multiply to (-1)^(l1+l2+l3) times the classes, so an even sum is class one.
    return out in tuple(first * second) and any(_integral_exists(*ls) for ls in degrees)
