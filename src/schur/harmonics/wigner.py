"""Wigner D matrices of any degree, by closed-form turns about the polar axis.

A rotation R = R_y(α) R_x(β) R_y(γ) is three turns about the polar axis y with constant quarter
turns between them, because R_x(β) = R_z(-π/2) R_y(β) R_z(π/2).  A turn about y is cosines and
sines of multiples of the angle; the quarter turn is one constant matrix for each degree.  All
are orthogonal to rounding error, so nothing grows with the degree.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from schur.errors import NumberError, RepresentationError


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
    quarter = quarter_turn(degree)
    tilt = np.swapaxes(quarter, 0, 1) @ turn(beta, quarter)
    return turn(alpha, np.swapaxes(turn(-np.asarray(gamma), np.swapaxes(tilt, -1, -2)), -1, -2))


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
    alpha = np.arctan2(rotation[..., 0, 1], rotation[..., 2, 1])
    beta = np.arctan2(np.hypot(rotation[..., 0, 1], rotation[..., 2, 1]), rotation[..., 1, 1])
    # The first row of R_y(-α) R = R_x(β) R_y(γ) is (cos γ, 0, sin γ), whatever β is.
    cosine, sine = np.cos(alpha)[..., None], np.sin(alpha)[..., None]
    row = cosine * rotation[..., 0, :] - sine * rotation[..., 2, :]
    gamma = np.arctan2(row[..., 2], row[..., 0])
    return np.asarray(alpha), np.asarray(beta), np.asarray(gamma)


def turn(
    angle: Float[np.ndarray, "..."] | float, matrix: Float[np.ndarray, "... m n"]
) -> Float[np.ndarray, "... m n"]:
    """D^l(R_y(angle)) times a matrix of 2l+1 rows: rows m and -m are mixed, nothing else.

    Example:
        >>> turn(np.pi / 2, np.eye(3)).round(12) + 0.0  # takes z to x
        array([[ 0.,  0.,  1.],
               [ 0.,  1.,  0.],
               [-1.,  0.,  0.]])
    """
    degree = matrix.shape[-2] // 2
    phase = np.asarray(angle)[..., None] * np.arange(-degree, degree + 1)
    return np.cos(phase)[..., None] * matrix - np.sin(phase)[..., None] * matrix[..., ::-1, :]


@lru_cache(maxsize=512)
def quarter_turn(degree: int) -> Float[np.ndarray, "m m"]:
    """D^l(R_z(π/2)), which takes x to y; read-only.

    The exponential of a generator whose eigenvalues i·k, k = -l ... l, are known exactly: only its
    eigenvectors are computed, and those of one pair ±k are orthogonal to rounding error.

    Example:
        >>> quarter_turn(1).round(12) + 0.0
        array([[ 0., -1.,  0.],
               [ 1.,  0.,  0.],
               [ 0.,  0.,  1.]])
    """
    if degree < 0:
        raise RepresentationError("a degree is zero or more", got=degree)
    _, vectors = np.linalg.eigh(1j * _generator_z(degree))
    orders = np.arange(-degree, degree + 1)
    phases = np.array([1, -1j, -1, 1j])[orders % 4]
    matrix = np.real((vectors * phases) @ vectors.conj().T).copy()
    matrix.flags.writeable = False
    return matrix


def _generator_z(degree: int) -> Float[np.ndarray, "m m"]:
    """The derivative of D^l(R_z(θ)) at θ = 0.

    In the complex basis about the polar axis it couples m and m+1, by i √(l(l+1) - m(m+1)) / 2.
    """
    m = np.arange(-degree, degree)
    ladder = np.diag(np.sqrt(degree * (degree + 1) - m * (m + 1)) / 2, -1)
    to_real = np.zeros((2 * degree + 1, 2 * degree + 1), complex)  # rows real, columns complex
    to_real[degree, degree] = 1
    for k in range(1, degree + 1):
        sign, half = (-1) ** k, np.sqrt(0.5)
        to_real[degree + k, [degree - k, degree + k]] = half, sign * half
        to_real[degree - k, [degree - k, degree + k]] = 1j * half, -1j * sign * half
    return np.real(to_real @ (1j * (ladder + ladder.T)) @ to_real.conj().T)


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
