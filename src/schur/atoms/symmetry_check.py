"""How exactly a trained potential respects rotations: measured, not assumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .batch import AtomicDataset
from .evaluate import predict
from .potential import Potential
from .system import System


@dataclass(frozen=True)
class SymmetryErrors:
    """Largest changes under random rotations and inversions.

    Args:
        energy: |E(R x) - E(x)| in eV.
        forces: |F(R x) - R F(x)| in eV/Å.
        systems: how many systems were turned.
    """

    energy: float
    forces: float
    systems: int


def symmetry_errors(
    potential: Potential, systems: Sequence[System], seed: int = 0
) -> SymmetryErrors:
    """Turns each system by a random orthogonal matrix and compares.

    Args:
        potential: what is measured.
        systems: a few systems.
        seed: of the matrices.

    Raises:
        DataError: an element that the potential does not know.
    """
    generator = np.random.default_rng(seed)
    matrices = [np.linalg.qr(generator.standard_normal((3, 3)))[0] for _ in systems]
    turned = [
        System(s.numbers, s.positions @ m.T, s.cell @ m.T, s.pbc)
        for s, m in zip(systems, matrices, strict=True)
    ]
    dtype = next(potential.parameters()).dtype
    before, after = (
        predict(potential, AtomicDataset(group, potential.elements, potential.cutoff, dtype))
        for group in (systems, turned)
    )
    energy = np.abs(np.array(after.energies) - np.array(before.energies)).max(initial=0.0)
    forces = [
        np.abs(a - b @ m.T).max(initial=0.0)
        for a, b, m in zip(after.forces, before.forces, matrices, strict=True)
    ]
    return SymmetryErrors(float(energy), float(max(forces, default=0.0)), len(systems))
