"""The constant of the energy: mean error nought afterwards, forces untouched."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from schur.atoms.batch import AtomicDataset
from schur.atoms.level import level
from schur.atoms.potential import Potential
from schur.atoms.system import System

from .toy import PairModel


def dataset(labelled: bool = True) -> AtomicDataset:
    rng = np.random.default_rng(0)
    systems = [
        System(
            rng.choice([1, 8], size),
            rng.uniform(0, 2.5, (size, 3)),
            energy=float(rng.normal(5)) if labelled and size != 3 else None,
            weight=float(rng.uniform(0.5, 2.0)),
        )
        for size in (2, 3, 4, 6)
    ]
    return AtomicDataset(systems, (1, 8), 2.0, torch.float64)


def test_the_weighted_mean_error_vanishes() -> None:
    potential = Potential(PairModel(2, 2.0).double(), (1, 8), (-1.0, -2.0), 2.0, shift=0.3)
    data = dataset()
    batch = data.batch(range(4))
    forces = potential(batch).forces
    change = level(potential, data)
    assert abs(change) > 0.1
    assert potential.shift == pytest.approx(0.3 + change)
    error = (potential(batch).energies - batch.energies) / batch.sizes
    known = ~torch.isnan(error)
    assert float((error * batch.weights)[known].sum()) == pytest.approx(0.0, abs=1e-12)
    assert torch.equal(potential(batch).forces, forces)
    assert level(potential, data) == pytest.approx(0.0, abs=1e-14)


def test_without_energies_nothing_moves() -> None:
    potential = Potential(PairModel(2, 2.0).double(), (1, 8), (-1.0, -2.0), 2.0)
    assert level(potential, dataset(labelled=False)) == 0.0
    assert potential.shift == 0.0
