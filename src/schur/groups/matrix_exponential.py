"""The exponential of a batch of square matrices."""

from __future__ import annotations

import numpy as np
from jaxtyping import Inexact

from schur.errors import NumberError

# exp(A) = exp(A / 2^s)^(2^s): with a norm below 1, 18 terms of the series reach 2^-53.
_LARGEST_NORM = 1.0
_TERMS = 18


def matrix_exponential(
    a: Inexact[np.ndarray, "*batch n n"],
) -> Inexact[np.ndarray, "*batch n n"]:
    """exp(A) = Σ_k A^k / k!, by scaling and squaring, in the array's own precision.

    Raises:
        NumberError: a matrix holds a number that is not finite.

    Source: Moler and Van Loan, "Nineteen dubious ways to compute the exponential of a matrix,
    twenty-five years later", SIAM Review 45 (2003), method 3.

    Example:
        >>> quarter_turn = np.array([[0.0, -1.0], [1.0, 0.0]]) * np.pi / 2
        >>> matrix_exponential(quarter_turn).round(12) + 0.0
        array([[ 0., -1.],
               [ 1.,  0.]])
    """
    if not np.all(np.isfinite(a)):
        raise NumberError("the exponential of a matrix that is not finite", got=a)
    norms = np.abs(a).sum(axis=-1).max(axis=-1, initial=0.0)
    largest = float(np.max(norms, initial=0.0))
    squarings = max(0, int(np.ceil(np.log2(largest / _LARGEST_NORM)))) if largest > 0 else 0
    scaled = a / 2.0**squarings
    identity = np.broadcast_to(np.eye(a.shape[-1], dtype=a.dtype), a.shape)
    result = identity
    for k in range(_TERMS, 0, -1):
        result = identity + scaled @ result / k
    for _ in range(squarings):
        result = result @ result
    return result
