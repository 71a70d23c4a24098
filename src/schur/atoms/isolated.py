"""Which frames are single atoms, whose energies are E0."""

from __future__ import annotations

import numpy as np

from .system import System

_ISOLATION = 6.0  # Å


def is_isolated_atom(system: System) -> bool:
    """Whether a system is one atom that meets no image of itself within 6 Å.

    Example:
        >>> is_isolated_atom(System([1], [[0, 0, 0]], 12 * np.eye(3), True))
        True
    """
    if len(system) != 1:
        return False
    lengths = np.linalg.norm(system.cell[system.pbc], axis=1)
    return bool((lengths >= _ISOLATION).all())
