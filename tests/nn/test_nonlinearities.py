"""Activation, gate and norm activation, against e3nn and against the laws."""

from __future__ import annotations

from typing import Any

import e3nn.nn
import e3nn.o3
import pytest
import torch

from schur.errors import NumberError, RepresentationError
from schur.nn import Activation, Gate, NormActivation
from schur.reps import Irreps
from schur.tensors import GeometricTensor
from schur.testing import assert_derivatives, assert_equivariant

from .laws import EPS, assert_close, assert_same_function, normal, reference

enn: Any = e3nn.nn
silu, tanh, sigmoid = torch.nn.functional.silu, torch.tanh, torch.sigmoid

GATES: list[tuple[Any, ...]] = [
    ("16x0o", [tanh], "32x0o", [tanh], "16x1e+16x1o"),
    ("3x0e+2x0o", [silu, tanh], "4x0e+3x0o", [sigmoid, tanh], "2x1o+3x2e+2x1o"),
    ("3x0e+2x0e", [silu, None], "2x0e", [sigmoid], "1x1o+1x0o"),
    ("3x0e", [silu], "", [], ""),
]


@pytest.mark.parametrize("arguments", GATES)
def test_gate_is_that_of_e3nn(arguments: tuple[Any, ...]) -> None:
    layer, theirs = Gate(*arguments), reference(enn.Gate, *arguments)
    assert str(layer.rep_in) == str(theirs.irreps_in)
    assert str(layer.rep_out) == str(theirs.irreps_out)
    x = normal(4, layer.rep_in.dim)
    assert_same_function(layer, theirs, [x], [layer.rep_in], layer.rep_out)
    assert_equivariant(layer, [layer.rep_in], layer.rep_out, [x])


def test_gate_derivatives() -> None:
    layer = Gate(*GATES[1])
    assert_derivatives(layer, [normal(2, layer.rep_in.dim)], fast=True)


def test_activation_is_that_of_e3nn() -> None:
    rep, acts = Irreps("3x0e+2x0o+4x0o+2x1o"), [silu, tanh, torch.abs, None]
    layer, theirs = Activation(rep, acts), reference(enn.Activation, str(rep), acts)
    assert str(layer.rep_out) == str(theirs.irreps_out) == "3x0e+2x0o+4x0e+2x1o"
    assert_same_function(layer, theirs, [normal(4, rep.dim)], [rep], layer.rep_out)
    assert_equivariant(layer, [rep], layer.rep_out, [normal(4, rep.dim)])


def test_activation_of_nothing() -> None:
    assert Activation("", [])(torch.zeros(3, 0)).shape == (3, 0)


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("normalize", [False, True])
def test_norm_activation_is_that_of_e3nn(normalize: bool, bias: bool) -> None:
    rep = Irreps("3x0e+2x1o+1x2e")
    layer = NormActivation(rep, sigmoid, normalize, bias=bias).double()
    x = normal(4, rep.dim)
    if normalize:
        theirs = reference(
            enn.NormActivation, e3nn.o3.Irreps(str(rep)), sigmoid, normalize, bias=bias
        )
        if bias:
            with torch.no_grad():
                layer.biases.copy_(normal(6))  # type: ignore[union-attr]
                theirs.biases.copy_(normal(6))
        assert_same_function(layer, theirs, [x], [rep], rep)
    assert_equivariant(layer, [rep], rep, [x])
    assert_derivatives(layer, [x[:2]], fast=True)


@pytest.mark.parametrize("normalize", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_norm_activation_is_finite_at_zero(normalize: bool, dtype: torch.dtype) -> None:
    layer = NormActivation("2x1o", tanh, normalize)
    x = torch.zeros(3, 6, dtype=dtype, requires_grad=True)
    out = layer(x)
    (slope,) = torch.autograd.grad(out.sum(), x)
    assert out.eq(0).all() and slope.isfinite().all()


def test_norm_activation_sets_lengths() -> None:
    rep = Irreps("2x1o+3x2e")
    x = GeometricTensor(normal(4, rep.dim), rep)
    assert_close(NormActivation(rep, tanh)(x).norm(), tanh(x.norm()), 16 * EPS)


def test_errors() -> None:
    with pytest.raises(RepresentationError, match="scalars"):
        Gate("2x1o", [None], "", [], "")
    with pytest.raises(RepresentationError, match="one gate"):
        Gate("2x0e", [silu], "3x0e", [sigmoid], "2x1o")
    with pytest.raises(RepresentationError, match="for each term"):
        Activation("2x0e+1x1o", [silu])
    with pytest.raises(RepresentationError, match="not equivariant"):
        Activation("2x1o", [silu])
    with pytest.raises(RepresentationError, match="even or odd"):
        Activation("2x0o", [silu])
    with pytest.raises(NumberError, match="epsilon"):
        NormActivation("2x1o", silu, epsilon=-1.0)
    with pytest.raises(NumberError, match="epsilon"):
        NormActivation("2x1o", silu, normalize=False, epsilon=0.1)
