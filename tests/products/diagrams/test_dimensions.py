"""Dimensions: formula, basis, null space and Burnside's count agree, for small n above all."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations, combinations_with_replacement, permutations, product

import numpy as np
import pytest

from schur.errors import NumberError, RepresentationError
from schur.groups import (
    O2,
    SO3,
    SU2,
    Alt,
    Group,
    Orthogonal,
    PermutationGroup,
    SpecialOrthogonal,
    Sym,
    Symplectic,
    graph_automorphisms,
)
from schur.groups.permutation_group import sign
from schur.products.diagrams import (
    DiagramMaps,
    dimension,
    equivariant_maps,
    homomorphism_tensor,
    jellyfish,
    matrix,
    orbits,
    partitions,
    stirling2,
)
from schur.products.diagrams.spanning import independent
from schur.reps import intertwiners

from .families import GRAPHS, SMALL, acting, automorphisms, graph, power, spanning_set

BELL = [1, 1, 2, 5, 15, 52, 203]


def rank(matrices: np.ndarray) -> int:
    flat = matrices.reshape(len(matrices), matrices.shape[1] * matrices.shape[2])
    return int(np.linalg.matrix_rank(flat)) if len(flat) else 0


@pytest.mark.parametrize("group", SMALL, ids=str)
def test_formula_basis_and_null_space_agree(group: Group) -> None:
    for k, l in product(range(4), repeat=2):
        if group.n ** (k + l) > 300:
            continue
        maps = equivariant_maps(group, k, l)
        expected = len(intertwiners(power(group, k), power(group, l)))
        assert maps.dimension == dimension(group, k + l) == expected == rank(maps.matrices())


@pytest.mark.parametrize("group", [Sym(5), Alt(5), Orthogonal(4), SpecialOrthogonal(4)], ids=str)
def test_larger_n(group: Group) -> None:
    for k, l in ((1, 1), (2, 1), (2, 2)):
        maps = equivariant_maps(group, k, l)
        expected = len(intertwiners(power(group, k), power(group, l)))
        assert maps.dimension == dimension(group, k + l) == expected == rank(maps.matrices())


ORDER_FIVE = [(group(n), 2, 3) for group in (Sym, Alt) for n in (3, 4, 5)]
ORDER_SIX = [(Orthogonal(2), 3, 3), (SpecialOrthogonal(2), 3, 3), (Symplectic(2), 3, 3)]


@pytest.mark.parametrize(
    ("group", "k", "l"), [*ORDER_FIVE, *ORDER_SIX, (SpecialOrthogonal(3), 2, 3)], ids=str
)
def test_null_spaces_of_high_order(group: Group, k: int, l: int) -> None:
    maps = equivariant_maps(group, k, l)
    found = intertwiners(power(group, k), power(group, l))
    assert maps.dimension == dimension(group, k + l) == len(found)
    # The basis lies in the null space, and has its rank.
    assert rank(maps.matrices()) == rank(np.concatenate([found, maps.matrices()])) == len(found)


@pytest.mark.parametrize("group", SMALL, ids=str)
def test_every_diagram_lies_in_the_span_of_the_basis(group: Group) -> None:
    symplectic = isinstance(group, Symplectic)
    for k, l in ((1, 1), (2, 1), (2, 2)):
        every = [matrix(d, group.n, symplectic) for d in spanning_set(group, k, l)]
        basis = equivariant_maps(group, k, l).matrices()
        together = np.concatenate([basis, *(one[None] for one in every)])
        assert rank(together) == len(basis)


@pytest.mark.parametrize(
    ("group", "orders", "maps", "diagrams"),
    [
        (Orthogonal(3), (2, 4, 6, 8), (1, 3, 15, 91), (1, 3, 15, 105)),
        (Orthogonal(2), (2, 4, 6), (1, 3, 10), (1, 3, 15)),
        (SpecialOrthogonal(3), (2, 3, 4, 5, 6), (1, 1, 3, 6, 15), (1, 1, 3, 10, 15)),
        (SpecialOrthogonal(2), (2, 4, 6), (2, 6, 20), (2, 9, 60)),
        (Symplectic(2), (2, 4, 6, 8), (1, 2, 5, 14), (1, 3, 15, 105)),
        (Symplectic(4), (2, 4), (1, 3), (1, 3)),
    ],
    ids=str,
)
def test_published_tables(group: Group, orders: tuple, maps: tuple, diagrams: tuple) -> None:
    assert tuple(dimension(group, order) for order in orders) == maps
    assert tuple(equivariant_maps(group, order, 0).dimension for order in orders) == maps
    for order, count in zip(orders, diagrams, strict=True):
        assert len(spanning_set(group, order, 0)) == count


def test_high_order_bases_span_what_all_diagrams_span() -> None:
    # Order 6 densely: 15 diagrams of O(2), Sp(2) and O(3) have rank 10, 5 and 15.
    for group, expected in ((Orthogonal(2), 10), (Symplectic(2), 5), (Orthogonal(3), 15)):
        symplectic = isinstance(group, Symplectic)
        every = np.stack([matrix(d, group.n, symplectic) for d in spanning_set(group, 3, 3)])
        assert len(every) == 15
        assert rank(every) == rank(equivariant_maps(group, 3, 3).matrices()) == expected


def test_bell_numbers_count_only_for_large_n() -> None:
    for n, order in product(range(1, 6), range(6)):
        count = sum(stirling2(order, t) for t in range(n + 1))
        assert dimension(Sym(n), order) == count
        assert (count == BELL[order]) == (n >= order or (n, order) == (0, 0))
    assert dimension(Sym(2), 4) == 8 and len(list(partitions(2, 2))) == 15


def test_dimensions_count_walks_of_restricting_and_inducing() -> None:
    # McKay quiver: restrict a shape of S_n to S_{n-1} (remove a box), induce (add one).
    for n, order in product(range(1, 6), range(6)):
        walks = {(n,): 1}
        for _ in range(order):
            following: dict[tuple[int, ...], int] = {}
            for shape, count in walks.items():
                for smaller in _removed(shape):
                    for larger in _added(smaller):
                        following[larger] = following.get(larger, 0) + count
            walks = following
        assert walks.get((n,), 0) == dimension(Sym(n), order)


def _removed(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    ends = [i for i in range(len(shape)) if i + 1 == len(shape) or shape[i] > shape[i + 1]]
    cut = [(*shape[:i], shape[i] - 1, *shape[i + 1 :]) for i in ends]
    return [tuple(row for row in smaller if row) for smaller in cut]


def _added(shape: tuple[int, ...]) -> list[tuple[int, ...]]:
    starts = [i for i in range(len(shape)) if i == 0 or shape[i - 1] > shape[i]]
    return [(*shape[:i], shape[i] + 1, *shape[i + 1 :]) for i in starts] + [(*shape, 1)]


def test_the_alternating_group_has_more_exactly_from_order_n_minus_one() -> None:
    for n, order in product(range(2, 6), range(6)):
        more = dimension(Alt(n), order) - dimension(Sym(n), order)
        assert more == stirling2(order, n) + stirling2(order, n - 1)
        assert (more > 0) == (order >= n - 1)
    # For n = 1 the formula would count two maps; the group is trivial and there is one.
    assert dimension(Alt(1), 2) == 1


def test_jellyfish_change_sign_under_odd_permutations() -> None:
    for n in (2, 3, 4):
        flip = np.eye(n)[[1, 0, *range(2, n)]]
        for k, l in ((1, 1), (2, 1), (1, 2)):
            for diagram in jellyfish(k, l, n):
                dense = matrix(diagram, n)
                assert np.array_equal(acting(flip, l) @ dense @ acting(flip, k).T, -dense)


def test_the_orbit_basis_is_the_moebius_transform() -> None:
    # D_π = Σ O_σ over the coarser σ: triangular with ones on the diagonal, so determinant 1.
    for n, order in ((2, 4), (3, 4), (4, 4), (5, 3)):
        diagrams = list(partitions(order, 0, n))
        labels = orbits(Sym(n), order).reshape(-1)
        change = np.zeros((len(diagrams), len(diagrams)), np.int64)
        for row, diagram in enumerate(diagrams):
            entries = matrix(diagram, n).reshape(-1)
            for orbit in range(len(diagrams)):
                (value,) = set(entries[labels == orbit].tolist())
                change[row, orbit] = int(value)
        assert labels.max() + 1 == len(diagrams)
        assert abs(_determinant(change)) == 1


def _determinant(a: np.ndarray) -> Fraction:
    """Gauss in fractions."""
    rows = [[Fraction(int(x)) for x in row] for row in a]
    total = Fraction(1)
    for i in range(len(rows)):
        pivot = next((r for r in range(i, len(rows)) if rows[r][i]), None)
        if pivot is None:
            return Fraction(0)
        if pivot != i:
            rows[i], rows[pivot], total = rows[pivot], rows[i], -total
        total *= rows[i][i]
        for r in range(i + 1, len(rows)):
            factor = rows[r][i] / rows[i][i]
            rows[r] = [x - factor * y for x, y in zip(rows[r], rows[i], strict=True)]
    return total


@pytest.mark.parametrize("name", GRAPHS)
def test_graph_automorphisms(name: str) -> None:
    adjacency, expected = GRAPHS[name]
    group = automorphisms(name)
    for p in group.images:
        assert np.array_equal(adjacency[np.ix_(p, p)], adjacency)
    assert [dimension(group, order) for order in (1, 2, 3, 4)] == expected
    assert [int(orbits(group, order).max()) + 1 for order in (1, 2, 3, 4)] == expected
    assert len(intertwiners(power(group, 1), power(group, 1))) == expected[1]


def test_automorphisms_are_all_found() -> None:
    orders = {"Petersen": 120, "C5": 10, "P3": 2, "cube": 48, "K33": 72, "Frucht": 1}
    assert {name: automorphisms(name).order for name in GRAPHS} == orders
    weighted = np.array([[0, 1, 2], [1, 0, 1], [2, 1, 0]])
    every = [p for p in permutations(range(3)) if np.array_equal(weighted[np.ix_(p, p)], weighted)]
    assert sorted(graph_automorphisms(weighted).elements) == sorted(every)
    directed = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    assert graph_automorphisms(directed).order == 3


def test_local_symmetry_is_a_product_of_groups() -> None:
    # Functions on 2 + 3 points: mixed blocks, not products of two layers.
    both = Sym(2) * Sym(3)
    for k, l in ((1, 0), (1, 1), (2, 1)):
        maps = equivariant_maps(both, k, l)
        # Choose which of the indices lie in the first part.
        order = k + l
        expected = sum(
            dimension(Sym(2), len(part)) * dimension(Sym(3), order - len(part))
            for size in range(order + 1)
            for part in combinations(range(order), size)
        )
        assert maps.dimension == expected == rank(maps.matrices())
        assert len(intertwiners(power(both, k), power(both, l))) == expected


def patterns(size: int) -> list[list[tuple[int, int]]]:
    """All graphs on some vertices, without loops."""
    edges = list(combinations(range(size), 2))
    return [list(chosen) for m in range(len(edges) + 1) for chosen in combinations(edges, m)]


def pattern_rank(adjacency: np.ndarray, most: int) -> int:
    """The rank of all bilabelled graphs with two labels and at most so many vertices."""
    found = [
        homomorphism_tensor(edges, size, labels, adjacency).reshape(-1)
        for size in range(1, most + 1)
        for edges in patterns(size)
        for labels in product(range(size), repeat=2)
    ]
    return int(np.linalg.matrix_rank(np.array(found)))


def test_small_patterns_span_only_for_some_graphs() -> None:
    path = graph(4, [(0, 1), (1, 2), (2, 3)])
    assert pattern_rank(path, 3) == dimension(graph_automorphisms(path), 2) == 8
    asymmetric = graph(6, [(0, 1), (1, 2), (2, 3), (3, 4), (1, 3), (4, 5)])
    assert graph_automorphisms(asymmetric).order == 1  # so all 36 matrices commute with it
    # One stops at Burnside's count, or takes orbits, as `equivariant_maps` does.
    assert pattern_rank(asymmetric, 3) == 13


def test_homomorphisms_are_counted() -> None:
    adjacency, _ = GRAPHS["P3"]
    for edges in ([(0, 1)], [(0, 1), (1, 2)], [(0, 1), (1, 2), (2, 0)], [(0, 1), (0, 1)]):
        size = max(v for edge in edges for v in edge) + 1
        expected = np.zeros((3, 3))
        for images in product(range(3), repeat=size):
            if all(adjacency[images[u], images[v]] for u, v in edges):
                expected[images[0], images[-1]] += 1
        assert np.array_equal(homomorphism_tensor(edges, size, [0, size - 1], adjacency), expected)
    twice = homomorphism_tensor([(0, 1)], 2, [0, 0], adjacency)
    assert np.array_equal(twice, np.diag([1.0, 2.0, 1.0]))


def test_groups_by_other_names_and_misuse() -> None:
    assert equivariant_maps(O2(), 2, 2).dimension == 3
    assert equivariant_maps(SO3(), 2, 1).dimension == 1
    for call in (lambda: equivariant_maps(SU2(), 1, 1), lambda: dimension(SU2(), 2)):
        with pytest.raises(RepresentationError, match="intertwiners"):
            call()
    with pytest.raises(RepresentationError, match="orders"):
        equivariant_maps(Sym(3), -1, 1)
    with pytest.raises(NumberError, match="too many"):
        orbits(Sym(20), 6)


def test_a_wrong_rank_is_caught() -> None:
    maps = equivariant_maps(Orthogonal(2), 3, 3)
    assert isinstance(maps, DiagramMaps)
    with pytest.raises(NumberError, match="differs"):
        independent(spanning_set(Orthogonal(2), 3, 3), 2, False, 11)


def test_signs_and_lists_of_permutations() -> None:
    for p in permutations(range(4)):
        inversions = sum(p[i] > p[j] for i, j in combinations_with_replacement(range(4), 2))
        assert sign(p) == (-1) ** inversions
    with pytest.raises(RepresentationError, match="list each"):
        PermutationGroup(((0, 0),))
    with pytest.raises(NumberError, match="too large"):
        _ = PermutationGroup(Sym(9).permutations()).order
