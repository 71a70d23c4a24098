"""Couplings: against e3nn and sympy, invariance, orthogonality, exact zeros, time."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from e3nn import o3
from hypothesis import given
from hypothesis import strategies as st
from sympy import N, Rational
from sympy.physics.quantum.cg import CG
from sympy.physics.wigner import clebsch_gordan as sympy_coefficient

from schur.errors import RepresentationError
from schur.reps import (
    SO3Irrep,
    SU2Irrep,
    clebsch_gordan,
    complex_clebsch_gordan,
    sparse_clebsch_gordan,
)

EPS = float(np.finfo(np.float64).eps)
TRIPLES = [
    (l1, l2, l3) for l1, l2, l3 in product(range(7), repeat=3) if abs(l1 - l2) <= l3 <= l1 + l2
]


def invariance_defect(coupling: np.ndarray, generators: list[np.ndarray]) -> float:
    """Largest entry of the action of the Lie algebra on a coupling."""
    x1, x2, x3 = generators
    moved = (
        np.einsum("aip,ijk->apjk", x1, coupling)
        + np.einsum("ajp,ijk->aipk", x2, coupling)
        + np.einsum("akp,ijk->aijp", x3, coupling)
    )
    return float(np.abs(moved).max())


def test_equal_to_e3nn_for_every_triple_up_to_six() -> None:
    for triple in TRIPLES:
        theirs = o3.wigner_3j(*triple, dtype=torch.float64).numpy()
        np.testing.assert_allclose(
            clebsch_gordan(*triple), theirs, rtol=0, atol=4 * EPS, err_msg=str(triple)
        )


def test_another_sign_would_be_noticed() -> None:
    # e3nn's signs are not those of a coupling by the 3j symbol alone.
    flipped = -clebsch_gordan(1, 1, 1)
    theirs = o3.wigner_3j(1, 1, 1, dtype=torch.float64).numpy()
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(flipped, theirs, rtol=0, atol=4 * EPS)


@pytest.mark.parametrize(
    "triple", [(12, 12, 12), (12, 12, 24), (12, 11, 1), (9, 7, 12), (30, 20, 25)]
)
def test_invariant_and_orthogonal_at_high_degree(triple: tuple[int, int, int]) -> None:
    coupling = clebsch_gordan(*triple)
    generators = [SO3Irrep(degree).generators() for degree in triple]
    # Sums of a few terms of size degree x entry.
    atol = 4 * EPS * max(triple)
    assert invariance_defect(coupling, generators) < atol
    dim3 = 2 * triple[2] + 1
    gram = np.einsum("ijk,ijl->kl", coupling, coupling) * dim3
    np.testing.assert_allclose(gram, np.eye(dim3), rtol=0, atol=16 * EPS)


def test_a_wrong_entry_breaks_the_invariance() -> None:
    coupling = clebsch_gordan(12, 12, 12).copy()
    coupling[tuple(np.argwhere(coupling)[0])] += 1e-10
    generators = [SO3Irrep(12).generators()] * 3
    assert invariance_defect(coupling, generators) > 4 * EPS * 12


def test_couplings_of_two_irreps_are_complete() -> None:
    l1, l2 = 12, 7
    columns = [
        clebsch_gordan(l1, l2, l3).reshape(-1, 2 * l3 + 1) * (2 * l3 + 1) ** 0.5
        for l3 in range(l1 - l2, l1 + l2 + 1)
    ]
    q = np.concatenate(columns, axis=1)
    np.testing.assert_allclose(q @ q.T, np.eye(len(q)), rtol=0, atol=16 * EPS)


@given(st.sampled_from([t for t in TRIPLES if max(t) <= 4]))
def test_exchanging_factors_gives_a_sign(triple: tuple[int, int, int]) -> None:
    l1, l2, l3 = triple
    sign = (-1) ** (l1 + l2 + l3)
    exchanged = clebsch_gordan(l2, l1, l3).transpose(1, 0, 2)
    np.testing.assert_array_equal(clebsch_gordan(l1, l2, l3), sign * exchanged)


@pytest.mark.parametrize("triple", [(0, 0, 0), (1, 1, 1), (2, 1, 3), (6, 6, 6), (12, 12, 12)])
def test_sparse_entries_are_the_dense_ones_without_zeros(triple: tuple[int, int, int]) -> None:
    indices, values = sparse_clebsch_gordan(*triple)
    dense = clebsch_gordan(*triple)
    assert np.count_nonzero(dense) == len(values) and np.all(values != 0)
    # Entries that vanish are exact zeros: nothing lies between rounding and the smallest entry.
    assert np.abs(values).min() > 1e-6
    np.testing.assert_array_equal(indices, np.argwhere(dense))
    np.testing.assert_array_equal(values, dense[dense != 0])


def test_results_are_shared_and_cannot_be_written() -> None:
    assert clebsch_gordan(2, 2, 2) is clebsch_gordan(2, 2, 2)
    arrays = [clebsch_gordan(2, 2, 2), *sparse_clebsch_gordan(2, 2, 2)]
    for array in [*arrays, complex_clebsch_gordan(1, 1, 1)]:
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


@pytest.mark.parametrize("spins", [(0.5, 0.5, 1), (1.5, 1, 0.5), (2, 1.5, 2.5), (2, 1, 3)])
def test_complex_couplings_equal_sympy(spins: tuple[float, float, float]) -> None:
    ours = complex_clebsch_gordan(*spins)
    j1, j2, j3 = (Rational(round(2 * j), 2) for j in spins)
    for place in np.ndindex(*ours.shape):
        m1, m2, m3 = (index - j for index, j in zip(place, (j1, j2, j3), strict=True))
        expected = float(N(CG(j1, m1, j2, m2, j3, m3).doit(), 20))
        assert abs(ours[place] - expected) < 4 * EPS


@pytest.mark.parametrize("orders", [(0, 0), (12, -12), (3, 5), (-7, 1), (11, -4)])
def test_complex_couplings_of_degree_twelve_equal_sympy(orders: tuple[int, int]) -> None:
    m1, m2 = orders
    expected = float(N(sympy_coefficient(12, 12, 12, m1, m2, m1 + m2), 20))
    ours = complex_clebsch_gordan(12, 12, 12)[12 + m1, 12 + m2, 12 + m1 + m2]
    assert abs(ours - expected) <= 2 * EPS * abs(expected)


@pytest.mark.parametrize("spins", [(0.5, 0.5, 0), (1.5, 1, 0.5), (5.5, 6, 11.5), (12, 12, 12)])
def test_complex_couplings_are_equivariant_isometries(spins: tuple[float, float, float]) -> None:
    dims = [round(2 * j) + 1 for j in spins]
    w = complex_clebsch_gordan(*spins).reshape(-1, dims[2])
    np.testing.assert_allclose(w.T @ w, np.eye(dims[2]), rtol=0, atol=16 * EPS)
    first, second, third = map(SU2Irrep, spins)
    left = first.tensor(second).generators() @ w
    np.testing.assert_allclose(left, w @ third.generators(), rtol=0, atol=8 * EPS * dims[2])


@pytest.mark.parametrize("wrong", [(1, 1, 3), (0, 1, 0), (-1, 1, 1)])
def test_degrees_that_do_not_couple_are_refused(wrong: tuple[int, int, int]) -> None:
    with pytest.raises(RepresentationError, match="l1 - l2"):
        clebsch_gordan(*wrong)
    with pytest.raises(RepresentationError):
        sparse_clebsch_gordan(*wrong)


@pytest.mark.parametrize("wrong", [(0.5, 0.5, 0.5), (0.3, 1, 1), (1, 1, 3), (-1, 1, 1)])
def test_spins_that_do_not_couple_are_refused(wrong: tuple[float, float, float]) -> None:
    with pytest.raises(RepresentationError, match="spins"):
        complex_clebsch_gordan(*wrong)
