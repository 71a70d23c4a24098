"""How exactly a model of any kind respects a symmetry: modules, functions and calculators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import BaseCalculator

from ..errors import DataError
from ..groups import O3, Group
from ..reps import Irreps, Representation
from ..train.audit import (
    Audit,
    Measured,
    audit_module,
    averaged,
    recorded_outputs,
    relative_error,
    transformed,
)
from .batch import AtomicDataset
from .evaluate import predict
from .potential import Potential
from .symmetry_check import MOTIONS, Motion, random_motion
from .system import System


def audit(model: Any, group: Group | None = None, **arguments: Any) -> Audit:
    """The equivariance error of any torch module, function, or ASE calculator, with error bars.

    A calculator, or a `Potential`, is tried on structures: `audit(calculator, systems=[...])`;
    see `audit_calculator` and `audit_potential`. Everything else is a function of tensors:
    `audit(model, group, rep_in=..., rep_out=...)`; see `schur.train.audit.audit_module`.

    Example:
        >>> from schur.groups import Lorentz
        >>> from schur.nn import EquivariantLinear
        >>> from schur.reps import Defining
        >>> v = Defining(Lorentz())
        >>> found = audit(EquivariantLinear(2 * v, v).double(), Lorentz())
        >>> found.total.value < 1e-14, list(found.elements)[:2]
        (True, ['generator 0', 'generator 1'])
    """
    if isinstance(model, BaseCalculator) or hasattr(model, "get_potential_energy"):
        return audit_calculator(model, **arguments)
    if isinstance(model, Potential):
        return audit_potential(model, **arguments)
    if group is None:
        raise DataError(
            "a function of tensors is audited under a group",
            expected="audit(model, group, rep_in=..., rep_out=...)",
        )
    return audit_module(model, group, **arguments)


def audit_calculator(
    calculator: Any, systems: Sequence[Atoms], samples: int = 4, seed: int = 0
) -> Audit:
    """The equivariance error of the forces, and the changes of the energy, of an ASE calculator.

    Each structure is turned, reflected, moved and re-ordered at random. Forces are compared as
    e² = Σ|F(g x) - g F(x)|² / Σ½(|F(g x)|² + |F(x)|²) over all structures, energies as changes in
    eV/atom; both with standard errors over structures and samples.

    Args:
        calculator: any calculator of ASE with energies and forces.
        systems: structures; they are copied.
        samples: how often each is moved in each way.
        seed: of the motions.

    Raises:
        DataError: no structures.

    Example:
        >>> from ase.build import molecule
        >>> from ase.calculators.emt import EMT
        >>> found = audit(EMT(), systems=[molecule("H2O"), molecule("CO2")], samples=2)
        >>> found.total.value < 1e-10
        True
    """

    def measure(atoms: Atoms) -> tuple[float, np.ndarray]:
        atoms.calc = calculator
        return float(atoms.get_potential_energy()), np.array(atoms.get_forces())

    frames = [atoms.copy() for atoms in systems]  # copies carry neither calculator nor results
    for atoms in frames:
        del atoms.constraints
    return _audited(frames, measure, samples, seed)


def audit_potential(
    potential: Potential, systems: Sequence[System], samples: int = 4, seed: int = 0
) -> Audit:
    """As `audit_calculator`, for a trained potential, and by layer.

    Layers are those that say their `rep_out` and have a row for each atom. They are compared
    under rotations and reflections.

    Args:
        potential: the potential.
        systems: structures of elements that it knows.
        samples: how often each is moved in each way.
        seed: of the motions.
    """

    def measure(atoms: Atoms) -> tuple[float, np.ndarray]:
        found = _predicted(potential, atoms)
        return found.energies[0], found.forces[0]

    frames = [_atoms(system) for system in systems]
    found = _audited(frames, measure, samples, seed)
    layers = _layers(potential, frames, samples, seed)
    return replace(found, layers=layers)


def _audited(
    frames: list[Atoms],
    measure: Callable[[Atoms], tuple[float, np.ndarray]],
    samples: int,
    seed: int,
) -> Audit:
    if not frames:
        raise DataError("an audit needs structures", got="none", expected="at least one")
    rng = np.random.default_rng(seed)
    before = [measure(atoms) for atoms in frames]
    elements: dict[str, Measured] = {}
    everything: list[tuple[np.ndarray, np.ndarray]] = []
    for kind in MOTIONS:
        forces, energies = [], []
        for atoms, (energy, force) in zip(frames, before, strict=True):
            for _ in range(samples):
                motion = random_motion(kind, len(atoms), rng)
                e, f = measure(_moved(atoms, motion))
                forces.append((f, motion.of_forces(force)))
                energies.append(abs(e - energy) / len(atoms))
        everything += forces
        elements[f"forces, {kind}"] = _compared(forces)
        elements[f"eV/atom, {kind}"] = averaged(energies)
    group, total = "motions, reflections and permutations", _compared(everything)
    return Audit(group, total, elements, measures="relative; energies in eV/atom")


def _compared(pairs: list[tuple[np.ndarray, np.ndarray]]) -> Measured:
    """Structures of different sizes as rows of one array."""
    rows = np.zeros((2, len(pairs), max(len(found) for found, _ in pairs), 3))
    for i, (found, expected) in enumerate(pairs):
        rows[0, i, : len(found)], rows[1, i, : len(found)] = found, expected
    return relative_error(torch.from_numpy(rows[0]), torch.from_numpy(rows[1]))


def _moved(atoms: Atoms, motion: Motion) -> Atoms:
    moved = atoms[motion.order]
    moved.positions = moved.positions @ motion.matrix.T + motion.shift
    moved.cell = np.asarray(atoms.cell) @ motion.matrix.T
    return moved


def _layers(
    potential: Potential, frames: list[Atoms], samples: int, seed: int
) -> dict[str, Measured]:
    known: dict[str, Representation] = {}
    for name, module in potential.named_modules():
        rep = getattr(module, "rep_out", None)
        if isinstance(rep, Irreps):
            known[name] = rep
    errors: dict[str, list[float]] = {}
    rng = np.random.default_rng(seed)
    for atoms in frames:
        before = _outputs(potential, known, atoms)
        for g in O3().sample(rng, samples):
            turned = _moved(atoms, Motion(g, np.zeros(3), np.arange(len(atoms))))
            after = _outputs(potential, known, turned)
            for name in before.keys() & after.keys():
                expected = transformed(before[name], known[name], g)
                errors.setdefault(name, []).append(relative_error(after[name], expected).value)
    return {name: averaged(errors[name]) for name in known if name in errors}


def _outputs(
    potential: Potential, known: dict[str, Representation], atoms: Atoms
) -> dict[str, torch.Tensor]:
    with recorded_outputs(potential, tuple(known)) as seen:
        _predicted(potential, atoms)
    # One row for each atom, or with those of the atoms alone that the potential adds.
    rows = (len(atoms), len(atoms) + len(potential.elements))
    # Rows that belong to edges come in another order for turned structures.
    return {
        name: x.cpu()
        for name, x in seen.items()
        if x.ndim == 2 and len(x) in rows and x.shape[1] == known[name].dim
    }


def _predicted(potential: Potential, atoms: Atoms) -> Any:
    dtype = next(potential.parameters()).dtype
    system = System(atoms.numbers, atoms.positions, np.asarray(atoms.cell), atoms.pbc)
    return predict(potential, AtomicDataset([system], potential.elements, potential.cutoff, dtype))


def _atoms(system: System) -> Atoms:
    return Atoms(system.numbers, system.positions, cell=system.cell, pbc=system.pbc)
