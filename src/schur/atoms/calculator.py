"""A potential as a calculator of ASE."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator as ASECalculator
from ase.calculators.calculator import all_changes

from ..errors import DataError
from ..train.device import choose_device
from .evaluator import Evaluator, Outcome
from .modelfile import load_potential
from .symmetric import voigt
from .system import System

_DTYPES = {"float32": torch.float32, "float64": torch.float64}


class Calculator(ASECalculator):
    """Energy, energies of atoms, forces and stress of a trained potential.

    Neighbour lists are kept with a skin and made anew only once an atom has moved by half of it.
    Arrays of the atoms are read and never written.

    Args:
        model: path of a model file, or several of them: their mean is the answer, and
            `results["energy_std"]` and `results["forces_std"]` say how far they differ.
        dtype: number type to compute in; that of the file by default.
        skin: Å.
        splines: whether a small system's radial networks may be read from tables; they are where
            that moves forces by no more than 1e-6 eV/Å, rounding apart (`Evaluator`).
        device: auto, cpu, cuda or cuda:N; see `schur.train.device`.

    Attributes:
        chosen: the device, and why.

    Raises:
        DataError: a file that is no model, or atoms of an element that it does not know.
        BackendError: a device that is not there.

    Example:
        >>> import tempfile
        >>> from schur.atoms.modelfile import build_potential, save_potential
        >>> from schur.models.mace import MACEConfig
        >>> shape = MACEConfig(hidden="2x0e", edge_lmax=1, correlation=1, layers=1)
        >>> untrained = build_potential(shape, (1,), (-13.6,), 1.0, 1.0, 0.0, 0, torch.float64)
        >>> path = tempfile.mkdtemp() + "/model.schur"
        >>> save_potential(path, untrained)
        >>> atoms = Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])
        >>> atoms.calc = Calculator(path)
        >>> atoms.get_forces().shape
        (2, 3)
    """

    implemented_properties = ["energy", "free_energy", "energies", "forces", "stress"]  # noqa: RUF012

    def __init__(
        self,
        model: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        dtype: Literal["float32", "float64"] | None = None,
        skin: float = 0.5,
        splines: bool = True,
        device: str = "auto",
    ) -> None:
        super().__init__()
        paths = [model] if isinstance(model, str | os.PathLike) else list(model)
        if not paths:
            raise DataError("a calculator needs a model", got="no file", expected="one or more")
        kind = None if dtype is None else _DTYPES[dtype]
        self.chosen = choose_device(device)
        self._members = [
            Evaluator(load_potential(path, kind, self.chosen.device), skin, splines=splines)
            for path in paths
        ]

    @property
    def potentials(self) -> list[torch.nn.Module]:
        """The potentials, one for each file."""
        return [member.potential for member in self._members]

    def check_state(self, atoms: Atoms, tol: float = 0.0) -> list[str]:
        """What has changed of all that a potential sees; without ASE's tolerances, and faster."""
        last = self.atoms
        if last is None:
            return list(all_changes)
        seen = {
            "positions": (last.positions, atoms.positions),
            "numbers": (last.numbers, atoms.numbers),
            "cell": (last.cell.array, atoms.cell.array),
            "pbc": (last.pbc, atoms.pbc),
        }
        return [name for name, (old, new) in seen.items() if not np.array_equal(old, new)]

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] = implemented_properties,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Fills `results`; called by ASE when something is asked for."""
        super().calculate(atoms, properties, system_changes)
        system = system_of(self.atoms)  # pyright: ignore[reportArgumentType]
        stress = "stress" in properties and bool(system.pbc.all())
        outcomes = [member(system, stress=stress) for member in self._members]
        self.results = self._joined(outcomes)

    def _joined(self, outcomes: list[Outcome]) -> dict[str, Any]:
        if len(outcomes) == 1:
            return _results(outcomes[0])
        energy = float(np.mean([o.energy for o in outcomes]))
        results: dict[str, Any] = {
            "energy": energy,
            "free_energy": energy,
            "energies": np.mean([o.energies for o in outcomes], axis=0),
            "forces": np.mean([o.forces for o in outcomes], axis=0),
        }
        stresses = [o.stress for o in outcomes if o.stress is not None]
        if stresses:
            results["stress"] = voigt(np.mean(stresses, axis=0))
        if len(outcomes) > 1:
            results["energy_std"] = float(np.std([o.energy for o in outcomes]))
            results["forces_std"] = np.std([o.forces for o in outcomes], axis=0)
        return results


def _results(outcome: Outcome) -> dict[str, Any]:
    results: dict[str, Any] = {
        "energy": outcome.energy,
        "free_energy": outcome.energy,
        "energies": outcome.energies,
        "forces": outcome.forces,
    }
    if outcome.stress is not None:
        results["stress"] = voigt(outcome.stress)
    return results


def system_of(atoms: Atoms) -> System:
    """ASE's atoms as a system without labels.

    Example:
        >>> system_of(Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])).formula
        'H2'
    """
    return System(
        atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc, origin="the structure"
    )
