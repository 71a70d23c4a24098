"""Convolution in edge frames: e3nn's fully connected product, and the laws of a layer."""

from __future__ import annotations

import copy
from typing import Any

import e3nn.o3
import pytest
import torch
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.nn import EdgeFrameConvolution
from schur.products import normalised
from schur.reps import Irreps
from schur.tensors import GeometricTensor, Graph, edge_wigner
from schur.testing import assert_derivatives, assert_equivariant

from .laws import EPS, assert_close, in_double, normal, reference

o3: Any = e3nn.o3

IN, OUT = Irreps("3x0e+3x1o+3x2e"), Irreps("3x0e+3x1e+3x1o+3x2e")
EDGES = torch.tensor([[0, 3, 2, 1, 1, 4, 0, 2], [1, 0, 2, 4, 1, 0, 1, 4]])


def arguments(layer: EdgeFrameConvolution) -> dict[str, Tensor]:
    """Features, vectors (one along a pole) and what edges bring."""
    vectors = normal(8, 3, seed=2)
    vectors[3] = torch.tensor([0.0, -1.0, 0.0])
    given = {"x": normal(5, layer.rep_in.dim, seed=1), "r": vectors}
    if layer.weight is None:
        given["weight"] = normal(8, layer.weight_numel, seed=3)
    if layer.scale_numel:
        given["scale"] = normal(8, layer.scale_numel, seed=4)
    return given


def evaluated(layer: EdgeFrameConvolution, x: Tensor, r: Tensor, *rest: Tensor) -> Tensor:
    names = ["weight"] * (layer.weight is None) + ["scale"] * (layer.scale_numel > 0)
    wigner = edge_wigner(r, layer.lmax)
    return layer(x, wigner, EDGES, **dict(zip(names, rest, strict=True)))


@pytest.mark.parametrize("backend", ["torch", "auto"])
def test_is_the_fully_connected_product_of_e3nn(backend: Any) -> None:
    layer = in_double(EdgeFrameConvolution(IN, OUT, backend=backend))
    harmonics = Irreps.spherical_harmonics(4)
    triples = [
        (i, j, k, "uvw", True)
        for i, (_, a) in enumerate(IN)
        for j, (_, b) in enumerate(harmonics)
        for k, (_, c) in enumerate(OUT)
        if c in tuple(a * b)
    ]
    theirs = reference(o3.TensorProduct, str(IN), str(harmonics), str(OUT), triples)
    weight = theirs.weight.detach()
    own = layer.product.from_paths(weight.numpy(), normalised(IN, harmonics, OUT, triples))
    assert len(own) == len(weight) == layer.weight_numel
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(own))
    x, r = arguments(layer).values()
    Y = o3.spherical_harmonics(list(range(5)), r, True, "component")
    messages = OUT.from_e3nn(theirs(IN.to_e3nn(x)[EDGES[0]], Y))
    expected = torch.zeros(5, OUT.dim, dtype=torch.float64).index_add(0, EDGES[1], messages)
    assert_close(evaluated(layer, x, r), expected, 512 * EPS)


@pytest.mark.parametrize("order", [None, 0, 1])
@pytest.mark.parametrize(("connection", "scaled"), [("uvw", False), ("uvw", True), ("uvu", True)])
def test_equivariance(order: int | None, connection: Any, scaled: bool) -> None:
    layer = in_double(EdgeFrameConvolution(IN, OUT, order, connection, scaled))
    given = arguments(layer)
    reps = [IN, Irreps("1o"), *[None] * (len(given) - 2)]
    assert_equivariant(lambda *a: evaluated(layer, *a), reps, OUT, list(given.values()))


@pytest.mark.parametrize("backend", ["torch", "auto"])
def test_derivatives(backend: Any) -> None:
    layer = EdgeFrameConvolution("2x0e+2x1o", "2x0e+2x1o", None, "uvu", True, backend)
    given = list(arguments(layer).values())
    order = 3 if backend == "torch" else 2  # a third compiled order says nothing that it does not
    assert_derivatives(lambda *a: evaluated(layer, *a), given, order, fast=True)


def test_derivatives_by_its_own_weights() -> None:
    layer = in_double(EdgeFrameConvolution("2x0e+2x1o", "3x1o"))
    x, r = arguments(layer).values()
    wigner = edge_wigner(r, layer.lmax)

    def by_weight(weight: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (x, wigner, EDGES))

    assert_derivatives(by_weight, [layer.weight.detach()], fast=True)


def test_backends_agree() -> None:
    layer = in_double(EdgeFrameConvolution(IN, OUT, 1, "uvw", True))
    other = EdgeFrameConvolution(IN, OUT, 1, "uvw", True, backend="torch").double()
    other.load_state_dict(layer.state_dict())
    given = arguments(layer).values()
    assert_close(evaluated(layer, *given), evaluated(other, *given), 64 * EPS)


def test_a_sorted_graph_wider_matrices_and_copies_give_the_same() -> None:
    layer = in_double(EdgeFrameConvolution(IN, OUT))
    x, r = arguments(layer).values()
    expected = evaluated(layer, x, r)
    wider = edge_wigner(r, 4)
    assert_close(layer(x, wider, Graph(EDGES, 5)), expected, 64 * EPS)
    assert_close(copy.deepcopy(layer)(x, wider, EDGES), expected, 64 * EPS)
    assert layer(x, wider, EDGES, num_nodes=7)[5:].eq(0).all()


def test_geometric_arguments_give_a_geometric_result() -> None:
    layer = in_double(EdgeFrameConvolution(IN, OUT))
    x, r = arguments(layer).values()
    found = layer(GeometricTensor(x, IN), edge_wigner(r, layer.lmax), EDGES)
    assert isinstance(found, GeometricTensor) and found.rep == OUT


def test_errors() -> None:
    layer = EdgeFrameConvolution(IN, OUT, connection="uvu").double()
    given = arguments(layer)
    wigner = edge_wigner(given["r"], 2)
    with pytest.raises(RepresentationError, match="x has another"):
        layer(GeometricTensor(given["x"], f"{IN.dim}x0e"), wigner, EDGES, given["weight"])
    with pytest.raises(ShapeError, match="edge_wigner"):
        layer(given["x"], wigner[:, :10], EDGES, given["weight"])
    with pytest.raises(ShapeError, match="weight has the wrong shape"):
        layer(given["x"], wigner, EDGES)
    with pytest.raises(ShapeError, match="no scale"):
        layer(given["x"], wigner, EDGES, given["weight"], given["weight"])
    with pytest.raises(ShapeError, match="edge_index"):
        layer(given["x"], wigner, EDGES.T, given["weight"])
