"""Frames in training: against augmentation at equal cost, and one frame a step against all."""

from __future__ import annotations

import numpy as np
import torch
from ase.build import add_adsorbate, fcc111
from ase.calculators.emt import EMT
from torch import Tensor

from schur.nn.frames import Equivariant

from .clouds import generator

CHARGES = torch.tensor([1.0, -1.0, 2.0, -1.0, 0.5])


class Counted(torch.nn.Module):
    """A perceptron on flattened, if asked standardised, coordinates; it counts what it has seen."""

    def __init__(self, points: int, out: int, standard: bool = False) -> None:
        super().__init__()
        self.net = torch.nn.Sequential(
            torch.nn.Flatten(),
            torch.nn.BatchNorm1d(3 * points, affine=False) if standard else torch.nn.Identity(),
            torch.nn.Linear(3 * points, 64),
            torch.nn.SiLU(),
            torch.nn.Linear(64, 64),
            torch.nn.SiLU(),
            torch.nn.Linear(64, out),
        )
        self.seen = 0

    def forward(self, x: Tensor) -> Tensor:
        self.seen += len(x)
        return self.net(x)


def charged(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Five charged particles in space, and the forces on them."""
    x = torch.randn(count, 5, 3, generator=generator(seed))
    gap = x[:, :, None] - x[:, None]
    softened = ((gap**2).sum(-1, keepdim=True) + 0.5) ** 1.5
    return x, (CHARGES[:, None, None] * CHARGES[:, None] * gap / softened).sum(2)


def turns(count: int, source: torch.Generator) -> Tensor:
    """Elements of O(3), from Haar measure."""
    Q, upper = torch.linalg.qr(torch.randn(count, 3, 3, generator=source))
    return Q * upper.diagonal(dim1=-2, dim2=-1).sign()[:, None]


def force_error(frames: bool, seed: int, steps: int = 400) -> tuple[float, int]:
    """Mean square error on turned clouds, and how many the perceptron saw in training."""
    torch.manual_seed(seed)
    net = Counted(5, 15)

    def forces(x: Tensor) -> Tensor:
        return net(x).unflatten(1, (5, 3))

    model = Equivariant(forces, "E(3)", outputs="vectors") if frames else forces
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    source = generator(seed)
    x, f = charged(400, 10 + seed)
    for _ in range(steps):
        batch = torch.randint(len(x), (16,), generator=source)
        inputs, target = x[batch], f[batch]
        if not frames:  # as many turned copies as there are frames
            turned = turns(8 * 16, source)
            inputs, target = (a.repeat(8, 1, 1) @ turned for a in (inputs, target))
        optimiser.zero_grad()
        (model(inputs) - target).square().mean().backward()
        optimiser.step()
    cost = net.seen
    held, truth = charged(400, 10**6)
    turned = turns(400, source)
    with torch.no_grad():
        return float((model(held @ turned) - truth @ turned).square().mean()), cost


def test_frames_beat_augmentation_at_equal_cost() -> None:
    """The forces of charged particles from a perceptron: three seeds, as many evaluations."""
    for seed in range(3):
        averaged, cost = force_error(True, seed)
        augmented, same = force_error(False, seed)
        assert cost == same
        assert averaged < 0.8 * augmented


def slabs(count: int) -> tuple[Tensor, Tensor]:
    """Pieces of copper surface with an adatom, turned about z, and their energies in eV."""
    rng = np.random.default_rng(0)
    positions, energies = [], []
    for _ in range(count):
        atoms = fcc111("Cu", (2, 4, 2))
        atoms.pbc = False
        add_adsorbate(atoms, "Cu", rng.uniform(1.8, 2.6), position=rng.uniform(2, 3, 2))
        atoms.positions += 0.01 * rng.standard_normal(atoms.positions.shape)
        atoms.rotate(rng.uniform(0, 360), "z")
        atoms.calc = EMT()
        energies.append(atoms.get_potential_energy())
        positions.append(atoms.positions)
    y = torch.tensor(np.array(energies), dtype=torch.float32)
    return torch.tensor(np.array(positions), dtype=torch.float32), (y - y.mean())[:, None]


def test_one_frame_a_step_trains_as_well_at_a_quarter_of_the_cost() -> None:
    """Adatoms on copper: turns about z are the symmetries, so frames are those of the plane."""
    x, y = slabs(400)
    errors: dict[str, list[float]] = {"average": [], "stochastic": []}
    costs = {}
    for method, found in errors.items():
        for seed in range(2):
            torch.manual_seed(seed)
            net = Counted(x.shape[1], 1, standard=True)
            model = Equivariant(net, "E(2)", method, inputs="points + scalars")
            optimiser = torch.optim.Adam(net.parameters(), 5e-3)
            source = generator(seed)
            for _ in range(40):
                for batch in torch.randperm(300, generator=source).split(20):
                    optimiser.zero_grad()
                    (model(x[batch]) - y[batch]).square().mean().backward()
                    optimiser.step()
            costs[method] = net.seen
            model.eval()
            with torch.no_grad():
                found.append(float((model(x[300:]) - y[300:]).square().mean().sqrt()))
            assert model.report(x[300:]).frames == 4  # in evaluation all, and so invariant
    assert costs["average"] == 4 * costs["stochastic"]
    spread = float(y[300:].std())
    assert np.mean(errors["average"]) < 0.6 * spread
    assert np.mean(errors["stochastic"]) < 1.1 * np.mean(errors["average"])
