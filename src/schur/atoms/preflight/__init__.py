"""The inspection before a run: silent failures that would cost weeks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..census import Census
from ..findings import Finding
from ..isolated import is_isolated_atom
from ..reference import ReferenceEnergies
from ..system import System
from .energies import energy_scale, hartree
from .geometry import Cells, Neighbours
from .labels import NonFiniteLabels, StressSize, ZeroForces
from .sets import duplicates, inspect_parts

__all__ = ["Inspection", "inspect", "inspect_parts", "non_finite_labels"]


class Inspection:
    """Looks at labelled systems one after another, in one pass, and says what is odd.

    Memory grows by the census alone, about 100 bytes a frame.

    Args:
        cutoff: of the model, Å; None leaves out what depends on it.

    Example:
        >>> inspection = Inspection(cutoff=3.0)
        >>> inspection.see(System([1, 1], [[0, 0, 0], [0, 0, 0.1]], energy=-30.0))
        >>> [finding.code for finding in inspection.findings(ReferenceEnergies({1: -13.6}, ""))]
        ['close-atoms']
    """

    def __init__(self, cutoff: float | None = None) -> None:
        self.census = Census()
        self._neighbours = Neighbours(cutoff)
        self._checks = (NonFiniteLabels(), ZeroForces(), StressSize(), self._neighbours, Cells())

    def see(self, system: System) -> None:
        """Looks at a frame; isolated atoms are taken down and not judged."""
        if is_isolated_atom(system):
            self.census.add(system)
            return
        for check in self._checks:
            check.see(system)
        self.census.add(system, self._neighbours.pairs)

    def findings(self, reference: ReferenceEnergies) -> list[Finding]:
        """All findings; see `Finding` for what stops a run.

        Args:
            reference: E0 that the energies are counted from.
        """
        found = [finding for check in self._checks for finding in check.findings()]
        found += duplicates(self.census)
        return found + hartree(self.census, reference) + energy_scale(self.census, reference)


def inspect(
    systems: Sequence[System], reference: ReferenceEnergies, cutoff: float | None = None
) -> list[Finding]:
    """All findings on labelled systems, as `Inspection` gives them."""
    inspection = Inspection(cutoff)
    for system in systems:
        inspection.see(system)
    return inspection.findings(reference)


def non_finite_labels(systems: Iterable[System]) -> list[Finding]:
    """The finding on labels that are NaN or infinite alone."""
    check = NonFiniteLabels()
    for system in systems:
        check.see(system)
    return check.findings()
