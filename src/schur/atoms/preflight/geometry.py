"""Structures that cannot be meant as they stand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..findings import Finding
from ..neighbours import neighbour_list
from ..system import System

_TOO_CLOSE = 0.4  # Å; no two nuclei are that close in a molecule
_VACUUM = 6.0  # Å of emptiness around a periodic system make it a molecule in a dummy cell


def close_atoms(systems: Sequence[System]) -> list[Finding]:
    """Atoms closer than 0.4 Å."""
    bad, shortest = [], np.inf
    for system in systems:
        if _without_cell(system):
            continue  # `cells` says so
        distances = np.linalg.norm(neighbour_list(system, _TOO_CLOSE).vectors, axis=1)
        if distances.size:
            bad.append(system.origin)
            shortest = min(shortest, float(distances.min()))
    text = f"atoms are closer than {_TOO_CLOSE} Å in {len(bad)} frames (shortest {shortest:.3g} Å)"
    remedy = "are the positions in Å?"
    return [Finding("close-atoms", True, text, tuple(bad), remedy)] if bad else []


def lonely_atoms(systems: Sequence[System], cutoff: float) -> list[Finding]:
    """Atoms with no neighbour within the cutoff; a model gives them a constant energy."""
    bad = []
    for system in systems:
        receivers = neighbour_list(system, cutoff).receivers
        if np.unique(receivers).size < len(system):
            bad.append(system.origin)
    text = f"{len(bad)} frames have atoms without a neighbour within {cutoff} Å"
    remedy = "dissociated molecules? else a larger cutoff, or positions that are not in Å"
    return [Finding("lonely-atoms", False, text, tuple(bad), remedy)] if bad else []


def cells(systems: Sequence[System]) -> list[Finding]:
    """Periodic directions without a lattice vector; left-handed cells; molecules in a box."""
    empty = tuple(s.origin for s in systems if _without_cell(s))
    left = tuple(s.origin for s in systems if s.pbc.all() and np.linalg.det(s.cell) < 0)
    boxed = tuple(s.origin for s in systems if not _without_cell(s) and _in_vacuum(s))
    findings = []
    if empty:
        text = f"{len(empty)} frames are periodic without a cell"
        remedy = 'set pbc="F F F" for molecules'
        findings.append(Finding("cell", True, text, empty, remedy))
    if left:
        text = f"{len(left)} frames have a left-handed cell; it is used as it is"
        findings.append(Finding("left-handed-cell", False, text, left))
    if boxed:
        text = f"{len(boxed)} frames are periodic with {_VACUUM} Å or more of vacuum all around"
        remedy = "a molecule in a dummy cell? its stress means nothing; set pbc=F F F"
        findings.append(Finding("dummy-cell", False, text, boxed, remedy))
    return findings


def _without_cell(system: System) -> bool:
    return bool((system.pbc & ~system.cell.any(axis=1)).any())


def _in_vacuum(system: System) -> bool:
    """Whether the system repeats in all directions and no image comes near."""
    if not system.pbc.all():
        return False
    inverse = np.linalg.inv(system.cell)
    fractions = np.sort((system.positions @ inverse) % 1.0, axis=0)
    gaps = np.diff(np.vstack([fractions, fractions[:1] + 1.0]), axis=0).max(axis=0)
    heights = 1.0 / np.linalg.norm(inverse, axis=0)
    return bool((gaps * heights > _VACUUM).all())
