"""Fast application: equal to the dense matrix, equivariant, and n^max(k, l) in cost and memory."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from schur.forms import cost, evaluate
from schur.groups import Alt, Group, Orthogonal, SpecialOrthogonal, Sym, Symplectic
from schur.products.diagrams import (
    Diagram,
    determinants,
    diagram_form,
    diagram_program,
    matrix,
    pairings,
    partitions,
)

from .families import acting, spanning_set

EPS = float(np.finfo(np.float64).eps)
GROUPS: list[Group] = [
    *(Sym(n) for n in (2, 3, 4, 5)),
    *(Alt(n) for n in (2, 3, 4)),
    *(SpecialOrthogonal(n) for n in (1, 2, 3, 4, 5)),
    Symplectic(2),
    Symplectic(4),
]


def orders(n: int) -> list[tuple[int, int]]:
    """k, l <= 3, as far as a dense matrix stays small."""
    return [(k, l) for k, l in product(range(4), repeat=2) if n ** (k + l) <= 1100]


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_fast_application_is_the_dense_matrix(group: Group) -> None:
    n, symplectic = group.n, isinstance(group, Symplectic)
    rng = np.random.default_rng(0)
    for k, l in orders(n):
        x = rng.integers(-9, 10, (2, n**k)).astype(np.float64)
        for diagram in spanning_set(group, k, l):
            found = evaluate(diagram_program(diagram, n, 1, symplectic), {"x": x})["out"]
            # Integers: every sum is exact, so nothing but equality will do.
            assert np.array_equal(found, x @ matrix(diagram, n, symplectic).T)


@pytest.mark.parametrize(
    "group",
    [Sym(4), Sym(5), Orthogonal(4), Orthogonal(5), SpecialOrthogonal(5), Symplectic(4)],
    ids=str,
)
def test_fast_application_at_order_three(group: Group) -> None:
    n, symplectic = group.n, isinstance(group, Symplectic)
    rng = np.random.default_rng(2)
    x = rng.integers(-9, 10, (2, n**3)).astype(np.float64)
    every = spanning_set(group, 3, 3)
    for diagram in [every[i] for i in rng.permutation(len(every))[:12]]:
        found = evaluate(diagram_program(diagram, n, 1, symplectic), {"x": x})["out"]
        assert np.array_equal(found, x @ matrix(diagram, n, symplectic).T)


@pytest.mark.parametrize("group", [*GROUPS, Orthogonal(3)], ids=str)
def test_diagrams_commute_with_the_group(group: Group) -> None:
    n, symplectic = group.n, isinstance(group, Symplectic)
    elements = group.sample(np.random.default_rng(1), 5)
    for k, l in orders(n):
        for diagram in spanning_set(group, k, l)[:40]:
            dense = matrix(diagram, n, symplectic)
            for g in elements:
                size = np.abs(g).max() ** (k + l)
                defect = np.abs(acting(g, l) @ dense - dense @ acting(g, k)).max()
                assert defect <= 50 * EPS * size * n ** (k + l)


def test_the_form_is_the_dense_matrix() -> None:
    for diagram in partitions(2, 1):
        x = np.arange(1.0, 10.0)[None]
        found = evaluate(diagram_form(diagram, 3).open("out"), {"x": x})["out"]
        assert np.array_equal(found, x @ matrix(diagram, 3).T)


def work(diagram: Diagram, n: int, symplectic: bool = False) -> int:
    return cost(diagram_program(diagram, n, 1, symplectic), {"rows": 1}).operations


def slope(one: int, other: int) -> float:
    return float(np.log2(other / one))


def test_the_work_grows_as_n_to_the_larger_order() -> None:
    for diagram in partitions(3, 3):
        assert slope(work(diagram, 4), work(diagram, 8)) <= 3.0
    for diagram in pairings(3, 3):
        for symplectic in (False, True):
            assert slope(work(diagram, 4, symplectic), work(diagram, 8, symplectic)) <= 3.0


def test_what_is_held_grows_as_n_to_the_larger_order() -> None:
    for n in (4, 8):
        for diagram in partitions(3, 3):
            program = diagram_program(diagram, n)
            assert max(operand.size for operand in program.values.values()) <= n**3


def test_the_dense_matrix_costs_more() -> None:
    worst = Diagram(3, 3, [[v] for v in range(6)])
    small, large = (
        cost(diagram_form(worst, n).open("out"), {"rows": 1}).operations for n in (3, 6)
    )
    assert slope(small, large) == 6.0


def test_a_determinant_costs_less_than_its_permutations() -> None:
    # n = 6, three legs on each side: sets of three take 6·5·4 terms a side and 20 in between.
    (diagram,) = determinants(3, 3, 6)
    assert work(diagram, 6) <= 2 * 6 * 5 * 4 + 2 * 20
    assert np.count_nonzero(matrix(diagram, 6)) == 720
