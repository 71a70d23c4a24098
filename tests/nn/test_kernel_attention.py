"""Fused attention: its definition edge by edge, equivariance, derivatives, the cutoff."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.nn import Convolution, KernelAttention
from schur.reps import Irreps
from schur.tensors import Graph
from schur.testing import assert_derivatives, assert_equivariant

from .laws import EPS, assert_close, in_double, normal

A, EDGE, B = Irreps("4x0e+4x1o"), Irreps("0e+1o+2e"), Irreps("4x0e+2x1o+2x1e")
PAIRS = torch.tensor([[0, 3, 2, 1], [1, 1, 4, 4]])
EDGES = torch.cat([PAIRS, PAIRS.flip(0)], 1)
GRAPH = Graph(EDGES, 5)


@pytest.fixture(scope="module")
def layer() -> KernelAttention:
    return in_double(KernelAttention(A, EDGE, B, heads=2))


def arguments(layer: KernelAttention, lines: int = 8) -> list[Tensor]:
    return [
        normal(5, A.dim),
        normal(8, EDGE.dim, seed=1),
        normal(lines, layer.key_numel, seed=2),
        normal(lines, layer.value_numel, seed=3),
    ]


ENVELOPE = torch.linspace(0.2, 1, 8, dtype=torch.float64)


def test_definition(layer: KernelAttention) -> None:
    """Keys and values made one by one by a convolution, in the words of the formula."""
    x, y, key_weight, value_weight = arguments(layer)
    keys, values = Convolution(A, EDGE, A), Convolution(A, EDGE, B)
    head = torch.arange(4) // 2

    def alone(product: Convolution, nodes: Tensor, weight: Tensor, edge: int) -> Tensor:
        one = torch.tensor([[int(EDGES[0, edge])], [0]])
        picked = slice(edge, edge + 1)
        blocks = product(nodes, y[picked], weight[picked], one, num_nodes=1)[0]
        return blocks.unflatten(0, (-1, 4))  # every block has four channels

    query = layer.query(x).unflatten(1, (-1, 4))
    total = torch.zeros(5, values.rep_out.dim // 4, 4, dtype=torch.float64)
    for node in range(5):
        incoming = [e for e in range(8) if EDGES[1, e] == node]
        for h in range(2):
            fits = {}
            for e in incoming:
                key = alone(keys, layer.key(x), key_weight, e)
                product = (query[node] * key)[:, head == h].sum()
                fits[e] = ENVELOPE[e] * torch.exp(product * (keys.rep_out.dim / 2) ** -0.5)
            norm = 1 + sum(fits.values())
            for e, fit in fits.items():
                value = alone(values, layer.value(x), value_weight, e)
                total[node][:, head == h] += (fit / norm * value).detach()[:, head == h]
    found = layer(x, y, key_weight, value_weight, GRAPH, ENVELOPE)
    assert_close(found, layer.out(total.flatten(1)), 512 * EPS)


def test_equivariance(layer: KernelAttention) -> None:
    assert_equivariant(
        lambda x, y, *w: layer(x, y, *w, GRAPH, ENVELOPE),
        [A, EDGE, None, None],
        B,
        arguments(layer),
    )


def test_derivatives(layer: KernelAttention) -> None:
    assert_derivatives(
        lambda x, y, k, v, c: layer(x, y, k, v, GRAPH, c),
        [*arguments(layer), ENVELOPE],
        order=2,
        fast=True,
    )


def test_pairs_share_their_weights(layer: KernelAttention) -> None:
    x, y, key_weight, value_weight = arguments(layer, 4)
    paired = layer(x, y, key_weight, value_weight, Graph(EDGES, 5, paired=True), ENVELOPE)
    full = layer(x, y, key_weight.repeat(2, 1), value_weight.repeat(2, 1), GRAPH, ENVELOPE)
    assert_close(paired, full, 64 * EPS)


def test_a_neighbour_leaves_without_a_step(layer: KernelAttention) -> None:
    x, y, key_weight, value_weight = arguments(layer)
    alone = Graph(EDGES[:, 2:3], 5)
    rows = y[2:3], key_weight[2:3], value_weight[2:3]
    faint, gone = (
        layer(x, *rows, alone, torch.tensor([envelope], dtype=torch.float64))
        for envelope in (1e-9, 0.0)
    )
    assert gone.eq(0).all()
    assert float((faint - gone).detach().abs().max()) < 1e-6


def test_errors(layer: KernelAttention) -> None:
    with pytest.raises(RepresentationError, match="one multiplicity"):
        KernelAttention("4x0e+2x1o", EDGE, B)
    with pytest.raises(RepresentationError, match="heads divide"):
        KernelAttention(A, EDGE, B, heads=3)
    with pytest.raises(RepresentationError, match="no product"):
        KernelAttention(A, "0e", "4x3o")
    x, y, key_weight, value_weight = arguments(layer)
    with pytest.raises(ShapeError, match="value_weight"):
        layer(x, y, key_weight, value_weight[:, 1:], GRAPH, ENVELOPE)
    with pytest.raises(ShapeError, match="envelope"):
        layer(x, y, key_weight, value_weight, GRAPH, ENVELOPE[:4])
