"""Splines of the distance: error of order six, derivatives, places outside the knots."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from schur.errors import NumberError
from schur.nn.radial_spline import RadialSpline, SplineKnots, error_of
from schur.testing import assert_derivatives


def waves(r: Tensor) -> Tensor:
    return torch.stack([torch.sin(3 * r), torch.exp(-r), r**2], 1)


def test_error_falls_with_the_sixth_power_of_the_step() -> None:
    errors = []
    for intervals in (16, 32):
        spline, error = RadialSpline.of(waves, 5.0, 1.0, intervals)
        assert spline.knots.intervals == intervals
        errors.append(error)
    # Slopes err by h⁵, values by h⁶; the larger of the two relative errors is told.
    assert 2**4.7 < errors[0] / errors[1] < 2**6.3


def test_value_slope_and_curvature_at_the_knots_are_exact() -> None:
    spline, _ = RadialSpline.of(waves, 4.0, 1.0, 8)
    knots = spline.knots
    r = (knots.first + knots.step * torch.arange(1, 8, dtype=torch.float64)).requires_grad_()
    value = spline(knots(r))[:, 0]
    (slope,) = torch.autograd.grad(value.sum(), r, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), r)
    exact = r.detach()
    for found, wanted in (
        (value, torch.sin(3 * exact)),
        (slope, 3 * torch.cos(3 * exact)),
        (curvature, -9 * torch.sin(3 * exact)),
    ):
        torch.testing.assert_close(found, wanted, rtol=0, atol=1e-11)


def test_the_tolerance_is_kept_and_the_error_is_no_fiction() -> None:
    spline, error = RadialSpline.of(waves, 5.0, 1e-8)
    assert error <= 1e-8
    r = torch.rand(1000, dtype=torch.float64) * 4.8 + 0.2
    assert (spline(spline.knots(r)) - waves(r)).abs().max() <= 4e-8 * 25
    assert error_of(spline, lambda r: 1.001 * waves(r)) > 1e-4


def test_a_rough_function_is_refused() -> None:
    with pytest.raises(NumberError, match="too rough"):
        RadialSpline.of(lambda r: (r - math.pi).abs()[:, None], 5.0, 1e-9, 2048)


def test_beyond_the_cutoff_is_the_cutoff_and_too_near_is_no_number() -> None:
    spline, _ = RadialSpline.of(waves, 5.0, 1e-6)
    r = torch.tensor([5.0, 6.0, 100.0, 0.0, 0.09], dtype=torch.float64, requires_grad=True)
    values = spline(spline.knots(r))
    assert torch.equal(values[0], values[1]) and torch.equal(values[1], values[2])
    assert values[3:].isnan().all()
    (slope,) = torch.autograd.grad(values[1:3].sum(), r)
    assert (slope[1:3] == 0).all()


def test_derivatives() -> None:
    spline, _ = RadialSpline.of(waves, 5.0, 1e-3)
    r = torch.tensor([0.7, 2.33], dtype=torch.float64)
    assert_derivatives(lambda r: spline(spline.knots(r)), [r], order=2)


def test_a_place_is_as_long_as_its_distances() -> None:
    assert len(SplineKnots(1.0, 2)(torch.rand(5)).left) == 5
