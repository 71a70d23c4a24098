"""Canonical decompositions: planted ones are found, the Gaunt grid is one, errors are honest."""

from __future__ import annotations

import numpy as np
import pytest

from schur.decompositions import canonical, canonical_from, trilinear
from schur.errors import FormError
from schur.forms import Block, Factor, Form, Operand, Path, Program, evaluate
from schur.harmonics import SphereGrid, harmonic_values
from schur.products import gaunt
from schur.reps import Irreps
from schur.testing import assert_agrees_with_oracle

EPS = float(np.finfo(np.float64).eps)


def gaunt_form(lmax: int) -> Form:
    """The product of functions of degree up to L, its coefficients written out."""
    rep = Irreps.spherical_harmonics(lmax)
    (form,) = (
        s.form
        for s in gaunt(rep, rep, rep, "coefficients", None).program.statements
        if s.target == "algebra"
    )
    return form


def dense(tensor: np.ndarray) -> Form:
    operands = tuple(
        Operand(name, (Block(n),)) for name, n in zip(("x", "y", "out"), tensor.shape, strict=True)
    )
    return Form(operands, (Path.dense([Factor(o.name) for o in operands], tensor),))


def on_grid(lmax: int, grid: SphereGrid) -> np.ndarray:
    return harmonic_values(lmax, grid.points.reshape(-1, 3), "integral").T


def same(program: Program, form: Form, out: str, error: float) -> bool:
    """Whether a program is the map of the form up to a share `error` of the tensor's size."""
    reference = form.open(out)
    rng = np.random.default_rng(0)
    values = {
        o.name: rng.standard_normal((3, o.size))
        if o.mode == "row"
        else rng.standard_normal((4, o.size))
        for o in reference.inputs
    }
    index = {name: rng.integers(0, 4, 3) for name in reference.indices}
    sizes = dict.fromkeys(reference.indices, 4)
    expected = evaluate(reference, values, index, sizes)[out]
    found = evaluate(program, values, index, sizes)[out]
    size = np.linalg.norm(trilinear(form, out).tensor)
    size *= float(np.prod([np.linalg.norm(value) for value in values.values()]))
    return bool(np.linalg.norm(found - expected) <= error * size)


@pytest.mark.parametrize("lmax", [1, 2, 3])
def test_the_gaunt_grid_is_a_canonical_decomposition(lmax: int) -> None:
    """Least squares over the points of the grid finds the weights of its quadrature."""
    grid = SphereGrid.exact(3 * lmax)
    harmonics = on_grid(lmax, grid)
    found = canonical_from(gaunt_form(lmax), [harmonics] * 3, "algebra")
    assert found.rank == grid.rings * grid.azimuths
    assert found.error <= 32 * EPS * (lmax + 1)
    weights = np.repeat(grid.weights[:, 0], grid.azimuths)
    assert np.abs(found.factors[2] - harmonics * weights).max() <= 64 * EPS
    assert same(found.program, gaunt_form(lmax), "algebra", 64 * EPS)


def test_a_grid_of_one_degree_less_is_none() -> None:
    grid = SphereGrid.exact(5)
    found = canonical_from(gaunt_form(2), [on_grid(2, grid)] * 3, "algebra")
    assert found.error > 0.01
    # The stated error is that of the program: allowed in full it passes, by a hundredth not.
    assert same(found.program, gaunt_form(2), "algebra", found.error)
    assert not same(found.program, gaunt_form(2), "algebra", found.error / 100)


def test_superfluous_candidates_are_left_out() -> None:
    """Of any number of points as many stay as polynomials of degree 3L are independent."""
    lmax = 2
    points = np.random.default_rng(0).standard_normal((70, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    harmonics = harmonic_values(lmax, points, "integral").T
    all_of_them = canonical_from(gaunt_form(lmax), [harmonics] * 3, "algebra")
    fewer = canonical_from(gaunt_form(lmax), [harmonics] * 3, "algebra", reduce=True)
    assert (all_of_them.rank, fewer.rank) == (70, (3 * lmax + 1) ** 2)
    assert max(all_of_them.error, fewer.error) < 1e-11


def test_the_search_beats_the_grid() -> None:
    """The product of two functions of degree 1 takes 8 points, and 6 products."""
    form = gaunt_form(1)
    found = canonical(form, 6, "algebra")
    assert found.error <= 1e-12
    assert same(found.program, form, "algebra", 4e-12)
    # Below the rank of an unfolding nothing is exact.
    assert canonical(form, 3, "algebra").error > 0.1


def test_a_planted_decomposition_is_found() -> None:
    rng = np.random.default_rng(1)
    A, B, C = (rng.standard_normal((n, 4)) for n in (5, 4, 6))
    tensor = np.einsum("ir,jr,kr->ijk", A, B, C)
    found = canonical(dense(tensor), 4)
    assert found.error <= 1e-12
    # Essentially unique: the columns of the first factor agree up to order and scale.
    cosines = (A / np.linalg.norm(A, axis=0)).T @ (
        found.factors[0] / np.linalg.norm(found.factors[0], axis=0)
    )
    assert np.allclose(np.abs(cosines).max(1), 1, atol=1e-9)
    again = canonical(dense(tensor), 4)
    assert all(np.array_equal(a, b) for a, b in zip(found.factors, again.factors, strict=True))


def test_gathered_and_summed_operands_and_channels_carry_over() -> None:
    """Rows, tables and channel letters of the form are those of the program."""
    rng = np.random.default_rng(0)
    tensor = np.einsum("ir,jr,kr->ijk", *(rng.standard_normal((n, 2)) for n in (3, 4, 3)))
    x = Operand("x", (Block(1, (3,)), Block(2, (3,))), "indexed", "senders")
    y = Operand("y", (Block(4),))
    out = Operand("out", (Block(3, (3,)),), "indexed", "receivers")
    form = Form(
        (x, y, out),
        tuple(
            Path.dense((Factor("x", k, "u"), Factor("y"), Factor("out", 0, "u")), part)
            for k, part in enumerate((tensor[:1], tensor[1:]))
        ),
    )
    found = canonical(form, 2)
    assert found.error <= 1e-12
    assert same(found.program, form, "out", 1e-11)
    assert_agrees_with_oracle(found.program, "torch", order=1)


def test_what_is_not_trilinear_is_refused() -> None:
    x, out = Operand("x", (Block(2),)), Operand("out", (Block(2),))
    twice = Path([Factor("x"), Factor("x"), Factor("out")], [[0, 1, 0]], [1.0])
    with pytest.raises(FormError, match="not trilinear"):
        canonical(Form((x, out), (twice,)), 1)
    y = Operand("y", (Block(2, (3,)), Block(2)))
    kinds = tuple(
        Path([Factor("x"), Factor("y", k, letters), Factor("out")], [[0, 0, 0]], [1.0])
        for k, letters in enumerate(("u", ""))
    )
    with pytest.raises(FormError, match="differ in their channels"):
        canonical(Form((x, y, out), kinds), 1)
    with pytest.raises(FormError, match="no such operand"):
        canonical(dense(np.ones((1, 1, 1))), 1, "z")
    with pytest.raises(FormError, match="at least one"):
        canonical(dense(np.ones((1, 1, 1))), 0)
    with pytest.raises(FormError, match="candidates do not fit"):
        canonical_from(dense(np.ones((1, 1, 1))), [np.ones((1, 2))] * 2 + [np.ones((1, 3))])
