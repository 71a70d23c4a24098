"""Decomposition into irreps: known tables, equivariance of the basis, agreement of methods."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schur.errors import RepresentationError
from schur.groups import O3, SE3, SO2, SO3, SU2
from schur.reps import (
    Defining,
    GeneratedRepresentation,
    Irrep,
    Irreps,
    O2Irrep,
    OuterProduct,
    Representation,
    SO2Irrep,
    SO3Irrep,
    SU2Irrep,
    coupling_basis,
    decompose,
)
from schur.reps.decomposition import _by_intertwiners

EPS = float(np.finfo(np.float64).eps)
terms = st.lists(
    st.tuples(st.integers(0, 2), st.tuples(st.integers(0, 2), st.sampled_from([-1, 1]))),
    max_size=3,
)


def check(rep: Representation) -> str:
    """Check the basis of a decomposition and return its irreps as text."""
    found = decompose(rep)
    q = found.basis
    assert q.shape == (rep.dim, rep.dim)
    np.testing.assert_allclose(q.conj().T @ q, np.eye(rep.dim), rtol=0, atol=1e-12)
    g = rep.group.sample(np.random.default_rng(0), 4)
    if rep.dim:
        left, right = rep.matrix(g) @ q, q @ found.irreps.matrix(g)
        np.testing.assert_allclose(left, right, rtol=0, atol=1e-11)
    assert sum(mul * irrep.dim for mul, irrep in found.terms) == rep.dim
    return " + ".join(f"{mul}x{irrep}" for mul, irrep in found.terms)


@given(terms, terms)
def test_products_of_irreps(first: list, second: list) -> None:
    a, b = Irreps(first), Irreps(second)
    expected = sum((m1 * m2 * Irreps(list(i * j)) for m1, i in a for m2, j in b), Irreps())
    found = decompose(a.tensor(b))
    assert found.irreps == expected.regroup()
    check(a.tensor(b))


def test_products_of_three() -> None:
    rep = Irreps("1o").tensor("1o").tensor("1o")
    flat = Irreps("1o") * "1o"
    assert (
        check(rep) == check(type(flat)((*flat.factors, Irrep("1o")))) == "1x0o + 3x1o + 2x2o + 1x3o"
    )


def test_sums_are_sorted_and_joined() -> None:
    assert check(Irreps("2x1o + 0e + 3x1o + 0x2e")) == "1x0e + 5x1o"
    assert check(Irrep("1o").plus("0e")) == "1x0e + 1x1o"
    assert check(Irreps()) == ""


@pytest.mark.parametrize(
    ("rep", "expected"),
    [
        (Irreps("1o").symmetric_power(2), "1x0e + 1x2e"),
        (Irreps("1o").symmetric_power(4), "1x0e + 1x2e + 1x4e"),
        (Irreps("2x1o").exterior_power(2), "1x0e + 3x1e + 1x2e"),
        (Irrep("2e").symmetric_power(3), "1x0e + 1x2e + 1x3e + 1x4e + 1x6e"),
        (Irreps("1o").dual(), "1x1o"),
        (Defining(O3()), "1x1o"),
        (SO2Irrep(2) * SO2Irrep(2), "2xSO2Irrep(m=0) + 1xSO2Irrep(m=4)"),
        (SO2Irrep(1).symmetric_power(3), "1xSO2Irrep(m=1) + 1xSO2Irrep(m=3)"),
        (
            O2Irrep(1) * O2Irrep(1),
            "1xO2Irrep(m=0, p=1) + 1xO2Irrep(m=0, p=-1) + 1xO2Irrep(m=2, p=1)",
        ),
        (O2Irrep(3) * O2Irrep(0, -1), "1xO2Irrep(m=3, p=1)"),
        (SU2Irrep(0.5) * SU2Irrep(1), "1xSU2Irrep(j=0.5) + 1xSU2Irrep(j=1.5)"),
        (SU2Irrep(0.5).symmetric_power(3), "1xSU2Irrep(j=1.5)"),
        (SU2Irrep(0.5) * SU2Irrep(0.5).dual(), "1xSU2Irrep(j=0) + 1xSU2Irrep(j=1)"),
        (Irreps("2x1o + 1e").restrict(SO3()), "3xSO3Irrep(l=1)"),
        (
            Irreps("2e").restrict(SO3()).restrict(SO2()),
            "1xSO2Irrep(m=0) + 1xSO2Irrep(m=1) + 1xSO2Irrep(m=2)",
        ),
        (SO3Irrep(2).restrict(SU2()), "1xSU2Irrep(j=2)"),
        (SO3Irrep(1) * SO3Irrep(2), "1xSO3Irrep(l=1) + 1xSO3Irrep(l=2) + 1xSO3Irrep(l=3)"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_known_decompositions(rep: Representation, expected: str) -> None:
    assert check(rep) == expected


@pytest.mark.parametrize(
    ("first", "second"), [("2x1o + 0e", "1e + 2e"), ("0o", "1o + 2x1e"), ("2x1o", "2x1o"), ("", "")]
)
def test_couplings_and_the_solver_agree(first: str, second: str) -> None:
    rep = Irreps(first).tensor(Irreps(second))
    exact, solved = decompose(rep), _by_intertwiners(rep)
    assert exact.irreps == solved.irreps
    for where in exact.irreps.slices():  # type: ignore[attr-defined]
        # The copies may be chosen otherwise; the space of all of them may not.
        p, q = exact.basis[:, where], solved.basis[:, where]
        np.testing.assert_allclose(p @ p.T, q @ q.T, rtol=0, atol=1e-11)


def test_coupling_basis_is_exactly_orthogonal() -> None:
    irreps, q = coupling_basis(Irreps("2x1o + 3e"), Irreps("0e + 2x2o"))
    assert irreps.dim == len(q)
    np.testing.assert_allclose(q.T @ q, np.eye(len(q)), rtol=0, atol=20 * EPS)


def test_a_wrong_basis_is_noticed() -> None:
    rep = Irreps("1o").symmetric_power(2)
    found = decompose(rep)
    g = O3().sample(np.random.default_rng(1), 1)
    wrong = found.basis[:, ::-1]
    assert np.abs(rep.matrix(g) @ wrong - wrong @ found.irreps.matrix(g)).max() > 1e-3


def test_what_cannot_be_decomposed() -> None:
    with pytest.raises(RepresentationError, match="not listed"):
        Defining(SE3()).decompose()
    with pytest.raises(RepresentationError, match="not listed"):
        OuterProduct((Irrep("1o"), SO2Irrep(1))).decompose()
    p = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    skewed = GeneratedRepresentation(SO3(), p @ SO3().generators() @ np.linalg.inv(p))
    with pytest.raises(RepresentationError, match="antihermitian"):
        skewed.decompose()
