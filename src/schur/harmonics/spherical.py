"""Real solid and spherical harmonics as programs: polynomials, exact at the poles and the origin.

Conventions are those of e3nn: the polar axis is y, degree 1 is (x, y, z), orders run from -l to l,
there is no Condon-Shortley phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import combinations_with_replacement
from math import comb

import numpy as np
from jaxtyping import Float

from schur.errors import RepresentationError
from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement, evaluate
from schur.harmonics.legendre import degree_scale, polynomial, recurrence

X, Y, Z = 0, 1, 2

# Up to this l - m a Legendre factor is written out in the monomials y^a (x²+z²)^b, which all
# orders share: fewer operations than the recurrence, above all in the derivatives, and in these
# two variables without cancellation.
_WRITTEN_OUT = 4

_Value = tuple[Operand, int]  # a value of the program and which of its components is meant
_Term = tuple[int, float, tuple[_Value, ...]]  # target component, coefficient, what is multiplied


def solid_harmonics(
    degrees: int | Sequence[int], normalization: str = "component", scaled: bool = False
) -> Program:
    """The program that computes real solid harmonics R_l(r) = |r|^l Y_l(r/|r|) in one pass.

        R_{l,±m}(x, y, z) = Q_l^m(y, x² + z²) · (Re, Im) (z + i x)^m

    Powers of z + i x and the factors Q_l^m come from recurrences, about two multiplications a
    component.  They are polynomials, so every derivative exists everywhere and `derive` gives it.
    Accurate to float64 for degrees beyond 30; in float32 the factors Q overflow from about
    degree 90.

    Args:
        degrees: the highest degree, for all from zero on; or a list of degrees in any order.
        normalization: `"component"`, `"norm"` or `"integral"`, see `degree_scale`.
        scaled: whether a second input `scale` (one number a row) multiplies the vector first.
            With the inverse length as scale the result is the spherical harmonics of a direction.

    Returns:
        A program with row operands: input `r` (x, y, z) and output `harmonics`, one block of
        2l+1 components for each degree.

    Raises:
        RepresentationError: if a degree is negative or no integer, or there is no degree.

    Example:
        >>> from schur.forms import evaluate
        >>> program = solid_harmonics([2], "norm")
        >>> evaluate(program, {"r": np.array([[0.0, 1.0, 0.0]])})["harmonics"].round(12) + 0.0
        array([[0., 0., 1., 0., 0.]])
    """
    wanted = checked_degrees(range(degrees + 1) if isinstance(degrees, int) else degrees, degrees)
    degree_scale(0, normalization)
    return _solid_harmonics(wanted, normalization, scaled)


def harmonic_values(
    degrees: int | Sequence[int],
    points: Float[np.ndarray, "n 3"],
    normalization: str = "component",
) -> Float[np.ndarray, "n components"]:
    """Solid harmonics as numbers, by the oracle: for tables and tests, where speed is no matter.

    Args:
        degrees: as in `solid_harmonics`.
        points: vectors (x, y, z), of any length.
        normalization: as in `solid_harmonics`.

    Example:
        >>> harmonic_values(1, np.array([[1.0, 2.0, 3.0]]), "norm").round(12)
        array([[1., 1., 2., 3.]])
    """
    return evaluate(solid_harmonics(degrees, normalization), {"r": points})["harmonics"]


def solid_harmonic_form(degree: int, normalization: str = "component") -> Form:
    """One degree as one form in which the operand `r` occurs `degree` times.

    The sum of monomials is exact but costs and cancels more and more as the degree grows; it is
    the definition that the recurrence of `solid_harmonics` is tested against.

    Example:
        >>> print(solid_harmonic_form(2, "norm"))
        form(r, harmonics): 1 path, 8 terms
          r          row  3 (1o)
          harmonics  row  5 (2e)
          harmonics[k] += r[i] * r[j]    8 terms
    """
    (ell,) = checked_degrees([degree], degree)
    scale = degree_scale(ell, normalization)
    r, out = Operand("r", (Block(3, (), "1o"),)), Operand("harmonics", (_block(ell),))
    monomials = {word: k for k, word in enumerate(combinations_with_replacement(range(3), ell))}
    tensor = np.zeros((len(monomials), 2 * ell + 1))
    for m in range(ell + 1):
        for j, coefficient in enumerate(polynomial(ell, m)):
            for a in range(m + 1):  # (z + i x)^m = Σ_a binomial(m, a) z^{m-a} (i x)^a
                column = ell + m if a % 2 == 0 else ell - m
                sign = -1 if a % 4 >= 2 else 1
                for b in range(j + 1):  # (x² + z²)^j
                    exponents = (a + 2 * b, ell - m - 2 * j, m - a + 2 * (j - b))
                    word = tuple(np.repeat((X, Y, Z), exponents).tolist())
                    weight = sign * comb(m, a) * comb(j, b) * coefficient * scale
                    tensor[monomials[word], column] += weight
    terms = [
        ((*word, column), tensor[row, column])
        for word, row in monomials.items()
        for column in np.flatnonzero(tensor[row])
    ]
    factors = (*[Factor("r")] * ell, Factor("harmonics"))
    path = Path(factors, np.array([t[0] for t in terms]), np.array([t[1] for t in terms]))
    return Form((r, out), (path,))


def checked_degrees(degrees: Sequence[int], got: object) -> tuple[int, ...]:
    """The degrees as a tuple.

    Raises:
        RepresentationError: if one is negative or no integer, or if there is none.
    """
    found = tuple(degrees)
    good = all(isinstance(degree, (int, np.integer)) and degree >= 0 for degree in found)
    if not found or not good:
        raise RepresentationError(
            "degrees of spherical harmonics are integers from zero on, at least one of them",
            got=got,
            expected="for example 3, or [0, 1, 2]",
        )
    return tuple(int(degree) for degree in found)


@lru_cache(maxsize=256)
def _solid_harmonics(degrees: tuple[int, ...], normalization: str, scaled: bool) -> Program:
    r = Operand("r", (Block(3, (), "1o"),))
    inputs, statements, vector = [r], [], r
    if scaled:
        scale, vector = Operand("scale", (Block(1, (), "0e"),)), r.renamed("direction")
        inputs.append(scale)
        statements.append(_statement(vector, [(k, 1.0, ((scale, 0), (r, k))) for k in range(3)]))
    powers, made = _plane_powers(vector, max(degrees))
    statements += made
    factors, made = _legendre_factors(vector, max(degrees), normalization)
    statements += made
    out = Operand("harmonics", tuple(_block(degree) for degree in degrees))
    statements.append(_output(out, degrees, powers, factors, normalization))
    return Program(tuple(inputs), tuple(statements), (out.name,)).pruned()


def _plane_powers(r: Operand, lmax: int) -> tuple[list[tuple[_Value, _Value]], list[Statement]]:
    """Real and imaginary part of (z + i x)^m; the list starts at m = 1."""
    real, imaginary = (r, Z), (r, X)
    powers, statements = [(real, imaginary)], []
    for m in range(2, lmax + 1):
        target = Operand(f"plane{m}", (Block(2),))
        a, b = powers[-1]
        terms = [
            (0, 1.0, (real, a)),
            (0, -1.0, (imaginary, b)),
            (1, 1.0, (imaginary, a)),
            (1, 1.0, (real, b)),
        ]
        statements.append(_statement(target, terms))
        powers.append(((target, 0), (target, 1)))
    return powers, statements


def _legendre_factors(
    r: Operand, lmax: int, normalization: str
) -> tuple[dict[int, Operand], list[Statement]]:
    """The values Q_l^m, m < l, one operand a degree; Q_m^m is a number and needs none."""
    monomials, statements = _monomials(r, min(lmax, _WRITTEN_OUT))
    square = Operand("square", (Block(1, (), "0e"),))
    if lmax > _WRITTEN_OUT:
        y2, plane2 = monomials[2]
        statements.append(_statement(square, [(0, 1.0, (y2,)), (0, 1.0, (plane2,))]))
    factors: dict[int, Operand] = {}
    for ell in range(1, lmax + 1):
        target = factors[ell] = Operand(f"legendre{ell}", (Block(ell),))
        scale = degree_scale(ell, normalization)
        terms: list[_Term] = []
        for m in range(ell):
            if ell - m <= _WRITTEN_OUT:
                written = zip(polynomial(ell, m), monomials[ell - m], strict=True)
                terms += [(m, scale * c, (monomial,)) for c, monomial in written]
            else:
                a, b = recurrence(ell, m)
                a *= scale / degree_scale(ell - 1, normalization)
                b *= scale / degree_scale(ell - 2, normalization)
                terms.append((m, a, ((r, Y), (factors[ell - 1], m))))
                terms.append((m, -b, ((square, 0), (factors[ell - 2], m))))
        statements.append(_statement(target, terms))
    return factors, statements


def _monomials(r: Operand, highest: int) -> tuple[dict[int, list[_Value]], list[Statement]]:
    """For each degree k the values y^{k-2j} (x²+z²)^j, j = 0 ... k/2."""
    monomials: dict[int, list[_Value]] = {1: [(r, Y)]}
    statements: list[Statement] = []
    for k in range(2, highest + 1):
        target = Operand(f"monomials{k}", (Block(k // 2 + 1),))
        terms: list[_Term] = [(j, 1.0, ((r, Y), v)) for j, v in enumerate(monomials[k - 1])]
        if k == 2:
            terms += [(1, 1.0, ((r, X), (r, X))), (1, 1.0, ((r, Z), (r, Z)))]
        elif k % 2 == 0:
            terms.append((k // 2, 1.0, (monomials[2][1], monomials[k - 2][-1])))
        statements.append(_statement(target, terms))
        monomials[k] = [(target, j) for j in range(k // 2 + 1)]
    return monomials, statements


def _output(
    out: Operand,
    degrees: tuple[int, ...],
    powers: list[tuple[_Value, _Value]],
    factors: dict[int, Operand],
    normalization: str,
) -> Statement:
    """Every component as Q_l^m times a part of (z + i x)^m."""
    paths: list[tuple[int, list[_Term]]] = []
    for position, ell in enumerate(degrees):
        scale = degree_scale(ell, normalization)
        terms: list[_Term] = [(0, scale, ())] if ell == 0 else [(ell, 1.0, ((factors[ell], 0),))]
        for m in range(1, ell + 1):
            real, imaginary = powers[m - 1]
            if m < ell:
                terms.append((ell - m, 1.0, ((factors[ell], m), imaginary)))
                terms.append((ell + m, 1.0, ((factors[ell], m), real)))
            else:
                sectoral = scale * polynomial(ell, ell)[0]
                terms += [(0, sectoral, (imaginary,)), (2 * ell, sectoral, (real,))]
        paths.append((position, terms))
    return _blocks_statement(out, paths)


def _statement(target: Operand, terms: Sequence[_Term]) -> Statement:
    """`target[k] += coefficient * product of values`, for a target of one block."""
    return _blocks_statement(target, [(0, terms)])


def _blocks_statement(
    target: Operand, terms_by_block: Sequence[tuple[int, Sequence[_Term]]]
) -> Statement:
    """Terms grouped into paths: those of one block that read the same operands."""
    operands: dict[str, Operand] = {}
    grouped: dict[tuple[Factor, ...], list[tuple[tuple[int, ...], float]]] = {}
    for block, terms in terms_by_block:
        for component, coefficient, read in terms:
            operands |= {operand.name: operand for operand, _ in read}
            factors = (*(Factor(operand.name) for operand, _ in read), Factor(target.name, block))
            entry = ((*(k for _, k in read), component), coefficient)
            grouped.setdefault(factors, []).append(entry)
    paths = tuple(
        Path(
            factors, np.array([c for c, _ in entries]), np.array([x for _, x in entries])
        ).simplified()
        for factors, entries in grouped.items()
    )
    return Statement(Form((*operands.values(), target), paths), target.name)


def _block(degree: int) -> Block:
    return Block(2 * degree + 1, (), f"{degree}{'eo'[degree % 2]}")
