"""Labels that cannot be true."""

from __future__ import annotations

from array import array

import numpy as np

from ..findings import Finding, Noted
from ..system import System
from ..units import GIGAPASCAL

_STRESS_LIMIT = 100 * GIGAPASCAL  # root mean square; beyond it no ordinary solid is sampled


class NonFiniteLabels:
    """Labels that are NaN or infinite."""

    def __init__(self) -> None:
        self._bad = Noted()

    def see(self, system: System) -> None:
        """Looks at a frame."""
        labels = [system.energy, system.forces, system.stress]
        if not all(np.isfinite(label).all() for label in labels if label is not None):
            self._bad.add(system.origin)

    def findings(self) -> list[Finding]:
        """What was found so far."""
        if not len(self._bad):
            return []
        text = f"{len(self._bad)} frames have labels that are NaN or infinite"
        return [self._bad.finding("non-finite-labels", True, text)]


class ZeroForces:
    """Forces that are exactly zero: absent ones, or those of constrained atoms."""

    def __init__(self) -> None:
        self._seen = 0
        self._whole, self._rows = Noted(), Noted()

    def see(self, system: System) -> None:
        """Looks at a frame."""
        self._seen += 1
        if system.forces is None or len(system) == 1:
            return
        zero = ~system.forces.any(axis=1)
        if zero.all():
            self._whole.add(system.origin)
        elif zero.any():
            self._rows.add(system.origin)

    def findings(self) -> list[Finding]:
        """What was found so far."""
        findings = []
        if len(self._whole):
            text = f"all forces are exactly zero in {len(self._whole)} of {self._seen} frames"
            remedy = "they were probably not computed; leave the column out of such frames"
            findings.append(self._whole.finding("zero-forces", True, text, remedy))
        if len(self._rows):
            text = f"some atoms have forces of exactly zero in {len(self._rows)} frames"
            remedy = "constrained atoms? write the forces without constraints"
            findings.append(self._rows.finding("zero-force-rows", True, text, remedy))
        return findings


class StressSize:
    """Stress too large for eV/Å^3: numbers in kbar or GPa are 1602 and 160 times larger."""

    def __init__(self) -> None:
        self._bad = Noted()
        self._sizes = array("d")

    def see(self, system: System) -> None:
        """Looks at a frame."""
        if system.stress is None:
            return
        size = float(np.sqrt(np.mean(system.stress**2)))
        self._sizes.append(size)
        if size > _STRESS_LIMIT:
            self._bad.add(system.origin)

    def findings(self) -> list[Finding]:
        """What was found so far."""
        if not len(self._bad):
            return []
        text = (
            f"the stress of {len(self._bad)} frames is beyond {_STRESS_LIMIT:.2f} eV/Å^3 "
            f"(median {float(np.median(self._sizes)):.3g})"
        )
        remedy = "kbar or GPa? 1 eV/Å^3 is 160.2 GPa or 1602 kbar"
        return [self._bad.finding("stress-units", True, text, remedy)]
