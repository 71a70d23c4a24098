"""Polar and Iwasawa coordinates, Haar integrals, and groups given by generators."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import logm

from schur.errors import NumberError, RepresentationError
from schur.groups import (
    SO3,
    Affine,
    Euclidean,
    GeneralLinear,
    Lorentz,
    MatrixGroup,
    Orthogonal,
    PseudoOrthogonal,
    Reductive,
    SpecialLinear,
    SpecialOrthogonal,
    SpecialUnitary,
    Symplectic,
    Unitary,
)
from schur.groups.reductive import cartan_of, iwasawa_of
from schur.reps import Defining, GeneratedRepresentation

EPS = float(np.finfo(np.float64).eps)
GROUPS: list[Reductive] = [GeneralLinear(2), GeneralLinear(3, positive=True), SpecialLinear(3)]
GROUPS += [PseudoOrthogonal(2, 2), PseudoOrthogonal(3, 1, "SO"), Lorentz(), Symplectic(4)]
GROUPS += [Unitary(3), SpecialUnitary(2)]
TRACELESS = SpecialLinear(2).generators()
GROUPS += [MatrixGroup(np.concatenate([TRACELESS, 1j * TRACELESS]), name="SL(2,C)")]


def sample(group, count: int = 50, seed: int = 0) -> np.ndarray:
    return group.sample(np.random.default_rng(seed), count)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_polar_and_iwasawa_coordinates_restore_every_element(group: Reductive) -> None:
    g = sample(group)
    size = np.abs(g).max() ** 2
    k, s = group.polar(g)
    assert group.contains(k).all()
    unit = np.broadcast_to(np.eye(group.n), g.shape)
    np.testing.assert_allclose(k @ np.conj(np.swapaxes(k, -1, -2)), unit, rtol=0, atol=50 * EPS)
    np.testing.assert_allclose(group.from_polar(k, s), g, rtol=0, atol=100 * EPS * size)
    k, a, x = group.iwasawa(g)
    assert group.contains(k).all()
    np.testing.assert_allclose(group.from_iwasawa(k, a, x), g, rtol=0, atol=200 * EPS * size)


# dim k, dim p, the rank dim a and dim n of the classical groups.
DIMENSIONS = {
    GeneralLinear(3, positive=True): (3, 6, 3, 3),
    SpecialLinear(3): (3, 5, 2, 3),
    Lorentz(): (3, 3, 1, 2),
    PseudoOrthogonal(2, 2, "SO+"): (2, 4, 2, 2),
    PseudoOrthogonal(2, 3): (4, 6, 2, 4),
    Symplectic(4): (4, 6, 2, 4),
    Unitary(3): (9, 0, 0, 0),
    SpecialUnitary(3): (8, 0, 0, 0),
}


@pytest.mark.parametrize("group", DIMENSIONS, ids=str)
def test_dimensions(group: Reductive) -> None:
    parts, more = cartan_of(group), iwasawa_of(group)
    found = (len(parts.compact), len(parts.hermitian), len(more.abelian), len(more.nilpotent))
    assert found == DIMENSIONS[group]
    brackets = np.einsum("aij,bjk->abik", more.abelian, more.abelian)
    np.testing.assert_allclose(brackets, np.swapaxes(brackets, 0, 1), rtol=0, atol=20 * EPS)


def test_iwasawa_of_the_linear_group_is_qr() -> None:
    group = GeneralLinear(3)
    g = sample(group)
    q, r = np.linalg.qr(g)
    signs = np.sign(np.diagonal(r, axis1=-2, axis2=-1))
    k, a, _ = group.iwasawa(g)
    np.testing.assert_allclose(k, q * signs[:, None, :], rtol=0, atol=100 * EPS)
    logs = np.log(np.abs(np.diagonal(r, axis1=-2, axis2=-1)))
    np.testing.assert_allclose(np.sort(a), np.sort(logs), rtol=0, atol=100 * EPS)


def test_an_element_that_is_no_exponential_is_reached_by_polar_coordinates() -> None:
    # Every logarithm of -diag(1, 2) is complex: the group is connected, exp is not onto.
    group, g = GeneralLinear(2, positive=True), -np.diag([1.0, 2.0])
    principal = np.asarray(logm(g.astype(complex)))
    assert np.abs(np.imag(np.diagonal(principal)) - np.pi).max() < 1e-12
    assert group.contains(g)
    with pytest.raises(NumberError, match="polar"):
        group.factor(g)
    np.testing.assert_allclose(group.from_polar(*group.polar(g)), g, rtol=0, atol=8 * EPS)
    many = np.random.default_rng(0).standard_normal((10_000, 2, 2))
    many[..., 0] *= np.sign(np.linalg.det(many))[:, None]
    error = np.abs(group.from_polar(*group.polar(many)) - many)
    assert error.max() < 1e-12


def test_the_density_of_the_linear_group_is_that_of_its_eigenvalues() -> None:
    group = GeneralLinear(3)
    s = np.random.default_rng(1).standard_normal((7, 6))
    eigenvalues = np.linalg.eigvalsh(np.tensordot(s, cartan_of(group).hermitian, axes=1))
    gaps = eigenvalues[:, [1, 2, 2]] - eigenvalues[:, [0, 0, 1]]
    expected = np.prod(np.sinh(gaps) / gaps, axis=-1)
    np.testing.assert_allclose(group.polar_density(s), expected, rtol=1e-12)
    # Far out and at zero, where sinh overflows and 0/0 stands.
    assert np.isfinite(cartan_of(group).log_density(500.0 * s)).all()
    np.testing.assert_allclose(group.polar_density(1e-9 * s), 1.0, rtol=1e-12)


def bump(g: np.ndarray, skew: float = 0.0) -> np.ndarray:
    """A function of finite integral: falls off as g or its inverse grows."""
    out = np.sum(np.abs(g) ** 2, axis=(-2, -1)) + np.sum(np.abs(np.linalg.inv(g)) ** 2, (-2, -1))
    return np.exp(-out) * (1.0 + skew * np.real(g[..., 0, 0] - 2 * g[..., 1, 0]) ** 2)


def within(one: np.ndarray, other: np.ndarray, sigmas: float = 4.0) -> bool:
    """Whether the means of two independent samples agree."""
    spread = np.sqrt(one.var() / len(one) + other.var() / len(other))
    return bool(abs(one.mean() - other.mean()) < sigmas * spread)


def test_polar_integrals_are_those_over_matrix_entries() -> None:
    # ∫ f |det g|^-2 Π dg_ij over GL+(2): entries are orthonormal coordinates, and SO(2) has the
    # length 2π √2 in them.
    rng, count = np.random.default_rng(2), 100_000
    group = GeneralLinear(2, positive=True)
    direct, polar, naive = [], [], []
    for width in (0.03, 1.0):
        g, weight = group.sample_weighted(rng, count, 0.6 / width**0.25)
        values = weight * bump(g) ** width * 2 * np.pi * np.sqrt(2)
        polar.append(values)
        naive.append(values / group.polar_density(group.polar(g)[1]))
        spread = 1 / (2 * width)
        entries = np.sqrt(spread) * rng.standard_normal((count, 2, 2))
        det = np.linalg.det(entries)
        density = -np.sum(entries**2, axis=(-2, -1)) / (2 * spread)
        density = np.exp(density) / (2 * np.pi * spread) ** 2
        direct.append(np.where(det > 0, bump(entries) ** width / det**2 / density, 0.0))
        assert within(polar[-1], direct[-1])
        assert not within(naive[-1], direct[-1])
    # The naive measure, without the density, is plausible and wrong by a third.
    ratios = [values[0].mean() / values[1].mean() for values in (direct, polar, naive)]
    assert abs(ratios[1] / ratios[0] - 1) < 0.05
    assert ratios[2] / ratios[0] < 0.67


@pytest.mark.parametrize(
    "group", [GeneralLinear(2), SpecialLinear(2), Lorentz(), Symplectic(2)], ids=str
)
def test_polar_and_iwasawa_give_one_invariant_measure(group: Reductive) -> None:
    rng, count = np.random.default_rng(3), 30_000
    h = 0.7 * np.random.default_rng(4).standard_normal(group.dim)
    h = group.exp(h / np.linalg.norm(h))
    polar, weight = group.sample_weighted(rng, count, 0.5)
    other, other_weight = group.sample_weighted(rng, count, 0.5, through="iwasawa")
    assert group.contains(polar[:100]).all() and group.contains(other[:100]).all()
    plain = weight * bump(polar, 0.5)
    assert within(plain, other_weight * bump(other, 0.5))
    more, more_weight = group.sample_weighted(rng, count, 0.5)
    for moved in (h @ more, more @ h):
        assert within(plain, more_weight * bump(moved, 0.5))


@pytest.mark.parametrize("group", [Unitary(2), SpecialUnitary(3)], ids=str)
def test_unitary_samples_follow_the_haar_measure(group: Unitary) -> None:
    # The mean of |tr g|^(2k) is k! while k <= n (Diaconis and Evans 2001).
    trace = np.trace(sample(group, 20_000), axis1=-2, axis2=-1)
    for k, expected in ((1, 1.0), (2, 2.0)):
        values = np.abs(trace) ** (2 * k)
        assert abs(values.mean() - expected) < 4 * values.std() / 20_000**0.5


def test_symplectic_compact_part_is_unitary_and_haar() -> None:
    k = Symplectic(4).sample_compact(np.random.default_rng(0), 20_000)
    assert Symplectic(4).contains(k[:100]).all()
    # As a real representation of U(2) the defining one is irreducible of complex type.
    values = np.trace(k, axis1=-2, axis2=-1) ** 2
    assert abs(values.mean() - 2.0) < 4 * values.std() / 20_000**0.5


def test_affine_integrals_are_left_invariant_and_not_right_invariant() -> None:
    group = Affine(GeneralLinear(1, positive=True))

    def f(g: np.ndarray) -> np.ndarray:
        scale, t = g[:, 0, 0], g[:, 0, 1]
        return np.exp(-scale - 1 / scale - t**2 / 2 - t)

    rng, count = np.random.default_rng(5), 200_000
    draws = [group.sample_weighted(rng, count, 0.7, reach=2.0) for _ in range(3)]
    h = group.motion(np.array([[1.5]]), np.array([0.3]))
    plain, left, right = (
        weight * f(moved)
        for moved, (_, weight) in zip(
            (draws[0][0], h @ draws[1][0], draws[2][0] @ h), draws, strict=True
        )
    )
    assert within(plain, left)
    assert not within(plain, right, 10.0)
    assert within(plain, right / 1.5)  # the modular function
    with pytest.raises(NumberError):
        group.sample_weighted(rng, 3, reach=0.0)


def test_lorentz_boost_and_components() -> None:
    full, proper = Lorentz("O"), Lorentz()
    time_reversal, parity = np.diag([-1.0, 1, 1, 1]), np.diag([1.0, -1, -1, -1])
    assert full.contains(np.stack([time_reversal, parity, time_reversal @ parity])).all()
    assert Lorentz("SO").contains(time_reversal @ parity)
    assert not proper.contains(time_reversal @ parity) and not Lorentz("SO").contains(parity)
    light = np.array([1.0, 1.0, 0.0, 0.0])
    moved = proper.exp(np.array([0.5, 0, 0, 0, 0, 0])) @ light
    np.testing.assert_allclose(moved, np.exp(0.5) * light, rtol=8 * EPS)
    counts = {tuple(np.sign([g[0, 0], np.linalg.det(g)]).tolist()) for g in sample(full, 200)}
    assert len(counts) == 4


def test_motions_in_the_plane() -> None:
    group = Euclidean(2)
    g = group.motion(np.array([[0.0, -1.0], [1.0, 0.0]]), np.array([3.0, 4.0]))
    c = group.log(g)
    np.testing.assert_allclose(group.exp(c), g, rtol=0, atol=50 * EPS)
    # A quarter turn goes around its fixed point.
    centre = np.linalg.solve(np.eye(2) - g[:2, :2], g[:2, 2])
    half = group.exp(c / 2)
    np.testing.assert_allclose(half[:2, :2] @ centre + half[:2, 2], centre, rtol=0, atol=50 * EPS)
    with pytest.raises(RepresentationError, match="complex"):
        Affine(Unitary(2))


def built(group, name: str) -> MatrixGroup:
    return MatrixGroup(group.generators(), group.discrete(), name=name)


@pytest.mark.parametrize(
    "group",
    [SO3(), Orthogonal(2), Lorentz("O"), SpecialLinear(2), Symplectic(4), Unitary(2)],
    ids=str,
)
def test_a_group_by_its_generators_is_the_same_group(group) -> None:
    same = built(group, f"generated {group}")
    g = sample(group, 30)
    assert same.contains(g).all()
    assert group.contains(sample(same, 30, 1)).all()
    rng = np.random.default_rng(2)
    for wrong in (1.01 * group.identity(), group.identity() + 0.1 * rng.standard_normal(group.n)):
        assert not same.contains(wrong)
    near = group.exp(0.3 * rng.standard_normal((5, group.dim)))
    np.testing.assert_allclose(same.exp(same.log(near)), near, rtol=0, atol=100 * EPS)
    again = same.identity()
    for coordinates, word in same.exponentials(g[:1]):
        letters = np.concatenate([same.discrete(), same.identity()[None]])
        again = again @ same.exp(coordinates)
        for place in range(word.shape[-1]):
            again = again @ letters[word[..., place]]
    np.testing.assert_allclose(again, g[:1], rtol=0, atol=1e-11 * np.abs(g).max())
    assert same == built(group, "other name") and hash(same) == hash(built(group, ""))
    assert same.is_compact == group.is_compact


def test_a_walk_through_generators_reaches_the_haar_measure() -> None:
    # dim of the invariants of V ⊗ V and of V⊗4 as means of powers of the character.
    same = built(SO3(), "SO(3)")
    trace = np.trace(sample(same, 5_000), axis1=-2, axis2=-1)
    for power, expected in ((1, 0), (2, 1), (4, 3)):
        values = trace**power
        assert abs(values.mean() - expected) < 4 * values.std() / 5_000**0.5


def test_finite_groups_and_groups_without_adjoints() -> None:
    quarter = np.array([[[0.0, -1.0], [1.0, 0.0]]])
    cyclic = MatrixGroup(np.zeros((0, 2, 2)), quarter, name="C4")
    assert cyclic.contains(sample(cyclic, 20)).all() and cyclic.is_compact
    assert not cyclic.contains(SpecialOrthogonal(2).exp(np.array([0.1])))
    shear = MatrixGroup(np.array([[[0.0, 1.0], [0.0, 0.0]]]), name="shears")
    assert shear.contains(sample(shear, 5)).all()
    with pytest.raises(RepresentationError, match="adjoint"):
        shear.polar(shear.identity())


def test_what_is_no_group_is_refused() -> None:
    x = SO3().generators()
    with pytest.raises(RepresentationError, match="brackets"):
        MatrixGroup(x[:2])
    with pytest.raises(RepresentationError, match="dependent"):
        MatrixGroup(np.stack([x[0], 2 * x[0]]))
    with pytest.raises(RepresentationError, match="form"):
        MatrixGroup(x, form=np.diag([1.0, 1.0, -1.0]))
    with pytest.raises(RepresentationError, match="discrete"):
        MatrixGroup(x, np.array([[[1.0, 1, 0], [0, 1, 0], [0, 0, 1]]]))
    with pytest.raises(RepresentationError):
        PseudoOrthogonal(3, 0)
    with pytest.raises(RepresentationError):
        GeneralLinear(0)


def test_representations_of_elements_that_are_no_exponentials() -> None:
    # The determinant representation of GL(2), by its generators: trace, and -1 for a reflection.
    group = GeneralLinear(2)
    trace = np.trace(group.generators(), axis1=-2, axis2=-1)[:, None, None]
    det = GeneratedRepresentation(group, trace, np.array([[[-1.0]]]))
    g = sample(group, 40)
    np.testing.assert_allclose(det.matrix(g)[:, 0, 0], np.linalg.det(g), rtol=1e-11)
    twice = Defining(group).exterior_power(2).matrix(g)[:, 0, 0]
    np.testing.assert_allclose(twice, np.linalg.det(g), rtol=1e-11)
