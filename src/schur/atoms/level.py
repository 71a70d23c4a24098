"""The constant of the energy, found at the end of a run."""

from __future__ import annotations

import numpy as np

from .batch import AtomicDataset
from .evaluate import predict
from .potential import Potential


def level(potential: Potential, dataset: AtomicDataset) -> float:
    """Move a potential's shift by the mean error of its energies per atom.

    Forces say nothing of a constant, and beside them it weighs too little in the loss for small
    steps to find it: a trained potential may be wrong by the same few meV everywhere. The change

        δ = Σ_s w_s (E_s - Ê_s) / N_s / Σ_s w_s

    is the one that the loss itself would have, given time.

    Args:
        potential: whose shift is moved.
        dataset: what it was trained on; frames without an energy count for nothing.

    Returns:
        δ in eV an atom.
    """
    known = [k for k, system in enumerate(dataset.systems) if system.energy is not None]
    weights = np.array([dataset.systems[k].weight for k in known])
    if not weights.sum() > 0:
        return 0.0
    said = np.array(predict(potential, dataset, forces=False).energies)[known]
    labels = np.array([dataset.systems[k].energy for k in known], dtype=np.float64)
    error = (labels - said) / dataset.sizes[known]
    change = float(np.average(error, weights=weights))
    potential.shift += change
    return change
