"""Batch norm, layer norm and dropout."""

from __future__ import annotations

from typing import Any

import e3nn.nn
import pytest
import torch

from schur.errors import NumberError, RepresentationError, ShapeError
from schur.nn import BatchNorm, Dropout, LayerNorm
from schur.reps import Irreps
from schur.tensors import GeometricTensor
from schur.testing import assert_derivatives, assert_equivariant

from .laws import EPS, assert_close, assert_same_function, in_double, normal, reference

enn: Any = e3nn.nn
REP = Irreps("3x0e+2x0o+2x1o+1x2e+1x0e")


@pytest.mark.parametrize("instance", [False, True])
@pytest.mark.parametrize("options", [{}, {"reduce": "max"}, {"normalization": "norm"}])
def test_batch_norm_is_that_of_e3nn(instance: bool, options: dict[str, Any]) -> None:
    layer = in_double(BatchNorm(REP, instance=instance, **options))
    theirs = reference(enn.BatchNorm, str(REP), instance=instance, **options)
    theirs.load_state_dict(layer.state_dict())
    assert_same_function(layer, theirs, [normal(6, 3, REP.dim)], [REP], REP)
    for ours, other in zip(layer.buffers(), theirs.buffers(), strict=True):
        assert_close(ours, other, 32 * EPS)
    layer.eval()
    theirs.eval()
    assert_same_function(layer, theirs, [normal(5, REP.dim, seed=4)], [REP], REP)


@pytest.mark.parametrize("layer_class", [BatchNorm, LayerNorm])
def test_equivariance_and_derivatives(layer_class: Any) -> None:
    layer = in_double(layer_class(REP))
    x = normal(4, REP.dim)
    assert_equivariant(layer, [REP], REP, [x])
    assert_derivatives(layer, [x], fast=True)
    found = layer(GeometricTensor(x, REP))
    assert isinstance(found, GeometricTensor)


@pytest.mark.parametrize("normalization", ["norm", "component"])
def test_layer_norm_leaves_mean_square_one(normalization: str) -> None:
    rep = Irreps("8x0e+4x1o+4x0o")
    layer = LayerNorm(rep, eps=0.0, normalization=normalization).double()
    out = GeometricTensor(layer(normal(5, rep.dim)), rep)
    for k, (_, ir) in enumerate(rep):
        square = out.block(k).square().mean((-2, -1))
        expected = torch.ones(5, dtype=torch.float64)
        assert_close(
            square.detach(), expected / (ir.dim if normalization == "norm" else 1), 64 * EPS
        )
    assert float(out.block(0).detach().mean(-1).abs().max()) < 8 * EPS
    # Scaling a row changes nothing, which a plain linear map would not pass.
    x = normal(5, rep.dim)
    assert_close(layer(3 * x), layer(x), 64 * EPS)


def test_dropout_drops_whole_irreps() -> None:
    layer = Dropout(REP, 0.5)
    x = normal(400, 2, REP.dim)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ratio = GeometricTensor(layer(x) / x, REP)
    for k in range(len(REP)):
        block = ratio.block(k)
        assert block.eq(block[:, :1, :1]).all()  # one for all components and inner axes
        assert set(block.unique().tolist()) <= {0.0, 2.0}
        assert 0.35 < float(block[:, 0, 0].eq(0).double().mean()) < 0.65
    assert torch.equal(layer.eval()(x), x)
    assert Dropout(REP, 1.0)(x).eq(0).all()
    assert torch.equal(Dropout(REP, 0.0)(x), x)


def test_errors() -> None:
    with pytest.raises(RepresentationError, match="unknown option"):
        BatchNorm(REP, reduce="min")
    with pytest.raises(RepresentationError, match="normalization"):
        LayerNorm(REP, normalization="max")
    with pytest.raises(NumberError, match="probability"):
        Dropout(REP, 1.5)
    with pytest.raises(ShapeError, match="batch is needed"):
        BatchNorm(REP)(torch.zeros(REP.dim))
    with pytest.raises(ShapeError, match="empty batch"):
        BatchNorm(REP)(torch.zeros(0, REP.dim))
    with pytest.raises(ShapeError, match="batch is needed"):
        Dropout(REP, 0.5)(torch.zeros(REP.dim))
    with pytest.raises(ShapeError, match="last axis"):
        LayerNorm(REP)(torch.zeros(3, 2))
