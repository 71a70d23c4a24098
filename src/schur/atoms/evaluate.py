"""Honest errors of a potential on labelled systems."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..train.metrics import ErrorSums
from .batch import AtomicDataset, Batch
from .elements import SYMBOLS
from .potential import Potential
from .repeated import RepeatedPotential
from .system import System
from .units import MILLI

_BATCH_ATOMS = 500
_BATCH_ATOMS_OF_A_DEVICE = 5000  # a GPU wants more at a time than the caches of a CPU hold


@dataclass
class SystemErrors:
    """Errors of a set of systems: energies in eV, forces in eV/Å, stress in eV/Å^3.

    Args:
        energy: of whole systems.
        energy_per_atom: of each system's energy divided by its number of atoms.
        forces: of each Cartesian component.
        stress: of each component.
    """

    energy: ErrorSums = field(default_factory=ErrorSums)
    energy_per_atom: ErrorSums = field(default_factory=ErrorSums)
    forces: ErrorSums = field(default_factory=ErrorSums)
    stress: ErrorSums = field(default_factory=ErrorSums)

    def merge(self, other: SystemErrors) -> None:
        """Adds the errors of other systems."""
        self.energy.merge(other.energy)
        self.energy_per_atom.merge(other.energy_per_atom)
        self.forces.merge(other.forces)
        self.stress.merge(other.stress)

    def summary(self) -> dict[str, float | int]:
        """The errors in meV, meV/atom, meV/Å and meV/Å^3, ready for JSON and CSV."""
        return {
            "systems": self.energy.count,
            "energy_mae_meV": MILLI * self.energy.mae,
            "energy_rmse_meV": MILLI * self.energy.rmse,
            "energy_mae_meV_per_atom": MILLI * self.energy_per_atom.mae,
            "energy_rmse_meV_per_atom": MILLI * self.energy_per_atom.rmse,
            "forces_mae_meV_per_A": MILLI * self.forces.mae,
            "forces_rmse_meV_per_A": MILLI * self.forces.rmse,
            "forces_relative": self.forces.relative,
            "forces_largest_meV_per_A": MILLI * self.forces.largest,
            "stress_rmse_meV_per_A3": MILLI * self.stress.rmse,
        }


@dataclass
class Predictions:
    """What a potential says of each system, in order; arrays as plain numpy in eV, eV/Å."""

    systems: Sequence[System] = field(default_factory=list)
    energies: list[float] = field(default_factory=list)
    atom_energies: list[np.ndarray] = field(default_factory=list)
    forces: list[np.ndarray] = field(default_factory=list)
    stresses: list[np.ndarray] = field(default_factory=list)


@dataclass
class Evaluation:
    """Errors of one set, whole and by group.

    Args:
        total: all systems.
        by_config_type: systems of each `config_type`.
        by_element: forces on atoms of each element.
        predictions: energies and forces of each system.
        seconds: wall time of the predictions.
    """

    total: SystemErrors
    by_config_type: dict[str, SystemErrors]
    by_element: dict[str, ErrorSums]
    predictions: Predictions
    seconds: float

    def summary(self) -> dict[str, Any]:
        """All errors as plain numbers in meV and meV/Å."""
        return {
            "total": self.total.summary(),
            "by_config_type": {k: e.summary() for k, e in self.by_config_type.items()},
            "forces_by_element": {
                k: {"mae_meV_per_A": MILLI * e.mae, "rmse_meV_per_A": MILLI * e.rmse}
                for k, e in self.by_element.items()
            },
            "seconds": self.seconds,
        }


def predict(
    potential: Potential | RepeatedPotential,
    dataset: AtomicDataset,
    forces: bool = True,
    stress: bool = False,
) -> Predictions:
    """Energies, forces and stresses of all systems of a data set, in order."""
    if isinstance(potential, Potential):
        potential = RepeatedPotential(potential, splines=True)
    device = potential.potential.device
    atoms = _BATCH_ATOMS if device.type == "cpu" else _BATCH_ATOMS_OF_A_DEVICE
    result = Predictions(systems=dataset.systems)
    for batch in batches_of_atoms(dataset, atoms):
        said = potential(batch, forces=forces, stress=stress).on_host()
        result.energies += said.energies.tolist()
        cuts = np.cumsum(batch.sizes.numpy().astype(int))[:-1]
        result.atom_energies += np.split(said.atom_energies.detach().numpy(), cuts)
        if said.forces is not None:
            result.forces += np.split(said.forces.numpy().astype(np.float64), cuts)
        if said.stresses is not None:
            result.stresses += list(said.stresses.numpy())
    return result


def batches_of_atoms(dataset: AtomicDataset, atoms: int) -> Iterator[Batch]:
    """All systems in order, in batches of about so many atoms."""
    groups: list[list[int]] = []
    filled = atoms
    for index, size in enumerate(dataset.sizes.tolist()):
        if filled + size > atoms or not groups:
            groups.append([])
            filled = 0
        groups[-1].append(index)
        filled += size
    return (dataset.batch(group) for group in groups)


def evaluate(potential: Potential | RepeatedPotential, dataset: AtomicDataset) -> Evaluation:
    """Compares a potential with the labels of a data set, in float64 sums."""
    begin = time.perf_counter()
    said = predict(potential, dataset, stress=dataset.stressed)
    return compare(said, time.perf_counter() - begin)


def compare(said: Predictions, seconds: float = 0.0) -> Evaluation:
    """Errors of predictions against the labels of their systems."""
    result = Evaluation(SystemErrors(), {}, {}, said, seconds)
    for index, system in enumerate(said.systems):
        groups = [
            result.total,
            result.by_config_type.setdefault(system.config_type, SystemErrors()),
        ]
        for errors in groups:
            _add(errors, system, said, index)
        if system.forces is None:
            continue
        for number in np.unique(system.numbers):
            mine = system.numbers == number
            sums = result.by_element.setdefault(SYMBOLS[int(number)], ErrorSums())
            sums.add(said.forces[index][mine], system.forces[mine])
    return result


def _add(errors: SystemErrors, system: System, said: Predictions, index: int) -> None:
    if system.energy is not None:
        predicted, true = np.array([said.energies[index]]), np.array([system.energy])
        errors.energy.add(predicted, true)
        errors.energy_per_atom.add(predicted / len(system), true / len(system))
    if system.forces is not None:
        errors.forces.add(said.forces[index], system.forces)
    if system.stress is not None and said.stresses:
        errors.stress.add(said.stresses[index], system.stress)
