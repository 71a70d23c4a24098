"""Networks on neighbourhoods: extraction, equivariance, what they tell apart, what they hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.errors import ShapeError
from schur.nn import SubgraphNetwork, ego_subgraphs

from .laws import EPS, assert_close, normal
from .test_permutation_network import rings, rook_and_shrikhande


def edge_index(adjacency: Tensor) -> Tensor:
    return adjacency.nonzero().T.contiguous()


def joined(n: int, edges: list[tuple[int, int]]) -> Tensor:
    out = torch.zeros(n, n, dtype=torch.float64)
    for i, j in edges:
        out[i, j] = out[j, i] = 1.0
    return out


def skip_links(n: int, step: int) -> Tensor:
    """CSL(n, step): a ring, and edges that skip."""
    return joined(n, [(i, (i + s) % n) for i in range(n) for s in (1, step)])


DECALIN = joined(10, [*((i, (i + 1) % 10) for i in range(10)), (0, 5)])
BICYCLOPENTYL = joined(
    10,
    [*((i, (i + 1) % 5) for i in range(5)), *((5 + i, 5 + (i + 1) % 5) for i in range(5)), (0, 5)],
)


def invariants(network: SubgraphNetwork, adjacency: Tensor, hops: int) -> Tensor:
    n = len(adjacency)
    found = network(
        torch.ones(n, 1, dtype=torch.float64), ego_subgraphs(edge_index(adjacency), n, hops)
    )
    return torch.cat([found.detach().sum(0), found.detach().square().sum(0)])


def messages(adjacency: Tensor) -> Tensor:
    """What message passing between vertices makes of a graph, with random weights."""
    generator = torch.Generator().manual_seed(0)
    x = torch.ones(len(adjacency), 8, dtype=torch.float64)
    for _ in range(6):
        own, near = torch.randn(2, 8, 8, dtype=torch.float64, generator=generator) / 4
        x = torch.tanh(x @ own + adjacency @ x @ near)
    return x.sum(0)


def network(multiply: bool = False) -> SubgraphNetwork:
    torch.manual_seed(0)
    return SubgraphNetwork(1, [6, 6], 3, multiply=multiply).double()


@pytest.mark.parametrize(
    ("one", "other", "hops"),
    [
        (rings(6), rings(3, 3), 1),
        (skip_links(41, 2), skip_links(41, 3), 1),
        (DECALIN, BICYCLOPENTYL, 2),
    ],
    ids=["hexagon", "skip links", "decalin"],
)
def test_neighbourhoods_show_what_message_passing_does_not(
    one: Tensor, other: Tensor, hops: int
) -> None:
    assert_close(messages(one), messages(other), 1000 * EPS)
    found, expected = (invariants(network(), graph, hops) for graph in (one, other))
    assert float(((found - expected) / expected).abs().max()) > 1e-3


def test_one_hop_is_not_enough_for_rings_of_molecules() -> None:
    # The neighbourhoods of single atoms are stars in both.
    one, other = (invariants(network(), graph, 1) for graph in (DECALIN, BICYCLOPENTYL))
    assert_close(one, other, 1000 * EPS)


def test_strongly_regular_graphs_need_products_within_a_neighbourhood() -> None:
    rook, shrikhande = rook_and_shrikhande()
    assert_close(messages(rook), messages(shrikhande), 1000 * EPS)
    # A hub with two triangles and a hub with a hexagon: linear maps of pairs see one graph.
    plain = [invariants(network(), graph, 1) for graph in (rook, shrikhande)]
    assert_close(plain[0], plain[1], 1e4 * EPS)
    strong = [invariants(network(multiply=True), graph, 1) for graph in (rook, shrikhande)]
    assert float(((strong[0] - strong[1]) / strong[0]).abs().max()) > 1e-3


def random_regular(n: int, degree: int) -> Tensor:
    """Rings in random orders on top of each other: nearly all vertices have the degree."""
    rng = np.random.default_rng(0)
    out = torch.zeros(n, n)
    for _ in range(degree // 2):
        order = rng.permutation(n)
        out[order, np.roll(order, 1)] = out[np.roll(order, 1), order] = 1.0
    return out


def test_renumbering() -> None:
    adjacency = random_regular(30, 4).double()
    p = torch.from_numpy(np.random.default_rng(1).permutation(30))
    x = normal(30, 1)
    layer = network(multiply=True)
    found = layer(x, ego_subgraphs(edge_index(adjacency), 30, 2))
    moved = layer(x[p], ego_subgraphs(edge_index(adjacency[p][:, p]), 30, 2))
    assert_close(moved, found[p], 1e4 * EPS)


def test_neighbourhoods_are_those_of_the_definition() -> None:
    adjacency = random_regular(20, 4)
    steps = torch.linalg.matrix_power(adjacency + torch.eye(20), 2) > 0
    groups = ego_subgraphs(edge_index(adjacency), 20, 2)
    centres = []
    for group in groups:
        for members, near in zip(group.members, group.adjacency, strict=True):
            centres.append(int(members[0]))
            assert set(members.tolist()) == set(steps[members[0]].nonzero()[:, 0].tolist())
            assert torch.equal(near, adjacency[members][:, members] > 0)
    assert sorted(centres) == list(range(20))


def test_what_is_held_is_a_small_part_of_all_pairs() -> None:
    n = 500
    groups = ego_subgraphs(edge_index(random_regular(n, 4)), n, 1)
    every = sum(group.adjacency.numel() for group in groups)
    # 500 neighbourhoods of five: 20 times less than 500^2 pairs; by 64 at a time 150 times.
    assert n * n / every >= 20
    assert n * n / max(64 * group.members.shape[1] ** 2 for group in groups) > 150
    layer = network()
    x = normal(n, 1)
    with torch.no_grad():
        assert_close(layer(x, groups, chunk=64), layer(x, groups), 100 * EPS)


def test_errors() -> None:
    with pytest.raises(ShapeError, match="edges name"):
        ego_subgraphs(torch.tensor([[0], [3]]), 3, 1)
    with pytest.raises(ShapeError, match="edges name"):
        ego_subgraphs(torch.tensor([[0], [1]]), 3, -1)
    with pytest.raises(ShapeError, match="features"):
        network()(normal(3, 2), ego_subgraphs(torch.tensor([[0], [1]]), 3, 1))
    alone = ego_subgraphs(torch.zeros(2, 0, dtype=torch.int64), 3, 1)
    assert [group.members.tolist() for group in alone] == [[[0], [1], [2]]]
