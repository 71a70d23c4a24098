"""The Gaunt product: three ways that agree, exact, equivariant, and blind to odd couplings."""

from __future__ import annotations

from functools import lru_cache
from typing import get_args

import numpy as np
import pytest
import torch
from sympy.physics.wigner import gaunt as sympy_gaunt

from schur.engine import Routine
from schur.errors import RepresentationError
from schur.forms import cost, evaluate
from schur.harmonics import SphereGrid, SphereTransform, gaunt_coefficients, harmonic_values
from schur.products import gaunt, normalised, tensor_product
from schur.products.field_product import Method
from schur.reps import Irreps
from schur.testing import assert_agrees_with_oracle, assert_derivatives, assert_equivariant

METHODS: tuple[Method, ...] = get_args(Method)
BY_POINTS: tuple[Method, ...] = ("grid", "fourier")
EPS = float(np.finfo(np.float64).eps)
BOTH = Irreps("0e+1o+2e+0o+1e")
FEW = Irreps("2x0e+2x1o+2x1e")


@lru_cache
def quadrature(lmax: int) -> np.ndarray:
    """∫ Y_i Y_j Y_k on a grid of equal steps in both angles, weighed as the solid angle asks.

    Fejér's rule, of which the library knows nothing: exact to the degree of its steps.
    """
    steps = 3 * lmax + 2
    theta = (np.arange(steps) + 0.5) * np.pi / steps
    k = np.arange(1, steps // 2 + 1)
    fejer = 2 / steps * (1 - 2 * (np.cos(2 * k * theta[:, None]) / (4 * k**2 - 1)).sum(1))
    phi = np.arange(steps) * 2 * np.pi / steps
    sine, cosine = np.sin(theta)[:, None], np.cos(theta)[:, None]
    points = np.stack(np.broadcast_arrays(sine * np.sin(phi), cosine, sine * np.cos(phi)), -1)
    harmonics = harmonic_values(lmax, points.reshape(-1, 3), "integral")
    weights = np.repeat(fejer * 2 * np.pi / steps, steps)
    return np.einsum("p,pi,pj,pk->ijk", weights, harmonics, harmonics, harmonics, optimize=True)


def product(lmax: int, method: Method, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    rep = Irreps.spherical_harmonics(lmax)
    return evaluate(gaunt(rep, rep, rep, method, None).program, {"x": x, "y": y})["out"]


@pytest.mark.parametrize("degrees", [(0, 0, 0), (1, 1, 2), (2, 2, 2), (2, 3, 5), (3, 4, 5)])
def test_coefficients_against_sympy(degrees: tuple[int, int, int]) -> None:
    """The integral of three harmonics of order zero, which both conventions share."""
    at_zero = gaunt_coefficients(*degrees)[degrees]
    assert at_zero == pytest.approx(float(sympy_gaunt(*degrees, 0, 0, 0)), rel=8 * EPS)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("lmax", range(1, 9))
def test_against_quadrature(method: Method, lmax: int) -> None:
    """The check of the literature: to 1e-12 for L to 8."""
    x, y = np.random.default_rng(lmax).standard_normal((2, 2, (lmax + 1) ** 2))
    expected = np.einsum("ijk,zi,zj->zk", quadrature(lmax), x, y, optimize=True)
    found = product(lmax, method, x, y)
    assert np.abs(found - expected).max() <= 1e-12
    assert np.abs(found - expected).max() <= 64 * EPS * (lmax + 1) * np.abs(expected).max()


def test_a_grid_of_too_low_degree_is_told_apart() -> None:
    """A grid for the factors alone aliases: the product needs the degree of all three."""
    lmax = 3
    x, y = np.random.default_rng(lmax).standard_normal((2, 1, (lmax + 1) ** 2))
    coarse = SphereTransform(lmax, SphereGrid.exact(2 * lmax))
    aliased = coarse.analyse(coarse.synthesise(x) * coarse.synthesise(y))
    fine = SphereTransform(lmax, SphereGrid.exact(3 * lmax))
    exact = fine.analyse(fine.synthesise(x) * fine.synthesise(y))
    found = product(lmax, "grid", x, y)
    assert np.abs(found - exact).max() <= 64 * EPS * np.abs(exact).max()
    assert np.abs(found - aliased).max() > 0.01 * np.abs(exact).max()


@pytest.mark.parametrize(("method", "lmax"), [("grid", 8), ("fourier", 4)])
def test_blocks_of_odd_degree_sum_vanish(method: Method, lmax: int) -> None:
    """Entries of the method's own tensor, below 1e-14 wherever l1 + l2 + l3 is odd."""
    size = (lmax + 1) ** 2
    i, j = np.triu_indices(size)  # both factors are read alike
    found = product(lmax, method, np.eye(size)[i], np.eye(size)[j])
    degree = np.repeat(np.arange(lmax + 1), 2 * np.arange(lmax + 1) + 1)
    odd = (degree[i, None] + degree[j, None] + degree) % 2 == 1
    assert np.abs(found[odd]).max() < 1e-14
    assert np.abs(found[~odd]).max() > 0.1


def test_unequal_degrees_and_weights() -> None:
    """Against the sum over coefficients, written out with the weights of each operand."""
    rep1, rep2, rep3 = Irreps("2x1o+2x3o"), Irreps("0e+2e"), Irreps("2x1o+2x5o")
    draw = np.random.default_rng(0).standard_normal
    x, y, w = draw((3, 20)), draw((3, 6)), draw((3, 4 + 2 + 4))
    fields = [(x[:, :6].reshape(3, 3, 2), w[:, None, 0:2], 1)]
    fields.append((x[:, 6:].reshape(3, 7, 2), w[:, None, 2:4], 3))
    seconds = [(y[:, :1], w[:, 4:5], 0), (y[:, 1:], w[:, 5:6], 2)]
    expected = []
    for place, degree in enumerate((1, 5)):
        total = np.zeros((3, 2 * degree + 1, 2))
        for first, w1, l1 in fields:
            for second, w2, l2 in seconds:
                if degree in range(abs(l1 - l2), l1 + l2 + 1):
                    G = gaunt_coefficients(l1, l2, degree)
                    total += np.einsum("ijk,ziu,zj->zku", G, first * w1, second * w2)
        scale = w[:, None, 6 + 2 * place : 8 + 2 * place]
        expected.append((total * scale).reshape(3, -1))
    for method in METHODS:
        program = gaunt(rep1, rep2, rep3, method, "row").program
        found = evaluate(program, {"x": x, "y": y, "weight": w})["out"]
        np.testing.assert_allclose(found, np.concatenate(expected, 1), atol=200 * EPS)


@pytest.mark.parametrize("method", METHODS)
def test_laws(method: Method) -> None:
    """Equivariance under O(3), for functions of both classes; derivatives; backends."""
    generator = torch.Generator().manual_seed(0)
    rep = FEW
    program = gaunt(rep, rep, rep, method).program
    routine = Routine(program, "torch")
    x, y = torch.randn(2, 2, rep.dim, dtype=torch.float64, generator=generator)
    weight = torch.randn(program.values["weight"].size, dtype=torch.float64, generator=generator)
    assert_equivariant(lambda x, y: routine(x, y, weight), [rep, rep], rep, [x, y])
    assert_derivatives(routine, [x[:1], y[:1], weight], order=2, fast=True)
    for order in (0, 1):
        assert_agrees_with_oracle(program, "torch", order=order)


def test_the_compiled_routine_agrees() -> None:
    rep = Irreps("16x0e+16x1o+16x2e")
    program = gaunt(rep, rep, rep).program
    for order in (0, 1):
        assert_agrees_with_oracle(program, dtype=torch.float32, order=order)


def test_counted_operations_grow_with_the_third_power() -> None:
    """Of a grid, (L+1)^3.3 at most; of the coefficients, the fifth power: counted, not timed."""
    lmaxs = np.array([6, 9, 12])
    slopes = {}
    for method in METHODS:
        counts = []
        for lmax in lmaxs.tolist():
            rep = Irreps.spherical_harmonics(lmax)
            program = gaunt(rep, rep, rep, method, None).program
            counts.append(cost(program, {"rows": 1}).operations)
        slopes[method] = np.polyfit(np.log(lmaxs + 1), np.log(counts), 1)[0]
    assert slopes["grid"] < 3.3 and slopes["fourier"] < 3.3
    assert slopes["coefficients"] > 4.5


def test_missing_paths_are_those_of_odd_degree_sum() -> None:
    product = gaunt(BOTH, BOTH, BOTH)
    assert product.missing
    assert all((a.l + b.l + c.l) % 2 for a, b, c in product.missing)
    harmonics = Irreps.spherical_harmonics(3)
    assert not gaunt(harmonics, harmonics, harmonics).missing


def test_no_weights_make_a_cross_product() -> None:
    """Two vectors to a vector: the best fit leaves all of it, and Clebsch-Gordan leaves nothing."""
    with pytest.raises(RepresentationError, match="vector_gaunt"):
        gaunt(Irreps("1o"), Irreps("1o"), Irreps("1e"))
    x, y = np.random.default_rng(0).standard_normal((2, 20, 3))
    cross = np.cross(x, y).reshape(-1)
    rep = Irreps("1e")  # under rotations alone, where the product of vectors is a vector too
    lines = normalised(rep, rep, rep, [(0, 0, 0, "uuu", False)])
    coupled = evaluate(tensor_product(rep, rep, rep, lines), {"x": x, "y": y})["out"]
    blind = np.einsum("ijk,zi,zj->zk", gaunt_coefficients(1, 1, 1), x, y)
    for candidate, expected in ((blind, 1.0), (coupled, 0.0)):
        column = candidate.reshape(-1, 1)
        fit = column @ np.linalg.lstsq(column, cross, rcond=None)[0]
        residual = np.linalg.norm(cross - fit) / np.linalg.norm(cross)
        assert residual == pytest.approx(expected, abs=16 * EPS)


@pytest.mark.parametrize("method", BY_POINTS)
def test_equivariance_at_degree_eight(method: Method) -> None:
    rep = Irreps.spherical_harmonics(8)
    routine = Routine(gaunt(rep, rep, rep, method, None).program, "torch")
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 1, rep.dim, dtype=torch.float64, generator=generator)
    assert_equivariant(routine, [rep, rep], rep, [x, y])


@pytest.mark.parametrize(
    ("reps", "message"),
    [
        (("2x0e+3x1o", "0e", "2x0e"), "equally many"),
        (("2x0e", "3x0e", "2x0e"), "equally many"),
        (("", "0e", "0e"), "equally many"),
        (("2x0e", "0e", "0e"), "several channels has several"),
        (("0e", "0e", "2e"), "cannot come out"),
    ],
)
def test_bad_arguments_are_refused(reps: tuple[str, str, str], message: str) -> None:
    with pytest.raises(RepresentationError, match=message):
        gaunt(Irreps(reps[0]), Irreps(reps[1]), Irreps(reps[2]))
