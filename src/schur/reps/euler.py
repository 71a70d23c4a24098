"""Wigner matrices of any degree as closed-form turns about the polar axis.

A rotation R = R_y(α) R_x(β) R_y(γ) is three turns about the polar axis y with constant quarter
turns between them, because R_x(β) = R_z(-π/2) R_y(β) R_z(π/2).  A turn about y is cosines and
sines of multiples of the angle; the quarter turn is one constant matrix for each degree.  All
are orthogonal to rounding error, so nothing grows with the degree.

Source: Pinchon and Hoggan, J. Phys. A 40 (2007) 1597, here with another constant matrix.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float

from schur.errors import RepresentationError
from schur.reps.clebsch_gordan import clebsch_gordan


@lru_cache(maxsize=512)
def rotation_generators(l: int) -> Float[np.ndarray, "3 dim dim"]:  # noqa: E741
    """Generators of turns about x, y and z: antisymmetric, read-only, each entry rounded once.

    The only invariant form on 1 ⊗ l ⊗ l is the generator itself, so it is a multiple of the
    coupling: dD^l(X_a) = -√(l (l+1) (2l+1)) C^{1 l l}_a.
    """
    size = (l * (l + 1) * (2 * l + 1)) ** 0.5
    coupling = clebsch_gordan(1, l, l) if l else np.zeros((3, 1, 1))
    out = -size * coupling + 0.0
    out.flags.writeable = False
    return out


def matrix_of_angles(
    l: int,  # noqa: E741
    alpha: Float[np.ndarray, "..."] | float,
    beta: Float[np.ndarray, "..."] | float,
    gamma: Float[np.ndarray, "..."] | float,
) -> Float[np.ndarray, "... dim dim"]:
    """D^l of the rotation R_y(α) R_x(β) R_y(γ), in e3nn's real basis."""
    quarter = quarter_turn(l)
    tilted = quarter.T @ turn(beta, quarter)
    # (D_y(γ)ᵀ Tᵀ)ᵀ = T D_y(γ)
    right = np.swapaxes(turn(-np.asarray(gamma), np.swapaxes(tilted, -1, -2)), -1, -2)
    return turn(alpha, right)


def angles_of(
    rotation: Float[np.ndarray, "... 3 3"],
) -> tuple[Float[np.ndarray, "..."], Float[np.ndarray, "..."], Float[np.ndarray, "..."]]:
    """Angles with R = R_y(α) R_x(β) R_y(γ) and 0 <= β <= π, accurate at the poles too."""
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
def quarter_turn(l: int) -> Float[np.ndarray, "dim dim"]:  # noqa: E741
    """D^l(R_z(π/2)), which takes x to y; read-only.

    The exponential of a generator whose eigenvalues i·k, k = -l … l, are known exactly: only the
    eigenvectors, which are well separated, are computed.

    Example:
        >>> quarter_turn(1).round(12) + 0.0
        array([[ 0., -1.,  0.],
               [ 1.,  0.,  0.],
               [ 0.,  0.,  1.]])
    """
    if l < 0:
        raise RepresentationError("a degree is zero or more", got=l)
    vectors = np.linalg.eigh(1j * rotation_generators(l)[2])[1]
    phases = np.array([1, -1j, -1, 1j])[np.arange(-l, l + 1) % 4]
    rough = np.real((vectors * phases) @ vectors.conj().T)
    # One Newton step towards the nearest orthogonal matrix takes the last rounding errors off.
    out = rough @ (3.0 * np.eye(2 * l + 1) - rough.T @ rough) / 2.0
    out.flags.writeable = False
    return out
