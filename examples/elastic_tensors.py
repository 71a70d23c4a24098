"""Elastic tensors of periodic trusses: an equivariant network against one of invariants.

Joints lie at random in a skewed cell and struts connect those that are close. The stiffness follows
from linear algebra: joints relax under a mean strain, and what is left of the energy is a Schur
complement. The network gives 6 x 6 matrices in Mandel form that turn with the truss and are
positive by construction, and below Voigt's bound where it is told. The same network with scalars
alone and 21 free outputs cannot turn what it says.

    python elastic_tensors.py            # under a minute
    python elastic_tensors.py --quick    # a few seconds
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from torch import Tensor

from schur.models.elasticity import ElasticityConfig, ElasticityNetwork
from schur.nn import Linear
from schur.reps.elasticity import mandel_basis, mandel_rotation
from schur.train.config import TrainingConfig
from schur.train.loop import Trainer
from schur.train.task import Loss

LONGEST = 1.6  # of a strut


@dataclass(frozen=True)
class Truss:
    """A cell of joints and struts, each strut in both directions, with its stiffness."""

    vectors: np.ndarray
    edges: np.ndarray
    joints: int
    volume: float
    stiffness: np.ndarray
    bound: np.ndarray

    def turned(self, R: np.ndarray) -> "Truss":
        """The same truss after a rotation."""
        Q = mandel_rotation(R)
        C, B = Q @ self.stiffness @ Q.T, Q @ self.bound @ Q.T
        return Truss(self.vectors @ R.T, self.edges, self.joints, self.volume, C, B)


def truss(rng: np.random.Generator, joints: int = 2) -> Truss:
    """Joints at random, not too close, and struts to all that are nearer than LONGEST."""
    cell = 1.3 * np.eye(3) + rng.uniform(-0.3, 0.3, (3, 3))
    while True:
        places = rng.uniform(0, 1, (joints, 3)) @ cell
        vectors, edges = struts(places, cell)
        if np.linalg.norm(vectors, axis=1).min() > 0.5:
            volume = abs(float(np.linalg.det(cell)))
            C, bound = homogenised(vectors, edges, joints, volume)
            return Truss(vectors, edges, joints, volume, C, bound)


def struts(places: np.ndarray, cell: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors and ends (sender, receiver); the second half is the first half reversed."""
    joints = np.arange(len(places))
    vectors, edges = [], []
    for shift in product(range(-2, 3), repeat=3):
        r = places[None] + np.array(shift) @ cell - places[:, None]  # [sender, receiver]
        # Each strut once: half of the images, and in the cell itself half of the pairs.
        once = shift > (0, 0, 0) if any(shift) else joints[:, None] < joints
        near = (np.linalg.norm(r, axis=-1) < LONGEST) & once
        vectors.append(r[near])
        edges.append(np.argwhere(near))
    r, ends = np.concatenate(vectors), np.concatenate(edges)
    return np.concatenate([r, -r]), np.concatenate([ends, ends[:, ::-1]]).T


def homogenised(
    vectors: np.ndarray, edges: np.ndarray, joints: int, volume: float
) -> tuple[np.ndarray, np.ndarray]:
    """Stiffness and Voigt's bound, in Mandel form, of struts with E A = 1.

    A strut of length L and direction n stretches by e = L n·ε n + n·(u_j - u_i) and stores
    e²/2L. In mean strain and moves of joints that is a quadratic form; the moves are eliminated.
    """
    half = vectors.shape[0] // 2
    length = np.linalg.norm(vectors[:half], axis=1)
    n = vectors[:half] / length[:, None]
    by_strain = length[:, None] * np.einsum("ei,aij,ej->ea", n, mandel_basis(), n)
    by_moves = np.zeros((half, joints, 3))
    rows = np.arange(half)
    np.add.at(by_moves, (rows, edges[1, :half]), n)
    np.add.at(by_moves, (rows, edges[0, :half]), -n)
    stretch = np.concatenate([by_strain, by_moves.reshape(half, -1)], 1) / length[:, None] ** 0.5
    form = stretch.T @ stretch / volume
    relaxed = form[:6, 6:] @ np.linalg.pinv(form[6:, 6:], rcond=1e-10) @ form[6:, :6]
    return form[:6, :6] - relaxed, form[:6, :6]


class Trusses:
    """Trusses joined into one graph, as the network reads them."""

    def __init__(self, cells: list[Truss]) -> None:
        counts = [cell.joints for cell in cells]
        starts = np.cumsum([0, *counts[:-1]])
        parts = []
        for reverse in (False, True):  # all struts, then all of them reversed
            for cell, start in zip(cells, starts, strict=True):
                half = len(cell.vectors) // 2
                part = slice(half, None) if reverse else slice(half)
                parts.append((cell.vectors[part], cell.edges[:, part] + start))
        r, edges = np.concatenate([r for r, _ in parts]), np.concatenate([e for _, e in parts], 1)
        self.vectors, self.edges = torch.tensor(r).float(), torch.tensor(edges)
        self.owner = torch.repeat_interleave(torch.arange(len(cells)), torch.tensor(counts))
        self.volumes = torch.tensor([cell.volume for cell in cells]).float()
        self.stiffness = torch.tensor(np.array([cell.stiffness for cell in cells])).float()
        self.bound = torch.tensor(np.array([cell.bound for cell in cells])).float()

    def say(self, network: ElasticityNetwork, bounded: bool = False) -> Tensor:
        """The stiffness of each, (cells, 6, 6)."""
        species = torch.zeros_like(self.owner)
        bound = self.bound if bounded else None
        return network(self.vectors, species, self.edges, self.owner, self.volumes, True, bound)

    def errors(self, network: ElasticityNetwork, bounded: bool = False) -> Tensor:
        """|C - C'| / |C| of each."""
        difference = (self.say(network, bounded) - self.stiffness).flatten(1).norm(dim=1)
        return difference / self.stiffness.flatten(1).norm(dim=1)


class Fit:
    """The task of the training loop: batches of trusses, and the squared relative error."""

    def __init__(
        self, network: ElasticityNetwork, train: list[Truss], valid: list[Truss], bounded: bool
    ) -> None:
        self.network, self.valid, self.bounded = network, Trusses(valid), bounded
        self.cells = [Trusses(train[k : k + 20]) for k in range(0, len(train), 20)]
        self.num_batches = len(self.cells)

    def batches(self, epoch: int, start: int) -> Iterable[Trusses]:
        """In an order of the epoch's own."""
        order = np.random.default_rng(epoch).permutation(self.num_batches)
        return (self.cells[k] for k in order[start:])

    def loss(self, batch: Trusses, stage: float) -> Loss:
        """The mean over a batch."""
        errors = batch.errors(self.network, self.bounded).square()
        return Loss(errors.mean(), errors.detach(), [f"truss {k}" for k in range(len(errors))])

    def validate(self) -> dict[str, int | float]:
        """The mean relative error on trusses that are not trained on."""
        with torch.no_grad():
            return {"score": float(self.valid.errors(self.network, self.bounded).mean())}


def trained(
    train: list[Truss], valid: list[Truss], epochs: int, free: bool, bounded: bool
) -> ElasticityNetwork:
    """A network after training; `free` for scalars alone and 21 free outputs."""
    torch.manual_seed(0)
    size = np.mean([np.trace(cell.stiffness) * cell.volume / cell.joints for cell in train]) / 6
    shape = ElasticityConfig(
        cutoff=2.5,
        lmax=0 if free else 4,
        order=None if free else 2,
        channels=32 if free else 8,
        scale=float(size),
    )
    neighbours = float(np.mean([len(cell.vectors) / cell.joints for cell in train]))
    network = ElasticityNetwork(shape, 1, neighbours)
    if free:
        network.readout = Linear(f"{shape.channels}x0e", "21x0e", biases=True)
        network.start_near_one()
    config = TrainingConfig(
        epochs=epochs,
        optimiser="adamw",
        learning_rate=0.03,
        ema_decay=0.9,
        validate_every=epochs,
    )
    Trainer(network, Fit(network, train, valid, bounded), config).run()
    return network


# Whether outputs are free, and whether the bound is told.
KINDS = {
    "equivariant": (False, False),
    "equivariant, bounded": (False, True),
    "invariant": (True, False),
}


def compare(cells: int, epochs: int, kinds: Iterable[str] = tuple(KINDS)) -> dict[str, float]:
    """Mean relative errors on trusses turned at random, none of which was trained on."""
    rng = np.random.default_rng(0)
    train, test = ([truss(rng) for _ in range(n)] for n in (cells, cells // 4))
    turned = [cell.turned(np.linalg.qr(rng.standard_normal((3, 3)))[0]) for cell in test]
    found = {}
    for name in kinds:
        free, bounded = KINDS[name]
        network = trained(train, test, epochs, free, bounded)
        with torch.no_grad():
            found[name] = float(Trusses(turned).errors(network, bounded).mean())
            found[f"{name}; not turned"] = float(Trusses(test).errors(network, bounded).mean())
    return found


if __name__ == "__main__":
    quick = "--quick" in sys.argv
    for name, error in compare(100 if quick else 400, 20 if quick else 50).items():
        print(f"{name:35} {100 * error:5.1f} % off")
