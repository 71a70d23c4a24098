"""How exactly a trained potential respects the symmetries of physics: measured, not assumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..groups import SO3
from .batch import AtomicDataset
from .evaluate import Predictions, predict
from .potential import Potential
from .system import System

_FAR = 10.0  # Å; systems are moved by about so much


MOTIONS = ("rotation", "reflection", "translation", "another order of the atoms")


@dataclass(frozen=True)
class Change:
    """Largest changes under one kind of motion.

    Args:
        energy: |E(g x) - E(x)| in eV.
        forces: |F(g x) - g F(x)| in eV/Å, of any component.
    """

    energy: float
    forces: float


@dataclass(frozen=True)
class SymmetryErrors:
    """What was found.

    Args:
        changes: the kind of motion in words, and what it changed.
        systems: how many systems were moved.
    """

    changes: dict[str, Change]
    systems: int

    @property
    def largest(self) -> Change:
        """The worst of all kinds."""
        found = self.changes.values()
        return Change(
            max((change.energy for change in found), default=0.0),
            max((change.forces for change in found), default=0.0),
        )


@dataclass(frozen=True)
class Motion:
    """x -> (x Q^T + t) in another order of the atoms."""

    matrix: np.ndarray
    shift: np.ndarray
    order: np.ndarray

    def of(self, system: System) -> System:
        """The moved system."""
        positions = (system.positions @ self.matrix.T + self.shift)[self.order]
        cell = system.cell @ self.matrix.T
        return System(system.numbers[self.order], positions, cell, system.pbc, origin=system.origin)

    def of_forces(self, forces: np.ndarray) -> np.ndarray:
        """Forces turned and ordered as the atoms."""
        return (forces @ self.matrix.T)[self.order]


def symmetry_errors(
    potential: Potential, systems: Sequence[System], seed: int = 0
) -> SymmetryErrors:
    """Moves each system at random in four ways and compares energies and forces.

    Args:
        potential: what is measured.
        systems: a few systems.
        seed: of the motions.

    Raises:
        DataError: an element that the potential does not know.
    """
    generator = np.random.default_rng(seed)
    before = _predict(potential, systems)
    changes = {}
    for name in MOTIONS:
        motions = [random_motion(name, len(system), generator) for system in systems]
        moved = [m.of(system) for m, system in zip(motions, systems, strict=True)]
        changes[name] = _change(before, _predict(potential, moved), motions)
    return SymmetryErrors(changes, len(systems))


def random_motion(kind: str, count: int, generator: np.random.Generator) -> Motion:
    """A motion of `count` atoms, of one of the kinds of `MOTIONS`."""
    matrix, shift, order = np.eye(3), np.zeros(3), np.arange(count)
    if kind == "rotation":
        matrix = SO3().sample(generator, 1)[0]
    elif kind == "reflection":
        matrix = -SO3().sample(generator, 1)[0]
    elif kind == "translation":
        shift = generator.normal(0, _FAR, 3)
    else:
        order = generator.permutation(count)
    return Motion(matrix, shift, order)


def _predict(potential: Potential, systems: Sequence[System]) -> Predictions:
    dtype = potential.dtype
    return predict(potential, AtomicDataset(systems, potential.elements, potential.cutoff, dtype))


def _change(before: Predictions, after: Predictions, motions: Sequence[Motion]) -> Change:
    energy = np.abs(np.array(after.energies) - np.array(before.energies)).max(initial=0.0)
    forces = [
        np.abs(a - m.of_forces(b)).max(initial=0.0)
        for a, b, m in zip(after.forces, before.forces, motions, strict=True)
    ]
    return Change(float(energy), float(max(forces, default=0.0)))
