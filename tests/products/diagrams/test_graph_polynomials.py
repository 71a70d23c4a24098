"""Homomorphism counts as graph polynomials: definition, relabelling, independence, strength."""

from __future__ import annotations

from itertools import combinations_with_replacement, permutations, product

import numpy as np
import pytest

from schur.errors import ShapeError
from schur.products.diagrams import homomorphism_tensor

EPS = float(np.finfo(np.float64).eps)
Edges = tuple[tuple[int, int], ...]


def multigraphs(most: int) -> list[tuple[int, Edges]]:
    """Every multigraph without isolated vertices and with at most so many edges, once each."""
    found: dict[Edges, int] = {}
    for count in range(most + 1):
        for size in range(2 * count + 1):
            pairs = [(u, v) for u in range(size) for v in range(u + 1, size)]
            for edges in combinations_with_replacement(pairs, count):
                if len({v for edge in edges for v in edge}) == size:
                    found.setdefault(canonical(size, edges), size)
    return [(size, edges) for edges, size in found.items()]


def canonical(size: int, edges: Edges) -> Edges:
    relabelled = (
        tuple(sorted((min(p[u], p[v]), max(p[u], p[v])) for u, v in edges))
        for p in permutations(range(size))
    )
    return min(relabelled)


MULTIGRAPHS = multigraphs(3)


def weights(n: int, seed: int) -> np.ndarray:
    """A random symmetric matrix without loops."""
    upper = np.triu(np.random.default_rng(seed).standard_normal((n, n)), 1)
    return upper + upper.T


def test_there_are_as_many_multigraphs_as_known() -> None:
    # With 0, 1, 2 and 3 edges: 1, 1, 3 and 8 (A050535 in the encyclopedia of sequences).
    counts = [sum(len(edges) == m for _, edges in MULTIGRAPHS) for m in range(4)]
    assert counts == [1, 1, 3, 8]


@pytest.mark.parametrize("marked", [0, 1, 2])
def test_contraction_is_the_sum_over_all_maps(marked: int) -> None:
    n, a = 3, weights(3, 0)
    for size, edges in MULTIGRAPHS:
        if size < marked:
            continue
        labels = list(range(marked))
        expected = np.zeros((n,) * marked)
        for images in product(range(n), repeat=size):
            expected[images[:marked]] += np.prod([a[images[u], images[v]] for u, v in edges])
        found = homomorphism_tensor(edges, size, labels, a)
        scale = np.abs(a).max() ** len(edges) * n**size
        np.testing.assert_allclose(found, expected, rtol=0, atol=20 * EPS * max(scale, 1.0))


def test_renumbering_the_graph_renumbers_the_result() -> None:
    a = weights(5, 1)
    p = np.random.default_rng(2).permutation(5)
    for size, edges in MULTIGRAPHS:
        if size < 2:
            continue
        before = homomorphism_tensor(edges, size, [0, 1], a)
        after = homomorphism_tensor(edges, size, [0, 1], a[np.ix_(p, p)])
        atol = 100 * EPS * np.abs(before).max() * 5**size
        np.testing.assert_allclose(after, before[np.ix_(p, p)], rtol=0, atol=atol)


def polynomial_rank(n: int) -> int:
    graphs = [weights(n, seed) for seed in range(30)]
    values = np.array(
        [
            [float(homomorphism_tensor(edges, size, [], a)) for size, edges in MULTIGRAPHS]
            for a in graphs
        ]
    )
    largest = np.abs(values).max(axis=0)
    return int(np.linalg.matrix_rank(values / np.where(largest > 0, largest, 1.0)))


def test_polynomials_are_independent_where_the_graph_is_large_enough() -> None:
    assert polynomial_rank(6) == len(MULTIGRAPHS) == 13
    # On two vertices all of them are polynomials in one weight.
    assert polynomial_rank(2) == 4


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
