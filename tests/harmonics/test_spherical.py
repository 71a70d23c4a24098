"""Solid harmonics: against other packages, against their definition, and their laws."""

from __future__ import annotations

from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import scipy.special
import sphericart
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from schur.errors import RepresentationError
from schur.forms import Program, cost, derive, evaluate
from schur.harmonics import (
    harmonic_values,
    solid_harmonic_form,
    solid_harmonics,
    wigner_d_of_rotation,
)
from schur.harmonics.legendre import squared_polynomial

EPS = float(np.finfo(np.float64).eps)
NORMALIZATIONS = ["component", "norm", "integral"]
POLES = np.array([[0.0, 1.0, 0.0], [0.0, -1.0, 0.0]])


def unit_vectors(count: int = 40, seed: int = 0) -> np.ndarray:
    """Random directions, the axes, and directions close to the poles."""
    points = np.random.default_rng(seed).normal(size=(count, 3))
    near = POLES + np.array([1e-7, 0.0, -1e-9])
    points = np.concatenate([points, np.eye(3), -np.eye(3), near])
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def of_degree(values: np.ndarray, degree: int) -> np.ndarray:
    return values[:, degree**2 : (degree + 1) ** 2]


def by_scipy(degree: int, points: np.ndarray) -> np.ndarray:
    """Real harmonics, orthonormal, from complex ones; polar axis y, azimuth from z to x."""
    x, y, z = points.T
    polar, azimuth = np.arctan2(np.hypot(x, z), y), np.arctan2(x, z)
    columns = []
    for m in range(-degree, degree + 1):
        value = scipy.special.sph_harm_y(degree, abs(m), polar, azimuth)
        factor = 1.0 if m == 0 else (-1) ** m * np.sqrt(2)  # without Condon-Shortley phase
        columns.append(factor * (value.imag if m < 0 else value.real))
    return np.stack(columns, 1)


class TestReferences:
    @pytest.mark.parametrize("normalization", NORMALIZATIONS)
    def test_e3nn(self, normalization: str) -> None:
        torch = pytest.importorskip("torch")
        from e3nn import o3

        points = np.random.default_rng(1).normal(size=(50, 3))
        for degree in range(12):
            reference = o3.spherical_harmonics(
                degree, torch.tensor(points), False, normalization
            ).numpy()
            values = harmonic_values([degree], points, normalization)
            size = np.abs(reference).max()
            assert np.abs(values - reference).max() <= 20 * EPS * (degree + 1) * size

    def test_scipy(self) -> None:
        points = unit_vectors()
        values = harmonic_values(30, points, "integral")
        for degree in range(31):
            error = np.abs(of_degree(values, degree) - by_scipy(degree, points)).max()
            # scipy takes angles, whose rounding it multiplies by the degree.
            assert error <= 8 * EPS * (degree + 1) ** 1.5, degree

    def test_scipy_comparison_sees_another_polar_axis(self) -> None:
        points = unit_vectors()
        wrong = by_scipy(2, points[:, [1, 2, 0]])
        assert np.abs(of_degree(harmonic_values(2, points, "integral"), 2) - wrong).max() > 0.1

    def test_sphericart(self) -> None:
        points = np.random.default_rng(2).normal(size=(50, 3))
        reference = sphericart.SolidHarmonics(10).compute(
            np.ascontiguousarray(points[:, [2, 0, 1]])
        )
        values = harmonic_values(10, points, "integral")
        for degree in range(11):
            expected = of_degree(np.asarray(reference), degree)
            error = np.abs(of_degree(values, degree) - expected).max()
            assert error <= 20 * EPS * (degree + 1) * np.abs(expected).max()

    @pytest.mark.parametrize("degree", [5, 30, 45])
    def test_forty_digits(self, degree: int) -> None:
        """The polynomial with exact coefficients, evaluated in forty digits."""
        with mpmath.workdps(40):
            for point in unit_vectors(3)[::3]:
                x, y, z = (mpmath.mpf(float(v)) for v in point)
                value = harmonic_values([degree], point[None])[0]
                for m in range(degree + 1):
                    factor = sum(
                        sign
                        * mpmath.sqrt(mpmath.mpf(square.numerator) / square.denominator)
                        * y ** (degree - m - 2 * j)
                        * (x * x + z * z) ** j
                        for j, (sign, square) in enumerate(squared_polynomial(degree, m))
                    )
                    plane = mpmath.mpc(z, x) ** m
                    tolerance = 4 * EPS * (degree + 1) ** 1.5
                    assert abs(value[degree + m] - factor * plane.real) <= tolerance
                    assert m == 0 or abs(value[degree - m] - factor * plane.imag) <= tolerance


class TestDefinition:
    """The recurrence against the sum of monomials."""

    @pytest.mark.parametrize("degree", range(9))
    def test_values_and_gradients(self, degree: int) -> None:
        points = np.random.default_rng(degree).normal(size=(20, 3))
        cotangent = np.random.default_rng(99).normal(size=(20, 2 * degree + 1))
        definition = solid_harmonic_form(degree, "norm").open("harmonics")
        recurrence = solid_harmonics([degree], "norm")
        assert_equal(run(recurrence, r=points), run(definition, r=points), 20 * (degree + 1))
        if degree > 0:
            given = {"r": points, "grad_harmonics": cotangent}
            gradients = [run(derive(p, ["r"]), **given) for p in (recurrence, definition)]
            assert_equal(gradients[0], gradients[1], 20 * (degree + 1) ** 2)

    @pytest.mark.parametrize("degree", range(2, 9))
    def test_the_monomials_are_harmonic(self, degree: int) -> None:
        """Σ_k ∂_k∂_k = 0, by counting exponents."""
        laplacian, size = laplace(solid_harmonic_form(degree).open("harmonics"))
        assert laplacian <= 20 * EPS * degree**2 * size

    def test_a_form_that_is_not_harmonic_is_seen(self) -> None:
        squares = derive(solid_harmonic_form(2).open("harmonics"), ["r"])
        path = solid_harmonic_form(2).paths[0]
        assert squares.outputs == ("grad_r",)
        changed = path.coefficients.copy()
        changed[0] += 1e-6
        form = solid_harmonic_form(2)
        tampered = type(form)(form.operands, (type(path)(path.factors, path.components, changed),))
        laplacian, size = laplace(tampered.open("harmonics"))
        assert laplacian > 1e-7 * size


def run(program: Program, **values: np.ndarray) -> np.ndarray:
    given = {operand.name: values[operand.name] for operand in program.inputs}
    (result,) = evaluate(program, given, sizes={"rows": len(values["r"])}).values()
    return result


def assert_equal(actual: np.ndarray, expected: np.ndarray, units: float) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=units * EPS * np.abs(expected).max())


def laplace(program: Program) -> tuple[float, float]:
    """The largest coefficient of the Laplacian, and of the polynomials, term by term."""
    (path,) = program.statements[0].form.paths
    column = path.positions("harmonics")[0]
    total: dict[tuple[int, ...], float] = {}
    for components, coefficient in zip(path.components, path.coefficients, strict=True):
        word = np.delete(components, column)
        exponents = np.bincount(word, minlength=3)
        for k in range(3):
            lowered = exponents.copy()
            lowered[k] -= 2
            key = (int(components[column]), *lowered.tolist())
            total[key] = total.get(key, 0.0) + coefficient * exponents[k] * (exponents[k] - 1)
    return max(map(abs, total.values())), float(np.abs(path.coefficients).max())


class TestLaws:
    @given(seed=st.integers(0, 2**32 - 1), degree=st.integers(0, 12))
    def test_rotation(self, seed: int, degree: int) -> None:
        rotation = Rotation.random(rng=np.random.default_rng(seed)).as_matrix()
        points = unit_vectors(10, seed)
        turned = harmonic_values([degree], points @ rotation.T)
        expected = harmonic_values([degree], points) @ wigner_d_of_rotation(degree, rotation).T
        assert_equal(turned, expected, 60 * (degree + 1))

    @given(
        seed=st.integers(0, 2**32 - 1),
        degree=st.integers(0, 10),
        factor=st.sampled_from([-2.0, -1.0, -0.5, 0.25, 4.0]),
    )
    def test_homogeneous_and_of_definite_parity(
        self, seed: int, degree: int, factor: float
    ) -> None:
        """Powers of two scale without rounding, so the law holds to the last bit."""
        points = np.random.default_rng(seed).normal(size=(5, 3))
        scaled = harmonic_values([degree], factor * points)
        assert np.array_equal(scaled, factor**degree * harmonic_values([degree], points))

    def test_addition_theorem(self) -> None:
        lmax, points = 40, unit_vectors()
        values = harmonic_values(lmax, points)
        cosines = points @ points.T
        for degree in range(lmax + 1):
            block = of_degree(values, degree)
            expected = (2 * degree + 1) * scipy.special.eval_legendre(degree, cosines)
            error = np.abs(block @ block.T - expected).max()
            # P_l changes by l²/2 times a rounding of its argument at ±1.
            assert error <= 4 * EPS * (degree + 1) ** 3, degree

    @pytest.mark.parametrize("lmax", [6, 20])
    def test_exact_at_the_poles(self, lmax: int) -> None:
        values = harmonic_values(lmax, POLES)
        for degree in range(lmax + 1):
            block = of_degree(values, degree)
            others = np.delete(block, degree, axis=1)
            assert not others.any()
            expected = np.sqrt(2 * degree + 1) * np.array([1, (-1) ** degree])
            assert_equal(block[:, degree], expected, 4 * (degree + 1))

    def test_derivatives_at_the_origin(self) -> None:
        """Only degree one has a gradient there, and all is finite."""
        program = derive(solid_harmonics(4), ["r"])
        for component in range(25):
            cotangent = np.eye(25)[[component]]
            gradient = run(program, r=np.zeros((1, 3)), grad_harmonics=cotangent)
            expected = np.sqrt(3) * np.eye(3)[component - 1] if 1 <= component < 4 else np.zeros(3)
            np.testing.assert_allclose(gradient[0], expected, rtol=0, atol=2 * EPS)

    @pytest.mark.parametrize("degrees", [[2], [3, 1], [0, 6, 6], [0], (5, 0, 2)])
    def test_any_list_of_degrees(self, degrees: list[int]) -> None:
        points = unit_vectors(5)
        whole = harmonic_values(max(degrees), points, "integral")
        expected = np.concatenate([of_degree(whole, degree) for degree in degrees], 1)
        assert np.array_equal(harmonic_values(degrees, points, "integral"), expected)

    def test_scale_is_part_of_the_pass(self) -> None:
        points = np.random.default_rng(0).normal(size=(10, 3))
        inverse = 1 / np.linalg.norm(points, axis=1, keepdims=True)
        program = solid_harmonics(5, scaled=True)
        scaled = evaluate(program, {"r": points, "scale": inverse})["harmonics"]
        assert np.array_equal(scaled, harmonic_values(5, points * inverse))


@pytest.mark.parametrize("lmax", [3, 6, 12, 30])
def test_few_operations(lmax: int) -> None:
    """Multiplications and additions a component, forward and with the gradient."""
    program = solid_harmonics(lmax)
    components = (lmax + 1) ** 2
    assert cost(program, {"rows": 1}).operations <= 5 * components
    assert cost(derive(program, ["r"]), {"rows": 1}).operations <= 12.5 * components


def test_equal_calls_share_a_program() -> None:
    assert solid_harmonics(3) is solid_harmonics([0, 1, 2, 3])


@pytest.mark.parametrize(
    "bad",
    [
        lambda: solid_harmonics(-1),
        lambda: solid_harmonics([]),
        lambda: solid_harmonics([1, -2]),
        lambda: solid_harmonics(2, "spherical"),
        lambda: solid_harmonic_form(-3),
    ],
)
def test_bad_arguments_are_refused(bad: Callable[[], object]) -> None:
    with pytest.raises(RepresentationError, match="expected"):
        bad()
