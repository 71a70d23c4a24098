"""The functor laws, in exact integers: composition, tensor product, transpose; pictures."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from schur.errors import RepresentationError
from schur.groups import Alt, Group, Orthogonal, SpecialOrthogonal, Sym, Symplectic
from schur.products.diagrams import (
    Combination,
    Diagram,
    compose,
    matrix,
    partitions,
    tensor,
    transpose,
)

from .families import spanning_set

GROUPS: list[Group] = [
    *(Sym(n) for n in (2, 3, 4)),
    *(Alt(n) for n in (2, 3, 4)),
    *(Orthogonal(n) for n in (2, 3, 4)),
    *(SpecialOrthogonal(n) for n in (2, 3, 4)),
    Symplectic(2),
    Symplectic(4),
]


def value(combination: Combination, n: int, symplectic: bool, shape: tuple[int, ...]) -> np.ndarray:
    """The combination of matrices."""
    total = np.zeros(shape)
    for diagram, coefficient in combination.items():
        total += coefficient * matrix(diagram, n, symplectic)
    return total


def some(diagrams: list[Diagram], rng: np.random.Generator, most: int) -> list[Diagram]:
    chosen = rng.permutation(len(diagrams))[:most]
    return [diagrams[i] for i in chosen]


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_pictures_compose_as_matrices_do(group: Group) -> None:
    n, symplectic = group.n, isinstance(group, Symplectic)
    rng = np.random.default_rng(0)
    # Brauer diagrams of order three: 15 each way, every pair; of the others a sample.
    most = 15 if isinstance(group, (Orthogonal, Symplectic)) else 4 if n < 4 else 2
    for k, middle, l in product(range(4), repeat=3):
        for first in some(spanning_set(group, k, middle), rng, most):
            for second in some(spanning_set(group, middle, l), rng, most):
                expected = matrix(second, n, symplectic) @ matrix(first, n, symplectic)
                found = compose(second, first, n, symplectic)
                assert np.array_equal(value(found, n, symplectic, expected.shape), expected)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_every_pair_of_partitions_composes_with_a_factor_for_each_removed_component(n: int) -> None:
    for k, middle, l in product(range(3), repeat=3):
        for first in partitions(k, middle):
            for second in partitions(middle, l):
                ((diagram, factor),) = compose(second, first, n).items()
                expected = matrix(second, n) @ matrix(first, n)
                assert np.array_equal(factor * matrix(diagram, n), expected)
                assert factor in (1, n, n**2)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_tensor_products_and_transposes(group: Group) -> None:
    n, symplectic = group.n, isinstance(group, Symplectic)
    rng = np.random.default_rng(1)
    for k, l in product(range(3), repeat=2):
        for first in some(spanning_set(group, k, l), rng, 6):
            own = matrix(first, n, symplectic)
            assert np.array_equal(value(transpose(first), n, symplectic, own.T.shape), own.T)
            for second in some(spanning_set(group, l, 1), rng, 3):
                if first.legs and second.legs:
                    continue
                expected = np.kron(own, matrix(second, n, symplectic))
                found = value(tensor(first, second), n, symplectic, expected.shape)
                assert np.array_equal(found, expected)


def test_symplectic_loops_and_snakes_have_their_signs() -> None:
    cup, cap = Diagram(0, 2, [[0, 1]]), Diagram(2, 0, [[0, 1]])
    wire, swap = Diagram(1, 1, [[0, 1]]), Diagram(2, 2, [[0, 3], [1, 2]])
    empty = Diagram(0, 0, [])
    assert compose(cap, cup, 4, symplectic=True) == {empty: 4}
    (crossed,) = compose(swap, cup, 4, symplectic=True).items()
    assert crossed == (cup, -1)  # ω is antisymmetric
    (bent,) = tensor(cap, wire)
    (other,) = tensor(wire, cup)
    assert compose(bent, other, 4, symplectic=True) == {wire: -1}
    assert compose(bent, other, 4) == {wire: 1}


def test_two_determinants_are_a_sum_over_permutations() -> None:
    into, out = Diagram(3, 0, [[0], [1], [2]], [0, 1, 2]), Diagram(0, 3, [[0], [1], [2]], [0, 1, 2])
    assert compose(into, out, 3) == {Diagram(0, 0, []): 6}
    assert len(compose(out, into, 3)) == 6


def test_a_wrong_sign_is_caught() -> None:
    # Read as for O(n) the symplectic snake has the wrong sign, which no single diagram shows.
    (bent,) = tensor(Diagram(2, 0, [[0, 1]]), Diagram(1, 1, [[0, 1]]))
    (other,) = tensor(Diagram(1, 1, [[0, 1]]), Diagram(0, 2, [[0, 1]]))
    expected = matrix(bent, 2, symplectic=True) @ matrix(other, 2, symplectic=True)
    assert not np.array_equal(value(compose(bent, other, 2), 2, True, (2, 2)), expected)


def test_pictures() -> None:
    diagram = Diagram(3, 2, [[0, 3], [1], [2, 4]])
    assert diagram.draw().splitlines() == ["a b", " \\", "c a c"]
    assert diagram.svg().count("<circle") == 5 and diagram.svg().count("<path") == 2
    assert Diagram(2, 1, [[0], [1], [2]], [0, 1, 2]).svg().count("<path") == 3
    assert diagram._repr_svg_() == diagram.svg()


def test_misuse() -> None:
    with pytest.raises(RepresentationError, match="orders"):
        Diagram(-1, 1, [])
    with pytest.raises(RepresentationError, match="each vertex once"):
        Diagram(1, 1, [[0]])
    with pytest.raises(RepresentationError, match="block of its own"):
        Diagram(1, 1, [[0, 1]], [0, 1])
    with pytest.raises(RepresentationError, match="do not meet"):
        compose(Diagram(2, 0, [[0, 1]]), Diagram(1, 1, [[0, 1]]), 3)
    with pytest.raises(RepresentationError, match="n legs"):
        matrix(Diagram(1, 0, [[0]], [0]), 4)
    for n, blocks in ((3, [[0, 1]]), (2, [[0], [1]])):
        with pytest.raises(RepresentationError, match="pairs, and of even n"):
            matrix(Diagram(2, 0, blocks), n, symplectic=True)
    both = Diagram(2, 0, [[0], [1]], [0, 1])
    with pytest.raises(RepresentationError, match="two determinants"):
        tensor(both, both)
