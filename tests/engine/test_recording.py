"""Recorded evaluations: the same bits as the first, for other input; what cannot be recorded."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.engine import Routine
from schur.engine.recording import active, record
from schur.errors import BackendError, IndexRangeError, ShapeError
from schur.forms import Block, Factor, Form, Operand, Path
from schur.nn import Convolution, FullyConnectedTensorProduct, Linear, RadialMLP
from schur.tensors import Graph
from schur.tensors.harmonics import spherical_harmonics


def in_place(x: Tensor) -> Tensor:
    """Constant memory that the input is added to, and read before and after."""
    total = torch.zeros(3)
    early = total + x.sum()
    total.index_add_(0, torch.tensor([0, 2, 0]), x)
    total[1] = x[0]
    return torch.cat([early, total, total * 2])


def views(x: Tensor) -> Tensor:
    return torch.stack([x.view(3, 1).expand(3, 2).T.reshape(-1)[::2], x.flip(0), x * 0 + 1])


def branches(x: Tensor) -> Tensor:
    y = torch.where(x > 0, torch.sinc(x), x.exp())
    return torch.linalg.vector_norm(y) * torch.nn.functional.silu(x) + y.double().sum()


def gradient(x: Tensor) -> Tensor:
    y = x.detach().requires_grad_()
    (first,) = torch.autograd.grad((y**3).sin().sum(), y, create_graph=True)
    return torch.cat([first, torch.autograd.grad(first.sum(), y)[0]])


def half_of_a_gradient(x: Tensor) -> Tensor:
    """One backward pass of several outputs of which two are not asked for."""
    y = x.detach().requires_grad_()
    normed = torch.nn.functional.layer_norm(y, (3,), torch.ones(3), torch.zeros(3))
    return torch.autograd.grad((normed**3).sum(), y)[0]


@pytest.mark.parametrize("function", [in_place, views, branches, gradient, half_of_a_gradient])
def test_repeats_what_torch_does(function: Callable[[Tensor], Tensor]) -> None:
    made = record(function, torch.randn(3))
    for _ in range(3):
        x = torch.randn(3)
        assert torch.equal(made(x), function(x))
    assert active() is None


class Layers(torch.nn.Module):
    """Routines, block products and their gradients."""

    def __init__(self) -> None:
        super().__init__()
        self.up = Linear("2x0e+3x1o", "4x0e+2x1o", biases=[True, False])
        self.product = FullyConnectedTensorProduct("4x0e+2x1o", "0e+1o", "3x0e+2x1o")
        self.radial = RadialMLP([3, 4, 4])

    def forward(self, x: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        harmonics = spherical_harmonics("0e+1o", vectors, True, "component")
        out = self.product(self.up(x), harmonics) * self.radial(vectors).sum(1, keepdim=True)
        return out.detach(), torch.autograd.grad(out.square().sum(), x)[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_repeats_compiled_layers(dtype: torch.dtype) -> None:
    layers = Layers().to(dtype)
    x, vectors = torch.randn(5, 11, dtype=dtype), torch.randn(5, 3, dtype=dtype)
    made = record(layers, x, vectors)
    for _ in range(2):
        x, vectors = torch.randn_like(x), torch.randn_like(vectors)
        for again, expected in zip(made(x, vectors), layers(x, vectors), strict=True):
            torch.testing.assert_close(again, expected, rtol=1e-5, atol=1e-5)
    assert not torch.equal(made(2 * x, vectors)[0], layers(x, vectors)[0])  # it can fail


def test_what_the_input_does_not_touch_is_not_repeated() -> None:
    constant = torch.randn(4, 4)

    def function(x: Tensor) -> Tensor:
        return (constant @ constant).sin().sum() * x

    assert len(record(function, torch.ones(2))) == 1


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x * 2 if x.sum() > 0 else x,
        lambda x: x[x > 0],
        lambda x: x + float(x.max()),
        lambda x: torch.nn.functional.dropout(x, 0.5),
    ],
)
def test_values_that_decide_are_refused(function: Callable[[Tensor], Tensor]) -> None:
    with pytest.raises(BackendError, match="cannot be recorded"):
        record(function, torch.ones(3))
    assert active() is None


def test_an_index_that_depends_on_the_input_is_read_anew() -> None:
    table = torch.randn(6, 2)

    def function(x: Tensor) -> Tensor:
        return table[x.floor().long()] * x[:, None]

    made = record(function, torch.tensor([0.5, 1.5]))
    x = torch.tensor([4.25, 2.5])
    assert torch.equal(made(x), function(x))


def test_an_index_of_a_routine_is_checked_anew() -> None:
    block = (Block(1, (2,)),)
    x, table = Operand("x", block), Operand("table", block, "indexed", "i")
    factors = tuple(Factor(name, 0, "u") for name in ("x", "table", "out"))
    form = Form((x, table, Operand("out", block)), (Path.dense(factors, np.ones((1, 1, 1))),))
    product, held = Routine(form.open("out")), torch.randn(6, 2)

    def function(x: Tensor) -> Tensor:
        return product(x, held, indices={"i": x[:, 0].floor().long()})

    made = record(function, torch.tensor([[0.5, 1.5], [3.5, 1.0]]))
    x = torch.tensor([[5.5, 1.5], [2.5, 1.0]])
    assert torch.equal(made(x), function(x))
    with pytest.raises(IndexRangeError):
        made(torch.full((2, 2), 7.0))


def test_live_tensors_are_read_where_they_stand() -> None:
    weight = torch.tensor([2.0])
    made = record(lambda x: weight.square() * x, torch.tensor([1.0]), live=[weight])
    frozen = record(lambda x: weight.square() * x, torch.tensor([1.0]))
    weight.fill_(3.0)
    assert made(torch.tensor([1.0])) == 9.0
    assert frozen(torch.tensor([1.0])) == 4.0
    assert made.nbytes > 0


@pytest.mark.parametrize("longest", [2, 40])
def test_a_walk_follows_an_index_that_depends_on_the_input(longest: int) -> None:
    """Sums at nodes, and a shared weight's gradient, whose items depend on the sort."""
    convolution = Convolution("2x0e+2x1o", "0e+1o", "0e+1o").double()
    nodes, edges = 12, 300
    x = torch.randn(nodes, convolution.rep_in.dim, dtype=torch.float64)
    attributes = torch.randn(edges, 4, dtype=torch.float64)
    weights = torch.randn(edges // 2, convolution.weight_numel, dtype=torch.float64)

    def function(index: Tensor, x: Tensor) -> tuple[Tensor, ...]:
        x = x.detach().requires_grad_()
        graph = Graph(index, nodes, paired=True)
        out = convolution(x, attributes, weights, graph)
        return out.detach(), torch.autograd.grad(out.square().sum(), x)[0]

    def drawn() -> Tensor:  # few receivers, or all: segments of very different lengths
        half = torch.randint(min(nodes, longest), (2, edges // 2))
        return torch.cat([half, half.flip(0)], 1)

    made = record(function, drawn(), x)
    for _ in range(4):
        index, x = drawn(), torch.randn_like(x)
        for again, expected in zip(made(index, x), function(index, x), strict=True):
            assert torch.equal(again, expected)
    with pytest.raises(IndexRangeError):
        made(torch.full((2, edges), nodes), x)
    with pytest.raises(ShapeError):
        made(torch.randint(nodes, (2, edges)), x)
