"""Products of groups: dimensions, null spaces, mixed maps, cost, axes of their own."""

from __future__ import annotations

from itertools import product
from math import prod

import numpy as np
import pytest

from schur.errors import RepresentationError
from schur.forms import cost, evaluate
from schur.groups import (
    Alt,
    Group,
    Orthogonal,
    SpecialOrthogonal,
    Sym,
    Symplectic,
    graph_automorphisms,
)
from schur.products.diagrams import dimension, equivariant_maps, factoring, matrix
from schur.reps import intertwiners

from .families import SMALL, graph, power, spanning_set

EPS = float(np.finfo(np.float64).eps)
PATH = graph_automorphisms(graph(3, [(0, 1), (1, 2)]))
PRODUCTS: list[Group] = [
    Orthogonal(2) * Symplectic(2),
    SpecialOrthogonal(2) * Sym(2),
    Orthogonal(1) * Alt(3),
    PATH * Orthogonal(2),
    Sym(2) * Orthogonal(1) * SpecialOrthogonal(2),
]


def rank(matrices: np.ndarray) -> int:
    flat = matrices.reshape(len(matrices), prod(matrices.shape[1:]))
    return int(np.linalg.matrix_rank(flat)) if len(flat) else 0


@pytest.mark.parametrize("group", SMALL, ids=str)
def test_what_is_taken_apart_is_the_matrix(group: Group) -> None:
    symplectic = isinstance(group, Symplectic)
    for k, l in product(range(3), repeat=2):
        for diagram in spanning_set(group, k, l):
            apart = factoring(diagram, group.n, symplectic)
            expected = matrix(diagram, group.n, symplectic)
            assert np.array_equal(apart.dense(*expected.shape), expected)


@pytest.mark.parametrize("group", PRODUCTS, ids=str)
def test_formula_basis_and_null_space_agree(group: Group) -> None:
    for k, l in ((0, 0), (1, 0), (0, 2), (1, 1), (2, 1), (1, 2), (2, 2)):
        if group.n ** (k + l) > 700:
            continue
        maps = equivariant_maps(group, k, l)
        found = intertwiners(power(group, k), power(group, l))
        assert maps.dimension == dimension(group, k + l) == len(found) == rank(maps.matrices())
        assert rank(np.concatenate([found, maps.matrices()])) == len(found)
        squares = (maps.matrices() ** 2).sum((1, 2))
        assert np.array_equal(maps.squares(), squares)


def test_most_maps_are_mixed() -> None:
    both = Sym(2) * Sym(3)
    # With each factor on its own there would be B(2)-like counts only: 2 + 2 of 2 + 2·1·1 + 2.
    own = dimension(Sym(2), 2) + dimension(Sym(3), 2)
    assert (own, dimension(both, 2)) == (4, 6)
    assert equivariant_maps(both, 1, 1).dimension == 6


@pytest.mark.parametrize("group", PRODUCTS, ids=str)
def test_the_program_is_the_sum_of_matrices(group: Group) -> None:
    rng = np.random.default_rng(0)
    for k, l in ((1, 1), (2, 1), (1, 2)):
        maps = equivariant_maps(group, k, l)
        if not maps.dimension:
            continue
        x = rng.integers(-9, 10, (2, group.n**k)).astype(np.float64)
        weight = rng.integers(-9, 10, maps.dimension).astype(np.float64)
        found = evaluate(maps.program(1, 1, None), {"x": x, "weight": weight})["out"]
        expected = x @ np.tensordot(weight, maps.matrices(), 1).T
        assert np.array_equal(found, expected)  # integers


def test_axes_of_their_own() -> None:
    group = Sym(3) * Orthogonal(2)
    for orders in (((1, 1), (1, 1)), ((2, 0), (1, 2)), ((0, 2), (2, 2)), ((1, 1), (1, 0))):
        k, l = orders
        maps = equivariant_maps(group, k, l)
        apart = equivariant_maps(Sym(3), k[0], l[0]), equivariant_maps(Orthogonal(2), k[1], l[1])
        expected = [np.kron(a, b) for a in apart[0].matrices() for b in apart[1].matrices()]
        shape = (3 ** l[0] * 2 ** l[1], 3 ** k[0] * 2 ** k[1])
        assert np.array_equal(maps.matrices(), np.array(expected).reshape(-1, *shape))
        assert maps.dimension == dimension(group, (k[0] + l[0], k[1] + l[1]))


def test_the_work_grows_as_n_to_the_larger_order() -> None:
    def work(n: int) -> int:
        maps = equivariant_maps(Sym(n) * Orthogonal(n), 2, 2)
        return cost(maps.program(1, 1, None), {"rows": 1}).operations

    # Two copies of n: the dense matrices grow as n^4.
    assert np.log2(work(16) / work(8)) <= 2.05


def test_misuse() -> None:
    group = Sym(2) * Orthogonal(2)
    for k, l in (((1, 1, 1), (1, 1, 1)), ((1, 1), (1,)), ((1, 1), 1)):
        with pytest.raises(RepresentationError, match="orders are"):
            equivariant_maps(group, k, l)
    with pytest.raises(RepresentationError, match="orders of tensors"):
        equivariant_maps(group, (1, -1), (1, 1))
    with pytest.raises(RepresentationError, match="orders of tensors"):
        equivariant_maps(group, -1, 1)
    with pytest.raises(RepresentationError, match="one for each factor"):
        dimension(group, (1, 1, 1))
