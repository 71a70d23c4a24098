"""Energies and forces of another unit or another method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..findings import Finding
from ..reference import ReferenceEnergies
from ..system import System

_BINDING_LIMIT = 20.0  # eV an atom; the strongest bound solids have 9
_HYDROGEN = ((-0.6, -0.4, "hartree"), (-1.2, -0.8, "rydberg"))
_SMALL_FORCES = 0.1  # eV/Å, root mean square; thermal motion at 300 K has about 1


def energy_scale(systems: Sequence[System], reference: ReferenceEnergies) -> list[Finding]:
    """Energies that E0 does not explain: another method, hartree instead of eV."""
    known = [s for s in systems if s.energy is not None and np.isfinite(s.energy)]
    known = [s for s in known if set(s.numbers.tolist()) <= set(reference.values)]
    rest = {s: (float(s.energy or 0.0) - reference.total(s)) / len(s) for s in known}
    bad = tuple(s.origin for s, value in rest.items() if abs(value) > _BINDING_LIMIT)
    if not bad:
        return []
    worst = max(rest.values(), key=abs)
    text = f"energies minus E0 reach {worst:.4g} eV an atom in {len(bad)} frames"
    remedy = "isolated atoms of another method, or hartree instead of eV?"
    return [Finding("energy-scale", True, text, bad, remedy)]


def hartree(systems: Sequence[System], reference: ReferenceEnergies) -> list[Finding]:
    """Energies in hartree and forces in hartree/bohr.

    A hydrogen atom has -13.6 eV in every method that counts from nuclei and electrons, so an
    isolated one of about -0.5 or -1 is in hartree or rydberg. Without one, total energies of all
    electrons are known by Thomas and Fermi's E = -0.7687 Z^(7/3) hartree to some ten percent;
    energies of that size, with forces far below those of thermal motion, are in hartree too.
    """
    if "isolated" in reference.source and 1 in reference.values:
        for low, high, unit in _HYDROGEN:
            if low < reference.values[1] < high:
                text = f"the isolated hydrogen atom has {reference.values[1]:.4f}, as if in {unit}"
                remedy = "energies must be in eV and forces in eV/Å"
                return [Finding("units", True, text, remedy=remedy)]
    pairs = [(float(s.energy), s) for s in systems if s.energy is not None and len(s) > 1]
    forces = [s.forces for s in systems if s.forces is not None and len(s) > 1]
    if not pairs or not forces:
        return []
    size = float(np.sqrt(np.mean(np.square(np.concatenate(forces)))))
    ratio = float(np.median([-energy / _thomas_fermi(s) for energy, s in pairs]))
    if not (0.6 < ratio < 1.1 and size < _SMALL_FORCES):
        return []
    text = (
        f"energies are those of all electrons in hartree (ratio {ratio:.2f}), and forces are small "
        f"(root mean square {size:.3g})"
    )
    remedy = "multiply energies by 27.2114 and forces in hartree/bohr by 51.4221"
    return [Finding("units", True, text, remedy=remedy)]


def _thomas_fermi(system: System) -> float:
    return 0.7687 * float(np.sum(system.numbers.astype(float) ** (7 / 3)))
