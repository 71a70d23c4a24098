"""Energies and forces of another unit or another method."""

from __future__ import annotations

import numpy as np

from ..census import Census
from ..findings import Finding, Noted
from ..reference import ReferenceEnergies

_BINDING_LIMIT = 20.0  # eV an atom; the strongest bound solids have 9
_HYDROGEN = ((-0.6, -0.4, "hartree"), (-1.2, -0.8, "rydberg"))
_SMALL_FORCES = 0.1  # eV/Å, root mean square; thermal motion at 300 K has about 1


def energy_scale(census: Census, reference: ReferenceEnergies) -> list[Finding]:
    """Energies that E0 does not explain: another method, hartree instead of eV."""
    frames = census.molecules
    totals = np.array([_total(formula, reference) for formula in census.compositions])
    rest = (census.energies[frames] - totals[census.composition[frames]]) / census.sizes[frames]
    bad = np.abs(rest) > _BINDING_LIMIT  # false where an energy or an E0 is unknown
    if not bad.any():
        return []
    worst = rest[bad][np.argmax(np.abs(rest[bad]))]
    text = f"energies minus E0 reach {worst:.4g} eV an atom in {bad.sum()} frames"
    remedy = "isolated atoms of another method, or hartree instead of eV?"
    noted = Noted(int(bad.sum()), list(census.origins(frames[bad][:3])))
    return [noted.finding("energy-scale", True, text, remedy)]


def _total(formula: dict[int, int], reference: ReferenceEnergies) -> float:
    return sum(reference.values.get(z, np.nan) * count for z, count in formula.items())


def hartree(census: Census, reference: ReferenceEnergies) -> list[Finding]:
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
    frames = census.molecules
    frames = frames[np.isfinite(census.energies[frames]) & (census.sizes[frames] > 1)]
    components = census.force_components[frames].sum()
    if components == 0:
        return []
    size = float(np.sqrt(census.force_squares[frames].sum() / components))
    electrons = np.array([_thomas_fermi(formula) for formula in census.compositions])
    ratio = float(np.median(-census.energies[frames] / electrons[census.composition[frames]]))
    if not (0.6 < ratio < 1.1 and size < _SMALL_FORCES):
        return []
    text = (
        f"energies are those of all electrons in hartree (ratio {ratio:.2f}), and forces are small "
        f"(root mean square {size:.3g})"
    )
    remedy = "multiply energies by 27.2114 and forces in hartree/bohr by 51.4221"
    return [Finding("units", True, text, remedy=remedy)]


def _thomas_fermi(formula: dict[int, int]) -> float:
    return 0.7687 * sum(count * float(z) ** (7 / 3) for z, count in formula.items())
