"""Into frames, mixing, out of frames: together the convolution that is tested against SO(3)."""

from __future__ import annotations

import pytest
import torch

from schur.nn import EdgeFrameConvolution, FrameLinear, IntoFrames, OutOfFrames
from schur.nn.frame_maps import frame_dim
from schur.reps import Irreps
from schur.tensors import Graph, edge_wigner
from schur.testing import assert_equivariant

from .laws import EPS, assert_close, normal

REP, OUT = Irreps("4x0e+4x1o+4x2e"), Irreps("3x0e+3x1o")
GRAPH = Graph(torch.tensor([[0, 1, 2, 3, 1], [1, 2, 0, 0, 3]]), 4)
X, VECTORS = normal(4, REP.dim), normal(5, 3, seed=1)


def pipeline(
    order: int | None, weight: torch.Tensor | None = None
) -> tuple[IntoFrames, FrameLinear, OutOfFrames]:
    into, mix, out = IntoFrames(REP, order), FrameLinear(REP, OUT, order), OutOfFrames(OUT, order)
    mix.double()
    if weight is not None:
        mix.load_state_dict({"weight": weight})
    return into, mix, out


@pytest.mark.parametrize("order", [None, 1, 0])
def test_the_steps_are_the_convolution(order: int | None) -> None:
    """`EdgeFrameConvolution` equals the product with harmonics of every degree; see its tests."""
    whole = EdgeFrameConvolution(REP, OUT, order, scaled=True).double()
    assert whole.weight is not None
    into, mix, out = pipeline(order, whole.weight.detach())
    scale, wigner = normal(5, whole.scale_numel, seed=2), edge_wigner(VECTORS, 2)
    turned = into(X, wigner, scale, GRAPH.senders)
    assert turned.shape == (5, frame_dim(REP, order))
    found = out(mix(turned), wigner, GRAPH)
    assert_close(found, whole(X, wigner, GRAPH, scale=scale), 64 * EPS)


@pytest.mark.parametrize("order", [None, 1])
def test_equivariance(order: int | None) -> None:
    into, mix, out = pipeline(order)
    ones = torch.ones(5, into.scale_numel, dtype=torch.float64)

    def both_ends(x: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
        wigner = edge_wigner(vectors, 2)
        ends = [mix(into(x, wigner, ones, nodes)) for nodes in (GRAPH.senders, GRAPH.receivers)]
        return out(ends[0] * ends[1][:, :1], wigner, GRAPH)

    assert_equivariant(both_ends, [REP, Irreps("1o")], OUT, [X, VECTORS], 1e-12)
