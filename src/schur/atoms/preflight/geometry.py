"""Structures that cannot be meant as they stand."""

from __future__ import annotations

import numpy as np

from ..findings import Finding, Noted
from ..neighbours import neighbour_list
from ..system import System

_TOO_CLOSE = 0.4  # Å; no two nuclei are that close in a molecule
_VACUUM = 6.0  # Å of emptiness around a periodic system make it a molecule in a dummy cell
_FLAT = 1e-6  # of the product of the lengths of the lattice vectors


class Neighbours:
    """Atoms closer than 0.4 Å; atoms with no neighbour within the cutoff.

    A model gives the latter a constant energy.

    Args:
        cutoff: of the model, Å; None looks for close atoms alone.
    """

    def __init__(self, cutoff: float | None) -> None:
        self.cutoff = cutoff
        self.pairs = 0
        """Directed pairs within the cutoff in the frame seen last."""
        self._close, self._lonely = Noted(), Noted()
        self._shortest = np.inf

    def see(self, system: System) -> None:
        """Looks at a frame."""
        self.pairs = 0
        if without_cell(system):
            return  # `Cells` says so
        found = neighbour_list(system, self.cutoff or _TOO_CLOSE)
        shortest = float(np.linalg.norm(found.vectors, axis=1).min(initial=np.inf))
        if shortest < _TOO_CLOSE:
            self._close.add(system.origin)
            self._shortest = min(self._shortest, shortest)
        if self.cutoff is not None:
            self.pairs = len(found)
            if np.bincount(found.receivers, minlength=len(system)).min(initial=1) == 0:
                self._lonely.add(system.origin)

    def findings(self) -> list[Finding]:
        """What was found so far."""
        findings = []
        if len(self._close):
            text = (
                f"atoms are closer than {_TOO_CLOSE} Å in {len(self._close)} frames "
                f"(shortest {self._shortest:.3g} Å)"
            )
            remedy = "are the positions in Å?"
            findings.append(self._close.finding("close-atoms", True, text, remedy))
        if len(self._lonely):
            text = (
                f"{len(self._lonely)} frames have atoms without a neighbour within {self.cutoff} Å"
            )
            remedy = "dissociated molecules? else a larger cutoff, or positions that are not in Å"
            findings.append(self._lonely.finding("lonely-atoms", False, text, remedy))
        return findings


class Cells:
    """Periodic directions without a lattice vector; left-handed cells; molecules in a box."""

    def __init__(self) -> None:
        self._empty, self._left, self._boxed = Noted(), Noted(), Noted()

    def see(self, system: System) -> None:
        """Looks at a frame."""
        if without_cell(system):
            self._empty.add(system.origin)
            return
        if system.pbc.all():
            if np.linalg.det(system.cell) < 0:
                self._left.add(system.origin)
            if _in_vacuum(system):
                self._boxed.add(system.origin)

    def findings(self) -> list[Finding]:
        """What was found so far."""
        findings = []
        if len(self._empty):
            text = f"{len(self._empty)} frames are periodic without a cell, or their cell is flat"
            remedy = 'set pbc="F F F" for molecules'
            findings.append(self._empty.finding("cell", True, text, remedy))
        if len(self._left):
            text = f"{len(self._left)} frames have a left-handed cell; it is used as it is"
            findings.append(self._left.finding("left-handed-cell", False, text))
        if len(self._boxed):
            text = (
                f"{len(self._boxed)} frames are periodic with {_VACUUM} Å or more of vacuum all "
                "around"
            )
            remedy = "a molecule in a dummy cell? its stress means nothing; set pbc=F F F"
            findings.append(self._boxed.finding("dummy-cell", False, text, remedy))
        return findings


def without_cell(system: System) -> bool:
    """Whether a direction repeats without a lattice vector, or the lattice vectors are flat."""
    given = system.cell.any(axis=1)
    if (system.pbc & ~given).any():
        return True
    if not given.all():
        return False
    lengths = np.linalg.norm(system.cell, axis=1)
    return bool(abs(np.linalg.det(system.cell)) < _FLAT * float(np.prod(lengths)))


def _in_vacuum(system: System) -> bool:
    """Whether no image of a system that repeats in all directions comes near."""
    inverse = np.linalg.inv(system.cell)
    fractions = np.sort((system.positions @ inverse) % 1.0, axis=0)
    gaps = np.diff(np.vstack([fractions, fractions[:1] + 1.0]), axis=0).max(axis=0)
    heights = 1.0 / np.linalg.norm(inverse, axis=0)
    return bool((gaps * heights > _VACUUM).all())
