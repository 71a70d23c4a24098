"""Laws that every representation of every group obeys."""

from __future__ import annotations

import copy
from math import comb
from typing import Any

import numpy as np
import pytest
import torch
from e3nn import o3 as typed_o3
from hypothesis import given
from hypothesis import strategies as st

from schur.errors import NumberError, RepresentationError, ShapeError
from schur.groups import O2, O3, SE3, SO2, SO3, SU2, SU2_ONTO_SO3, Group, matrix_exponential
from schur.reps import (
    Defining,
    DirectSum,
    ExteriorPower,
    GeneratedRepresentation,
    Irrep,
    Irreps,
    O2Irrep,
    OuterProduct,
    Representation,
    Restriction,
    SO2Irrep,
    SO3Irrep,
    SU2Irrep,
    SymmetricPower,
    Trivial,
)

# The annotations of e3nn's constructors name types that they do not return.
o3: Any = typed_o3

EPS = float(np.finfo(np.float64).eps)

REPRESENTATIONS: list[Representation] = [
    *(SO2Irrep(0), SO2Irrep(3), O2Irrep(0), O2Irrep(0, -1), O2Irrep(2)),
    *(SU2Irrep(0), SU2Irrep(0.5), SU2Irrep(2.5), SU2Irrep(3)),
    *(SO3Irrep(0), SO3Irrep(1), SO3Irrep(6), Irrep("0o"), Irrep("2e"), Irrep("3o"), Irrep("3e")),
    *(Irreps("2x0e + 3x1o + 0x4e + 2x2o"), Irreps()),
    *(Trivial(O3(), 2), Defining(SU2()), Defining(SE3()), Defining(O3() * SO2())),
    SO2Irrep(1) + SO2Irrep(2),
    Irrep("1o").plus("2e"),
    Irreps("1o + 0e").tensor("1e"),
    SU2Irrep(0.5) * SU2Irrep(1) * SU2Irrep(0.5),
    Defining(SE3()).dual(),
    SU2Irrep(1.5).dual(),
    Irreps("1o + 0o").symmetric_power(3),
    SU2Irrep(1).exterior_power(2),
    Irreps("2x1e + 2o").restrict(SO3()),
    Irrep("3o").restrict(SO2()),
    SO3Irrep(2).restrict(SU2()),
    OuterProduct((Irrep("1o"), SO2Irrep(2), SU2Irrep(0.5))),
    GeneratedRepresentation(O2(), 3 * O2().generators(), O2().discrete()),
]


def pair(rep: Representation, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rep.group.sample(rng, 6), rep.group.sample(rng, 6)


def tolerance(rep: Representation, *matrices: np.ndarray) -> float:
    size = max([1.0, *(float(np.abs(m).max(initial=0.0)) for m in matrices)])
    return 100 * EPS * size * max(1, rep.dim) ** 0.5


@pytest.mark.parametrize("rep", REPRESENTATIONS, ids=lambda rep: f"{rep!r}"[:60])
class TestLaws:
    def test_products_go_to_products(self, rep: Representation) -> None:
        g, h = pair(rep)
        one, two, both = rep.matrix(g), rep.matrix(h), rep.matrix(g @ h)
        assert both.shape == (6, rep.dim, rep.dim)
        np.testing.assert_allclose(one @ two, both, rtol=0, atol=tolerance(rep, one, two))

    def test_generators_are_the_derivative(self, rep: Representation) -> None:
        x = rep.generators()
        assert x.shape == (rep.group.dim, rep.dim, rep.dim)
        c = np.random.default_rng(1).standard_normal(rep.group.dim)
        expected = matrix_exponential(np.tensordot(c, x, axes=1))
        ours = rep.matrix(rep.group.exp(c))
        size = max(1.0, np.abs(x).sum(axis=-1).max(initial=0.0))
        np.testing.assert_allclose(ours, expected, rtol=0, atol=size * tolerance(rep, expected))

    def test_generators_obey_the_commutators(self, rep: Representation) -> None:
        x, f = rep.generators(), rep.group.structure_constants()
        brackets = np.einsum("aij,bjk->abik", x, x) - np.einsum("bij,ajk->abik", x, x)
        size = max(1.0, np.abs(x).max(initial=0.0)) ** 2
        expected = np.einsum("abc,cij->abij", f, x)
        np.testing.assert_allclose(brackets, expected, rtol=0, atol=20 * EPS * size * rep.dim)

    def test_discrete_matrices(self, rep: Representation) -> None:
        h = rep.discrete()
        assert h.shape == (len(rep.group.discrete()), rep.dim, rep.dim)
        ours = rep.matrix(rep.group.discrete())
        np.testing.assert_allclose(ours, h, rtol=0, atol=tolerance(rep, h))

    def test_character_is_the_trace(self, rep: Representation) -> None:
        g, _ = pair(rep)
        matrices = rep.matrix(g)
        trace = np.trace(matrices, axis1=-2, axis2=-1)
        atol = rep.dim * tolerance(rep, matrices)
        np.testing.assert_allclose(rep.character(g), trace, rtol=0, atol=atol)

    def test_unbatched_and_batched_elements_agree(self, rep: Representation) -> None:
        g, _ = pair(rep)
        single, batched = rep.matrix(g[0]), rep.matrix(g.reshape(2, 3, *g.shape[1:]))
        assert batched.shape == (2, 3, rep.dim, rep.dim) and rep.character(g[0]).shape == ()
        atol = tolerance(rep, single)
        np.testing.assert_allclose(batched[0, 0], single, rtol=0, atol=atol)

    def test_wrong_elements_are_refused(self, rep: Representation) -> None:
        with pytest.raises(NumberError):
            rep.matrix(1.1 * rep.group.identity())
        with pytest.raises(ShapeError):
            rep.character(np.eye(rep.group.n + 1))

    def test_it_is_a_value(self, rep: Representation) -> None:
        again = copy.deepcopy(rep)
        assert again == rep and hash(again) == hash(rep) and rep != Trivial(SO2(), 99)
        assert " at 0x" not in repr(rep)


class TestTheLawsCatchFaults:
    class Skewed(SO3Irrep):
        def _matrix(self, g: np.ndarray) -> np.ndarray:
            return super()._matrix(g) * (1 + 1e-10)

    class Transposed(SO3Irrep):
        def _matrix(self, g: np.ndarray) -> np.ndarray:
            return np.swapaxes(super()._matrix(g), -1, -2)

    class Rescaled(SO3Irrep):
        def generators(self) -> np.ndarray:
            return super().generators() * (1 + 1e-10)

    def test_products(self) -> None:
        for faulty in (self.Skewed(2), self.Transposed(2)):
            with pytest.raises(AssertionError):
                TestLaws().test_products_go_to_products(faulty)

    def test_generators(self) -> None:
        with pytest.raises(AssertionError):
            TestLaws().test_generators_are_the_derivative(self.Rescaled(2))
        with pytest.raises(AssertionError):
            TestLaws().test_generators_obey_the_commutators(self.Rescaled(2))


@pytest.fixture
def double_precision():
    """e3nn builds its generators in torch's default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("double_precision")
class TestAgainstE3nn:
    def test_matrices_of_irreps(self) -> None:
        g = O3().sample(np.random.default_rng(2), 20)
        assert np.any(np.linalg.det(g) < 0) and np.any(np.linalg.det(g) > 0)
        for degree in range(7):
            for p in (1, -1):
                theirs = o3.Irrep(degree, p).D_from_matrix(torch.tensor(g)).numpy()
                ours = Irrep(degree, p).matrix(g)
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)

    def test_matrices_of_sums_in_their_layout(self) -> None:
        irreps = "2x0o + 3x1o + 2x2e"
        g = O3().sample(np.random.default_rng(3), 5)
        theirs = o3.Irreps(irreps).D_from_matrix(torch.tensor(g)).numpy()
        perm = Irreps(irreps).permutation_to_e3nn()
        ours = Irreps(irreps).matrix(g)[:, perm[:, None], perm]
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)

    def test_generators(self) -> None:
        for degree in range(9):
            theirs = o3.so3_generators(degree).numpy()
            ours = SO3Irrep(degree).generators()
            # e3nn lists its generators in the order x, y, z too.
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-13)


class TestRotations:
    @pytest.mark.parametrize("degree", [1, 12, 50, 100])
    def test_wigner_matrices_of_high_degree(self, degree: int) -> None:
        rep = SO3Irrep(degree)
        g, h = pair(rep, 4)
        d, both = rep.matrix(g), rep.matrix(g @ h)
        unit = np.broadcast_to(np.eye(rep.dim), d.shape)
        atol = 20 * EPS * (degree + 1)
        np.testing.assert_allclose(d @ np.swapaxes(d, -1, -2), unit, rtol=0, atol=atol)
        np.testing.assert_allclose(d @ rep.matrix(h), both, rtol=0, atol=atol)

    @pytest.mark.parametrize("tilt", [0.0, 1e-12, 1e-8, np.pi - 1e-8, np.pi])
    def test_no_accuracy_is_lost_at_the_poles(self, tilt: float) -> None:
        rep = SO3Irrep(12)
        turn = SO3().exp(np.array([0.0, 0.7, 0.0]))
        g = turn @ SO3().exp(np.array([tilt, 0.0, 0.0])) @ turn
        expected = matrix_exponential(0.7 * rep.generators()[1])
        tilted = matrix_exponential(tilt * rep.generators()[0])
        atol = 400 * EPS * 12
        np.testing.assert_allclose(rep.matrix(g), expected @ tilted @ expected, rtol=0, atol=atol)

    def test_the_inversion_acts_by_the_parity(self) -> None:
        for p in (1, -1):
            np.testing.assert_array_equal(Irrep(3, p).discrete(), p * np.eye(7)[None])

    def test_a_vector_is_x_y_z(self) -> None:
        g = O3().sample(np.random.default_rng(5), 4)
        np.testing.assert_allclose(Irrep("1o").matrix(g), g, rtol=0, atol=8 * EPS)

    @given(st.integers(0, 12), st.floats(-6, 6))
    def test_characters_are_the_quotient_of_sines(self, degree: int, angle: float) -> None:
        g = SO3().exp(np.array([0.0, 0.0, angle]))
        half = angle / 2
        expected = 2 * degree + 1.0
        if abs(np.sin(half)) > 1e-3:
            expected = np.sin((2 * degree + 1) * half) / np.sin(half)
            atol = 1e3 * 20 * EPS * (2 * degree + 1)
            np.testing.assert_allclose(SO3Irrep(degree).character(g), expected, atol=atol)

    def test_a_full_turn_of_a_spin(self) -> None:
        minus_one = -np.eye(2, dtype=complex)
        for two_j in range(8):
            sign = (-1) ** two_j
            expected = sign * np.eye(two_j + 1)
            ours = SU2Irrep(two_j / 2).matrix(minus_one)
            np.testing.assert_allclose(ours, expected, rtol=0, atol=50 * EPS)


class TestOperations:
    @pytest.mark.parametrize(("dim", "degree"), [(3, 1), (3, 2), (4, 3), (5, 2), (2, 5)])
    def test_dimensions_of_powers(self, dim: int, degree: int) -> None:
        base = Trivial(SO2(), dim)
        assert SymmetricPower(base, degree).dim == comb(dim + degree - 1, degree)
        assert ExteriorPower(base, degree).dim == comb(dim, degree)

    def test_characters_of_powers_follow_newton(self) -> None:
        base = Irreps("1o + 2x0o")
        g, _ = pair(base)
        one, two, three = (base.character(np.linalg.matrix_power(g, n)) for n in (1, 2, 3))
        sym2, alt2 = (one**2 + two) / 2, (one**2 - two) / 2
        sym3 = (one**3 + 3 * one * two + 2 * three) / 6
        alt3 = (one**3 - 3 * one * two + 2 * three) / 6
        for power, expected in [
            (base.symmetric_power(2), sym2),
            (base.exterior_power(2), alt2),
            (base.symmetric_power(3), sym3),
            (base.exterior_power(3), alt3),
        ]:
            np.testing.assert_allclose(power.character(g), expected, rtol=0, atol=1000 * EPS)

    def test_the_highest_exterior_power_is_the_determinant(self) -> None:
        g, _ = pair(Irrep("1o"))
        top = Irrep("1o").exterior_power(3)
        np.testing.assert_allclose(top.character(g), np.linalg.det(g), rtol=0, atol=20 * EPS)
        assert Irrep("1o").exterior_power(4).dim == 0

    def test_dual_of_dual_and_invariant_pairing(self) -> None:
        rep = SU2Irrep(1.5)
        assert rep.dual().dual() == rep
        g, _ = pair(rep)
        pairing = np.swapaxes(rep.dual().matrix(g), -1, -2) @ rep.matrix(g)
        unit = np.broadcast_to(np.eye(4), pairing.shape)
        np.testing.assert_allclose(pairing, unit, rtol=0, atol=50 * EPS)

    def test_pulling_back_along_the_double_cover(self) -> None:
        g = SU2().sample(np.random.default_rng(6), 5)
        pulled = SO3Irrep(2).restrict(SU2())
        assert pulled == Restriction(SO3Irrep(2), SU2_ONTO_SO3)
        expected = SU2Irrep(2).character(g)
        np.testing.assert_allclose(pulled.character(g), expected, rtol=0, atol=100 * EPS)

    def test_sums_of_irreps_stay_irreps(self) -> None:
        total = Irreps("1o") + "2e"
        assert isinstance(total, Irreps) and total == "1o+2e"
        assert isinstance(Irreps("1o") * 2, Irreps) and (Irreps("1o") * "2e").dim == 15


class TestMisuse:
    def test_groups_must_agree(self) -> None:
        for make in (lambda: SO2Irrep(1) + O2Irrep(1), lambda: SO3Irrep(1) * Irrep("1o")):
            with pytest.raises(RepresentationError, match="restrict"):
                make()
        with pytest.raises(RepresentationError):
            DirectSum(())
        with pytest.raises(RepresentationError):
            Restriction(SO2Irrep(1), SU2_ONTO_SO3)
        with pytest.raises(RepresentationError, match="no homomorphism"):
            SO2Irrep(1).restrict(O3())

    def test_labels_that_do_not_exist(self) -> None:
        for make in (
            lambda: SO2Irrep(-1),
            lambda: O2Irrep(1, -1),
            lambda: SU2Irrep(0.3),
            lambda: SU2Irrep(-1),
            lambda: SO3Irrep(-1),
            lambda: SymmetricPower(Irrep("1o"), 0),
            lambda: SymmetricPower(Irrep("20o"), 6),
        ):
            with pytest.raises(RepresentationError):
                make()

    def test_matrices_that_represent_nothing(self) -> None:
        groups: list[tuple[Group, np.ndarray]] = [
            (SO2(), 0.5 * SO2().generators()),  # a full turn would be -1
            (SO3(), -SO3().generators()),  # commutators of the wrong sign
            (SO3(), np.asarray(SU2().generators())),  # a representation of the cover only
        ]
        for group, generators in groups:
            with pytest.raises(RepresentationError, match="do not represent"):
                GeneratedRepresentation(group, generators)
        with pytest.raises(ShapeError):
            GeneratedRepresentation(O3(), O3().generators())
