"""Symmetric 3 x 3 matrices in Voigt's order."""

from __future__ import annotations

import numpy as np
from jaxtyping import Shaped


def matrix(voigt: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "3 3"]:
    """Six Voigt components (xx yy zz yz xz xy) or nine numbers as a 3 x 3 matrix.

    Example:
        >>> matrix(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))[0]
        array([1., 6., 5.])
    """
    flat = np.asarray(voigt).reshape(-1)
    if flat.size == 6:
        return flat[[0, 5, 4, 5, 1, 3, 4, 3, 2]].reshape(3, 3)
    return flat.reshape(3, 3)


def voigt(stress: Shaped[np.ndarray, "3 3"]) -> Shaped[np.ndarray, "6"]:
    """The six Voigt components of a symmetric matrix, the inverse of `matrix`.

    Example:
        >>> voigt(matrix(np.arange(6.0)))
        array([0., 1., 2., 3., 4., 5.])
    """
    return np.asarray(stress).reshape(-1)[[0, 4, 8, 5, 2, 1]]
