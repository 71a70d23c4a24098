"""Units of the atomistic part, and the factors to the units it is confused with.

Inside `schur.atoms` there is one set of units and no other: eV, Å, fs, eV/Å, eV/Å^3 (tension
positive), K and elementary charges. Factors are CODATA 2018.
"""

from __future__ import annotations

from typing import Final

HARTREE: Final = 27.211386245988
"""One hartree in eV."""

BOHR: Final = 0.529177210903
"""One bohr in Å."""

HARTREE_PER_BOHR: Final = HARTREE / BOHR
"""One hartree/bohr in eV/Å."""

KCAL_PER_MOL: Final = 0.0433641153087705
"""One kcal/mol in eV."""

RYDBERG: Final = HARTREE / 2
"""One rydberg in eV."""

GIGAPASCAL: Final = 1.0 / 160.21766208
"""One GPa in eV/Å^3."""

KILOBAR: Final = GIGAPASCAL / 10
"""One kbar in eV/Å^3."""

BOLTZMANN: Final = 8.617333262e-5
"""Boltzmann's constant in eV/K."""

MILLI: Final = 1000.0
"""Factor from eV to meV, and from eV/Å to meV/Å."""

ACCELERATION: Final = 9.648533212331e-3
"""Acceleration in Å/fs^2 that 1 eV/Å gives to 1 u."""
