"""Where charged particles will be: EGNN against a network that learns rotations from examples.

Five particles with charges ±1 move in their own field (Kipf et al. 2018; in space, Satorras et al.
2021). From places and velocities a network says the places one unit of time later. EGNN with
velocities (Satorras et al. 2021, equation 7) is built from `EGNNLayer`; the other network passes
messages of coordinates as they stand, and sees every trajectory turned at random in every step.

    python charged_particles.py            # some minutes
    python charged_particles.py --quick    # half a minute
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from schur.models.egnn import EGNNConfig, EGNNLayer
from schur.nn import RadialMLP
from schur.tensors import Graph
from schur.train.config import TrainingConfig
from schur.train.loop import Trainer
from schur.train.task import Loss

PARTICLES, WIDTH, BATCH = 5, 32, 100
SOFT = 0.1  # of 1 / (r² + SOFT): no collision is too fast for the step
STEPS = 200


@dataclass(frozen=True)
class Trajectories:
    """Charges (systems, 5), and places and velocities at first and places at last (…, 5, 3)."""

    charges: Tensor
    places: Tensor
    velocities: Tensor
    later: Tensor

    def __getitem__(self, rows: slice | Tensor) -> "Trajectories":
        return Trajectories(
            self.charges[rows], self.places[rows], self.velocities[rows], self.later[rows]
        )

    def turned(self, R: Tensor) -> "Trajectories":
        """Each by a rotation of its own, (systems, 3, 3)."""
        return Trajectories(self.charges, self.places @ R, self.velocities @ R, self.later @ R)


def simulated(count: int, seed: int) -> Trajectories:
    """Leapfrog for one unit of time."""
    rng = np.random.default_rng(seed)
    charges = rng.choice([-1.0, 1.0], (count, PARTICLES))
    start = x = rng.normal(0, 0.7, (count, PARTICLES, 3))
    begin = v = rng.normal(0, 0.5, (count, PARTICLES, 3))

    def acceleration(x: np.ndarray) -> np.ndarray:
        r = x[:, :, None] - x[:, None]
        strength = charges[:, :, None] * charges[:, None]
        return (strength[..., None] * r * ((r**2).sum(-1, keepdims=True) + SOFT) ** -1.5).sum(2)

    for _ in range(STEPS):
        v = v + 0.5 / STEPS * acceleration(x)
        x = x + v / STEPS
        v = v + 0.5 / STEPS * acceleration(x)
    return Trajectories(*(torch.tensor(array).float() for array in (charges, start, begin, x)))


def all_pairs(systems: int) -> Tensor:
    """Edges of each system, the second half the first half reversed."""
    half = torch.triu_indices(PARTICLES, PARTICLES, 1)
    half = (half[:, None] + PARTICLES * torch.arange(systems)[:, None]).flatten(1)
    return torch.cat([half, half.flip(0)], 1)


class Equivariant(nn.Module):
    """EGNN with velocities: each layer adds φ_v(h_i) v_i to the places before it moves them."""

    def __init__(self) -> None:
        super().__init__()
        config = EGNNConfig(cutoff=12.0, features=WIDTH, layers=3)
        self.charge = nn.Parameter(torch.randn(WIDTH))
        self.speed = RadialMLP([1, WIDTH, WIDTH])
        self.layers = nn.ModuleList(
            EGNNLayer(config, PARTICLES - 1.0, moving=True) for _ in range(config.layers)
        )
        self.drift = nn.ModuleList(RadialMLP([WIDTH, WIDTH, 1]) for _ in self.layers)

    def forward(self, given: Trajectories) -> Tensor:
        """The places at last."""
        edges = all_pairs(len(given.charges))
        x, v, charges = (a.flatten(0, 1) for a in (given.places, given.velocities, given.charges))
        vectors, one = x[edges[1]] - x[edges[0]], torch.ones(len(edges[0]) // 2, 1)
        features = charges[:, None] * self.charge + self.speed(v.norm(dim=1, keepdim=True))
        moves = v
        for layer, drift in zip(self.layers, self.drift, strict=True):
            moves = moves + drift(features) * v / len(self.layers)
            graph = Graph(edges, len(x), paired=True)
            features, moves = layer(features, moves, vectors, one, graph)
        return (x + moves).view_as(given.places)


class Plain(nn.Module):
    """Messages φ_e(h_i, h_j, x_i - x_j), features of charge and velocity, and a move from h."""

    def __init__(self) -> None:
        super().__init__()
        self.start = RadialMLP([4, WIDTH, WIDTH])
        self.message = nn.ModuleList(RadialMLP([2 * WIDTH + 3, WIDTH, WIDTH]) for _ in range(3))
        self.update = nn.ModuleList(RadialMLP([2 * WIDTH, WIDTH, WIDTH]) for _ in range(3))
        self.move = RadialMLP([WIDTH, WIDTH, 3], variance_out=0.01)

    def forward(self, given: Trajectories) -> Tensor:
        """The places at last."""
        senders, receivers = all_pairs(len(given.charges))
        x, v, charges = (a.flatten(0, 1) for a in (given.places, given.velocities, given.charges))
        h = self.start(torch.cat([charges[:, None], v], 1))
        for message, update in zip(self.message, self.update, strict=True):
            m = message(torch.cat([h[receivers], h[senders], x[receivers] - x[senders]], 1))
            total = torch.zeros_like(h).index_add(0, receivers, m) / (PARTICLES - 1) ** 0.5
            h = h + update(torch.cat([h, total], 1))
        return (x + v + self.move(h)).view_as(given.places)


class Fit:
    """The task of the training loop: the mean square error of the places."""

    def __init__(self, model: nn.Module, train: Trajectories, valid: Trajectories) -> None:
        self.model, self.train, self.valid = model, train, valid
        self.num_batches = -(-len(train.charges) // BATCH)

    def batches(self, epoch: int, start: int) -> Iterable[Trajectories]:
        """In an order of the epoch's own, and turned for the network that has to learn it."""
        generator = torch.Generator().manual_seed(epoch)
        order = torch.randperm(len(self.train.charges), generator=generator)
        for k in range(start, self.num_batches):
            batch = self.train[order[k * BATCH : (k + 1) * BATCH]]
            if isinstance(self.model, Plain):
                random = torch.randn(len(batch.charges), 3, 3, generator=generator)
                batch = batch.turned(torch.linalg.qr(random)[0])
            yield batch

    def loss(self, batch: Trajectories, stage: float) -> Loss:
        """The mean over a batch."""
        errors = (self.model(batch) - batch.later).square().mean((1, 2))
        return Loss(errors.mean(), errors.detach(), [f"system {k}" for k in range(len(errors))])

    def validate(self) -> dict[str, int | float]:
        """The same on trajectories that are not trained on."""
        with torch.no_grad():
            apart = self.model(self.valid) - self.valid.later
        return {"score": float(apart.square().mean())}


def error(model: nn.Module, train: Trajectories, test: Trajectories, steps: int) -> float:
    """Mean square error on the test set after so many steps of training."""
    task = Fit(model, train, test)
    epochs = steps // task.num_batches
    config = TrainingConfig(
        epochs=epochs, learning_rate=0.01, late_stage=1.0, validate_every=max(epochs, 1)
    )
    Trainer(model, task, config).run()
    return float(task.validate()["score"])


def compare(trajectories: int, steps: int) -> dict[str, float]:
    """Errors of both, of EGNN also with a tenth of the trajectories, and of going straight on."""
    train, test = simulated(trajectories, 0), simulated(500, 1)
    found = {"straight on": (test.places + test.velocities - test.later).square().mean().item()}
    for name, kind, count in (
        ("plain, turned at random", Plain, trajectories),
        ("EGNN", Equivariant, trajectories),
        ("EGNN, a tenth of the data", Equivariant, trajectories // 10),
    ):
        torch.manual_seed(0)
        found[name] = error(kind(), train[:count], test, steps)
    return found


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    for name, found in compare(*((1000, 300) if quick else (3000, 3000))).items():
        print(f"{name:28} {found:.4f}")
