"""Associated Legendre functions, normalised, as polynomials and as a stable recurrence.

With polar axis y, a real solid harmonic of degree l and order m is

    R_{l,±m}(x, y, z) = Q_l^m(y, x² + z²) · (Re, Im) (z + i x)^m

and Q_l^m is homogeneous of degree l - m.  Its two descriptions, both exact, live here.
"""

from __future__ import annotations

from fractions import Fraction
from math import factorial, pi, sqrt

import numpy as np
from jaxtyping import Float

from schur.errors import RepresentationError

NORMALIZATIONS = ("component", "norm", "integral")


def degree_scale(degree: int, normalization: str) -> float:
    """What turns `component` normalisation into the one asked for, at one degree.

    `component`: the squared harmonics of a unit vector add up to 2l+1; `norm`: to 1;
    `integral`: the harmonics are orthonormal under the integral over the sphere.

    Raises:
        RepresentationError: if there is no such normalisation.

    Example:
        >>> degree_scale(1, "norm") ** 2
        0.333...
    """
    if normalization == "component":
        return 1.0
    if normalization == "norm":
        return 1 / sqrt(2 * degree + 1)
    if normalization == "integral":
        return 1 / sqrt(4 * pi)
    raise RepresentationError(
        "there is no such normalisation", got=normalization, expected=NORMALIZATIONS
    )


def squared_polynomial(degree: int, order: int) -> list[tuple[int, Fraction]]:
    """The polynomial Q_l^m: for each j the sign and the exact square of a coefficient.

    Q_l^m = Σ_j q_j y^{l-m-2j} (x²+z²)^j in component normalisation, where

        q_j = (-1)^j √((2l+1)(2-δ_{m0})(l-m)!(l+m)!) / (2^{2j+m} (j+m)! j! (l-m-2j)!)

    Varshalovich, Moskalev, Khersonskii, Quantum Theory of Angular Momentum (1988), 5.2.1.

    Example:
        >>> squared_polynomial(2, 0)  # √5 (y² - (x²+z²)/2)
        [(1, Fraction(5, 1)), (-1, Fraction(5, 4))]
    """
    ell, m = degree, order
    norm = (2 * ell + 1) * (1 if m == 0 else 2) * factorial(ell - m) * factorial(ell + m)
    found = []
    for j in range((ell - m) // 2 + 1):
        below = 2 ** (2 * j + m) * factorial(j + m) * factorial(j) * factorial(ell - m - 2 * j)
        found.append(((-1) ** j, Fraction(norm, below**2)))
    return found


def polynomial(degree: int, order: int) -> list[float]:
    """The coefficients q_j of `squared_polynomial`, rounded once.

    Example:
        >>> polynomial(1, 0)
        [1.7320508075688772]
    """
    return [sign * sqrt(square) for sign, square in squared_polynomial(degree, order)]


def recurrence(degree: int, order: int) -> tuple[float, float]:
    """The numbers a, b of Q_l^m = a y Q_{l-1}^m - b (x²+y²+z²) Q_{l-2}^m, for m <= l - 2.

        a² = (4l²-1)/(l²-m²),    b² = (2l+1)((l-1)²-m²) / ((2l-3)(l²-m²))

    Forward in l this is stable: Holmes and Featherstone, J. Geodesy 76, 279 (2002), eq. 11.

    Example:
        >>> recurrence(2, 0)  # from Q_1 = √3 y and Q_0 = 1
        (1.936..., 1.118...)
    """
    ell, m = degree, order
    below = ell * ell - m * m
    a = sqrt(Fraction(4 * ell * ell - 1, below))
    b = sqrt(Fraction((2 * ell + 1) * ((ell - 1) ** 2 - m * m), (2 * ell - 3) * below))
    return a, b


def legendre(lmax: int, cosine: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n l m"]:
    """Normalised associated Legendre functions: entry [:, l, m] is sin^m Q_l^m, zero for m > l.

    No Condon-Shortley phase; component normalisation, so that for every l the sum over m of
    the squares is 2l+1 (with order zero once and each other order for its sine and cosine).
    Accurate to a few l·eps for degrees in the thousands, because every entry has size √(2l+1).

    Args:
        lmax: highest degree.
        cosine: cosines of the polar angle, between -1 and 1.

    Example:
        >>> legendre(1, np.array([0.6]))[0].round(6)
        array([[1.      , 0.      ],
               [1.03923 , 1.385641]])
    """
    sine = np.sqrt((1 - cosine) * (1 + cosine))
    values = np.zeros((len(cosine), lmax + 1, lmax + 1), cosine.dtype)
    values[:, 0, 0] = 1
    for ell in range(1, lmax + 1):
        step = sqrt(3) if ell == 1 else sqrt(Fraction(2 * ell + 1, 2 * ell))
        values[:, ell, ell] = step * sine * values[:, ell - 1, ell - 1]
        values[:, ell, ell - 1] = sqrt(2 * ell + 1) * cosine * values[:, ell - 1, ell - 1]
        for m in range(ell - 1):
            a, b = recurrence(ell, m)
            values[:, ell, m] = a * cosine * values[:, ell - 1, m] - b * values[:, ell - 2, m]
    return values
