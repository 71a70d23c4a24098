"""Homomorphism counts as graph polynomials: definition, relabelling, independence, strength."""

from __future__ import annotations

from itertools import combinations, combinations_with_replacement, permutations, product

import numpy as np
import pytest
import torch

from schur.errors import ShapeError
from schur.nn import GraphPolynomials
from schur.products.diagrams import Pattern, homomorphism_tensor, multigraphs
from schur.testing import assert_derivatives

EPS = float(np.finfo(np.float64).eps)
Edges = tuple[tuple[int, int], ...]


def canonical(pattern: Pattern) -> tuple[int, Edges]:
    """The least list of edges over all names of the vertices that are not marked."""
    marked, size = pattern.marked, pattern.size
    relabelled = (
        tuple(sorted((min(p[u], p[v]), max(p[u], p[v])) for u, v in pattern.edges))
        for rest in permutations(range(marked, size))
        for p in [(*range(marked), *rest)]
    )
    return size, min(relabelled)


def every_multigraph(most: int, marked: int) -> set[tuple[int, Edges]]:
    """By brute force: all lists of pairs on so many vertices, without vertices left over."""
    found = set()
    for count in range(most + 1):
        for size in range(marked, marked + 2 * count + 1):
            for edges in combinations_with_replacement(list(combinations(range(size), 2)), count):
                if {v for edge in edges for v in edge} >= set(range(marked, size)):
                    found.add(canonical(Pattern(size, edges, marked)))
    return found


def weights(n: int, seed: int) -> np.ndarray:
    """A random symmetric matrix without loops."""
    upper = np.triu(np.random.default_rng(seed).standard_normal((n, n)), 1)
    return upper + upper.T


@pytest.mark.parametrize(("most", "marked"), [(3, 0), (3, 1), (2, 2)])
def test_each_multigraph_is_listed_once(most: int, marked: int) -> None:
    listed = [canonical(pattern) for pattern in multigraphs(most, marked)]
    assert len(set(listed)) == len(listed)
    assert set(listed) == every_multigraph(most, marked)


def test_there_are_as_many_multigraphs_as_known() -> None:
    # A050535 in the encyclopedia of sequences.
    counts = [sum(len(p.edges) == m for p in multigraphs(4)) for m in range(5)]
    assert counts == [1, 1, 3, 8, 23]


def brute_force(pattern: Pattern, a: np.ndarray) -> np.ndarray:
    """The sum over all placements of all vertices at once."""
    n, size = len(a), pattern.size
    total = np.ones((n,) * size)
    for u, v in pattern.edges:
        shape = [1] * size
        shape[u] = shape[v] = n
        total = total * (a if u < v else a.T).reshape(shape)
    return total.sum(tuple(range(pattern.marked, size)))


@pytest.mark.parametrize("marked", [0, 1, 2])
def test_contraction_is_the_sum_over_all_placements(marked: int) -> None:
    # Patterns of up to seven vertices at n = 8; with more at n = 3.
    a = weights(8, 0)
    for pattern in multigraphs(4, marked):
        n = 8 if pattern.size <= 6 else 3
        found = pattern.contract(a[:n, :n], np.ones(n), np.einsum)
        expected = brute_force(pattern, a[:n, :n])
        scale = brute_force(pattern, np.abs(a[:n, :n])).max()
        np.testing.assert_allclose(found, expected, rtol=0, atol=n**2 * EPS * max(scale, 1.0))


def test_the_cost_is_that_of_the_treewidth() -> None:
    ring = Pattern(8, tuple((i, (i + 1) % 8) for i in range(8)))
    tree = Pattern(7, tuple(((i - 1) // 2, i) for i in range(1, 7)))
    clique = Pattern(5, tuple(combinations(range(5), 2)))
    grid = [
        ((i, j), (k, m))
        for i, j in product(range(3), repeat=2)
        for k, m in ((i + 1, j), (i, j + 1))
    ]
    edges = tuple((3 * a + b, 3 * c + d) for (a, b), (c, d) in grid if c < 3 and d < 3)
    assert [p.width for p in (ring, tree, clique, Pattern(9, edges))] == [2, 1, 4, 3]
    assert all(pattern.width <= 2 for pattern in multigraphs(4))
    # Marks are never summed: a ring with one has the same width, a path between two marks one less.
    assert Pattern(8, ring.edges, 1).width == 2
    assert Pattern(3, ((0, 2), (2, 1)), 2).width == 2


def test_a_ring_of_twelve_on_forty_vertices_is_quick() -> None:
    # A sum over all placements would have 40^12 terms.
    a = weights(40, 3)
    ring = Pattern(12, tuple((i, (i + 1) % 12) for i in range(12)))
    expected = np.trace(np.linalg.matrix_power(a, 12))
    found = ring.contract(a, np.ones(40), np.einsum)
    assert abs(found - expected) <= 1e4 * EPS * abs(expected)


@pytest.mark.parametrize("marked", [0, 1, 2])
def test_renumbering_the_graph_renumbers_the_result(marked: int) -> None:
    a = weights(6, 1)
    p = np.random.default_rng(2).permutation(6)
    for pattern in multigraphs(3, marked):
        before = pattern.contract(a, np.ones(6), np.einsum)
        after = pattern.contract(a[np.ix_(p, p)], np.ones(6), np.einsum)
        expected = before[np.ix_(*[p] * marked)] if marked else before
        atol = 36 * EPS * np.max(pattern.contract(np.abs(a), np.ones(6), np.einsum))
        np.testing.assert_allclose(after, expected, rtol=0, atol=max(atol, 4 * EPS))


def polynomial_rank(n: int, most: int) -> int:
    patterns = multigraphs(most)
    graphs = np.stack([weights(n, seed) for seed in range(2 * len(patterns))])
    values = np.stack(
        [p.contract(graphs, np.ones(n), np.einsum) * np.ones(len(graphs)) for p in patterns], 1
    )
    largest = np.abs(values).max(axis=0)
    return int(np.linalg.matrix_rank(values / np.where(largest > 0, largest, 1.0)))


def test_polynomials_are_independent_where_the_graph_is_large_enough() -> None:
    assert polynomial_rank(6, 3) == len(multigraphs(3)) == 13
    assert polynomial_rank(8, 4) == len(multigraphs(4)) == 36
    # On two vertices all of them are polynomials in one weight.
    assert polynomial_rank(2, 3) == 4


@pytest.mark.parametrize("marked", [0, 1, 2])
def test_the_layer_is_the_mean_over_placements(marked: int) -> None:
    patterns = multigraphs(3, marked)
    a = np.stack([weights(5, seed) for seed in range(3)])
    found = GraphPolynomials(patterns)(torch.from_numpy(a))
    assert found.shape == (3, *[5] * marked, len(patterns))
    for place, pattern in enumerate(patterns):
        each = [pattern.contract(one, np.ones(5), np.einsum) for one in a]
        expected = np.stack([np.broadcast_to(x, (5,) * marked) for x in each])
        expected = expected / 5.0 ** (pattern.size - marked)
        np.testing.assert_allclose(
            found[..., place].numpy(), expected, rtol=0, atol=100 * EPS * 3**3
        )


def test_means_stay_small_where_counts_overflow() -> None:
    star = Pattern(12, tuple((0, i) for i in range(1, 12)))
    a = torch.ones(2000, 2000)  # 2000^12 placements, beyond float32
    assert abs(float(GraphPolynomials([star])(a)[0]) - 1.0) < 1e-3


def test_layers_of_polynomials_are_differentiable() -> None:
    layer = GraphPolynomials(multigraphs(3, 1))
    a = torch.from_numpy(weights(4, 0))
    assert_derivatives(layer, [a], fast=True)


def test_four_cliques_tell_apart_what_short_cycles_do_not() -> None:
    points = list(product(range(4), repeat=2))
    rook, shrikhande = np.zeros((16, 16)), np.zeros((16, 16))
    for i, (a, b) in enumerate(points):
        for j, (c, d) in enumerate(points):
            rook[i, j] = (a == c) != (b == d)
            step = ((a - c) % 4, (b - d) % 4)
            shrikhande[i, j] = step in {(0, 1), (0, 3), (1, 0), (3, 0), (1, 1), (3, 3)}
    triangle, square = [(0, 1), (1, 2), (2, 0)], [(0, 1), (1, 2), (2, 3), (3, 0)]
    clique = [(u, v) for u in range(4) for v in range(u)]
    expected = {"rook": (192, 1536, 192), "shrikhande": (192, 1536, 0)}
    for name, graph in (("rook", rook), ("shrikhande", shrikhande)):
        counts = [
            float(homomorphism_tensor(pattern, size, [], graph))
            for pattern, size in ((triangle, 3), (square, 4), (clique, 4))
        ]
        assert tuple(counts) == expected[name]


def test_misuse() -> None:
    for edges, labels in (([(0, 2)], []), ([(0, 1)], [2])):
        with pytest.raises(ShapeError, match="names no vertex"):
            homomorphism_tensor(edges, 2, labels, np.eye(3))
    with pytest.raises(ShapeError, match="names no vertex"):
        Pattern(2, (), 3)
    with pytest.raises(ShapeError, match="at most"):
        _ = Pattern(14, ()).order
    with pytest.raises(ShapeError, match="equally many"):
        GraphPolynomials([Pattern(2, ((0, 1),)), Pattern(2, ((0, 1),), 1)])
