"""Wigner D matrices of any degree, from angles and from rotation matrices."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from schur.errors import NumberError
from schur.reps.euler import angles_of, matrix_of_angles


def wigner_d(
    degree: int,
    alpha: Float[np.ndarray, "..."] | float,
    beta: Float[np.ndarray, "..."] | float,
    gamma: Float[np.ndarray, "..."] | float,
) -> Float[np.ndarray, "... m m"]:
    """D^l(α, β, γ) of the rotation R_y(α) R_x(β) R_y(γ), in e3nn's real basis.

    Defined by Y_l(R r) = D^l(R) Y_l(r); orthogonal, a homomorphism, and for l = 1 the rotation
    matrix itself.

    Args:
        degree: l, zero or more; accurate beyond l = 100.
        alpha, beta, gamma: angles in radians, of shapes that broadcast.

    Raises:
        RepresentationError: if the degree is negative.

    Source: Pinchon and Hoggan, J. Phys. A 40, 1597 (2007), here with another constant matrix.

    Example:
        >>> wigner_d(1, 0.0, np.pi / 2, 0.0).round(12) + 0.0  # takes y to z
        array([[ 1.,  0.,  0.],
               [ 0.,  0., -1.],
               [ 0.,  1.,  0.]])
    """
    return matrix_of_angles(degree, alpha, beta, gamma)


def wigner_d_of_rotation(
    degree: int, rotation: Float[np.ndarray, "... 3 3"]
) -> Float[np.ndarray, "... m m"]:
    """D^l(R) of rotation matrices.

    Raises:
        NumberError: if a matrix is not a proper rotation.

    Example:
        >>> rotation = wigner_d(1, 0.3, 1.2, -2.0)
        >>> bool(np.allclose(wigner_d_of_rotation(2, rotation), wigner_d(2, 0.3, 1.2, -2.0)))
        True
    """
    return wigner_d(degree, *euler_angles(rotation))


def euler_angles(
    rotation: Float[np.ndarray, "... 3 3"],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Angles α, β, γ with R = R_y(α) R_x(β) R_y(γ) and 0 <= β <= π, accurate at the poles too.

    Raises:
        NumberError: if a matrix is not orthogonal to 1e-4 in float32, 1e-10 in float64, or has
            determinant -1.

    Example:
        >>> [float(a.round(12)) for a in euler_angles(wigner_d(1, 0.3, 1.2, -2.0))]
        [0.3, 1.2, -2.0]
    """
    _check_rotation(rotation)
    return angles_of(rotation)


def _check_rotation(rotation: Float[np.ndarray, "... 3 3"]) -> None:
    tolerance = 1e-10 if rotation.dtype == np.float64 else 1e-4
    error = np.abs(rotation @ np.swapaxes(rotation, -1, -2) - np.eye(3)).max(initial=0.0)
    if not error <= tolerance:
        raise NumberError(
            "a matrix is not orthogonal", got=f"R Rᵀ off by {error:.1e}", expected=tolerance
        )
    if (np.linalg.det(rotation) < 0).any():
        raise NumberError(
            "a matrix is a reflection, which Wigner matrices of SO(3) do not know",
            got="determinant -1",
            expected="determinant +1",
            remedy="write it as inversion times the rotation -R, and multiply by the parity",
        )
