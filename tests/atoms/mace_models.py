"""Models that mace-torch wrote, and what it says of structures.

`tests/data/mace` was made by `tests/support/make_mace_models.py` with mace-torch 0.3.16.
"""

from __future__ import annotations

import json
import lzma
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from schur.atoms.batch import AtomicDataset
from schur.atoms.potential import Potential
from schur.atoms.system import System

FOLDER = Path(__file__).parents[1] / "data" / "mace"


@lru_cache
def reference(folder: Path = FOLDER) -> dict[str, Any]:
    """Structures, and answers by model and head."""
    return json.loads((folder / "reference.json").read_text(encoding="utf-8"))


def cases(folder: Path = FOLDER) -> list[tuple[str, str]]:
    """Every model with each of its heads."""
    models = reference(folder)["models"]
    return [(name, head) for name, heads in models.items() for head in heads]


def unpacked(name: str, into: Path, folder: Path = FOLDER) -> Path:
    """The file as torch.save wrote it."""
    path = into / f"{name}.model"
    path.write_bytes(lzma.decompress((folder / f"{name}.model.xz").read_bytes()))
    return path


@dataclass(frozen=True)
class Faults:
    """Largest differences from mace-torch, relative to the largest value of their kind.

    Energies are compared without the reference energies, which are large and trivially equal.
    """

    energy: float
    forces: float
    stress: float

    @property
    def worst(self) -> float:
        """The largest of them."""
        return max(self.energy, self.forces, self.stress)


def faults(potential: Potential, answers: list[dict[str, Any]], folder: Path = FOLDER) -> Faults:
    """How far a potential is from what mace-torch says of the structures."""
    structures = reference(folder)["systems"]
    dtype = next(potential.parameters()).dtype
    systems = [
        System(s["numbers"], s["positions"], s["cell"] if s["pbc"] else None, s["pbc"])
        for s in structures
    ]
    data = AtomicDataset(systems, potential.elements, potential.cutoff, dtype)
    said = potential(data.batch(range(len(systems))), stress=True)
    assert said.forces is not None and said.stresses is not None
    E0 = dict(zip(potential.elements, potential.reference, strict=True))
    base = np.array([sum(E0[z] for z in s["numbers"]) for s in structures])
    energies = np.array([answer["energy"] for answer in answers])
    forces = np.concatenate([answer["forces"] for answer in answers])
    crystals = [k for k, answer in enumerate(answers) if "stress" in answer]
    stresses = np.array([answers[k]["stress"] for k in crystals])
    return Faults(
        _relative(said.energies.numpy() - energies, energies - base),
        _relative(said.forces.numpy() - forces, forces),
        _relative(said.stresses.numpy()[crystals] - stresses, stresses),
    )


def _relative(difference: np.ndarray, values: np.ndarray) -> float:
    return float(np.abs(difference).max() / np.abs(values).max())


def saved(folder: Path, content: object) -> Path:
    """A file of torch.save with some content."""
    path = folder / "saved.model"
    torch.save(content, path)
    return path
