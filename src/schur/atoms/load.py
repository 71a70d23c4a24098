"""A model file as a function of structures."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
from ase import Atoms

from ..train.device import choose_device
from .batch import AtomicDataset
from .calculator import system_of
from .evaluate import predict
from .evaluator import Outcome
from .modelfile import load_potential
from .potential import Potential
from .system import System

Structure = Atoms | System


class LoadedPotential:
    """Energies, forces and stresses of structures, one or many at a time.

    Args:
        potential: what is evaluated.
    """

    def __init__(self, potential: Potential) -> None:
        self.potential = potential

    def __call__(self, structures: Structure | Sequence[Structure]) -> Outcome | list[Outcome]:
        """One outcome for one structure, a list for several, in order.

        Stress is given for structures that repeat in all directions.

        Raises:
            DataError: an element that the potential does not know.
        """
        if isinstance(structures, Atoms | System):
            return self._all([structures])[0]
        return self._all(list(structures))

    def _all(self, structures: list[Structure]) -> list[Outcome]:
        systems = [s if isinstance(s, System) else system_of(s) for s in structures]
        dtype = self.potential.dtype
        dataset = AtomicDataset(systems, self.potential.elements, self.potential.cutoff, dtype)
        stress = any(system.pbc.all() for system in systems)
        said = predict(self.potential, dataset, stress=stress)
        return [
            Outcome(
                said.energies[k],
                np.asarray(said.atom_energies[k]),
                said.forces[k],
                said.stresses[k] if stress and system.pbc.all() else None,
            )
            for k, system in enumerate(systems)
        ]


def load(path: str | os.PathLike[str], device: str = "auto") -> LoadedPotential:
    """Reads a model file.

    Args:
        path: written by `schur train` or `schur convert`.
        device: auto, cpu, cuda or cuda:N; see `schur.train.device`.

    Raises:
        DataError: a file that is absent, cut off or no model.
        BackendError: a device that is not there.

    Example:
        >>> import tempfile, torch
        >>> from schur.atoms.modelfile import build_potential, save_potential
        >>> from schur.models.mace import MACEConfig
        >>> shape = MACEConfig(hidden="2x0e", edge_lmax=1, correlation=1, layers=1)
        >>> untrained = build_potential(shape, (1,), (-13.6,), 1.0, 1.0, 0.0, 0, torch.float64)
        >>> path = tempfile.mkdtemp() + "/model.schur"
        >>> save_potential(path, untrained)
        >>> load(path)(Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])).forces.shape
        (2, 3)
    """
    return LoadedPotential(load_potential(path, device=choose_device(device).device))
