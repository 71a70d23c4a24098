"""Linear maps of tensor powers: definition, equivariance, derivatives, backends, expressivity."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.groups import (
    O3,
    Alt,
    Group,
    Orthogonal,
    SpecialOrthogonal,
    Sym,
    Symplectic,
    graph_automorphisms,
)
from schur.nn import DiagramLinear
from schur.products.diagrams import equivariant_maps
from schur.testing import assert_agrees_with_oracle, assert_derivatives

from .laws import EPS, assert_close, in_double, normal

P3 = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
CASES: list[tuple[Group, int, int]] = [
    (Sym(4), 2, 2),
    (Sym(2), 2, 2),
    (Sym(3), 3, 1),
    (Alt(3), 1, 2),
    (Orthogonal(3), 2, 2),
    (Orthogonal(2), 3, 3),
    (SpecialOrthogonal(3), 2, 1),
    (SpecialOrthogonal(2), 2, 2),
    (Symplectic(2), 2, 2),
    (Symplectic(4), 1, 3),
    (graph_automorphisms(P3), 1, 2),
    (Sym(2) * Sym(2), 1, 1),
    (O3(), 0, 2),
    (Orthogonal(2) * Symplectic(2), 2, 2),
    (SpecialOrthogonal(2) * Sym(2), 2, 1),
    (Alt(3) * O3(), 1, 2),
    (Sym(2) * graph_automorphisms(P3) * Orthogonal(1), 1, 1),
]
IDS = [f"{group}:{k}->{l}" for group, k, l in CASES]


def applied(g: np.ndarray, x: Tensor, order: int) -> Tensor:
    """g on each of the axes before the last."""
    matrix = torch.from_numpy(g)
    for axis in range(order):
        place = x.ndim - 2 - axis
        x = torch.movedim(x.movedim(place, -1) @ matrix.T, -1, place)
    return x


def built(group: Group, k: int, l: int, **kwargs: Any) -> DiagramLinear:
    return in_double(DiagramLinear(group, k, l, 2, 3, **kwargs))


@pytest.mark.parametrize(("group", "k", "l"), CASES, ids=IDS)
def test_it_is_the_sum_of_dense_maps(group: Group, k: int, l: int) -> None:
    layer = built(group, k, l)
    n = group.n
    x = normal(4, *[n] * k, 2)
    maps = torch.from_numpy(equivariant_maps(group, k, l).matrices())
    shifts = torch.from_numpy(equivariant_maps(group, 0, l).matrices())[..., 0]
    expected = x.new_zeros(4, n**l, 3)
    if layer.weight is not None:
        rows = x.reshape(4, n**k, 2)
        expected = torch.einsum("dij,duw,zju->ziw", maps, layer.weight, rows)
    if layer.bias is not None:
        expected = expected + torch.einsum("bi,bw->iw", shifts, layer.bias)
    assert_close(layer(x).reshape(4, -1, 3), expected, 64 * EPS * n**k)


@pytest.mark.parametrize(("group", "k", "l"), CASES, ids=IDS)
def test_equivariance(group: Group, k: int, l: int) -> None:
    layer = built(group, k, l)
    x = normal(3, *[group.n] * k, 2)
    elements = [*group.sample(np.random.default_rng(0), 3), *group.discrete()]
    for g in elements:
        size = max(1.0, float(np.abs(g).max())) ** (k + l)
        moved, expected = layer(applied(g, x, k)), applied(g, layer(x), l)
        assert_close(moved, expected, 1000 * EPS * size)


@pytest.mark.parametrize("backend", ["torch", "c"])
def test_axes_of_points_and_axes_of_space(backend: Any) -> None:
    # Matrices and vectors on three points: renumbered by one group, turned by the other.
    group = Sym(3) * O3()
    layer = in_double(DiagramLinear(group, (2, 1), (1, 1), 2, 3, backend=backend))
    assert layer.dimension == 5 and layer.bias is None
    x = normal(4, 3, 3, 3, 2)
    rng = np.random.default_rng(0)
    p, g = torch.from_numpy(Sym(3).sample(rng, 1)[0]), torch.from_numpy(O3().sample(rng, 1)[0])
    moved = torch.einsum("ip,jq,ar,zpqrc->zijac", p, p, g, x)
    expected = torch.einsum("ip,ar,zprc->ziac", p, g, layer(x))
    assert_close(layer(moved), expected, 1000 * EPS)
    maps = torch.from_numpy(equivariant_maps(Sym(3), 2, 1).matrices()).reshape(5, 3, 3, 3)
    assert layer.weight is not None
    summed = torch.einsum("dijk,zjkau,duw->ziaw", maps, x, layer.weight)
    assert_close(layer(x), summed, 1000 * EPS)


def test_a_map_that_is_not_equivariant_is_caught() -> None:
    layer = built(Sym(3), 2, 2)
    x = normal(3, 3, 3, 2)
    g = Sym(3).discrete()[0]
    shift = normal(3, 3, 3)
    with pytest.raises(AssertionError, match="relative error"):
        assert_close(layer(applied(g, x, 2)) + shift, applied(g, layer(x) + shift, 2), 1000 * EPS)


@pytest.mark.parametrize("backend", ["torch", "auto"])
@pytest.mark.parametrize(
    "group", [Sym(2), SpecialOrthogonal(2), Symplectic(2), Orthogonal(1) * Sym(1)], ids=str
)
def test_derivatives(group: Group, backend: Any) -> None:
    layer = DiagramLinear(group, 2, 2, 1, 2, backend=backend)
    assert layer.weight is not None and layer.bias is not None
    arguments = [normal(2, 2, 2, 1), normal(*layer.weight.shape), normal(*layer.bias.shape)]

    def function(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,))

    assert_derivatives(function, arguments, fast=True)


@pytest.mark.parametrize("backend", ["torch", "auto"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_backends(backend: Any, dtype: torch.dtype) -> None:
    cases: list[tuple[Group, Any, Any]] = [
        (Sym(3), 2, 1),
        (SpecialOrthogonal(3), 2, 1),
        (Symplectic(2), 2, 2),
        (Orthogonal(2) * Sym(2), 2, 1),
        (Sym(2) * SpecialOrthogonal(2), (1, 1), (1, 2)),
    ]
    for group, k, l in cases:
        program = DiagramLinear(group, k, l, 2, 2).routine.program
        for order in (0, 1, 2):
            assert_agrees_with_oracle(program, backend, dtype, order=order)


def test_large_programs_go_to_torch_unless_asked() -> None:
    large = DiagramLinear(Sym(24), 2, 2, 1, 1)
    assert large.routine.backend == "torch"
    assert DiagramLinear(Sym(4), 2, 2, 1, 1).routine.backend == "auto"
    x = normal(2, 24, 24, 1)
    layer = in_double(large)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(1))
    assert_close(layer(x[:, order][:, :, order]), layer(x)[:, order][:, :, order], 1000 * EPS)


def test_outputs_have_variance_one() -> None:
    for group, k, l in ((Sym(4), 2, 2), (Orthogonal(3), 2, 2), (Alt(3), 1, 2)):
        outputs = []
        for seed in range(40):
            torch.manual_seed(seed)
            layer = DiagramLinear(group, k, l, 8, 8, backend="torch")
            x = normal(16, *[group.n] * k, 8, seed=seed, dtype=torch.float32)
            outputs.append(layer(x).detach().square().mean())
        # The mean over 40 draws of all weights; their spread comes from the few maps.
        spread = float(torch.stack(outputs).std()) / 40**0.5
        assert abs(float(torch.stack(outputs).mean()) - 1) < 5 * spread


def test_shapes_counts_and_words() -> None:
    layer = DiagramLinear(Sym(3), 2, 1, 2, 3)
    assert (layer.dimension, layer.bias_dimension) == (5, 1)
    assert "5 maps, 1 biases" in repr(layer)
    assert layer(torch.randn(2, 5, 3, 3, 2)).shape == (2, 5, 3, 3)
    assert layer(torch.randn(3, 3, 2)).shape == (3, 3)
    assert layer(torch.randn(0, 3, 3, 2)).shape == (0, 3, 3)
    invariant = DiagramLinear(Sym(3), 2, 0, 2, 3, bias=False)
    assert invariant.bias is None and invariant(torch.randn(4, 3, 3, 2)).shape == (4, 3)
    constant = DiagramLinear(Orthogonal(3), 1, 2, 2, 3)
    assert constant.weight is None and constant(torch.randn(4, 3, 2)).shape == (4, 3, 3, 3)


@pytest.mark.parametrize(
    "group", [Sym(1), Alt(1), Alt(2), Orthogonal(1), SpecialOrthogonal(1)], ids=str
)
def test_the_smallest_groups(group: Group) -> None:
    """One point, one dimension, no axes: as the sum of dense maps, and for no rows at all."""
    test_it_is_the_sum_of_dense_maps(group, 2, 2)
    for k, l in ((1, 1), (0, 0), (2, 0), (0, 2)):
        layer = built(group, k, l)
        assert layer(normal(0, *[group.n] * k, 2)).shape == (0, *[group.n] * l, 3)
        assert layer(normal(*[group.n] * k, 2)).shape == (*[group.n] * l, 3)


def test_errors() -> None:
    with pytest.raises(RepresentationError, match="must be even"):
        DiagramLinear(Orthogonal(3), 2, 1, 1, 1)
    with pytest.raises(ShapeError, match="channels count"):
        DiagramLinear(Sym(3), 1, 1, 0, 1)
    with pytest.raises(RepresentationError, match="orders"):
        DiagramLinear(Sym(3), -1, 1, 1, 1)
    layer = DiagramLinear(Sym(3), 2, 1, 2, 3)
    for shape in ((3, 2), (4, 3, 2), (4, 3, 3, 1)):
        with pytest.raises(ShapeError, match="order 2"):
            layer(torch.randn(*shape))


def features(adjacency: np.ndarray) -> Tensor:
    """Invariants of a graph from an order-2 network of Sym(n) with fixed random weights."""
    n = len(adjacency)
    torch.manual_seed(0)
    layers = [
        DiagramLinear(Sym(n), 2, 2, 1, 4, backend="torch").double(),
        DiagramLinear(Sym(n), 2, 2, 4, 4, backend="torch").double(),
        DiagramLinear(Sym(n), 2, 0, 4, 4, backend="torch").double(),
    ]
    x = torch.from_numpy(adjacency.astype(np.float64))[None, ..., None]
    for layer in layers[:-1]:
        # A matrix product of neighbours is what gives order 2 more than message passing.
        x = layer(x)
        x = torch.tanh(x + torch.einsum("zijc,zjkc->zikc", x, x) / n)
    return layers[-1](x)[0].detach()


def messages(adjacency: np.ndarray) -> Tensor:
    """Invariants of the same graph from message passing between vertices: order 1."""
    a = torch.from_numpy(adjacency)
    torch.manual_seed(0)
    x = torch.ones(len(a), 4, dtype=torch.float64)
    for _ in range(3):
        layer = DiagramLinear(Sym(len(a)), 1, 1, 4, 4, backend="torch").double()
        x = torch.tanh(layer(x) + a @ x)
    return x.sum(0).detach()


def test_an_order_two_network_sees_what_message_passing_cannot() -> None:
    hexagon, triangles = np.zeros((6, 6)), np.zeros((6, 6))
    for i in range(6):
        hexagon[i, (i + 1) % 6] = hexagon[(i + 1) % 6, i] = 1
    for start in (0, 3):
        for i, j in permutations(range(start, start + 3), 2):
            triangles[i, j] = 1
    one, other = features(hexagon), features(triangles)
    # The same degrees everywhere: colour refinement gives every vertex of both one colour.
    assert np.array_equal(hexagon.sum(0), triangles.sum(0))
    assert_close(messages(hexagon), messages(triangles), 1000 * EPS)
    assert float((one - other).abs().max()) > 1e-3
    order = np.random.default_rng(0).permutation(6)
    assert_close(features(hexagon[np.ix_(order, order)]), one, 1e4 * EPS)
