"""What one layer of TensorNet learns of angles, beside a network of distances of its size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.atoms.batch import AtomicDataset
from schur.atoms.evaluate import evaluate
from schur.atoms.loss import LossConfig
from schur.atoms.modelfile import build_potential
from schur.atoms.system import System
from schur.atoms.task import PotentialTask
from schur.models.egnn import EGNNConfig
from schur.models.registry import ModelConfig
from schur.models.tensornet import TensorNetConfig
from schur.train.config import TrainingConfig
from schur.train.loop import Trainer

CUTOFF, ATOMS, SILICON = 3.77, 8, 14
SIZES = {"radial": 8, "readout": 24, "cutoff": CUTOFF}
TENSORS = TensorNetConfig(layers=1, features=12, radial_hidden=(24,), **SIZES)
DISTANCES = EGNNConfig(layers=1, features=26, moving=False, **SIZES)


def stillinger_weber(places: Tensor) -> Tensor:
    """Energies of clusters of silicon, eV; Stillinger and Weber, Phys. Rev. B 31, 5262 (1985)."""
    sigma, epsilon = 2.0951, 2.1683
    r = (places[:, None] - places[:, :, None]) / sigma  # [cluster, i, j]: from i to j
    length = (r.square().sum(-1) + torch.eye(ATOMS)).sqrt() + 9 * torch.eye(ATOMS)
    inside = length < 1.8 - 1e-6
    beyond = torch.where(inside, length - 1.8, -1.0)
    pair = torch.where(inside, 0.6022245584 * length**-4 - 1, 0) * (1 / beyond).exp() * inside
    near, unit = (1.2 / beyond).exp() * inside, r / length[..., None]
    cosine = unit @ unit.mT  # [cluster, i, j, k]
    apart = 1 - torch.eye(ATOMS)
    triple = 21.0 * near[..., None] * near[:, :, None] * (cosine + 1 / 3) ** 2 * apart
    return epsilon * (7.049556277 * pair.sum((1, 2)) + triple.sum((1, 2, 3))) / 2


def clusters(count: int, seed: int) -> list[System]:
    """Shaken clusters a few steps downhill from random ones, no two atoms too close."""
    rng = np.random.default_rng(seed)
    places = []
    while len(places) < count:
        x = rng.normal(0, 1.8, (ATOMS, 3))
        if np.linalg.norm(x[:, None] - x + 9 * np.eye(ATOMS)[..., None], axis=-1).min() > 1.9:
            places.append(x)
    x = torch.tensor(np.array(places)).requires_grad_()
    for _ in range(30):
        force = -torch.autograd.grad(stillinger_weber(x).sum(), x)[0]
        step = 0.03 * force
        x = (x + step / (step.norm(dim=-1, keepdim=True) / 0.1).clamp(min=1)).detach()
        x.requires_grad_()
    x = (x + 0.1 * torch.from_numpy(rng.standard_normal(x.shape))).detach().requires_grad_()
    energies = stillinger_weber(x)
    forces = -torch.autograd.grad(energies.sum(), x)[0]
    numbers, labels = [SILICON] * ATOMS, energies.tolist()
    return [
        System(numbers, x[k].detach().numpy(), energy=labels[k], forces=forces[k].numpy())
        for k in range(count)
    ]


def force_mae(config: ModelConfig, train: list[System], test: list[System]) -> float:
    """eV/Å on the test set after a short training."""
    forces = np.concatenate([s.forces for s in train if s.forces is not None])
    mean = float(np.mean([s.energy for s in train if s.energy is not None])) / ATOMS
    scale = float(forces.std())
    potential = build_potential(config, (SILICON,), (0.0,), 5.0, scale, mean, 0, torch.float32)
    known, apart = (AtomicDataset(s, (SILICON,), CUTOFF, torch.float32) for s in (train, test))
    training = TrainingConfig(
        epochs=40, batch_size=10, learning_rate=0.02, validate_every=40, ema_decay=0.98
    )
    task = PotentialTask(potential, known, apart, LossConfig(), training)
    Trainer(potential, task, training).run()
    return evaluate(potential, apart).total.forces.mae


def size_of(config: ModelConfig) -> int:
    potential = build_potential(config, (SILICON,), (0.0,), 5.0, 1.0, 0.0, 0, torch.float32)
    return sum(p.numel() for p in potential.parameters())


def test_the_labels_are_those_of_the_published_potential() -> None:
    """A dimer at its published minimum of -ε, and a bent trimer against the formula by hand."""
    far = torch.arange(ATOMS)[:, None] * torch.tensor([50.0, 0, 0])
    dimer = far.clone()
    dimer[1] = torch.tensor([2.0951 * 2 ** (1 / 6), 0, 0])
    assert float(stillinger_weber(dimer[None].double())) == pytest.approx(-2.1683, rel=1e-6)


def test_one_layer_learns_angles_that_distances_do_not_tell() -> None:
    """Of as many parameters. Where energies depend on distances alone there is nothing to gain."""
    assert abs(size_of(TENSORS) / size_of(DISTANCES) - 1) < 0.03
    train, test = clusters(120, 0), clusters(120, 1)
    assert force_mae(TENSORS, train, test) < 0.75 * force_mae(DISTANCES, train, test)
