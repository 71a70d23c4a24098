"""The null-space solver: exact ranks, orthonormal bases, couplings, doubtful numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schur.errors import NumberError, RepresentationError
from schur.groups import O2, O3, SE3, SO2, SO3, SU2, SU2_ONTO_SO3
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
    Trivial,
    clebsch_gordan,
    complex_clebsch_gordan,
    intertwiners,
)

EPS = float(np.finfo(np.float64).eps)
small_terms = st.lists(
    st.tuples(st.integers(0, 2), st.tuples(st.integers(0, 3), st.sampled_from([-1, 1]))),
    max_size=3,
)


def defect(maps: np.ndarray, rep_in: Representation, rep_out: Representation) -> float:
    """How far maps are from equivariant, for random elements of the group."""
    g = rep_in.group.sample(np.random.default_rng(0), 4)
    left = rep_out.matrix(g)[:, None] @ maps
    right = maps @ rep_in.matrix(g)[:, None]
    return float(np.abs(left - right).max(initial=0.0))


def check(rep_in: Representation, rep_out: Representation, rank: int) -> np.ndarray:
    maps = intertwiners(rep_in, rep_out)
    assert maps.shape == (rank, rep_out.dim, rep_in.dim)
    flat = maps.reshape(rank, rep_out.dim * rep_in.dim)
    atol = 1000 * EPS
    np.testing.assert_allclose(flat @ flat.conj().T, np.eye(rank), rtol=0, atol=atol)
    assert defect(maps, rep_in, rep_out) < 100 * atol
    return maps


@given(small_terms, small_terms)
def test_schurs_lemma_counts_the_maps(terms_in: list, terms_out: list) -> None:
    rep_in, rep_out = Irreps(terms_in), Irreps(terms_out)
    shared = {term.ir for term in rep_in}
    check(rep_in, rep_out, sum(rep_in.count(ir) * rep_out.count(ir) for ir in shared))


@pytest.mark.parametrize(
    ("rep_in", "rep_out", "rank"),
    [
        (SO2Irrep(2), SO2Irrep(2), 2),  # a conjugate pair: turns commute with turns
        (SO2Irrep(2), SO2Irrep(1), 0),
        (SO2Irrep(0), SO2Irrep(0), 1),
        (O2Irrep(2), O2Irrep(2), 1),
        (O2Irrep(0), O2Irrep(0, -1), 0),
        (SU2Irrep(1.5), SU2Irrep(1.5), 1),
        (SU2Irrep(1.5), SU2Irrep(1.5).dual(), 1),
        (SO3Irrep(1), Irrep("1e").restrict(SO3()), 1),
        (Irrep("1o"), Irrep("1e"), 0),
        (SO3Irrep(2).restrict(SU2()), SU2Irrep(2), 1),
        (Irrep("3o").restrict(SO2()), Irrep("3e").restrict(SO2()), 1 + 2 * 3),
        (Trivial(O3(), 2), Trivial(O3(), 3), 6),
        (Trivial(O3(), 2), Irreps(), 0),
        (OuterProduct((Irrep("1o"), SO2Irrep(1))), OuterProduct((Irrep("1o"), SO2Irrep(1))), 2),
    ],
    ids=str,
)
def test_known_ranks(rep_in: Representation, rep_out: Representation, rank: int) -> None:
    check(rep_in, rep_out, rank)


def test_a_group_that_is_not_compact() -> None:
    # The defining representation of SE(3) is not a sum of irreps: a vector subspace without an
    # invariant complement. Its maps to itself are the multiples of the unit; those to its dual
    # are found to be one as well: the form that reads the last coordinate twice.
    motion = Defining(SE3())
    maps = check(motion, motion, 1)
    np.testing.assert_allclose(np.abs(maps[0]), np.eye(4) / 2, rtol=0, atol=100 * EPS)
    form = check(motion, motion.dual(), 1)
    np.testing.assert_allclose(np.abs(form[0]), np.diag([0.0, 0, 0, 1]), rtol=0, atol=100 * EPS)


@pytest.mark.parametrize("triple", [(1, 1, 1), (2, 1, 3), (3, 2, 4), (6, 5, 3)])
def test_real_couplings_are_the_null_space(triple: tuple[int, int, int]) -> None:
    first, second, third = map(SO3Irrep, triple)
    found = check(first.tensor(second), third, 1)[0]
    expected = clebsch_gordan(*triple).reshape(-1, third.dim).T
    overlap = float(np.sum(found * expected))
    assert abs(abs(overlap) - 1) < 1000 * EPS
    np.testing.assert_allclose(found * np.sign(overlap), expected, rtol=0, atol=1e-12)


def test_complex_couplings_are_the_null_space() -> None:
    found = check(SU2Irrep(1.5).tensor(SU2Irrep(1)), SU2Irrep(0.5), 1)[0]
    expected = complex_clebsch_gordan(1.5, 1, 0.5).reshape(-1, 2).T
    overlap = abs(np.vdot(found, expected)) / np.linalg.norm(expected)
    assert abs(overlap - 1) < 1000 * EPS


def test_rank_counts_characters() -> None:
    # dim Hom(V, W) is the Haar mean of conj(χ_V) χ_W.
    vector = Irreps("1o")
    g = O3().sample(np.random.default_rng(1), 20_000)
    one, two, three, four = (vector.character(np.linalg.matrix_power(g, n)) for n in (1, 2, 3, 4))
    fourth_power = (one**4 + 6 * one**2 * two + 3 * two**2 + 8 * one * three + 6 * four) / 24
    products = fourth_power * one**2
    check(vector.symmetric_power(4), vector.tensor(vector), 2)
    assert abs(products.mean() - 2) < 5 * products.std() / 20_000**0.5


def test_a_few_hundred_dimensions() -> None:
    rep_in = Irreps("3x3o").tensor("2o + 3e")
    check(rep_in, Irreps("5x2e + 3o + 4e"), 3 * 5 + 3 + 3)


@pytest.mark.parametrize("shift", [1e-9, 1e-7])
def test_a_doubtful_rank_is_an_error(shift: float) -> None:
    # Almost, but not quite, two copies of one representation.
    class Perturbed(SO3Irrep):
        def generators(self) -> np.ndarray:
            out = np.array(super().generators())
            out[0] *= 1 + shift
            return out

    with pytest.raises(NumberError, match="not certain"):
        intertwiners(SO3Irrep(2), Perturbed(2))


def test_misuse() -> None:
    with pytest.raises(RepresentationError, match="restrict"):
        intertwiners(SO3Irrep(1), Irrep("1o"))
    with pytest.raises(RepresentationError, match="too large"):
        intertwiners(Irreps("300x0e"), Irreps("300x0e"))


def test_equivalent_bases_are_connected_by_one_map() -> None:
    rng = np.random.default_rng(2)
    q, _ = np.linalg.qr(rng.standard_normal((5, 5)))
    turned = GeneratedRepresentation(SO3(), q @ SO3Irrep(2).generators() @ q.T)
    found = check(SO3Irrep(2), turned, 1)[0] * 5**0.5
    np.testing.assert_allclose(np.abs(np.vdot(found, q)), 5, rtol=1e-12)
    # The same where the new basis is not orthogonal.
    p = rng.standard_normal((5, 5)) + 3 * np.eye(5)
    skewed = GeneratedRepresentation(SO3(), p @ SO3Irrep(2).generators() @ np.linalg.inv(p))
    found = intertwiners(SO3Irrep(2), skewed)[0]
    np.testing.assert_allclose(np.abs(np.vdot(found, p)), np.linalg.norm(p), rtol=1e-10)


def test_the_check_catches_a_map_that_is_not_equivariant() -> None:
    maps = intertwiners(SO3Irrep(2), SO3Irrep(2)).copy()
    maps[0, 0, 1] += 1e-9
    assert defect(maps, SO3Irrep(2), SO3Irrep(2)) > 1e-10


def test_groups_with_a_reflection_only_need_their_generators() -> None:
    rep = GeneratedRepresentation(O2(), 2 * O2().generators(), O2().discrete())
    check(rep, O2Irrep(2), 1)
    assert SU2_ONTO_SO3.target == SO3() and len(intertwiners(SU2Irrep(0.5), SU2Irrep(1))) == 0
    assert len(intertwiners(Defining(SU2()), SU2Irrep(0.5))) == 1
    assert len(intertwiners(Defining(SO2()), SO2Irrep(1))) == 2
