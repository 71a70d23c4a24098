"""Labels that cannot be true."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..findings import Finding
from ..system import System
from ..units import GIGAPASCAL

_STRESS_LIMIT = 100 * GIGAPASCAL  # root mean square; beyond it no ordinary solid is sampled


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


def stress_size(systems: Sequence[System]) -> list[Finding]:
    """Stress too large for eV/Å^3: numbers in kbar or GPa are 1602 and 160 times larger."""
    known = {s: float(np.sqrt(np.mean(s.stress**2))) for s in systems if s.stress is not None}
    bad = tuple(s.origin for s, size in known.items() if size > _STRESS_LIMIT)
    if not bad:
        return []
    text = (
        f"the stress of {len(bad)} frames is beyond {_STRESS_LIMIT:.2f} eV/Å^3 "
        f"(median {float(np.median(list(known.values()))):.3g})"
    )
    remedy = "kbar or GPa? 1 eV/Å^3 is 160.2 GPa or 1602 kbar"
    return [Finding("stress-units", True, text, bad, remedy)]
