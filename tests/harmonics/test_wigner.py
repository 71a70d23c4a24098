"""Wigner matrices: a homomorphism into orthogonal matrices, with e3nn's and sympy's values."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from sympy.physics.quantum.spin import Rotation as SpinRotation

from schur.errors import NumberError, RepresentationError
from schur.harmonics import euler_angles, harmonic_values, wigner_d, wigner_d_of_rotation
from schur.reps.euler import quarter_turn

EPS = float(np.finfo(np.float64).eps)
seeds = st.integers(0, 2**32 - 1)


def rotations(seed: int, count: int) -> np.ndarray:
    return Rotation.random(count, rng=np.random.default_rng(seed)).as_matrix()


def assert_close(actual: np.ndarray, expected: np.ndarray, units: float) -> None:
    np.testing.assert_allclose(actual, expected, rtol=0, atol=units * EPS)


@given(seed=seeds, degree=st.sampled_from([0, 1, 2, 5, 20, 50, 80]))
def test_a_homomorphism_into_orthogonal_matrices(seed: int, degree: int) -> None:
    first, second = rotations(seed, 2)
    d_first, d_second, d_both = (
        wigner_d_of_rotation(degree, r) for r in (first, second, first @ second)
    )
    assert_close(d_first @ d_first.T, np.eye(2 * degree + 1), 50)
    # An angle is rounded to eps, which order m sees m times.
    assert_close(d_first @ d_second, d_both, 50 * (degree + 1))


def test_degree_fifty_is_orthogonal_to_1e_12() -> None:
    matrix = wigner_d(50, 0.7, 1.9, -2.2)
    assert np.abs(matrix @ matrix.T - np.eye(101)).max() < 1e-12


@given(seed=seeds)
def test_degree_one_is_the_rotation(seed: int) -> None:
    matrices = rotations(seed, 4)
    assert_close(wigner_d_of_rotation(1, matrices), matrices, 20)


@pytest.mark.parametrize("degree", [2, 10, 50])
def test_it_turns_the_harmonics(degree: int) -> None:
    """At a degree where only stable methods are left on either side."""
    rotation = rotations(3, 1)[0]
    points = np.random.default_rng(4).normal(size=(8, 3))
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    expected = harmonic_values([degree], points) @ wigner_d_of_rotation(degree, rotation).T
    assert_close(harmonic_values([degree], points @ rotation.T), expected, 20 * (degree + 1) ** 1.5)


@pytest.mark.parametrize("degree", range(9))
def test_e3nn(degree: int) -> None:
    torch = pytest.importorskip("torch")
    from e3nn import o3

    angles = np.random.default_rng(degree).uniform(-3, 3, size=(3, 5))
    reference = o3.wigner_D(degree, *torch.tensor(angles)).numpy()
    # e3nn keeps its generators in float32 unless the default number type is changed.
    single = float(np.finfo(np.float32).eps)
    assert np.abs(wigner_d(degree, *angles) - reference).max() <= 20 * single * (degree + 1)


@pytest.mark.parametrize("degree", [1, 2, 3])
def test_sympy(degree: int) -> None:
    """d^l_{mn}(π/2) in closed form, where real and complex basis agree: column m = 0."""
    tilt = wigner_d(degree, 0.0, np.pi / 2, 0.0)
    for m in range(degree + 1):
        exact = SpinRotation.d(degree, m, 0, sympy.pi / 2).doit()
        size = abs(float(exact)) * (1 if m == 0 else np.sqrt(2))
        assert np.hypot(tilt[degree + m, degree], tilt[degree - m, degree] * (m > 0)) == (
            pytest.approx(size, abs=20 * EPS)
        )


def test_a_product_in_the_wrong_order_is_seen() -> None:
    first, second = rotations(5, 2)
    wrong = wigner_d_of_rotation(3, second) @ wigner_d_of_rotation(3, first)
    assert np.abs(wrong - wigner_d_of_rotation(3, first @ second)).max() > 0.1


@pytest.mark.parametrize("beta", [0.0, 1e-9, 1.0, np.pi - 1e-9, np.pi])
def test_angles_at_the_poles(beta: float) -> None:
    rotation = wigner_d(1, 0.4, beta, -1.1)
    again = wigner_d(1, *euler_angles(rotation))
    assert_close(again, rotation, 10)


def test_quarter_turn_has_period_four_and_takes_x_to_y() -> None:
    for degree in (1, 2, 7, 40):
        quarter = quarter_turn(degree)
        assert_close(np.linalg.matrix_power(quarter, 4), np.eye(2 * degree + 1), 200)
    assert_close(quarter_turn(1) @ [1, 0, 0], np.array([0, 1, 0]), 4)


def test_batches_broadcast() -> None:
    alpha, gamma = np.linspace(0, 1, 3)[:, None], np.linspace(0, 2, 4)
    batch = wigner_d(2, alpha, 0.5, gamma)
    assert batch.shape == (3, 4, 5, 5)
    assert_close(batch[2, 1], wigner_d(2, alpha[2, 0], 0.5, gamma[1]), 4)


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(RepresentationError, match="zero or more"):
        wigner_d(-1, 0.0, 0.0, 0.0)
    with pytest.raises(NumberError, match="not orthogonal"):
        wigner_d_of_rotation(2, 1.001 * np.eye(3))
    with pytest.raises(NumberError, match="not orthogonal"):
        wigner_d_of_rotation(2, np.full((3, 3), np.nan))
    with pytest.raises(NumberError, match="reflection"):
        wigner_d_of_rotation(2, -np.eye(3))
