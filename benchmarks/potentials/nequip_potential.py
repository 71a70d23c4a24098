"""The package nequip, eager and in its own compiled mode for training."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase.data import chemical_symbols
from nequip.data import AtomicDataDict, compute_neighborlist_, from_dict
from nequip.model import NequIPGNNModel
from nequip.utils.global_state import set_global_state

from benchmarks.potentials.contender import DTYPES, PotentialContender, read_structures
from benchmarks.problem import NotPossible

MODEL = "nequip.npz"
CUTOFF = 5.0  # Å
NEIGHBOURS = 20.0


class NequIPPackage(PotentialContender):
    """NequIPGNNModel, weights by a fixed seed."""

    packages = ("nequip", "e3nn", "torch")

    def __init__(self, spec: dict[str, Any], folder: Path) -> None:
        frames = read_structures(folder)
        super().__init__([len(frame["numbers"]) for frame in frames], spec["device"])
        mode = "compile" if spec["contender"].endswith("compiled") else "eager"
        if mode == "compile" and len(frames) == 1:
            raise NotPossible("runs a single structure eagerly, whatever the mode")
        logging.disable(logging.WARNING)
        set_global_state()
        elements = sorted({int(z) for frame in frames for z in frame["numbers"]})
        settings = {
            "seed": 0,
            "r_max": CUTOFF,
            "type_names": [chemical_symbols[z] for z in elements],
            "avg_num_neighbors": NEIGHBOURS,
            "per_type_energy_scales": 1.0,
            "per_type_energy_shifts": 0.0,
            **spec["settings"],
        }
        self.batch = {k: v.to(self.device) for k, v in _batch(frames, elements).items()}
        if not (folder / MODEL).exists():
            self.model = NequIPGNNModel(model_dtype="float64", **settings).to(self.device)
            _write(self.model, settings, elements, folder / MODEL)
            self.write_reference(folder)
        model = NequIPGNNModel(model_dtype=spec["dtype"], compile_mode=mode, **settings)
        with np.load(folder / MODEL) as file:
            kept = {key: torch.tensor(file[key]) for key in file.files if key != "settings"}
        # The same seed draws other numbers in another number type.
        own = dict(model.named_parameters())
        with torch.no_grad():
            for key, parameter in own.items():
                parameter.copy_(kept[key])
        self.model, self.dtype = model.to(self.device), DTYPES[spec["dtype"]]

    def parameters(self) -> list[torch.nn.Parameter]:
        return [p for p in self.model.parameters() if p.numel()]

    def energies_and_forces(self, training: bool) -> tuple[torch.Tensor, torch.Tensor]:
        self.model.train(training)
        said = self.model(dict(self.batch))
        return said[AtomicDataDict.TOTAL_ENERGY_KEY][:, 0], said[AtomicDataDict.FORCE_KEY]


def _batch(frames: list[dict[str, np.ndarray]], elements: list[int]) -> AtomicDataDict.Type:
    graphs = []
    for frame in frames:
        fields: dict[str, Any] = {
            "pos": frame["positions"],
            "atom_types": np.searchsorted(elements, frame["numbers"]),
        }
        if "cell" in frame:
            fields |= {"cell": frame["cell"], "pbc": True}
        graphs.append(compute_neighborlist_(from_dict(fields), CUTOFF))
    return AtomicDataDict.batched_from_list(graphs)


def _write(
    model: torch.nn.Module, settings: dict[str, Any], elements: list[int], path: Path
) -> None:
    arrays = {key: p.detach().cpu().numpy() for key, p in model.named_parameters()}
    arrays["settings"] = np.array(json.dumps(settings | {"elements": elements}))
    np.savez(path, allow_pickle=False, **arrays)


def build(spec: dict[str, Any], folder: Path) -> PotentialContender:
    """The contender that a specification asks for."""
    return NequIPPackage(spec, folder)
