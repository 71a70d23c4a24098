"""One scale for all degrees above zero."""

from __future__ import annotations

import torch

from schur.nn import SeparableLayerNorm
from schur.reps import Irreps
from schur.tensors import GeometricTensor
from schur.testing import assert_derivatives, assert_equivariant

from .laws import EPS, assert_close, in_double, normal

REP = Irreps("4x0e+2x1o+3x2e+1x0o")


def test_equivariance_and_derivatives() -> None:
    layer = in_double(SeparableLayerNorm(REP, eps=0.01))
    x = normal(4, REP.dim)
    assert_equivariant(layer, [REP], REP, [x])
    assert_derivatives(layer, [x], fast=True)
    assert isinstance(layer(GeometricTensor(x, REP)), GeometricTensor)


def test_scalars_alone_are_those_of_torch() -> None:
    layer, theirs = SeparableLayerNorm("8x0e"), torch.nn.LayerNorm(8)
    x = normal(5, 8, dtype=torch.float32)
    assert torch.allclose(layer(x), theirs(x), atol=1e-6)


def test_terms_above_zero_share_a_scale() -> None:
    """Their mean squares average to one, and keep their ratios, unlike those of `LayerNorm`."""
    layer, x = SeparableLayerNorm(REP, eps=0.0).double(), normal(6, REP.dim)
    out = layer(x)
    squares = {
        name: torch.stack([block[:, place].square().mean(1) for place in REP.slices()[1:]])
        for name, block in (("before", x), ("after", out))
    }
    assert_close(squares["after"].mean(0), torch.ones(6, dtype=torch.float64), 32 * EPS)
    ratio = squares["after"] / squares["before"]
    assert_close(ratio, ratio[:1].expand_as(ratio), 32 * EPS)


def test_nothing_above_zero_stays_nothing_and_has_slopes() -> None:
    """A site of high symmetry: the gradient is 1/√eps times that of the features, and finite."""
    layer = SeparableLayerNorm("2x0e+2x1o", eps=0.01).double()
    x = torch.zeros(1, 8, dtype=torch.float64, requires_grad=True)
    out = layer(x)
    (slope,) = torch.autograd.grad(out[0, 2:].sum(), x)
    assert_close(slope[0, 2:], torch.full((6,), 10.0, dtype=torch.float64), 8 * EPS)
    assert (out == 0).all()
