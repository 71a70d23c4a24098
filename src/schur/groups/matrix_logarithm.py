"""The principal logarithm of a square matrix."""

from __future__ import annotations

import numpy as np
from jaxtyping import Inexact

from schur.errors import NumberError


def matrix_logarithm(
    g: Inexact[np.ndarray, "*batch n n"],
) -> Inexact[np.ndarray, "*batch n n"]:
    """The X with exp(X) = g whose eigenvalues have imaginary parts in (-π, π).

    Square roots until the matrix is near one, then the series of 2 artanh.

    Raises:
        NumberError: an eigenvalue is zero or negative: then there is no principal logarithm, and
            the matrix may not be the exponential of any matrix of its group.

    Source: Higham, "Functions of Matrices" (2008), section 11.5, method of inverse scaling and
    squaring.

    Example:
        >>> matrix_logarithm(np.diag([1.0, np.e])).round(12)
        array([[0., 0.],
               [0., 1.]])
    """
    flat = np.asarray(g).reshape(-1, *g.shape[-2:])
    return np.array([_logarithm(one) for one in flat], dtype=g.dtype).reshape(g.shape)


def _logarithm(g: np.ndarray) -> np.ndarray:
    values = np.linalg.eigvals(g)
    if np.any((np.abs(values.imag) < 1e-9) & (values.real <= 0)):
        raise NumberError(
            "a matrix with a negative eigenvalue has no principal logarithm",
            got=values,
            expected="no eigenvalue on the negative real axis",
            remedy="split it with polar(g): each of the two factors has one",
        )
    unit, root, doublings = np.eye(len(g)), g, 0
    while np.abs(root - unit).max(initial=0.0) > 0.25 / len(g):
        root, doublings = _square_root(root), doublings + 1
    # log r = 2 artanh((r - 1)(r + 1)^-1), whose series has odd powers only.
    step = np.linalg.solve(root + unit, root - unit)
    power, total = step, np.zeros_like(g)
    for k in range(1, 40, 2):
        total, power = total + power / k, power @ step @ step
    return 2.0**doublings * 2.0 * total


def _square_root(g: np.ndarray) -> np.ndarray:
    """The principal square root, by the iteration of Denman and Beavers (1976)."""
    root, other = g, np.eye(len(g))
    for _ in range(60):
        new = (root + np.linalg.inv(other)) / 2
        other = (other + np.linalg.inv(root)) / 2
        change = np.abs(new - root).max()
        root = new
        if change <= 4 * np.finfo(np.float64).eps * np.abs(root).max():
            break
    return root
