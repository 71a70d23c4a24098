"""The conventions, held against e3nn 0.6."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from e3nn import o3

from schur import conventions
from schur.errors import NumberError


@pytest.mark.parametrize("normalization", conventions.NORMALIZATIONS)
@pytest.mark.parametrize("l", range(7))
def test_lengths_of_the_spherical_harmonics(l: int, normalization) -> None:  # noqa: E741
    x = torch.tensor([0.3, -0.5, 0.7], dtype=torch.float64)
    y = o3.spherical_harmonics(l, x, normalize=True, normalization=normalization).numpy()
    expected = conventions.squared_norm(l, normalization)
    np.testing.assert_allclose(y @ y, expected, rtol=1e-12)


def test_the_vector_irrep_is_x_y_z() -> None:
    x = torch.eye(3, dtype=torch.float64)
    y = o3.spherical_harmonics(1, x, normalize=True, normalization="norm")
    np.testing.assert_array_equal(y.numpy(), np.eye(3))
    assert conventions.AXES == ("x", "y", "z")


def test_rotations_about_the_polar_axis_mix_opposite_orders_only() -> None:
    axis = torch.zeros(3, dtype=torch.float64)
    axis[conventions.POLAR_AXIS] = 1.0
    angle = torch.tensor(0.7, dtype=torch.float64)
    d = o3.wigner_D(3, *o3.axis_angle_to_angles(axis, angle)).numpy()
    allowed = np.eye(7, dtype=bool) | np.eye(7, dtype=bool)[::-1]
    assert np.abs(d[~allowed]).max() < 1e-14


def test_parity_letters() -> None:
    for sign, letter in conventions.PARITY_LETTER.items():
        assert str(o3.Irrep(2, sign)) == f"2{letter}"


def test_unknown_names_are_refused() -> None:
    with pytest.raises(NumberError, match="component"):
        conventions.squared_norm(1, "sphere")
    with pytest.raises(NumberError):
        conventions.squared_norm(-1, "norm")
