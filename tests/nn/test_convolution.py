"""Convolution: gather, product and sum as e3nn and index_add do them one after the other."""

from __future__ import annotations

import copy
from typing import Any

import e3nn.o3
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from schur.errors import DtypeError, IndexRangeError, RepresentationError, ShapeError
from schur.nn import Convolution
from schur.reps import Irreps
from schur.tensors import GeometricTensor, Graph
from schur.testing import assert_derivatives, assert_equivariant

from ..engine.served import TRITON
from .laws import EPS, assert_close, assert_same_function, normal, reference

o3: Any = e3nn.o3

IN, EDGE, KEEP = Irreps("4x0e+4x1o+3x1e"), Irreps("0e+1o+2e"), Irreps("0e+1o+1e+2e")
NODES = 5
# Unsorted, with a loop, a repetition, and a node (3) that receives nothing.
EDGES = torch.tensor([[0, 3, 2, 1, 1, 4, 0, 2], [1, 0, 2, 4, 1, 0, 1, 4]])


def arguments(layer: Convolution, edges: Tensor = EDGES, nodes: int = NODES) -> list[Tensor]:
    count = edges.shape[1]
    return [
        normal(nodes, layer.rep_in.dim, seed=1),
        normal(count, layer.rep_edge.dim, seed=2),
        normal(count, layer.weight_numel, seed=3),
    ]


@pytest.mark.parametrize("backend", ["torch", "auto"])
@pytest.mark.parametrize("edge", ["0e+1o+2e", "2x0e+1o"])
def test_is_that_of_e3nn(backend: Any, edge: str) -> None:
    layer = Convolution(IN, edge, KEEP, backend=backend)
    product = reference(
        o3.TensorProduct,
        str(IN),
        edge,
        str(layer.rep_out),
        [line[:5] for line in layer.paths],
        shared_weights=False,
    )
    assert product.weight_numel == layer.weight_numel

    def theirs(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        messages = product(x[EDGES[0]], y, w)
        return messages.new_zeros(NODES, layer.rep_out.dim).index_add(0, EDGES[1], messages)

    def ours(x: Tensor, y: Tensor, w: Tensor) -> Tensor:
        return layer(x, y, w, EDGES, NODES)

    reps = [IN, layer.rep_edge, None]
    assert_same_function(ours, theirs, arguments(layer), reps, layer.rep_out)


def test_equivariance() -> None:
    layer = Convolution(IN, EDGE, KEEP)
    assert_equivariant(
        lambda x, y, w: layer(x, y, w, EDGES), [IN, EDGE, None], layer.rep_out, arguments(layer)
    )


terms = st.lists(
    st.tuples(st.integers(1, 3), st.tuples(st.integers(0, 2), st.sampled_from([1, -1]))),
    min_size=1,
    max_size=3,
)
Terms = list[tuple[int, tuple[int, int]]]


@settings(max_examples=8)
@given(terms, terms)
def test_equivariance_of_any_representations(a: Terms, b: Terms) -> None:
    every = Irreps([(1, (degree, p)) for degree in range(5) for p in (1, -1)])
    layer = Convolution(Irreps(a), Irreps(b), every, backend="torch")
    assert layer.rep_out.dim == sum(
        mul * ir.dim * other.dim for mul, ir in Irreps(a) for _, other in Irreps(b)
    )
    assert_equivariant(
        lambda x, y, w: layer(x, y, w, EDGES),
        [layer.rep_in, layer.rep_edge, None],
        layer.rep_out,
        arguments(layer),
    )


@pytest.mark.parametrize("backend", ["torch", "auto"])
def test_derivatives(backend: Any) -> None:
    layer = Convolution("2x0e+2x1o", "0e+1o", "0e+1o", backend=backend)
    edges = torch.tensor([[0, 1, 1], [2, 2, 0]])
    given_arguments = arguments(layer, edges, 3)
    assert_derivatives(lambda x, y, w: layer(x, y, w, edges), given_arguments, fast=True)
    if backend == "torch":
        assert_derivatives(lambda x, y, w: layer(x, y, w, edges), given_arguments, order=1)


@settings(max_examples=8)
@given(
    st.integers(1, 5),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=10),
    st.sampled_from([torch.int32, torch.int64]),
    st.booleans(),
)
def test_any_graph(
    nodes: int, pairs: list[tuple[int, int]], dtype: torch.dtype, sort: bool
) -> None:
    """Sorted or not, no edges, isolated nodes, loops, repetitions, both integer types, a Graph."""
    layer = Convolution("2x0e+1x1o", "0e+1o", "0e+1o")
    index = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T % nodes
    if sort:
        index = index[:, index[1].argsort()]
    x, y, w = arguments(layer, index, nodes)
    expected = normal(nodes, layer.rep_out.dim) * 0
    for e in range(index.shape[1]):
        alone = layer(x, y[e : e + 1], w[e : e + 1], torch.tensor([[index[0, e]], [0]]), nodes)
        expected[index[1, e]] += alone[0]
    assert_close(layer(x, y, w, index.to(dtype), nodes), expected, 64 * EPS)
    assert_close(layer(x, y, w, Graph(index.to(dtype), nodes)), expected, 64 * EPS)


def test_order_of_edges_does_not_matter() -> None:
    layer = Convolution(IN, EDGE, KEEP)
    x, y, w = arguments(layer)
    order = torch.tensor([5, 2, 7, 0, 1, 3, 6, 4])
    found = layer(x, y[order], w[order], EDGES[:, order], NODES)
    assert_close(found, layer(x, y, w, EDGES, NODES), 16 * EPS)


def test_permutation_of_nodes() -> None:
    layer = Convolution(IN, EDGE, KEEP)
    x, y, w = arguments(layer)
    place = torch.tensor([3, 0, 4, 1, 2])  # node n becomes place[n]
    moved = torch.empty_like(x).index_copy_(0, place, x)
    found = layer(moved, y, w, place[EDGES], NODES)[place]
    assert_close(found, layer(x, y, w, EDGES, NODES), 16 * EPS)


def test_repeats_bit_for_bit() -> None:
    layer = Convolution(IN, EDGE, KEEP)
    x, y, w = [tensor.float() for tensor in arguments(layer)]
    first = layer(x, y, w, EDGES)
    for _ in range(3):
        assert torch.equal(layer(x, y, w, EDGES), first)
    assert torch.equal(copy.deepcopy(layer)(x, y, w, EDGES), first)


def test_receivers_may_be_other_nodes() -> None:
    layer = Convolution("2x0e", "0e", "0e")
    edges = torch.tensor([[0, 1], [6, 0]])
    out = layer(*arguments(layer, edges, 2), edges, num_nodes=8)
    assert out.shape == (8, 2)
    assert out[1:6].eq(0).all()


def test_nothing_survives() -> None:
    layer = Convolution("2x0e", "0e", "3o")
    assert layer.weight_numel == 0
    assert layer(torch.ones(2, 2), torch.ones(1, 1), torch.ones(1, 0), EDGES[:, :1]).shape == (2, 0)


def test_strides_do_not_matter() -> None:
    layer = Convolution(IN, EDGE, KEEP)
    x, y, w = arguments(layer)
    expected = layer(x, y, w, EDGES)
    spread = [torch.stack([tensor, tensor], -1)[..., 0] for tensor in (x, y, w)]
    assert_close(layer(*spread, EDGES), expected, 8 * EPS)
    turned = [tensor.T.contiguous().T for tensor in (x, y, w)]
    assert_close(layer(*turned, EDGES.T.contiguous().T), expected, 8 * EPS)
    assert_close(
        layer(x, y[:1].expand(8, -1), w, EDGES), layer(x, y[:1].repeat(8, 1), w, EDGES), 8 * EPS
    )


def test_geometric_arguments_give_a_geometric_result() -> None:
    layer = Convolution(IN, EDGE, KEEP)
    x, y, w = arguments(layer)
    found = layer(GeometricTensor(x, IN), GeometricTensor(y, EDGE), w, EDGES)
    assert isinstance(found, GeometricTensor) and found.rep == layer.rep_out


def test_errors() -> None:
    layer = Convolution(IN, EDGE, KEEP)
    x, y, w = arguments(layer)
    with pytest.raises(RepresentationError, match="x has another"):
        layer(GeometricTensor(x, f"{IN.dim}x0e"), y, w, EDGES)
    with pytest.raises(ShapeError, match="last axis of x"):
        layer(x[:, 1:], y, w, EDGES)
    with pytest.raises(ShapeError, match="one line for each of the edges"):
        layer(x, y[0], w, EDGES)
    with pytest.raises(ShapeError, match="weight"):
        layer(x, y, w[1:], EDGES)
    with pytest.raises(ShapeError, match="edge_index"):
        layer(x, y, w, EDGES.T)
    with pytest.raises(ShapeError, match="rows"):
        layer(x, y, w, EDGES[:, 1:])
    with pytest.raises(DtypeError, match="integers"):
        layer(x, y, w, EDGES.double())
    with pytest.raises(DtypeError, match="number type"):
        layer(x, y.float(), w, EDGES)
    for wrong in (EDGES - 1, EDGES + 1):
        with pytest.raises(IndexRangeError, match="outside"):
            layer(x, y, w, wrong, NODES)
    with pytest.raises(IndexRangeError, match="outside"):
        layer(x, y, w, EDGES, num_nodes=4)
    with pytest.raises(ShapeError, match="disagrees"):
        layer(x, y, w, Graph(EDGES, 7))


def test_weights_by_pair_are_weights_of_both_edges() -> None:
    """One line of weights for two opposite edges: the same values and derivatives."""
    layer = Convolution("4x0e+2x1o", "0e+1o", "0e+1o+1e")
    half = torch.tensor([[0, 1, 2, 2, 4], [1, 2, 0, 2, 1]])
    index = torch.cat([half, half.flip(0)], 1)
    graph, plain = Graph(index, 5, paired=True), Graph(index, 5)
    x, y = torch.randn(5, 10).double(), torch.randn(10, 4).double()
    w = torch.randn(5, layer.weight_numel).double()
    inputs = [tensor.requires_grad_() for tensor in (x, y, w)]

    def loss(out: Tensor) -> Tensor:
        first = torch.autograd.grad(out.square().sum(), inputs, create_graph=True)
        return torch.stack([part.pow(3).sum() for part in first]).sum()

    by_pair, by_edge = layer(x, y, w, graph), layer(x, y, w.repeat(2, 1), plain)
    torch.testing.assert_close(by_pair, by_edge, rtol=0, atol=1e-13)
    torch.testing.assert_close(layer(x, y, w.repeat(2, 1), graph), by_edge, rtol=0, atol=1e-13)
    for found, expected in zip(
        torch.autograd.grad(loss(by_pair), inputs),
        torch.autograd.grad(loss(by_edge), inputs),
        strict=True,
    ):
        torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)
    with pytest.raises(ShapeError, match="weight has the wrong shape"):
        layer(x, y, w, plain)


def test_edges_said_to_be_paired_are_checked() -> None:
    with pytest.raises(ShapeError, match="opposite pairs"):
        Graph(torch.tensor([[0, 1], [1, 2]]), 3, paired=True)


@pytest.mark.parametrize("backend", ["auto", TRITON])
@pytest.mark.parametrize("paired", [False, True])
def test_the_last_radial_layer_inside(backend: Any, paired: bool) -> None:
    """Weights from a matrix and fewer numbers are what they are if made beforehand."""
    plain = Convolution("3x0e+2x1o", "0e+1o", "0e+1o")
    layer = Convolution("3x0e+2x1o", "0e+1o", "0e+1o", backend=backend, hidden=3)
    half = torch.tensor([[0, 1, 2], [1, 2, 0]])
    graph = Graph(torch.cat([half, half.flip(0)], 1), 3, paired=paired)
    x, y = normal(3, 9, seed=1), normal(6, 4, seed=2)
    hidden, matrix = normal(3 if paired else 6, 3, seed=3), normal(3, plain.weight_numel, seed=4)
    inputs = [tensor.requires_grad_() for tensor in (x, y, hidden, matrix)]
    found = layer(x, y, hidden, graph, matrix=matrix)
    expected = plain(x, y, hidden @ matrix, graph)
    weights = normal(*expected.shape, seed=5)

    def derivatives(out: Tensor) -> list[Tensor]:
        first = torch.autograd.grad((out * weights).sum(), inputs, create_graph=True)
        loss = torch.stack([part.square().sum() for part in first]).sum()
        again = torch.autograd.grad(loss, inputs)
        return [out, *first, *again]

    for one, other in zip(derivatives(found), derivatives(expected), strict=True):
        torch.testing.assert_close(one, other, rtol=1e3 * EPS, atol=1e3 * EPS)


def test_a_matrix_that_does_not_fit() -> None:
    layer = Convolution(IN, EDGE, KEEP, hidden=3)
    x, y, w = arguments(layer)
    with pytest.raises(ShapeError, match="matrix has the wrong shape"):
        layer(x, y, w[:, :3], EDGES)
    with pytest.raises(ShapeError, match="matrix has the wrong shape"):
        layer(x, y, w[:, :3], EDGES, matrix=normal(3, 4))
    with pytest.raises(ShapeError, match="weight has the wrong shape"):
        layer(x, y, w, EDGES, matrix=normal(3, layer.weight_numel))
