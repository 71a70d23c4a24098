"""The inspection before a run: silent failures that would cost weeks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..findings import Finding
from ..reference import ReferenceEnergies
from ..system import System
from .energies import energy_scale, hartree
from .geometry import cells, close_atoms, lonely_atoms
from .labels import non_finite_labels, stress_size, zero_forces
from .sets import duplicates, inspect_split

__all__ = ["inspect", "inspect_split", "lonely_atoms", "non_finite_labels"]


def inspect(systems: Sequence[System], reference: ReferenceEnergies) -> list[Finding]:
    """All findings on labelled systems; see `Finding` for what stops a run.

    Args:
        systems: without isolated atoms.
        reference: E0 that the energies are counted from.
    """
    checks: list[Callable[[Sequence[System]], list[Finding]]] = [
        non_finite_labels,
        zero_forces,
        stress_size,
        close_atoms,
        cells,
        duplicates,
    ]
    findings = [finding for check in checks for finding in check(systems)]
    return findings + hartree(systems, reference) + energy_scale(systems, reference)
