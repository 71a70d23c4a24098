"""Transforms between harmonic coefficients and values on a sphere, as sparse matrices.

Separated by variable: first the polar angle, order by order, then the azimuth, ring by ring.
Coefficients are those of orthonormal harmonics, component l² + l + m.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np
from jaxtyping import Float, Float64

from schur.harmonics import SphereGrid
from schur.harmonics.legendre import degree_scale, legendre

Matrix = Float64[np.ndarray, "_ _"]  # several stand side by side, of any shapes


@dataclass(frozen=True, eq=False)
class Stages:
    """The matrices of a pointwise product of functions on the sphere.

    Args:
        synthesis1, synthesis2: for each factor what takes its coefficients to values, in order.
        analysis: what takes values of the product to its coefficients, in order.
        points: how many values there are.
    """

    synthesis1: tuple[Matrix, ...]
    synthesis2: tuple[Matrix, ...]
    analysis: tuple[Matrix, ...]
    points: int


def grid_stages(l1: int, l2: int, l3: int) -> Stages:
    """By the Gauss-Legendre grid that is exact for degree l1 + l2 + l3.

    Values of factors of degrees l1 and l2 are multiplied and the product, of degree l1 + l2, is
    projected to degree l3: the integrand has degree l1 + l2 + l3, and no coarser grid will do.
    """
    grid = SphereGrid.exact(l1 + l2 + l3)
    weights = np.repeat(grid.weights[:, 0], grid.azimuths)
    synthesis = {
        lmax: (_polar(lmax, grid.cosines), _azimuthal(lmax, grid.rings, grid.angles))
        for lmax in (l1, l2, l3)
    }
    polar, azimuthal = synthesis[l3]
    analysis = ((azimuthal * weights[:, None]).T, polar.T)
    return Stages(synthesis[l1], synthesis[l2], analysis, grid.rings * grid.azimuths)


def fourier_stages(l1: int, l2: int, l3: int) -> Stages:
    """By Fourier series in both angles, multiplied at equal steps on the torus.

    At order m a harmonic is a cosine series in the polar angle θ where m is even and a sine
    series where m is odd, so that it continues to the torus with parity (-1)^m; θ beyond π repeats
    what is known and is not visited.  The product has frequencies up to l1 + l2 in both angles,
    which 2(l1 + l2) + 1 steps resolve, and is projected by the integrals of its frequencies.

    Source: Luo et al. (2024), section 3.2, with real series.
    """
    highest = l1 + l2
    steps = 2 * highest + 1
    angles = np.arange(steps) * (2 * pi / steps)
    nodes = angles[: highest + 1]

    def synthesis(lmax: int) -> tuple[Matrix, ...]:
        series = _series_at(lmax, lmax, nodes)
        return _to_series(lmax), series, _azimuthal(lmax, len(nodes), angles)

    # All nodes but the first stand for their mirror images too.
    weights = np.where(nodes == 0, 1.0, 2.0) / steps
    back_azimuth = _azimuthal(l3, len(nodes), angles).T / steps
    back_azimuth *= np.tile(np.where(np.arange(-l3, l3 + 1) == 0, 1.0, 2.0), len(nodes))[:, None]
    back_polar = _series_at(highest, l3, nodes).T * np.repeat(weights, 2 * l3 + 1)
    back_polar *= np.repeat(np.where(np.arange(highest + 1) == 0, 1.0, 2.0), 2 * l3 + 1)[:, None]
    analysis = (back_azimuth, back_polar, _project_series(highest, l3))
    return Stages(synthesis(l1), synthesis(l2), analysis, len(nodes) * steps)


def _polar(lmax: int, cosines: Float[np.ndarray, " rings"]) -> Matrix:
    """Rows (ring, order), columns (degree, order)."""
    table = legendre(lmax, cosines) * degree_scale(0, "integral")
    matrix = np.zeros((len(cosines), 2 * lmax + 1, (lmax + 1) ** 2))
    for degree in range(lmax + 1):
        for m in range(-degree, degree + 1):
            matrix[:, m + lmax, degree * (degree + 1) + m] = table[:, degree, abs(m)]
    return matrix.reshape(-1, (lmax + 1) ** 2)


def _azimuthal(lmax: int, rings: int, angles: Float[np.ndarray, " steps"]) -> Matrix:
    """Rows (ring, azimuth), columns (ring, order): sin |m|α for m < 0, cos mα otherwise."""
    m = np.arange(-lmax, lmax + 1)
    waves = np.where(m < 0, np.sin(-m * angles[:, None]), np.cos(m * angles[:, None]))
    return np.kron(np.eye(rings), _without_rounding(waves))


def _series(order: int, frequencies: int, theta: Float[np.ndarray, " n"]) -> Matrix:
    """cos uθ or, at odd order, sin uθ, for u = 0 ... frequencies; rows n."""
    waves = np.arange(frequencies + 1) * theta[:, None]
    return _without_rounding(np.sin(waves) if order % 2 else np.cos(waves))


def _series_at(frequencies: int, lmax: int, nodes: Float[np.ndarray, " n"]) -> Matrix:
    """Rows (node, order), columns (frequency, order)."""
    matrix = np.zeros((len(nodes), 2 * lmax + 1, frequencies + 1, 2 * lmax + 1))
    for place, m in enumerate(range(-lmax, lmax + 1)):
        matrix[:, place, :, place] = _series(m, frequencies, nodes)
    return matrix.reshape(len(nodes) * (2 * lmax + 1), -1)


def _to_series(lmax: int) -> Matrix:
    """Rows (frequency, order), columns (degree, order): the harmonics' own Fourier series."""
    steps = 2 * lmax + 1
    theta = np.arange(steps) * (2 * pi / steps)
    table = legendre(lmax, np.cos(theta)) * degree_scale(0, "integral")
    matrix = np.zeros((lmax + 1, steps, (lmax + 1) ** 2))
    scale = np.where(np.arange(lmax + 1) == 0, 1.0, 2.0) / steps
    for degree in range(lmax + 1):
        for m in range(-degree, degree + 1):
            # The table has |sin θ|^m; beyond π the sine is negative.
            values = table[:, degree, abs(m)] * np.where(theta > pi, (-1.0) ** m, 1.0)
            series = scale * (values @ _series(m, lmax, theta))
            matrix[:, m + lmax, degree * (degree + 1) + m] = _without_rounding(series)
    return matrix.reshape(-1, (lmax + 1) ** 2)


def _project_series(frequencies: int, lmax: int) -> Matrix:
    """Rows (degree, order), columns (frequency, order): integrals over the sphere.

    As a function of cos θ the integrand is a polynomial, at odd order too, where both factors
    carry a sine: Gauss-Legendre nodes integrate it exactly.
    """
    grid = SphereGrid.exact(frequencies + lmax)
    theta, weights = np.arccos(grid.cosines), grid.weights[:, 0] * grid.azimuths
    table = legendre(lmax, grid.cosines) * degree_scale(0, "integral")
    matrix = np.zeros(((lmax + 1) ** 2, frequencies + 1, 2 * lmax + 1))
    for degree in range(lmax + 1):
        for m in range(-degree, degree + 1):
            azimuth = 1.0 if m == 0 else 0.5  # the mean of cos² or sin²
            values = azimuth * weights * table[:, degree, abs(m)]
            integrals = values @ _series(m, frequencies, theta)
            matrix[degree * (degree + 1) + m, :, m + lmax] = _without_rounding(integrals)
    return matrix.reshape((lmax + 1) ** 2, -1)


def _without_rounding(values: Float[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Exact zeros where only rounding is left, so that they cost no term."""
    return np.where(np.abs(values) > 1e-14 * np.abs(values).max(initial=0.0), values, 0.0)
