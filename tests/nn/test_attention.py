"""Attention: equivariance, its sum over neighbours, and no step at the cutoff."""

from __future__ import annotations

import pytest
import torch

from schur.errors import RepresentationError, ShapeError
from schur.nn import Attention
from schur.reps import Irreps
from schur.tensors import GeometricTensor, Graph
from schur.testing import assert_derivatives, assert_equivariant

from .laws import EPS, assert_close, in_double, normal

A, EDGE, B = Irreps("4x0e+4x1o"), Irreps("0e+1o"), Irreps("4x0e+2x1o+2x1e")
EDGES = torch.tensor([[0, 3, 2, 1, 1, 4], [1, 0, 2, 4, 1, 0]])


@pytest.fixture
def layer() -> Attention:
    return in_double(Attention(A, EDGE, B, radial=5, heads=2, hidden=8, backend="torch"))


def arguments() -> list[torch.Tensor]:
    return [normal(5, A.dim), normal(6, EDGE.dim, seed=1), normal(6, 5, seed=2)]


def test_equivariance(layer: Attention) -> None:
    assert_equivariant(lambda x, y, s: layer(x, y, s, EDGES), [A, EDGE, None], B, arguments())


def test_derivatives(layer: Attention) -> None:
    envelope = torch.rand(6, dtype=torch.float64)
    assert_derivatives(
        lambda x, y, s, c: layer(x, y, s, EDGES, c), [*arguments(), envelope], order=2, fast=True
    )


def test_definition(layer: Attention) -> None:
    """Edge by edge, in the words of the formula."""
    x, y, s = arguments()
    envelope = torch.linspace(0.2, 1, 6, dtype=torch.float64)
    graph = Graph(EDGES, 5)
    key = layer.key(layer.key_product(x, y, layer.key_net(s), graph.senders))
    value = layer.value(layer.value_product(x, y, layer.value_net(s), graph.senders))
    query = layer.query(x)
    key_rep, heads = layer.rep_key, 2
    total = torch.zeros(5, B.dim, dtype=torch.float64)
    for node in range(5):
        incoming = [e for e in range(6) if EDGES[1, e] == node]
        for head in range(heads):

            def part(tensor: torch.Tensor, rep: Irreps, head: int = head) -> list[torch.Tensor]:
                blocks = GeometricTensor(tensor, rep)
                widths = [mul // heads for mul, _ in rep]
                return [
                    blocks.block(k)[..., head * width : (head + 1) * width]
                    for k, width in enumerate(widths)
                ]

            weights = {}
            for e in incoming:
                pairs = zip(part(query[node], key_rep), part(key[e], key_rep), strict=True)
                logit = sum((q * k).sum() for q, k in pairs) / (key_rep.dim / heads) ** 0.5
                weights[e] = envelope[e] * torch.exp(torch.as_tensor(logit))
            norm = 1 + sum(weights.values())
            for e, weight in weights.items():
                for target, source in zip(part(total[node], B), part(value[e], B), strict=True):
                    target += (weight / norm * source).detach()
    assert_close(layer(x, y, s, EDGES, envelope), layer.out(total), 256 * EPS)


def test_a_neighbour_leaves_without_a_step(layer: Attention) -> None:
    x, y, s = arguments()
    alone = EDGES[:, 2:3]
    faint = layer(x, y[2:3], s[2:3], alone, torch.tensor([1e-9], dtype=torch.float64))
    none = layer(x, y[:0], s[:0], EDGES[:, :0])
    assert none.eq(0).all()
    assert float((faint - none).detach().abs().max()) < 1e-6


def test_large_logits_do_not_overflow() -> None:
    layer = in_double(Attention(A, EDGE, B, radial=5, hidden=8, backend="torch"))
    x, y, s = arguments()
    assert layer(1e4 * x, y, s, EDGES).isfinite().all()


def test_errors(layer: Attention) -> None:
    x, y, s = arguments()
    with pytest.raises(RepresentationError, match="divide"):
        Attention(A, EDGE, B, radial=5, heads=3)
    with pytest.raises(RepresentationError, match="no product"):
        Attention("2x0e", "0e", "2x3o", radial=5, rep_key="2x0e")
    with pytest.raises(ShapeError, match="one line for each node"):
        layer(x, y, s, Graph(EDGES, 6))
    with pytest.raises(ShapeError, match="envelope"):
        layer(x, y, s, EDGES, torch.ones(5))
