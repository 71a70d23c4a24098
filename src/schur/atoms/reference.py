"""Energies of single atoms (E0), which a model's energy is counted from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from ..errors import DataError
from .census import Census
from .elements import SYMBOLS
from .system import System


@dataclass(frozen=True)
class ReferenceEnergies:
    """E0 of each element, eV, and where it comes from.

    Args:
        values: atomic number -> eV.
        source: a sentence for the report.
    """

    values: dict[int, float]
    source: str

    @property
    def elements(self) -> tuple[int, ...]:
        """Atomic numbers, ascending."""
        return tuple(sorted(self.values))

    def total(self, system: System) -> float:
        """Σ_i E0(element of atom i), eV."""
        return float(sum(self.values[int(number)] for number in system.numbers))

    def describe(self) -> str:
        """One line: values and source."""
        parts = [f"{SYMBOLS[z]} {self.values[z]:.4f}" for z in self.elements]
        return f"E0 ({self.source}), eV: " + ", ".join(parts)


def reference_energies(
    systems: Sequence[System], isolated: Sequence[System] = ()
) -> ReferenceEnergies:
    """E0 from isolated atoms where they are given, else by least squares.

    Least squares solves min Σ_frames (E - Σ_i E0(z_i))² for the elements without an isolated
    atom. Where the compositions do not determine it (all frames are one molecule, say), the
    remainders are the same for many solutions; of these it is the one nearest to a multiple of
    Z^(7/3), as which total energies of atoms grow by Thomas and Fermi.

    Args:
        systems: labelled structures; one-atom frames among them count as isolated atoms.
        isolated: further one-atom frames.

    Raises:
        DataError: nothing to determine an element's energy from, or isolated atoms that
            contradict each other.

    Example:
        >>> h2 = System([1, 1], [[0, 0, 0], [0, 0, 0.74]], energy=-31.0)
        >>> reference_energies([h2]).describe()
        'E0 (least squares over 1 frames), eV: H -15.5000'
        >>> reference_energies([h2, System([1], [[0, 0, 0]], energy=-13.6)]).describe()
        'E0 (isolated atoms), eV: H -13.6000'
    """
    census = Census.of([*systems, *isolated])
    return reference_of(census, census.molecules)


def reference_of(census: Census, frames: Int[np.ndarray, " frames"]) -> ReferenceEnergies:
    """E0 for some frames of a census, as `reference_energies` says.

    Args:
        census: what is known of the frames.
        frames: indices of those to fit, without isolated atoms; all of the census's isolated
            atoms are used.

    Raises:
        DataError: as `reference_energies`.
    """
    known = _isolated_energies(census.isolated)
    lone = {int(system.numbers[0]) for system in census.isolated}
    needed = sorted({*census.elements(frames), *lone})
    unknown = [z for z in needed if z not in known]
    if not unknown:
        return ReferenceEnergies({z: known[z] for z in needed}, "isolated atoms")
    labelled = frames[np.isfinite(census.energies[frames])]
    if not len(labelled):
        raise DataError(
            "there are no energies to find E0 from",
            expected="labelled structures, or a one-atom frame for each element",
        )
    fitted, determined = _least_squares(census, labelled, unknown, known)
    source = f"least squares over {len(labelled)} frames"
    if not determined:
        source += ", which do not determine it: shared out as Z^(7/3)"
    if known:
        named = " ".join(SYMBOLS[z] for z in known)
        source += f"; isolated atoms for {named}"
    return ReferenceEnergies({**known, **fitted}, source)


def _isolated_energies(systems: Sequence[System]) -> dict[int, float]:
    known: dict[int, float] = {}
    for system in systems:
        if system.energy is None:
            continue
        number = int(system.numbers[0])
        if abs(known.setdefault(number, system.energy) - system.energy) > 1e-3:
            raise DataError(
                f"isolated atoms of {SYMBOLS[number]} contradict each other",
                got=f"{known[number]} and {system.energy} eV (the latter in {system.origin})",
                expected="one energy for each element",
            )
    return known


def _least_squares(
    census: Census, frames: np.ndarray, unknown: list[int], known: dict[int, float]
) -> tuple[dict[int, float], bool]:
    """The fitted energies, and whether there was but one solution.

    Frames of one composition share their row of the equations, so that the mean of their energies
    with the root of their number as weight has the same solution.
    """
    used, which, counts = np.unique(
        census.composition[frames], return_inverse=True, return_counts=True
    )
    formulas = [census.compositions[int(index)] for index in used]
    energies = np.bincount(which, weights=census.energies[frames]) / counts
    rest = energies - [sum(known.get(z, 0.0) * n for z, n in f.items()) for f in formulas]
    sizes = np.array([float(sum(f.values())) for f in formulas])
    scale = np.array([float(z) ** (7 / 3) for z in unknown])
    atoms = np.array([[float(f.get(z, 0)) for z in unknown] for f in formulas])
    # Rows are divided by system size, so that all frames weigh alike.
    weights = np.sqrt(counts) / sizes
    matrix, target = atoms * scale * weights[:, None], rest * weights
    common = matrix.sum(axis=1)
    factor = float(common @ target / (common @ common))
    departure, _, rank, _ = np.linalg.lstsq(matrix, target - factor * common, rcond=1e-8)
    solution = factor + departure
    fitted = {z: float(value) for z, value in zip(unknown, solution * scale, strict=True)}
    return fitted, int(rank) == len(unknown)


def composition(
    systems: Sequence[System], elements: Sequence[int]
) -> Float[np.ndarray, "systems elements"]:
    """How many atoms of each element each system has."""
    return np.array([[float((s.numbers == z).sum()) for z in elements] for s in systems])
