"""Radial functions, envelopes and the network behind them."""

from __future__ import annotations

from math import pi
from typing import Any

import e3nn.math
import e3nn.nn
import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev
from scipy.special import spherical_jn

from schur.errors import DtypeError, NumberError, ShapeError
from schur.nn import CosineCutoff, PolynomialCutoff, RadialBasis, RadialMLP, second_moment_scale
from schur.testing import assert_derivatives

from .laws import EPS, assert_close, in_double, normal, reference

R = torch.linspace(0.1, 5.9, 30, dtype=torch.float64)


def test_bessel_functions_are_those_of_scipy() -> None:
    basis = RadialBasis(5.0, 6)(R).numpy()
    for n in range(1, 7):
        k = n * pi / 5.0
        expected = np.sqrt(2 / 5) * k * spherical_jn(0, k * R.numpy())
        assert np.abs(basis[:, n - 1] - expected).max() < 16 * n * EPS


def test_bessel_functions_are_orthonormal_with_the_measure_of_space() -> None:
    r, w = np.polynomial.legendre.leggauss(60)
    r, w = 2.5 * (r + 1), 2.5 * w
    basis = RadialBasis(5.0, 8)(torch.from_numpy(r)).numpy()
    gram = np.einsum("r,r,rm,rn->mn", w, r**2, basis, basis)
    assert np.abs(gram - np.eye(8)).max() < 256 * EPS


@pytest.mark.parametrize("kind", ["bessel", "gaussian"])
def test_as_e3nn(kind: str) -> None:
    theirs = e3nn.math.soft_one_hot_linspace(R, 0.0, 5.0, 8, kind, cutoff=False)
    assert_close(RadialBasis(5.0, 8, kind)(R), theirs, 64 * EPS)


def test_chebyshev_polynomials_are_those_of_numpy() -> None:
    inside = R[R <= 5]
    expected = chebyshev.chebvander(2 * inside.numpy() / 5 - 1, 6)
    assert np.abs(RadialBasis(5.0, 7, "chebyshev")(inside).numpy() - expected).max() < 64 * EPS


@pytest.mark.parametrize("kind", ["bessel", "gaussian", "chebyshev"])
def test_derivatives_finiteness_and_shape(kind: str) -> None:
    basis = RadialBasis(5.0, 4, kind, envelope=PolynomialCutoff(5.0))
    r = torch.tensor([[0.7, 2.2], [4.9, 6.0]], dtype=torch.float64)
    assert basis(r).shape == (2, 2, 4)
    assert basis(r)[1, 1].eq(0).all()
    assert_derivatives(basis, [r], fast=True)
    zero = torch.zeros(1, requires_grad=True)
    out = basis(zero)
    assert out.isfinite().all() and out.dtype == torch.float32
    assert torch.autograd.grad(out.sum(), zero)[0].isfinite().all()


def test_trainable_functions_start_where_fixed_ones_stand() -> None:
    for kind in ("bessel", "gaussian"):
        trained = RadialBasis(5.0, 4, kind, trainable=True)
        assert len(list(trained.parameters())) == 1
        r = R.float()
        assert_close(trained(r), RadialBasis(5.0, 4, kind)(r), 1e-6)


@pytest.mark.parametrize("p", [2, 5, 6])
def test_polynomial_cutoff_vanishes_with_two_derivatives(p: int) -> None:
    envelope = PolynomialCutoff(2.0, p)
    r = torch.tensor([2.0 - 1e-9, 0.0, 3.0], dtype=torch.float64, requires_grad=True)
    value = envelope(r)
    (slope,) = torch.autograd.grad(value.sum(), r, create_graph=True)
    (curvature,) = torch.autograd.grad(slope.sum(), r)
    assert value[1] == 1 and value[2] == 0 and slope[2] == 0 and curvature[2] == 0
    assert abs(float(value[0].detach())) < 1e-14
    assert abs(float(slope[0].detach())) < 1e-14
    assert abs(float(curvature[0])) < 1e-6


def test_cosine_cutoff() -> None:
    cutoff = CosineCutoff(5.0)
    expected = 0.5 * (1 + np.cos(pi * np.minimum(R.numpy(), 5) / 5))
    assert np.abs(cutoff(R).numpy() - expected).max() < 8 * EPS
    assert_derivatives(cutoff, [torch.tensor([1.0, 4.0, 6.0], dtype=torch.float64)], order=2)


@pytest.mark.parametrize("out_activation", [False, True])
def test_network_is_that_of_e3nn(out_activation: bool) -> None:
    silu = torch.nn.functional.silu
    sizes, variances = [8, 16, 16, 5], (0.5, 2.0)
    net = RadialMLP(sizes, silu, *variances, out_activation).double()
    theirs = reference(e3nn.nn.FullyConnectedNet, sizes, silu, *variances, out_act=out_activation)
    net.load_state_dict(theirs.state_dict())
    x = normal(4, 3, 8)
    assert_close(net(x), theirs(x), 32 * EPS)
    assert net(x[:0]).shape == (0, 3, 5)


def test_network_keeps_variance() -> None:
    net = in_double(RadialMLP([64, 64, 64]))
    assert 0.5 < float(net(normal(2000, 64)).detach().var()) < 2


def test_network_derivatives() -> None:
    net = RadialMLP([3, 4, 2]).double()
    weights = {name: p.detach() for name, p in net.named_parameters()}

    def function(x: torch.Tensor, *values: torch.Tensor) -> Any:
        return torch.func.functional_call(net, dict(zip(weights, values, strict=True)), (x,))

    assert_derivatives(function, [normal(3, 3), *weights.values()], fast=True)


@pytest.mark.parametrize("function", [torch.tanh, torch.nn.functional.silu, torch.abs])
def test_second_moment(function: Any) -> None:
    """Against Gauss-Hermite quadrature, within the sampling error that is e3nn's too."""
    z, w = np.polynomial.hermite_e.hermegauss(120)
    values = function(torch.from_numpy(z)).numpy()
    exact = (w @ values**2 / np.sqrt(2 * pi)) ** -0.5
    before = torch.get_rng_state()
    assert second_moment_scale(function) == pytest.approx(exact, rel=4e-3)
    assert torch.equal(before, torch.get_rng_state())


def test_errors() -> None:
    with pytest.raises(NumberError, match="cutoff"):
        RadialBasis(-1.0)
    with pytest.raises(NumberError, match="no such"):
        RadialBasis(5.0, 8, "fourier")
    with pytest.raises(NumberError, match="too few"):
        RadialBasis(5.0, 1, "gaussian")
    with pytest.raises(NumberError, match="nothing to train"):
        RadialBasis(5.0, 4, "chebyshev", trainable=True)
    with pytest.raises(NumberError, match="order"):
        PolynomialCutoff(5.0, 1)
    with pytest.raises(NumberError, match="cutoff"):
        CosineCutoff(float("nan"))
    with pytest.raises(DtypeError, match="floating"):
        RadialBasis(5.0)(torch.arange(3))
    with pytest.raises(ShapeError, match="sizes"):
        RadialMLP([3])
    net = RadialMLP([3, 2])
    with pytest.raises(ShapeError, match="wrong shape"):
        net(torch.zeros(4, 2))
    with pytest.raises(DtypeError, match="number type"):
        net(torch.zeros(4, 3, dtype=torch.float64))
