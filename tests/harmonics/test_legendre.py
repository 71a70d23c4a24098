"""Legendre factors: two exact descriptions against each other and against scipy."""

from __future__ import annotations

from fractions import Fraction
from math import factorial, sqrt

import numpy as np
import pytest
from scipy.special import assoc_legendre_p_all

from schur.errors import RepresentationError
from schur.harmonics.legendre import (
    degree_scale,
    legendre,
    polynomial,
    recurrence,
    squared_polynomial,
)

EPS = float(np.finfo(np.float64).eps)
COSINES = np.concatenate([np.cos(np.linspace(0, np.pi, 25)), [0.0, 1 - 1e-9, 1e-300]])


def test_values_agree_with_scipy() -> None:
    lmax = 20
    cosines = COSINES[:25]  # closer to a pole scipy's √(1 - x²) loses digits
    reference = assoc_legendre_p_all(lmax, lmax, cosines)[0]  # with the Condon-Shortley phase
    for degree in range(lmax + 1):
        for m in range(degree + 1):
            norm = sqrt(
                (2 * degree + 1)
                * (2 - (m == 0))
                * Fraction(factorial(degree - m), factorial(degree + m))
            )
            expected = (-1) ** m * norm * reference[degree, m]
            error = np.abs(legendre(lmax, cosines)[:, degree, m] - expected).max()
            assert error <= 8 * EPS * (degree + 1) ** 1.5, (degree, m)


@pytest.mark.parametrize("lmax", [3, 50, 400])
def test_squares_of_a_degree_add_up(lmax: int) -> None:
    squares = (legendre(lmax, COSINES) ** 2).sum(2)
    expected = 2 * np.arange(lmax + 1) + 1
    assert (np.abs(squares - expected) <= 4 * EPS * expected * (np.arange(lmax + 1) + 2)).all()


def test_the_recurrence_makes_the_polynomials() -> None:
    """Both sides of Q_l = a y Q_{l-1} - b (y² + ρ²) Q_{l-2} as coefficients of y^i ρ^{2j}."""
    for degree in range(2, 16):
        for m in range(degree - 1):
            a, b = recurrence(degree, m)
            made = np.zeros((degree - m) // 2 + 1)
            one_lower, two_lower = polynomial(degree - 1, m), polynomial(degree - 2, m)
            made[: len(one_lower)] += a * np.array(one_lower)
            made[: len(two_lower)] -= b * np.array(two_lower)
            made[1 : len(two_lower) + 1] -= b * np.array(two_lower)
            expected = np.array(polynomial(degree, m))
            assert np.abs(made - expected).max() <= 8 * EPS * np.abs(expected).max()


def test_a_wrong_recurrence_is_seen() -> None:
    a, b = recurrence(3, 1)
    q3, q2, q1 = polynomial(3, 1), polynomial(2, 1), polynomial(1, 1)
    assert q3[0] == pytest.approx(a * q2[0] - b * q1[0], abs=16 * EPS)
    assert q3[0] != pytest.approx(a * q2[0] + b * q1[0], abs=16 * EPS)


def test_squares_are_exact_and_signed() -> None:
    assert squared_polynomial(4, 0) == [  # 3 (y⁴ - 3 y² ρ² + 3/8 ρ⁴)
        (1, Fraction(9)),
        (-1, Fraction(81)),
        (1, Fraction(81, 64)),
    ]


def test_unknown_normalization() -> None:
    with pytest.raises(RepresentationError, match="component"):
        degree_scale(1, "orthonormal")
