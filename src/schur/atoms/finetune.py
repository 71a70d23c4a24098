"""A potential that goes on learning from new data."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import torch

from ..errors import DataError
from .batch import AtomicDataset
from .elements import SYMBOLS
from .evaluate import predict
from .modelfile import load_potential
from .potential import Potential
from .reference import composition
from .system import System


def start_from(
    path: str | os.PathLike[str], systems: Sequence[System], dtype: torch.dtype
) -> Potential:
    """A model file's potential, ready to be trained on new data.

    Parameters, scale and shift are kept. E0 moves to the level of the new energies, which may
    come from another method: by the smallest change δ(z) that solves

        min Σ_frames [ (E - E_model - Σ_i δ(z_i)) / N ]²

    Elements that the new data lack keep their E0.

    Args:
        path: a model file.
        systems: the new training set.
        dtype: number type to train in.

    Raises:
        DataError: no model file, or elements that the model does not know.
    """
    potential = load_potential(path, dtype)
    strange = sorted({int(z) for s in systems for z in s.numbers} - set(potential.elements))
    if strange:
        raise DataError(
            f"{os.fspath(path)} cannot be trained further on these data",
            got=f"elements {', '.join(SYMBOLS[z] for z in strange)} that it does not know",
            expected=f"elements among {', '.join(SYMBOLS[z] for z in potential.elements)}",
            remedy="train a new model, or leave those structures out",
        )
    labelled = [s for s in systems if s.energy is not None]
    change = _level(potential, labelled, dtype) if labelled else np.zeros(len(potential.elements))
    old = np.array(potential.reference)
    potential.reference = tuple((old + change).tolist())
    return potential.train().requires_grad_(True)


def _level(potential: Potential, systems: Sequence[System], dtype: torch.dtype) -> np.ndarray:
    data = AtomicDataset(systems, potential.elements, potential.cutoff, dtype)
    said = np.array(predict(potential, data, forces=False).energies)
    sizes = np.array([float(len(system)) for system in systems])
    rest = np.array([float(system.energy or 0.0) for system in systems]) - said
    counts = composition(systems, potential.elements)
    return np.linalg.lstsq(counts / sizes[:, None], rest / sizes, rcond=1e-8)[0]
