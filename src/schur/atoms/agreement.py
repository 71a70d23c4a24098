"""Whether a faster way to the forces gives the same ones."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

# eV/Å that splines may move forces by.
_FORCES = 1e-6
# What rounding may add: so many roundings of the largest force.
_ROUNDINGS = 256


def disagreement(
    said: Float[np.ndarray, "atoms 3"], expected: Float[np.ndarray, "atoms 3"], eps: float
) -> str | None:
    """None if forces agree to 1e-6 eV/Å, rounding apart; else by how much they differ.

    Args:
        said, expected: eV/Å.
        eps: of the number type that they were computed in.

    Example:
        >>> one = np.ones((2, 3))
        >>> disagreement(one + 5e-7, one, 2e-16), disagreement(one + 5e-6, one, 2e-16)
        (None, 'its forces differ by 5.0e-06 eV/Å')
    """
    if not expected.size:
        return None
    deviation = float(np.abs(said - expected).max())
    rounding = _ROUNDINGS * eps * float(np.abs(expected).max())
    # Not the other way round: NaN has to fail.
    return None if deviation <= _FORCES + rounding else f"its forces differ by {deviation:.1e} eV/Å"
