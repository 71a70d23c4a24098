"""The inspection before a run: silent failures that would cost weeks."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .elements import SYMBOLS
from .findings import Finding
from .neighbours import neighbour_list
from .reference import ReferenceEnergies
from .split import Split, fingerprint
from .system import System

_TOO_CLOSE = 0.4  # Å; no two nuclei are that close in a molecule
_BINDING_LIMIT = 20.0  # eV an atom; the strongest bound solids have 9


def inspect(systems: Sequence[System], reference: ReferenceEnergies) -> list[Finding]:
    """All findings on labelled systems; see `Finding` for what stops a run.

    Args:
        systems: without isolated atoms.
        reference: E0 that the energies are counted from.
    """
    checks: list[Callable[[Sequence[System]], list[Finding]]] = [
        non_finite_labels,
        zero_forces,
        close_atoms,
        cells,
    ]
    findings = [finding for check in checks for finding in check(systems)]
    return findings + energy_scale(systems, reference)


def inspect_split(split: Split) -> list[Finding]:
    """Findings that concern the three sets together."""
    return [*shared_frames(split), *new_elements(split)]


def non_finite_labels(systems: Sequence[System]) -> list[Finding]:
    """Labels that are NaN or infinite."""
    bad = []
    for system in systems:
        labels = [system.energy, system.forces, system.stress]
        if not all(np.isfinite(label).all() for label in labels if label is not None):
            bad.append(system.origin)
    text = f"{len(bad)} frames have labels that are NaN or infinite"
    return [Finding("non-finite-labels", True, text, tuple(bad))] if bad else []


def zero_forces(systems: Sequence[System]) -> list[Finding]:
    """Forces that are exactly zero: absent ones, or those of constrained atoms."""
    whole, rows = [], []
    for system in systems:
        if system.forces is None or len(system) == 1:
            continue
        zero = ~system.forces.any(axis=1)
        if zero.all():
            whole.append(system.origin)
        elif zero.any():
            rows.append(system.origin)
    findings = []
    if whole:
        text = f"all forces are exactly zero in {len(whole)} of {len(systems)} frames"
        remedy = "they were probably not computed; leave the column out of such frames"
        findings.append(Finding("zero-forces", True, text, tuple(whole), remedy))
    if rows:
        text = f"some atoms have forces of exactly zero in {len(rows)} frames"
        remedy = "constrained atoms? write the forces without constraints"
        findings.append(Finding("zero-force-rows", True, text, tuple(rows), remedy))
    return findings


def close_atoms(systems: Sequence[System]) -> list[Finding]:
    """Atoms closer than 0.4 Å."""
    bad, shortest = [], np.inf
    for system in systems:
        if system.periodic and not system.cell.any():
            continue  # `cells` says so
        distances = np.linalg.norm(neighbour_list(system, _TOO_CLOSE).vectors, axis=1)
        if distances.size:
            bad.append(system.origin)
            shortest = min(shortest, float(distances.min()))
    text = f"atoms are closer than {_TOO_CLOSE} Å in {len(bad)} frames (shortest {shortest:.3g} Å)"
    remedy = "are the positions in Å?"
    return [Finding("close-atoms", True, text, tuple(bad), remedy)] if bad else []


def cells(systems: Sequence[System]) -> list[Finding]:
    """Periodic directions without a lattice vector; left-handed cells."""
    empty = [s.origin for s in systems if (s.pbc & ~s.cell.any(axis=1)).any()]
    left = [s.origin for s in systems if s.pbc.all() and np.linalg.det(s.cell) < 0]
    findings = []
    if empty:
        text = f"{len(empty)} frames are periodic without a cell"
        remedy = 'set pbc="F F F" for molecules'
        findings.append(Finding("cell", True, text, tuple(empty), remedy))
    if left:
        text = f"{len(left)} frames have a left-handed cell; it is used as it is"
        findings.append(Finding("left-handed-cell", False, text, tuple(left)))
    return findings


def energy_scale(systems: Sequence[System], reference: ReferenceEnergies) -> list[Finding]:
    """Energies that E0 does not explain: another method, hartree instead of eV."""
    known = [s for s in systems if s.energy is not None and np.isfinite(s.energy)]
    known = [s for s in known if set(s.numbers.tolist()) <= set(reference.values)]
    rest = {s: (float(s.energy or 0.0) - reference.total(s)) / len(s) for s in known}
    bad = [s.origin for s, value in rest.items() if abs(value) > _BINDING_LIMIT]
    if not bad:
        return []
    worst = max(rest.values(), key=abs)
    text = f"energies minus E0 reach {worst:.4g} eV an atom in {len(bad)} frames"
    remedy = "isolated atoms of another method, or hartree instead of eV?"
    return [Finding("energy-scale", True, text, tuple(bad), remedy)]


def shared_frames(split: Split) -> list[Finding]:
    """Frames of the training set that are also held out."""
    train = {fingerprint(system) for system in split.train}
    findings = []
    for name in ("valid", "test"):
        held = getattr(split, name)
        same = tuple(s.origin for s in held if fingerprint(s) in train)
        if same:
            text = f"{len(same)} of {len(held)} {name} frames are also in the training set"
            findings.append(Finding("shared-frames", True, text, same))
    return findings


def new_elements(split: Split) -> list[Finding]:
    """Elements in held-out frames that the training set lacks."""
    known = {int(z) for system in split.train for z in system.numbers}
    findings = []
    for name in ("valid", "test"):
        bad = [s for s in getattr(split, name) if not {int(z) for z in s.numbers} <= known]
        if bad:
            strange = {SYMBOLS[int(z)] for s in bad for z in s.numbers if int(z) not in known}
            listed = " ".join(sorted(strange))
            text = f"{listed} occurs in {len(bad)} {name} frames and never in training"
            origins = tuple(s.origin for s in bad)
            findings.append(Finding("new-elements", True, text, origins))
    return findings
