"""What a potential's contender does, whatever package it is from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import torch

REFERENCE = "reference.npz"
DTYPES = {"float32": torch.float32, "float64": torch.float64}


class PotentialContender:
    """A potential with a batch of structures whose neighbour lists are made.

    Args:
        sizes: atoms of each structure.
        device: where everything is computed.
    """

    packages: tuple[str, ...] = ()

    def __init__(self, sizes: Sequence[int], device: str) -> None:
        self.device = torch.device(device)
        self.sizes = torch.tensor(sizes, dtype=torch.float64).to(self.device)

    def energies_and_forces(self, training: bool) -> tuple[torch.Tensor, torch.Tensor]:
        """Energies of structures and forces on atoms; `training` keeps the graph of both."""
        raise NotImplementedError

    def parameters(self) -> list[torch.nn.Parameter]:
        """What a training step differentiates by."""
        raise NotImplementedError

    def run(self, what: str) -> dict[str, np.ndarray]:
        """One pass to the end.

        `EF` gives energies and forces. `step` gives the loss Σ (E/atoms)² + mean F² and has its
        gradient by all parameters computed; an optimiser's own time is left out.
        """
        if what == "EF":
            energies, forces = self.energies_and_forces(training=False)
            return {"energies": _numpy(energies), "forces": _numpy(forces)}
        for parameter in self.parameters():
            parameter.grad = None
        loss = self.loss(*self.energies_and_forces(training=True))
        loss.backward()
        return {"loss": _numpy(loss)}

    def loss(self, energies: torch.Tensor, forces: torch.Tensor) -> torch.Tensor:
        """What a training step differentiates."""
        return (energies / self.sizes.to(energies.dtype)).square().sum() + forces.square().mean()

    def wait(self) -> None:
        """Until what was launched is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def peak_bytes(self, what: str) -> int | None:
        """Of a GPU's memory that tensors take at most in a pass; None on a CPU."""
        if self.device.type != "cuda":
            return None
        self.wait()
        torch.cuda.reset_peak_memory_stats(self.device)
        self.run(what)
        self.wait()
        return torch.cuda.max_memory_allocated(self.device)

    def write_reference(self, folder: Path) -> None:
        """Keeps what this contender says, for the others to be compared with."""
        np.savez(folder / REFERENCE, allow_pickle=False, **self.run("EF"), **self.run("step"))

    def versions(self) -> dict[str, str]:
        """Of the packages that matter."""
        return {package: metadata.version(package) for package in self.packages}


def errors(found: dict[str, np.ndarray], folder: Path) -> dict[str, float]:
    """Relative errors in the Euclidean norm; none where there is no reference."""
    if not (folder / REFERENCE).exists():
        return {}
    with np.load(folder / REFERENCE) as exact:
        return {
            name: float(np.linalg.norm(value - exact[name]) / np.linalg.norm(exact[name]))
            for name, value in found.items()
        }


def read_structures(folder: Path) -> list[dict[str, np.ndarray]]:
    """The batch that the parent wrote."""
    frames: list[dict[str, Any]] = json.loads((folder / "structures.json").read_text("utf-8"))
    return [{key: np.array(value) for key, value in frame.items()} for frame in frames]


def _numpy(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().cpu().numpy()
