"""Laws that every group obeys, and references for the ones there are."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from schur.errors import NumberError, ShapeError
from schur.groups import (
    O2,
    O3,
    SE3,
    SO2,
    SO2_IN_SO3,
    SO3,
    SO3_IN_O3,
    SU2,
    SU2_ONTO_SO3,
    Affine,
    Alt,
    DirectProduct,
    Euclidean,
    GeneralLinear,
    Group,
    Lorentz,
    Orthogonal,
    PermutationGroup,
    PseudoOrthogonal,
    SpecialLinear,
    SpecialOrthogonal,
    SpecialUnitary,
    Sym,
    Symplectic,
    Unitary,
    matrix_exponential,
)

EPS = float(np.finfo(np.float64).eps)
GROUPS: list[Group] = [SO2(), O2(), SU2(), SO3(), O3(), SE3(), O3() * SO2(), SU2() * O2() * O3()]
GROUPS += [Orthogonal(1), Orthogonal(4), SpecialOrthogonal(5), Symplectic(2), Symplectic(4)]
GROUPS += [GeneralLinear(2), GeneralLinear(3, positive=True), SpecialLinear(2), SpecialLinear(3)]
GROUPS += [PseudoOrthogonal(2, 2), PseudoOrthogonal(1, 3, "SO"), Lorentz(), Unitary(3)]
GROUPS += [SpecialUnitary(2), SpecialUnitary(3), Euclidean(2), Affine(GeneralLinear(2))]
GROUPS += [Sym(5), Alt(5), PermutationGroup(((1, 2, 3, 0), (3, 2, 1, 0))), Sym(3) * Orthogonal(2)]
seeds = st.integers(0, 2**32 - 1)


def sample(group: Group, seed: int = 0, count: int = 20) -> np.ndarray:
    return group.sample(np.random.default_rng(seed), count)


def word_value(group: Group, word: np.ndarray) -> np.ndarray:
    value = group.identity()
    for letter in word:
        if letter >= 0:
            value = value @ group.discrete()[letter]
    return value


@pytest.mark.parametrize("group", GROUPS, ids=str)
class TestLaws:
    def test_elements_form_a_group(self, group: Group) -> None:
        g, h = sample(group, 1), sample(group, 2)
        assert group.contains(g).all() and group.contains(g @ h).all()
        assert group.contains(group.inverse(g)).all() and group.contains(group.identity())
        assert group.contains(group.discrete()).all()
        unit = np.broadcast_to(group.identity(), g.shape)
        np.testing.assert_allclose(g @ group.inverse(g), unit, rtol=0, atol=50 * EPS)

    def test_factor_restores_the_element(self, group: Group) -> None:
        g = sample(group)
        again = group.identity()
        for coordinates, words in group.exponentials(g):
            again = again @ group.exp(coordinates)
            again = again @ np.stack([word_value(group, w) for w in words])
        np.testing.assert_allclose(again, g, rtol=0, atol=100 * EPS * max(1.0, np.abs(g).max()))

    def test_exp_is_the_matrix_exponential(self, group: Group) -> None:
        c = np.random.default_rng(3).standard_normal((5, group.dim))
        expected = np.stack([scipy.linalg.expm(a) for a in group.algebra(c)])
        # Squaring back costs as many digits as the result and the exponent are larger than one.
        norm = np.abs(group.algebra(c)).sum(axis=-1).max(initial=1.0)
        atol = 100 * group.n * EPS * max(1.0, np.abs(expected).max()) * norm
        np.testing.assert_allclose(group.exp(c), expected, rtol=0, atol=atol)

    def test_log_inverts_exp(self, group: Group) -> None:
        c = np.random.default_rng(4).uniform(-1.0, 1.0, (9, group.dim))
        np.testing.assert_allclose(group.log(group.exp(c)), c, rtol=0, atol=50 * EPS)
        np.testing.assert_array_equal(group.log(group.identity()), np.zeros(group.dim))

    def test_brackets_close(self, group: Group) -> None:
        x, f = group.generators(), group.structure_constants()
        brackets = np.einsum("aij,bjk->abik", x, x) - np.einsum("bij,ajk->abik", x, x)
        np.testing.assert_allclose(
            brackets, np.einsum("abc,cij->abij", f, x), rtol=0, atol=20 * EPS
        )

    def test_other_matrices_are_refused(self, group: Group) -> None:
        wrongs = [np.nan * group.identity(), 0.0 * group.identity()]
        if "GL" not in str(group):
            wrongs.append(1.01 * group.identity())
        for wrong in wrongs:
            assert not group.contains(wrong)
            with pytest.raises(NumberError):
                group.factor(wrong)
        with pytest.raises(ShapeError):
            group.factor(np.eye(group.n + 1))
        with pytest.raises(ShapeError):
            group.exp(np.zeros(group.dim + 1))
        if group.dim:
            with pytest.raises(NumberError, match="not finite"):
                group.exp(np.full(group.dim, np.nan))

    def test_it_is_a_value(self, group: Group) -> None:
        assert group == eval(repr(group)) and hash(group) == hash(eval(repr(group)))


@pytest.mark.parametrize("group", [SO2(), O2(), SU2(), SO3(), O3(), O3() * SO2()], ids=str)
def test_haar_average_of_the_defining_matrices_vanishes(group: Group) -> None:
    # No defining representation here contains the trivial one. Standard error: 1/√count.
    count = 20_000
    mean = sample(group, 5, count).mean(axis=0)
    blocks = [slice(0, group.n)]
    if isinstance(group, DirectProduct):
        blocks = group.slices()
    for rows in blocks:
        assert np.abs(mean[rows, rows]).max() < 5 / np.sqrt(count)


def test_rotation_angles_follow_the_haar_density() -> None:
    # P(θ) = (1 - cos θ) / π; a uniform distribution of angles would fail.
    angle = np.linalg.norm(SO3().log(sample(SO3(), 6, 20_000)), axis=-1)
    for bound in (0.5, 1.0, 2.0, 3.0):
        expected = (bound - np.sin(bound)) / np.pi
        assert abs((angle < bound).mean() - expected) < 5 * 0.5 / np.sqrt(20_000)


@given(seed=seeds, angle=st.sampled_from([0.0, 1e-300, 1e-9, 1e-4, 1.0, np.pi - 1e-9, np.pi]))
def test_rotation_vectors_agree_with_scipy_at_every_angle(seed: int, angle: float) -> None:
    axis = np.random.default_rng(seed).standard_normal(3)
    vector = angle * axis / np.linalg.norm(axis)
    g = SO3().exp(vector)
    np.testing.assert_allclose(g, Rotation.from_rotvec(vector).as_matrix(), rtol=0, atol=8 * EPS)
    back = SO3().log(g)
    np.testing.assert_allclose(np.linalg.norm(back), angle, rtol=0, atol=8 * EPS)
    np.testing.assert_allclose(SO3().exp(back), g, rtol=0, atol=8 * EPS)


@pytest.mark.parametrize("angle", [0.0, 1e-8, 0.0999, 0.1001, 2.0, np.pi])
def test_motions_keep_their_digits_at_every_angle(angle: float) -> None:
    c = np.array([angle / 3, -2 * angle / 3, 2 * angle / 3, 1.0, -2.0, 3.0])
    expected = scipy.linalg.expm(SE3().algebra(c))
    np.testing.assert_allclose(SE3().exp(c), expected, rtol=0, atol=50 * EPS)
    np.testing.assert_allclose(SE3().exp(SE3().log(expected)), expected, rtol=0, atol=50 * EPS)


def test_improper_elements_have_no_logarithm() -> None:
    with pytest.raises(NumberError, match="no logarithm"):
        O3().log(-np.eye(3))


@pytest.mark.parametrize("phi", [SO2_IN_SO3, SO3_IN_O3, SU2_ONTO_SO3])
def test_homomorphisms_respect_products_and_their_differential(phi) -> None:
    g, h = sample(phi.source, 7), sample(phi.source, 8)
    assert phi.target.contains(phi(g)).all()
    np.testing.assert_allclose(phi(g @ h), phi(g) @ phi(h), rtol=0, atol=20 * EPS)
    c = np.random.default_rng(9).standard_normal((4, phi.source.dim))
    np.testing.assert_allclose(
        phi(phi.source.exp(c)), phi.target.exp(c @ phi.matrix()), rtol=0, atol=20 * EPS
    )


def test_spins_turn_twice_as_slowly() -> None:
    full_turn = SU2().exp(np.array([0.0, 2 * np.pi, 0.0]))
    np.testing.assert_allclose(full_turn, -np.eye(2), rtol=0, atol=4 * EPS)
    np.testing.assert_allclose(SU2_ONTO_SO3(full_turn), np.eye(3), rtol=0, atol=4 * EPS)


@given(seed=seeds, scale=st.sampled_from([0.0, 1e-9, 1e-3, 1.0, 30.0]))
def test_matrix_exponential_agrees_with_the_spectral_one(seed: int, scale: float) -> None:
    # Normal matrices, for which the condition of the exponential is the norm.
    a = scale * np.random.default_rng(seed).standard_normal((2, 4, 4))
    a = a - np.swapaxes(a, -1, -2)
    angles, vectors = np.linalg.eigh(1j * a)
    expected = np.einsum("bij,bj,bkj->bik", vectors, np.exp(-1j * angles), vectors.conj())
    atol = 20 * EPS * (1 + np.abs(a).sum(axis=-1).max())
    np.testing.assert_allclose(matrix_exponential(a), expected.real, rtol=0, atol=atol)


def test_matrix_exponential_of_a_nilpotent_matrix_is_a_polynomial() -> None:
    a = np.triu(np.arange(16.0).reshape(4, 4), 1)
    expected = np.eye(4) + a + a @ a / 2 + a @ a @ a / 6
    np.testing.assert_allclose(matrix_exponential(a), expected, rtol=0, atol=500 * EPS)


def test_matrix_exponential_refuses_what_is_not_finite() -> None:
    with pytest.raises(NumberError):
        matrix_exponential(np.array([[np.inf]]))


def test_the_laws_catch_a_wrong_group() -> None:
    class Shifted(SO2):
        def exp(self, coordinates: np.ndarray) -> np.ndarray:
            return super().exp(coordinates + 1e-9)

    for law in (
        TestLaws().test_exp_is_the_matrix_exponential,
        TestLaws().test_factor_restores_the_element,
        TestLaws().test_log_inverts_exp,
    ):
        with pytest.raises(AssertionError):
            law(Shifted())
