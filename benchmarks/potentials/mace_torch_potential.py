"""mace-torch, eager, as its own calculator and training run it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import torch

torch.serialization.add_safe_globals([slice])  # e3nn 0.4 reads its constants with torch.load
from ase import Atoms  # noqa: E402
from e3nn import o3  # noqa: E402
from mace import data, modules  # noqa: E402
from mace.tools import AtomicNumberTable, torch_geometric  # noqa: E402

from benchmarks.potentials.contender import (  # noqa: E402
    DTYPES,
    PotentialContender,
    read_structures,
)

MODEL = "mace.model"
CUTOFF = 5.0  # Å
NEIGHBOURS = 20.0


class MACETorch(PotentialContender):
    """ScaleShiftMACE with its default radial network and readout, weights by a fixed seed."""

    packages = ("mace-torch", "e3nn", "torch")

    def __init__(self, spec: dict[str, Any], folder: Path) -> None:
        frames = read_structures(folder)
        super().__init__([len(frame["numbers"]) for frame in frames], spec["device"])
        logging.disable(logging.WARNING)
        elements = sorted({int(z) for frame in frames for z in frame["numbers"]})
        torch.set_default_dtype(torch.float64)
        self.model = _model(spec["settings"], elements)
        first = not (folder / MODEL).exists()
        if first:
            torch.save(self.model, folder / MODEL)
        self.model.to(self.device)
        self.batch = self._moved(_batch(frames, elements, torch.float64))
        if first:
            self.write_reference(folder)
        dtype = DTYPES[spec["dtype"]]
        torch.set_default_dtype(dtype)
        self.model = self.model.to(dtype)
        self.batch = self._moved(_batch(frames, elements, dtype))

    def _moved(self, batch: dict[str, Any]) -> dict[str, Any]:
        tensors = {k: v.to(self.device) for k, v in batch.items() if isinstance(v, torch.Tensor)}
        return batch | tensors

    def parameters(self) -> list[torch.nn.Parameter]:
        return list(self.model.parameters())

    def energies_and_forces(self, training: bool) -> tuple[torch.Tensor, torch.Tensor]:
        said = self.model(dict(self.batch), training=training, compute_force=True)
        return said["energy"], said["forces"]


def _model(settings: dict[str, Any], elements: list[int]) -> torch.nn.Module:
    torch.manual_seed(0)
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    return modules.ScaleShiftMACE(
        r_max=CUTOFF,
        num_bessel=8,
        num_polynomial_cutoff=5,
        max_ell=3,
        interaction_cls=block,
        interaction_cls_first=block,
        num_interactions=2,
        num_elements=len(elements),
        hidden_irreps=o3.Irreps(settings["hidden"]),
        MLP_irreps=o3.Irreps("16x0e"),
        atomic_energies=np.zeros(len(elements)),
        avg_num_neighbors=NEIGHBOURS,
        atomic_numbers=elements,
        correlation=3,
        gate=torch.nn.functional.silu,
        atomic_inter_scale=1.0,
        atomic_inter_shift=0.0,
    )


def _batch(frames: list[dict[str, np.ndarray]], elements: list[int], dtype: torch.dtype) -> Any:
    torch.set_default_dtype(dtype)
    table = AtomicNumberTable(elements)
    graphs = []
    for frame in frames:
        atoms = Atoms(frame["numbers"], frame["positions"], cell=frame.get("cell"))
        atoms.pbc = "cell" in frame
        config = data.config_from_atoms(atoms)
        graphs.append(data.AtomicData.from_config(config, z_table=table, cutoff=CUTOFF))
    loader = torch_geometric.dataloader.DataLoader(graphs, batch_size=len(graphs))
    return next(iter(loader)).to_dict()


def build(spec: dict[str, Any], folder: Path) -> PotentialContender:
    """The contender that a specification asks for."""
    return MACETorch(spec, folder)
