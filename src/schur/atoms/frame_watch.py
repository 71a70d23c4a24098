"""What raw frames say besides their labels: charges, free energies, two kinds of stress."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .findings import Finding, Noted
from .frame import Frame
from .symmetric import matrix

_CHARGE_KEYS = ("charge", "total_charge", "spin", "multiplicity", "total_spin")
_FREE_ENERGY = "free_energy"
_ENERGY_TOLERANCE = 1e-3  # eV an atom
_STRESS_TOLERANCE = 0.05  # of the larger one


class FrameWatch:
    """Looks at frames one after another and remembers what is odd.

    Finds charges and spins, which no model here reads; energies that differ from free energies
    (forces are the gradient of the latter); stress and virial that contradict each other.
    """

    def __init__(self) -> None:
        self._states: dict[str, dict[str, str]] = {}
        self._free = Noted()
        self._free_gap = 0.0
        self._opposite = Noted()
        self._different = Noted()

    def see(self, frame: Frame, chosen: Mapping[str, str | None]) -> None:
        """Takes note of a frame, whose labels are under the chosen keys."""
        for key in _CHARGE_KEYS:
            if key in frame.info:
                self._states.setdefault(key, {}).setdefault(str(frame.info[key]), frame.origin)
        self._see_free_energy(frame, chosen.get("energy"))
        self._see_stress(frame, chosen.get("stress"), chosen.get("virial"))

    def findings(self) -> list[Finding]:
        """What was odd."""
        found = [self._charge_finding(key) for key in self._states]
        if len(self._free):
            text = (
                f"energy and free_energy differ by up to {self._free_gap:.3g} eV an atom in "
                f"{len(self._free)} frames; the energy is used"
            )
            remedy = "with smearing forces belong to the free energy: --energy-key free_energy"
            found.append(self._free.finding("free-energy", False, text, remedy))
        if len(self._opposite):
            text = f"stress and virial have opposite signs in {len(self._opposite)} frames"
            remedy = "stress must be -virial/volume, positive in tension"
            found.append(self._opposite.finding("stress-sign", True, text, remedy))
        if len(self._different):
            text = f"stress and virial contradict each other in {len(self._different)} frames"
            remedy = "stress must be -virial/volume in eV/Å^3; GPa or kbar?"
            found.append(self._different.finding("stress-virial", True, text, remedy))
        return found

    def _charge_finding(self, key: str) -> Finding:
        values = self._states[key]
        varied = len(values) > 1
        listed = ", ".join(list(values)[:4])
        text = f"{key} is given ({listed}) and not read by the model"
        remedy = "one model cannot tell frames of different charge or spin apart" if varied else ""
        where = tuple(values.values()) if varied else ()
        return Finding("charge-ignored", varied, text, where, remedy)

    def _see_free_energy(self, frame: Frame, energy_key: str | None) -> None:
        free = frame.info.get(_FREE_ENERGY)
        energy = None if energy_key is None else frame.info.get(energy_key)
        if energy_key == _FREE_ENERGY or not isinstance(free, int | float):
            return
        if isinstance(energy, int | float):
            gap = abs(free - energy) / max(len(frame.numbers), 1)
            if gap > _ENERGY_TOLERANCE:
                self._free.add(frame.origin)
                self._free_gap = max(self._free_gap, gap)

    def _see_stress(self, frame: Frame, stress_key: str | None, virial_key: str | None) -> None:
        if stress_key is None or virial_key is None or frame.cell is None:
            return
        stress, virial = _matrix(frame, stress_key), _matrix(frame, virial_key)
        volume = abs(float(np.linalg.det(frame.cell)))
        if stress is None or virial is None or volume == 0.0:
            return
        expected = -virial / volume
        size = max(np.abs(stress).max(), np.abs(expected).max())
        if np.abs(stress - expected).max() <= _STRESS_TOLERANCE * size:
            return
        turned = np.abs(stress + expected).max() <= _STRESS_TOLERANCE * size
        (self._opposite if turned else self._different).add(frame.origin)


def _matrix(frame: Frame, key: str) -> np.ndarray | None:
    raw: Any = frame.info.get(key)
    array = np.asarray(raw)
    return matrix(array.astype(float)) if array.size in (6, 9) else None
