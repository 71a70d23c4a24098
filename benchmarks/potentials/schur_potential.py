"""Schur, with the weights of the peer where the peer has written them.

Batches are evaluated as training and `schur eval` evaluate them: from the third one of the same
atoms on by repeating a recording, and energies and forces with splines of the distance in place of
radial networks, where that moves no force by more than 1e-6 eV/Å. On a GPU small batches are
repeated from a graph of launches, without splines.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.potentials.contender import DTYPES, PotentialContender, read_structures
from schur.atoms.batch import AtomicDataset, Batch
from schur.atoms.convert import convert_mace
from schur.atoms.modelfile import build_potential
from schur.atoms.potential import Potential
from schur.atoms.repeated import (
    Outputs,
    RepeatedBatches,
    RepeatedPotential,
    repeated_prediction,
)
from schur.atoms.system import System
from schur.models.mace import MACEConfig
from schur.models.nequip import NequIP, NequIPConfig
from schur.models.nequip_weights import weights_of_nequip

CUTOFF = 5.0  # Å
NEIGHBOURS = 20.0
# Evaluations before a batch is repeated from a recording; they count as the first run.
_WARM = 6


class SchurPotential(PotentialContender):
    """A potential and a batch of it."""

    packages = ("torch",)

    def __init__(self, spec: dict[str, Any], folder: Path) -> None:
        frames = read_structures(folder)
        super().__init__([len(frame["numbers"]) for frame in frames], spec["device"])
        elements = tuple(sorted({int(z) for frame in frames for z in frame["numbers"]}))
        dtype = DTYPES[spec["dtype"]]
        potential = _from_mace(folder) if spec["workload"] == "W10" else _from_nequip(folder)
        if potential is None:
            shape = _mace if spec["workload"] == "W10" else _nequip
            config = shape(spec["settings"])
            reference = (0.0,) * len(elements)
            potential = build_potential(
                config, elements, reference, NEIGHBOURS, 1.0, 0.0, 0, torch.float64
            )
        self.potential = potential.to(self.device, dtype).requires_grad_(True)
        systems = [System(f["numbers"], f["positions"], f.get("cell"), "cell" in f) for f in frames]
        data = AtomicDataset(systems, potential.elements, potential.cutoff, dtype)
        batch = data.batch(range(len(systems)))
        self.batch = batch.to(self.device, len(potential.elements))
        self._warm: set[str] = set()
        self._evaluated = RepeatedPotential(self.potential, splines=True)
        self._there = repeated_prediction(self.potential, forces=True, stress=False)
        self._differentiated = RepeatedBatches(self.potential, self._differentiate)

    def parameters(self) -> list[torch.nn.Parameter]:
        return list(self.potential.parameters())

    def energies_and_forces(self, training: bool) -> tuple[torch.Tensor, torch.Tensor]:
        if training:
            said = self.potential(self.batch, forces=True, differentiable=True)
        else:
            if self.device.type != "cpu":
                energies, _, forces, _ = self._repeated(self._there)
                assert energies is not None and forces is not None
                return energies, forces
            said = self._evaluated(self.batch)
        assert said.forces is not None
        return said.energies, said.forces

    def run(self, what: str) -> dict[str, np.ndarray]:
        for _ in range(0 if what in self._warm else _WARM):
            self._run(what)
        self._warm.add(what)
        return self._run(what)

    def _run(self, what: str) -> dict[str, np.ndarray]:
        if what == "EF":
            return super().run(what)
        loss, *gradients = self._repeated(self._differentiated)
        for parameter, gradient in zip(self.parameters(), gradients, strict=True):
            parameter.grad = gradient
        assert loss is not None
        return {"loss": loss.double().cpu().numpy()}

    def _repeated(self, function: RepeatedBatches) -> Outputs:
        """The batch lies on the device already, with its neighbours sorted: as in dynamics."""
        if self.device.type == "cpu":
            return function(self.batch)
        if not function.takes(len(self.batch.vectors) // 2):
            return function.function(self.batch)
        return function.of(("the batch",), self.batch)

    def _differentiate(self, batch: Batch) -> list[torch.Tensor | None]:
        said = self.potential(batch, forces=True, differentiable=True)
        loss = self.loss(said.energies, said.forces)
        return [loss.detach(), *torch.autograd.grad(loss, self.parameters(), allow_unused=True)]


def _mace(settings: dict[str, Any]) -> MACEConfig:
    return MACEConfig(cutoff=CUTOFF, hidden=settings["hidden"], radial_hidden=(64, 64, 64))


def _nequip(settings: dict[str, Any]) -> NequIPConfig:
    return NequIPConfig(
        cutoff=CUTOFF,
        layers=settings["num_layers"],
        lmax=settings["l_max"],
        parity=settings["parity"],
        features=tuple(settings["num_features"]),
    )


def _from_mace(folder: Path) -> Potential | None:
    path = folder / "mace.model"
    return convert_mace(path) if path.exists() else None


def _from_nequip(folder: Path) -> Potential | None:
    path = folder / "nequip.npz"
    if not path.exists():
        return None
    with np.load(path) as file:
        arrays = {key: torch.tensor(file[key]) for key in file.files if key != "settings"}
        settings = json.loads(str(file["settings"]))
    elements = settings["elements"]
    model = NequIP(_nequip(settings), len(elements), settings["avg_num_neighbors"]).double()
    model.load_state_dict(weights_of_nequip(arrays, model))
    return Potential(model, elements, [0.0] * len(elements), CUTOFF)


def build(spec: dict[str, Any], folder: Path) -> PotentialContender:
    """The contender that a specification asks for."""
    return SchurPotential(spec, folder)
