"""Functions on sphere grids: exact for polynomials, the error of others measured and falling."""

from __future__ import annotations

from typing import Any

import e3nn.nn
import pytest
import torch

from schur.errors import RepresentationError, ShapeError
from schur.nn import SphereActivation
from schur.nn.grid_silu import grid_silu
from schur.reps import Irreps
from schur.testing import assert_derivatives, equivariance_error

from .laws import EPS, assert_close, normal, reference

REP = Irreps("3x0e+3x1o+3x2e")


def square(x: torch.Tensor) -> torch.Tensor:
    return x * x


@pytest.mark.parametrize("order", [None, 2, 6])
def test_a_polynomial_is_exact_from_its_degree_on_and_wrong_below(order: int | None) -> None:
    """A square of degree 2 L = 12 times harmonics of degree 6: in a frame 3 · order around."""
    fine, coarse = (SphereActivation(1, 6, grid, square, order) for grid in (18, 12))
    assert fine.equivariance_error() < 64 * EPS * 13
    assert coarse.equivariance_error() > 0.1


@pytest.mark.parametrize("order", [None, 2])
def test_the_error_of_silu_falls_tenfold_when_the_grid_is_doubled(order: int | None) -> None:
    errors = {
        grid: SphereActivation(1, 6, grid, order=order).equivariance_error()
        for grid in (24, 36, 48, 72)
    }
    assert errors[24] > 10 * errors[48] and errors[36] > 10 * errors[72]
    assert 1e-3 < errors[24] < 0.1 and errors[72] < 1e-5


def test_a_kink_converges_slowly() -> None:
    """What is not analytic stays wrong: the catch, and the reason why it is measured."""
    layer = SphereActivation(1, 6, 72, torch.relu)
    assert layer.equivariance_error() > 1e-3


def test_what_is_measured_is_what_rotations_find() -> None:
    """Reflections too: signals of natural parity are functions on the sphere."""
    for grid, low, high in ((8, 1e-3, 1.0), (64, 0.0, 1e-12)):
        layer = SphereActivation(3, 2, grid)
        found = equivariance_error(layer, [REP], REP, [normal(5, REP.dim)])
        assert low <= found <= high and low <= layer.equivariance_error() <= high


def test_scalars_apart_are_exactly_invariant_on_any_grid() -> None:
    layer = SphereActivation(3, 2, 4, separable=True)
    both = Irreps("3x0e") + REP

    def invariants(x: torch.Tensor) -> torch.Tensor:
        return layer(x)[:, :3]

    x = normal(5, both.dim)
    assert equivariance_error(invariants, [both], "3x0e", [x]) == 0.0
    assert equivariance_error(layer, [both], REP, [x]) > 1e-2
    # The rest is what the layer does without them.
    assert_close(layer(x)[:, 3:], SphereActivation(3, 2, 4)(x[:, 3:])[:, 3:], 16 * EPS)
    assert SphereActivation(3, 0, 0, separable=True)(x[:, :3]).shape == (5, 3)


def test_the_limit_is_that_of_e3nn() -> None:
    """Another grid as fine; both converge to the same projection."""
    enn: Any = e3nn.nn
    rep = Irreps("0e+1o+2e+3o")
    options = {"normalization": "integral", "random_rot": False}
    theirs = reference(enn.S2Activation, str(rep), torch.tanh, 100, **options)
    x, size = normal(4, rep.dim), (4 * torch.pi / rep.dim) ** 0.5
    expected = rep.from_e3nn(theirs(size * rep.to_e3nn(x))) / size
    assert_close(SphereActivation(1, 3, 100, torch.tanh)(x), expected, 1e-9)


@pytest.mark.parametrize("options", [{}, {"order": 1}, {"separable": True}])
def test_derivatives(options: dict[str, Any]) -> None:
    layer = SphereActivation(2, 2, 8, **options)
    assert_derivatives(layer, [normal(3, layer.dim_in)], fast=True)


def test_silu_without_stored_values_is_silu() -> None:
    """Pieces of columns, the last one shorter, and derivatives to the second."""
    there, back = normal(3000, 9), normal(4, 3000, seed=1) / 3000
    x = normal(9, 50, seed=2).requires_grad_()
    results = []
    for function in (
        lambda x: grid_silu(x, there, back),
        lambda x: back @ torch.nn.functional.silu(there @ x),
    ):
        out = function(x)
        (first,) = torch.autograd.grad((out * normal(4, 50, seed=3)).sum(), x, create_graph=True)
        (second,) = torch.autograd.grad(first.square().sum(), x)
        results.append((out, first, second))
    for found, expected in zip(*results, strict=True):
        assert_close(found.detach(), expected.detach(), 1e-13)


def test_a_linear_function_changes_nothing_on_the_coarsest_grid() -> None:
    layer = SphereActivation(3, 2, 4, lambda x: 2.0 * x)
    x = normal(5, REP.dim)
    assert_close(layer(x), x * layer.moment * 2.0, 32 * EPS)
    assert layer.equivariance_error() < 64 * EPS


def test_in_a_frame_components_stand_as_in_the_product() -> None:
    """Orders 0, 1, -1, 2, -2 of each degree; what is axial stays so."""
    places = [0, 2, 3, 1, 6, 7, 5, 8, 4]  # l² + l + m of these
    frame = SphereActivation(1, 2, 16, order=2)
    axial = torch.zeros(1, 9, dtype=torch.float64)
    axial[0, [0, 1, 4]] = normal(3)
    kept = frame(axial)
    assert float(kept[:, [2, 3, 5, 6, 7, 8]].abs().max()) < 64 * EPS
    identity = [SphereActivation(1, 2, 8, torch.nn.Identity(), order) for order in (2, None)]
    x = normal(4, 9)
    assert_close(identity[0](x[:, places]), identity[1](x)[:, places], 64 * EPS)


@pytest.mark.parametrize("arguments", [(2, 2, 3), (2, 2, 8, torch.tanh, 3)])
def test_what_is_no_such_layer(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(RepresentationError, match="no such activation"):
        SphereActivation(*arguments)


def test_rows_of_another_length() -> None:
    with pytest.raises(ShapeError, match="do not fit"):
        SphereActivation(2, 2, 8)(torch.zeros(3, 17))
