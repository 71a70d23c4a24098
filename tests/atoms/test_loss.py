"""The loss of a potential against its formula, written out frame by frame in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from schur.atoms.batch import AtomicDataset
from schur.atoms.loss import LossConfig, potential_loss
from schur.atoms.potential import Potential
from schur.atoms.system import System

from .toy import PairModel

WEIGHTS = (1.0, 3.0, 0.5, 2.0)


def systems() -> list[System]:
    """Cells of two to five atoms; one lacks its energy, one its forces, one its stress."""
    rng = np.random.default_rng(3)
    found = []
    for index, weight in enumerate(WEIGHTS):
        atoms = 2 + index
        stress = rng.normal(0, 0.1, (3, 3))
        found.append(
            System(
                rng.choice([1, 8], atoms),
                rng.uniform(0, 3, (atoms, 3)),
                cell=4.0 * np.eye(3),
                pbc=True,
                energy=None if index == 1 else float(rng.normal(0, 3)),
                forces=None if index == 2 else rng.normal(0, 2, (atoms, 3)),
                stress=None if index == 3 else stress + stress.T,
                weight=weight,
            )
        )
    return found


def penalty(error: np.ndarray, config: LossConfig) -> float:
    """ρ of the class's formula."""
    if config.penalty == "norms":
        return float(np.sqrt((error**2).sum()))
    size = np.abs(error)
    if config.huber is not None:
        bent = config.huber * (2 * size - config.huber)
        return float(np.where(size > config.huber, bent, size**2).mean())
    return float((size**2).mean())


def by_formula(
    potential: Potential, data: AtomicDataset, config: LossConfig, weight: float
) -> float:
    """L, one frame after another."""
    total = 0.0
    for index, system in enumerate(data.systems):
        said = potential(data.batch([index]), forces=True, stress=True)
        assert said.forces is not None and said.stresses is not None
        loss = 0.0
        if system.energy is not None:
            error = (said.energies.numpy() - system.energy) / len(system)
            loss += weight * penalty(error, config)
        if system.forces is not None:
            rows = said.forces.numpy() - system.forces
            loss += config.forces * float(np.mean([penalty(row, config) for row in rows]))
        if system.stress is not None:
            loss += config.stress * penalty(said.stresses[0].numpy() - system.stress, config)
        total += system.weight * loss
    return total / len(data)


@pytest.mark.parametrize("stage", [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    "shape", [{}, {"huber": 0.3}, {"huber": 100.0}, {"penalty": "norms"}], ids=str
)
def test_the_loss_is_its_formula(shape: dict[str, object], stage: float) -> None:
    """Several energies, weights of frames, labels that are unknown."""
    settings = {"energy": 2.0, "forces": 0.7, "stress": 5.0, "late_energy": 32.0, **shape}
    config = LossConfig.model_validate(settings)
    model = PairModel(2, 1.9).double()
    potential = Potential(model, (1, 8), (-1.0, -2.0), 1.9)
    data = AtomicDataset(systems(), (1, 8), 1.9, torch.float64)
    loss = potential_loss(potential, data.batch(range(4)), config, stage)
    expected = by_formula(potential, data, config, 2.0 * 16.0**stage)
    # Sums of about a hundred terms.
    assert float(loss.total.detach()) == pytest.approx(expected, rel=100 * 2.0**-52)
    assert float(loss.samples.mean()) == pytest.approx(expected, rel=100 * 2.0**-52)
    loss.total.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())


def test_huber_bends_squares_alone() -> None:
    with pytest.raises(ValidationError, match="leave it out for norms"):
        LossConfig(penalty="norms", huber=0.1)


def test_energies_add_up_in_float64() -> None:
    """Total energies of thousands of eV in a float32 model: the loss still sees a meV."""
    system = System([1, 1], [[0, 0, 0], [0, 0, 3.0]], energy=-20000.001, forces=np.zeros((2, 3)))
    potential = Potential(PairModel(1, 1.9), (1,), (-10000.0,), 1.9)
    batch = AtomicDataset([system], (1,), 1.9, torch.float32).batch([0])
    loss = potential_loss(potential, batch, LossConfig(energy=1.0, forces=0.0), 0.0)
    assert float(loss.total.detach()) == pytest.approx((0.001 / 2) ** 2, rel=1e-6)
