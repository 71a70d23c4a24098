"""Layers for any number of things: definition, equivariance, derivatives; hypergraphs."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.errors import ShapeError
from schur.groups import Sym
from schur.nn import (
    DiagramLinear,
    PairProduct,
    PermutationLinear,
    PermutationNetwork,
    hypergraph_tensor,
)
from schur.testing import assert_derivatives

from .laws import EPS, assert_close, in_double, normal

ORDERS = [(k, l) for k, l in product(range(4), repeat=2) if k + l <= 5 and not (k == 0 < l)]


def renumbered(x: Tensor, p: list[int], order: int) -> Tensor:
    for axis in range(order):
        x = x.index_select(x.ndim - 2 - axis, torch.tensor(p))
    return x


@pytest.mark.parametrize(("k", "l"), ORDERS)
def test_it_is_the_layer_of_one_n_with_means(k: int, l: int) -> None:
    # With n >= k + l both have one weight for each set partition, in the same order.
    n = max(k + l, 2)
    layer = in_double(PermutationLinear(k, l, 2, 3))
    fixed = in_double(DiagramLinear(Sym(n), k, l, 2, 3, backend="torch"))
    summed = [sum(block[0] >= l for block in diagram.blocks) for diagram in layer.diagrams]
    scale = torch.tensor([float(n) ** -s for s in summed], dtype=torch.float64)
    with torch.no_grad():
        fixed.weight.copy_(layer.weight * scale[:, None, None])
        if fixed.bias is not None:
            fixed.bias.copy_(layer.bias)
    x = normal(4, *[n] * k, 2)
    assert_close(layer(x), fixed(x), 100 * EPS * n**k)


@pytest.mark.parametrize(("k", "l"), [(1, 1), (2, 2), (3, 1), (2, 3)])
@pytest.mark.parametrize("n", [1, 2, 7])
def test_equivariance_at_any_n(k: int, l: int, n: int) -> None:
    layer = in_double(PermutationLinear(k, l, 2, 3))
    x = normal(2, 5, *[n] * k, 2)
    p = np.random.default_rng(n).permutation(n).tolist()
    assert_close(layer(renumbered(x, p, k)), renumbered(layer(x), p, l), 1000 * EPS)
    assert layer(x).shape == (2, 5, *[n] * l, 3)
    assert_close(layer(x[0, 0]), layer(x)[0, 0], 100 * EPS)


@pytest.mark.parametrize(("k", "l"), [(0, 0), (1, 1), (2, 2), (3, 1), (2, 3)])
@pytest.mark.parametrize("n", [1, 2, 6])
def test_tables_and_arrays_agree(k: int, l: int, n: int) -> None:
    layer = in_double(PermutationLinear(k, l, 2, 3))
    x = normal(5, *[n] * k, 2).requires_grad_()
    given = [x, *layer.parameters()]
    n = n if k else 1
    out, expected = layer(x), layer._by_arrays(x, 5, n)
    g = normal(*out.shape, seed=1)
    mine = torch.autograd.grad(out, given, g)
    theirs = torch.autograd.grad(expected, given, g.reshape(expected.shape))
    assert_close(out, expected.reshape(out.shape), 1000 * EPS)
    for one, other in zip(mine, theirs, strict=True):
        assert_close(one, other, 1e4 * EPS * n**l)


def test_a_map_that_is_not_equivariant_is_caught() -> None:
    x = normal(3, 4, 4, 2)
    with pytest.raises(AssertionError, match="relative error"):
        assert_close(
            renumbered(x.cumsum(1), [1, 0, 2, 3], 2), renumbered(x, [1, 0, 2, 3], 2).cumsum(1), 1e-6
        )


def test_derivatives() -> None:
    layer = PermutationLinear(2, 2, 1, 2)
    assert layer.bias is not None
    arguments = [normal(2, 3, 3, 1), normal(*layer.weight.shape), normal(*layer.bias.shape)]

    def function(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    assert_derivatives(function, arguments, fast=True)


def test_products_of_pairs() -> None:
    layer = in_double(PairProduct(2, 3))
    x = normal(4, 5, 5, 2)
    expected = torch.einsum("zijc,cw,zjkd,dw->zikw", x, layer.left, x, layer.right) / 5**0.5
    assert_close(layer(x), expected, 200 * EPS)


def rook_and_shrikhande() -> tuple[Tensor, Tensor]:
    points = list(product(range(4), repeat=2))
    rook, shrikhande = torch.zeros(16, 16), torch.zeros(16, 16)
    for i, (a, b) in enumerate(points):
        for j, (c, d) in enumerate(points):
            rook[i, j] = float((a == c) != (b == d))
            step = ((a - c) % 4, (b - d) % 4)
            shrikhande[i, j] = float(step in {(0, 1), (0, 3), (1, 0), (3, 0), (1, 1), (3, 3)})
    return rook.double(), shrikhande.double()


def rings(*lengths: int) -> Tensor:
    """Cycles side by side."""
    out = torch.zeros(sum(lengths), sum(lengths), dtype=torch.float64)
    start = 0
    for length in lengths:
        for i in range(length):
            out[start + i, start + (i + 1) % length] = out[start + (i + 1) % length, start + i] = 1
        start += length
    return out


def apart(network: PermutationNetwork, one: Tensor, other: Tensor) -> float:
    return float((network(one[..., None]) - network(other[..., None])).detach().abs().max())


def test_products_tell_graphs_apart_that_linear_maps_of_pairs_do_not() -> None:
    torch.manual_seed(0)
    plain = PermutationNetwork([2, 2, 2, 0], [1, 8, 8, 4], torch.tanh).double()
    strong = PermutationNetwork([2, 2, 2, 0], [1, 8, 8, 4], torch.tanh, multiply=True).double()
    assert apart(plain, rings(6), rings(3, 3)) < 1000 * EPS
    assert apart(strong, rings(6), rings(3, 3)) > 1e-4
    # Strongly regular with equal parameters: products of pairs are not enough.
    assert apart(strong, *rook_and_shrikhande()) < 1e4 * EPS


def test_networks_are_invariant_and_take_every_size() -> None:
    torch.manual_seed(0)
    network = PermutationNetwork([2, 2, 1, 0], [1, 4, 4, 2], multiply=True).double()
    for n in (1, 5, 8):
        x = normal(3, n, n, 1)
        p = np.random.default_rng(n).permutation(n).tolist()
        assert_close(network(renumbered(x, p, 2)), network(x), 1e4 * EPS)


def test_hypergraphs() -> None:
    edges = [[0, 1, 2], [2, 3], [4]]
    tensor = hypergraph_tensor(edges, 5, 3)
    assert int(tensor.sum()) == 6 + 6 + 1
    for place in product(range(5), repeat=3):
        assert bool(tensor[place]) == (sorted(set(place)) in edges)
    torch.manual_seed(0)
    network = PermutationNetwork([3, 3, 1], [1, 3, 2], torch.tanh).double()
    p = [3, 1, 4, 0, 2]
    moved = hypergraph_tensor([[p.index(v) for v in edge] for edge in edges], 5, 3)
    assert torch.equal(moved, renumbered(tensor[..., None], p, 3)[..., 0])
    found = network(moved[..., None].double())
    assert_close(found, network(tensor[..., None].double())[p], 1000 * EPS)


def test_errors() -> None:
    with pytest.raises(ShapeError, match="orders count"):
        PermutationLinear(-1, 1, 1, 1)
    with pytest.raises(ShapeError, match="order 2"):
        PermutationLinear(2, 1, 1, 1)(torch.ones(3, 4, 1))
    with pytest.raises(ShapeError, match="how many things"):
        PermutationLinear(0, 1, 1, 1)(torch.ones(3, 1))
    with pytest.raises(ShapeError, match="an order and a number"):
        PermutationNetwork([2, 0], [1])
    for edges in ([[]], [[0, 1, 2]], [[0, 5]]):
        with pytest.raises(ShapeError, match="does not fit"):
            hypergraph_tensor(edges, 5, 2)
