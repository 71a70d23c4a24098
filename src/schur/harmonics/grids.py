"""Sphere grids with exact quadrature, and harmonic transforms to and from them."""

from __future__ import annotations

from functools import cached_property
from math import pi

import numpy as np
from jaxtyping import Float

from schur.errors import RepresentationError, ShapeError
from schur.harmonics.legendre import degree_scale, legendre

# From this many points on a ring a fast Fourier transform beats the product with a table.
_FOURIER = 128


class SphereGrid:
    """Gauss-Legendre nodes in the cosine of the polar angle times equal steps in azimuth.

    The polar axis is y: node (i, k) lies at (sin β_i sin α_k, cos β_i, sin β_i cos α_k) with
    α_k = 2πk / azimuths.

    Args:
        rings: number of polar angles.
        azimuths: number of points on each ring.

    Raises:
        ShapeError: if there is not at least one of each.

    Source: Driscoll and Healy, Adv. Appl. Math. 15, 202 (1994), with the nodes of Gauss.

    Example:
        >>> grid = SphereGrid.exact(4)
        >>> grid.rings, grid.azimuths, grid.degree
        (3, 5, 4)
        >>> float(grid.integrate(grid.points[..., 1] ** 4).round(12)) == round(4 * np.pi / 5, 12)
        True
    """

    def __init__(self, rings: int, azimuths: int) -> None:
        if rings < 1 or azimuths < 1:
            raise ShapeError(
                "a sphere grid needs at least one ring and one point on it",
                got=(rings, azimuths),
                expected="rings >= 1, azimuths >= 1",
            )
        self.rings = rings
        self.azimuths = azimuths

    @classmethod
    def exact(cls, degree: int) -> SphereGrid:
        """The smallest grid that integrates every polynomial up to a degree exactly.

        A transform of band limit L needs degree 2L; the projection of a product of two functions
        of band limit L to band limit L needs 3L.
        """
        if degree < 0:
            raise RepresentationError("a degree is zero or more", got=degree)
        return cls(degree // 2 + 1, degree + 1)

    @property
    def degree(self) -> int:
        """Polynomials in x, y, z are integrated exactly up to this degree, not all beyond it."""
        return min(2 * self.rings - 1, self.azimuths - 1)

    @cached_property
    def cosines(self) -> Float[np.ndarray, " rings"]:
        """cos β of each ring, ascending."""
        return self._gauss[0]

    @cached_property
    def weights(self) -> Float[np.ndarray, "rings 1"]:
        """The weight of every point of a ring; all points' weights add up to 4π."""
        return (2 * pi / self.azimuths) * self._gauss[1][:, None]

    @cached_property
    def angles(self) -> Float[np.ndarray, " azimuths"]:
        """The azimuths α, in radians."""
        return np.arange(self.azimuths) * (2 * pi / self.azimuths)

    @cached_property
    def points(self) -> Float[np.ndarray, "rings azimuths 3"]:
        """The unit vectors (x, y, z)."""
        sines = np.sqrt((1 - self.cosines) * (1 + self.cosines))[:, None]
        x, z = sines * np.sin(self.angles), sines * np.cos(self.angles)
        return np.stack([x, np.broadcast_to(self.cosines[:, None], x.shape), z], -1)

    @cached_property
    def _gauss(self) -> tuple[np.ndarray, np.ndarray]:
        cosines, _ = np.polynomial.legendre.leggauss(self.rings)
        # Christoffel's sum of positive terms gives the weights to 1e-14 where leggauss, which
        # divides by a derivative, loses two digits (60 rings).
        return cosines, 2 / (legendre(self.rings - 1, cosines)[:, :, 0] ** 2).sum(1)

    def integrate(
        self, values: Float[np.ndarray, "... rings azimuths"]
    ) -> Float[np.ndarray, "..."]:
        """The integral over the unit sphere of a function given on the grid.

        Raises:
            ShapeError: if the last two axes are not those of the grid.
        """
        self._check(values)
        return np.asarray((values * self.weights).sum((-2, -1)))

    def _check(self, values: np.ndarray) -> None:
        if values.shape[-2:] != (self.rings, self.azimuths):
            raise ShapeError(
                "the values do not fit the grid",
                got=values.shape,
                expected=f"(..., {self.rings}, {self.azimuths})",
            )

    def __repr__(self) -> str:
        return f"SphereGrid(rings={self.rings}, azimuths={self.azimuths})"


class SphereTransform:
    """From harmonic coefficients of degrees 0 ... lmax to values on a grid and back.

    A matrix product over the polar angle for each order m, then a Fourier transform over the
    azimuth (fast where that pays): O(lmax³) operations, where one dense matrix takes O(lmax⁴).
    Coefficients are laid out like the harmonics: component l² + l + m.

    Args:
        lmax: the band limit.
        grid: exact to degree 2·lmax at least, so that `analyse` undoes `synthesise`.  Without a
            grid the smallest such.
        normalization: of the harmonics, as in `solid_harmonics`.

    Raises:
        RepresentationError: if lmax is negative or the grid is too coarse for it.

    Example:
        >>> transform = SphereTransform(2)
        >>> coefficients = np.arange(9.0)
        >>> values = transform.synthesise(coefficients)
        >>> values.shape, bool(np.allclose(transform.analyse(values), coefficients))
        ((3, 5), True)
    """

    def __init__(
        self, lmax: int, grid: SphereGrid | None = None, normalization: str = "integral"
    ) -> None:
        self.lmax = lmax
        self.grid = SphereGrid.exact(2 * lmax) if grid is None else grid
        self.normalization = normalization
        if lmax < 0 or self.grid.degree < 2 * lmax:
            raise RepresentationError(
                "the grid is too coarse for the band limit",
                got=f"{self.grid}, exact to degree {self.grid.degree}, with lmax = {lmax}",
                expected=f"exact to degree {2 * lmax}",
                remedy=f"use SphereGrid.exact({2 * lmax})",
            )
        self._scales = np.array([degree_scale(degree, normalization) for degree in range(lmax + 1)])

    def synthesise(
        self, coefficients: Float[np.ndarray, "... components"]
    ) -> Float[np.ndarray, "... rings azimuths"]:
        """The values Σ_lm c_lm Y_lm(p) on the grid.

        Raises:
            ShapeError: if the last axis has not (lmax+1)² entries.
        """
        if coefficients.shape[-1] != (self.lmax + 1) ** 2:
            raise ShapeError(
                "the coefficients do not fit the band limit",
                got=coefficients.shape,
                expected=f"(..., {(self.lmax + 1) ** 2})",
            )
        by_order = np.zeros((*coefficients.shape[:-1], 2 * self.lmax + 1, self.lmax + 1))
        order, degree = self._places
        by_order[..., order, degree] = coefficients * self._scales[degree]
        orders = (by_order[..., None, :] @ self._polar)[..., 0, :]
        return self._to_azimuths(np.swapaxes(orders, -1, -2))

    def analyse(
        self, values: Float[np.ndarray, "... rings azimuths"]
    ) -> Float[np.ndarray, "... components"]:
        """The coefficients ∫ f Y_lm / ∫ Y_lm² of a function's projection to the band limit.

        Exact if the function is a polynomial of degree at most `grid.degree - lmax`.

        Raises:
            ShapeError: if the last two axes are not those of the grid.
        """
        self.grid._check(values)
        orders = self._from_azimuths(values * self.grid.weights)
        by_order = np.swapaxes(orders, -1, -2)[..., None, :] @ np.swapaxes(self._polar, -1, -2)
        order, degree = self._places
        return by_order[..., order, 0, degree] / (4 * pi * self._scales[degree])

    def _to_azimuths(
        self, orders: Float[np.ndarray, "... rings orders"]
    ) -> Float[np.ndarray, "... rings azimuths"]:
        """Σ_m a_m cos(mα) + a_{-m} sin(mα)."""
        if self.grid.azimuths < _FOURIER:
            return orders @ self._waves
        spectrum = orders[..., self.lmax :] + 0j
        spectrum[..., 1:] -= 1j * orders[..., : self.lmax][..., ::-1]
        spectrum[..., 1:] /= 2
        return np.fft.irfft(spectrum, self.grid.azimuths, norm="forward")

    def _from_azimuths(
        self, values: Float[np.ndarray, "... rings azimuths"]
    ) -> Float[np.ndarray, "... rings orders"]:
        """The transpose of `_to_azimuths`."""
        if self.grid.azimuths < _FOURIER:
            return values @ self._waves.T
        spectrum = np.fft.rfft(values)[..., : self.lmax + 1]
        return np.concatenate([-spectrum.imag[..., :0:-1], spectrum.real], -1)

    @cached_property
    def _waves(self) -> Float[np.ndarray, "orders azimuths"]:
        """sin |m|α for m < 0, cos mα otherwise."""
        m = np.arange(-self.lmax, self.lmax + 1)[:, None]
        return np.where(m < 0, np.sin(-m * self.grid.angles), np.cos(m * self.grid.angles))

    @cached_property
    def _polar(self) -> Float[np.ndarray, "orders degrees rings"]:
        """Normalised Legendre functions, for each order m = -lmax ... lmax."""
        table = np.transpose(legendre(self.lmax, self.grid.cosines), (2, 1, 0))
        return np.concatenate([table[:0:-1], table])

    @cached_property
    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """For each component l² + l + m the place of m and of l in the tables by order."""
        degree = np.repeat(np.arange(self.lmax + 1), 2 * np.arange(self.lmax + 1) + 1)
        order = np.arange((self.lmax + 1) ** 2) - degree * (degree + 1) + self.lmax
        return order, degree
