"""The matrix product: an algebra of matrices, all couplings but those of a vanishing 6j symbol."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sympy import Rational
from sympy.physics.wigner import wigner_6j

from schur.decompositions import Expressivity, expressivity
from schur.engine import Routine
from schur.errors import RepresentationError
from schur.forms import evaluate
from schur.products import matrix_product
from schur.reps import Irreps, clebsch_gordan
from schur.testing import assert_agrees_with_oracle, assert_derivatives, assert_equivariant

EPS = float(np.finfo(np.float64).eps)


def matrix(x: np.ndarray, degree: int) -> np.ndarray:
    """Σ_jm x_jm √(2j+1) C: the matrix of the degrees 0 to 2l."""
    total = np.zeros((2 * degree + 1, 2 * degree + 1))
    for j in range(2 * degree + 1):
        part = clebsch_gordan(degree, degree, j) @ x[j**2 : (j + 1) ** 2]
        total += (2 * j + 1) ** 0.5 * part
    return total


@pytest.mark.parametrize("degree", [1, 2])
def test_it_is_the_product_of_matrices(degree: int) -> None:
    """Without weights and with all degrees the embedding is an orthogonal isomorphism."""
    rep = Irreps.spherical_harmonics(2 * degree, 1)
    x, y = np.random.default_rng(degree).standard_normal((2, rep.dim))
    program = matrix_product(rep, rep, rep, weight=None).program
    out = evaluate(program, {"x": x[None], "y": y[None]})["out"][0]
    expected = matrix(x, degree) @ matrix(y, degree)
    assert np.abs(matrix(out, degree) - expected).max() <= 64 * EPS * np.abs(expected).max()


def test_it_is_associative() -> None:
    rep = Irreps.spherical_harmonics(2, 1) + Irreps("0o+1o+2o")
    program = matrix_product(rep, rep, rep, weight=None).program
    x, y, z = np.random.default_rng(0).standard_normal((3, 1, rep.dim))

    def times(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return evaluate(program, {"x": a, "y": b})["out"]

    left, right = times(times(x, y), z), times(x, times(y, z))
    assert np.abs(left - right).max() <= 64 * EPS * np.abs(left).max()


@pytest.mark.parametrize("space", ["1e", "0e+1o"])
def test_laws(space: str) -> None:
    generator = torch.Generator().manual_seed(0)
    rep = Irreps("2x0e+2x1o+2x1e")
    program = matrix_product(rep, rep, rep, Irreps(space)).program
    routine = Routine(program, "torch")
    x, y = torch.randn(2, 2, rep.dim, dtype=torch.float64, generator=generator)
    weight = torch.randn(program.values["weight"].size, dtype=torch.float64, generator=generator)
    assert_equivariant(lambda x, y: routine(x, y, weight), [rep, rep], rep, [x, y])
    assert_derivatives(routine, [x[:1], y[:1], weight], order=2, fast=True)
    assert_agrees_with_oracle(program, "torch", order=1)


def test_couplings_are_missing_where_a_6j_symbol_vanishes() -> None:
    """{5 5 3; 3 3 3} = 0, although 5, 5, 3 couple: found by running, not by rule."""
    rep = Irreps("3e+5e")
    product = matrix_product(rep, rep, rep, Irreps("3e"))
    found = {tuple(ir.l for ir in triple) for triple in product.missing}
    degrees = [(a, b, c) for a in (3, 5) for b in (3, 5) for c in (3, 5)]
    three = Rational(3)
    expected = {ls for ls in degrees if wigner_6j(*ls, three, three, three) == 0}
    assert found == expected == {(3, 5, 5), (5, 3, 5), (5, 5, 3)}
    # Another space has the coupling.
    assert not matrix_product(rep, rep, rep, Irreps("4e")).missing


def test_expressivity() -> None:
    """Every coupling to degree L in the span, as many free weights as a Gaunt product."""
    for lmax, couplings in ((1, 5), (2, 15), (3, 34)):
        rep = Irreps.spherical_harmonics(lmax, 1)
        product = matrix_product(rep, rep, rep)
        assert expressivity(product.program) == Expressivity(couplings, 3 * (lmax + 1) - 2)


@pytest.mark.parametrize(
    ("rep", "out", "space", "message"),
    [
        ("3e", "3e", "1e", "no place"),
        ("1o", "1o", "1e", "cannot come out"),
        ("1e", "1e", "2x1e", "stands once"),
    ],
)
def test_bad_arguments_are_refused(rep: str, out: str, space: str, message: str) -> None:
    with pytest.raises(RepresentationError, match=message):
        matrix_product(Irreps(rep), Irreps(rep), Irreps(out), Irreps(space))
