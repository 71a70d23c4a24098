"""Grids and transforms: exact to the degree that they state and not beyond it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schur.errors import RepresentationError, ShapeError
from schur.harmonics import SphereGrid, SphereTransform, harmonic_values

EPS = float(np.finfo(np.float64).eps)
NORMALIZATIONS = ["component", "norm", "integral"]


def on_grid(grid: SphereGrid, lmax: int, normalization: str = "integral") -> np.ndarray:
    """The harmonics on a grid, shape (components, rings, azimuths)."""
    values = harmonic_values(lmax, grid.points.reshape(-1, 3), normalization)
    return values.T.reshape(-1, grid.rings, grid.azimuths)


def test_orthonormal_to_degree_twenty() -> None:
    grid = SphereGrid.exact(40)
    harmonics = on_grid(grid, 20).reshape(441, -1)
    gram = (
        harmonics * np.broadcast_to(grid.weights, grid.points.shape[:2]).reshape(-1)
    ) @ harmonics.T
    assert np.abs(gram - np.eye(441)).max() <= 100 * EPS


def test_a_grid_one_degree_too_coarse_is_seen() -> None:
    grid = SphereGrid.exact(39)
    harmonics = on_grid(grid, 20).reshape(441, -1)
    gram = (
        harmonics * np.broadcast_to(grid.weights, grid.points.shape[:2]).reshape(-1)
    ) @ harmonics.T
    assert np.abs(gram - np.eye(441)).max() > 0.1


@pytest.mark.parametrize(("rings", "azimuths"), [(1, 1), (1, 5), (4, 3), (3, 6), (4, 8), (6, 30)])
def test_exact_to_the_stated_degree_and_no_further(rings: int, azimuths: int) -> None:
    grid = SphereGrid(rings, azimuths)
    harmonics = on_grid(grid, grid.degree + 1)
    integrals = grid.integrate(harmonics)
    expected = np.zeros(len(integrals))
    expected[0] = np.sqrt(4 * np.pi)
    inside = (grid.degree + 1) ** 2
    assert np.abs(integrals - expected)[:inside].max() <= 30 * EPS * (grid.degree + 1)
    assert np.abs(integrals - expected)[inside:].max() > 1e-2


def test_weights_and_points() -> None:
    grid = SphereGrid.exact(61)
    assert grid.integrate(np.ones((grid.rings, grid.azimuths))) == pytest.approx(
        4 * np.pi, rel=4e-15
    )
    np.testing.assert_allclose(np.linalg.norm(grid.points, axis=-1), 1, rtol=0, atol=4 * EPS)
    alpha = np.arctan2(grid.points[..., 0], grid.points[..., 2]) % (2 * np.pi)
    # Azimuth zero is on the +z side; angles next to 2π come back as such.
    np.testing.assert_allclose(np.cos(alpha - grid.angles), 1, rtol=0, atol=4 * EPS)


@given(
    seed=st.integers(0, 2**32 - 1),
    lmax=st.integers(0, 12),
    spare=st.integers(0, 3),
    normalization=st.sampled_from(NORMALIZATIONS),
)
def test_synthesis_is_the_sum_of_harmonics(
    seed: int, lmax: int, spare: int, normalization: str
) -> None:
    grid = SphereGrid.exact(2 * lmax + spare)
    transform = SphereTransform(lmax, grid, normalization)
    coefficients = np.random.default_rng(seed).normal(size=(2, (lmax + 1) ** 2))
    values = transform.synthesise(coefficients)
    expected = np.einsum("bc,crk->brk", coefficients, on_grid(grid, lmax, normalization))
    assert np.abs(values - expected).max() <= 20 * EPS * (lmax + 1) ** 2
    assert np.abs(transform.analyse(values) - coefficients).max() <= 20 * EPS * (lmax + 1) ** 1.5


@pytest.mark.parametrize("lmax", [0, 1, 7, 30, 63, 64, 100])
def test_round_trip(lmax: int) -> None:
    """Also where the Fourier transform takes over from the table of waves."""
    coefficients = np.random.default_rng(lmax).normal(size=(lmax + 1) ** 2)
    transform = SphereTransform(lmax)
    error = np.abs(transform.analyse(transform.synthesise(coefficients)) - coefficients).max()
    assert error <= (1e-13 if lmax <= 30 else 1e-12)


def test_fourier_transform_and_table_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    coefficients = np.random.default_rng(0).normal(size=(3, 36))
    values = np.random.default_rng(1).normal(size=(3, 8, 15))
    results = []
    for threshold in (0, 1000):
        monkeypatch.setattr("schur.harmonics.grids._FOURIER", threshold)
        transform = SphereTransform(5, SphereGrid(8, 15))
        results.append((transform.synthesise(coefficients), transform.analyse(values)))
    for fast, table in zip(*results, strict=True):
        np.testing.assert_allclose(fast, table, rtol=0, atol=100 * EPS)


def test_projection_of_a_product() -> None:
    """Exact with 3L where 2L gives the transform but not the product."""
    lmax = 4
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, (lmax + 1) ** 2))

    def product(degree: int) -> np.ndarray:
        transform = SphereTransform(lmax, SphereGrid.exact(degree))
        return transform.analyse(transform.synthesise(a) * transform.synthesise(b))

    expected = product(6 * lmax)
    assert np.abs(product(3 * lmax) - expected).max() <= 100 * EPS
    assert np.abs(product(3 * lmax - 1) - expected).max() > 1e-3


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ShapeError, match="at least one ring"):
        SphereGrid(0, 3)
    with pytest.raises(RepresentationError, match="zero or more"):
        SphereGrid.exact(-1)
    with pytest.raises(RepresentationError, match=r"use SphereGrid.exact\(6\)"):
        SphereTransform(3, SphereGrid.exact(5))
    with pytest.raises(ShapeError, match="expected"):
        SphereTransform(2).synthesise(np.zeros(8))
    with pytest.raises(ShapeError, match="expected"):
        SphereTransform(2).analyse(np.zeros((3, 4)))
