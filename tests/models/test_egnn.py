"""EGNN is that of the paper, in any dimension, and knows no more than distances."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import Tensor
from torch.nn.functional import silu

from schur.models.egnn import EGNN, EGNNConfig, EGNNLayer
from schur.nn.second_moment import second_moment_scale
from schur.tensors import Graph

from ..support.scripts import example

CUTOFF, NEIGHBOURS = 4.0, 3.0
CONFIG = EGNNConfig(cutoff=CUTOFF, layers=3, features=6, radial=4, readout=4, step=0.5)


def model_of(config: EGNNConfig = CONFIG) -> EGNN:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return EGNN(config, 2, NEIGHBOURS).double()


def cloud(dimension: int, atoms: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Places, species and the edges of all pairs, paired as a batch has them."""
    generator = torch.Generator().manual_seed(dimension)
    places = torch.randn(atoms, dimension, generator=generator, dtype=torch.float64)
    half = torch.triu_indices(atoms, atoms, 1)
    return places, torch.arange(atoms) % 2, torch.cat([half, half.flip(0)], 1)


def vectors_of(places: Tensor, edges: Tensor) -> Tensor:
    return places[edges[1]] - places[edges[0]]


def after_layers(model: EGNN, places: Tensor, species: Tensor, edges: Tensor) -> list[Tensor]:
    """Features, and the moved places."""
    vectors = vectors_of(places, edges)
    envelope = model.envelope(vectors.norm(dim=1))[:, None]
    features, moves = model.embedding[species], None
    for layer in model.layers:
        features, moves = layer(features, moves, vectors, envelope, Graph(edges, len(species)))
    assert moves is not None
    return [features.detach(), (places + moves).detach()]


@pytest.mark.parametrize("dimension", [2, 3, 5])
@pytest.mark.parametrize("improper", [False, True])
def test_coordinates_move_with_rotations_and_features_stay(dimension: int, improper: bool) -> None:
    model, (places, species, edges) = model_of(), cloud(dimension)
    generator = torch.Generator().manual_seed(1)
    R = torch.linalg.qr(torch.randn(dimension, dimension, generator=generator).double())[0]
    R[0] *= torch.linalg.det(R).sign() * (-1 if improper else 1)
    shift = torch.randn(dimension, generator=generator).double()
    order = torch.randperm(len(places), generator=generator)
    features, moved = after_layers(model, places, species, edges)
    again = after_layers(model, places[order] @ R.T + shift, species[order], edges)
    assert (again[0] - features[order]).abs().max() < 1e-12 * features.abs().max()
    assert (again[1] - (moved[order] @ R.T + shift)).abs().max() < 1e-12 * moved.abs().max()
    assert (moved - places).abs().max() > 0.01


def formulas(model: EGNN, places: Tensor, species: Tensor, edges: Tensor) -> Tensor:
    """The energies by the equations, edge by edge, with the model's matrices."""

    def network(net: torch.nn.Module, x: Tensor, gain: float = 1.0) -> Tensor:
        matrices = [p for _, p in sorted(net.named_parameters())]
        for k, matrix in enumerate(matrices):
            x = x @ matrix / len(matrix) ** 0.5
            if k < len(matrices) - 1:
                x = second_moment_scale(silu) * silu(x)
        return gain * x

    features, scale = model.embedding[species], second_moment_scale(silu)
    start, moved = places, places
    for layer in model.layers:
        assert isinstance(layer, EGNNLayer)
        total, pull = torch.zeros_like(features), torch.zeros_like(places)
        for j, i in edges.T.tolist():
            x = moved[i] - moved[j]
            near = model.envelope((start[i] - start[j]).norm())
            third = 3**-0.5
            mixed = network(layer.at_receiver, features[i], third)
            mixed = mixed + network(layer.at_sender, features[j], third)
            mixed = mixed + network(layer.of_distance, layer.radial(x.norm()), third)
            m = scale * silu(network(layer.message, scale * silu(mixed)))
            total[i] += near * m / NEIGHBOURS**0.5
            if layer.move is not None:
                step = model.config.step / NEIGHBOURS
                pull[i] += near * network(layer.move, m, step) * x / (1 + x @ x) ** 0.5
        moved = moved + pull
        features = features + network(layer.update, torch.cat([features, total], 1))
    return network(model.readout, features)[:, 0]


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("paired", [False, True])
def test_is_the_model_of_the_paper(dimension: int, paired: bool) -> None:
    model, (places, species, edges) = model_of(), cloud(dimension)
    with torch.no_grad():
        found = model(vectors_of(places, edges), species, edges, paired)
        expected = formulas(model, places, species, edges)
    assert (found - expected).abs().max() < 1e-13 * expected.abs().max()


def test_mirror_images_have_one_energy() -> None:
    """Whatever the weights: distances do not know left from right. Chiral energies need more."""
    places, _, edges = cloud(3, 4)
    species = torch.tensor([0, 1, 0, 1])
    mirrored = places * torch.tensor([1.0, 1.0, -1.0])
    volume = [torch.linalg.det(p[1:] - p[0]) for p in (places, mirrored)]
    assert volume[0] * volume[1] < -0.1  # the images are not the same by a rotation
    model = model_of()
    with torch.no_grad():
        one, other = (model(vectors_of(p, edges), species, edges) for p in (places, mirrored))
    assert (one - other).abs().max() < 1e-13 * one.abs().max()


def test_moves_are_bounded_however_far_the_atoms() -> None:
    """|Δu_i| ≤ (1/λ) Σ_j |φ_x|; without the division they would grow with the distance."""
    model = model_of(EGNNConfig(cutoff=1e6, layers=2, features=6, radial=4, step=0.5))
    places, species, edges = cloud(3)
    sizes = []
    for scale in (1e2, 1e4):
        moved = after_layers(model, scale * places, species, edges)[1]
        sizes.append(float((moved - scale * places).norm(dim=1).max()))
    assert max(sizes) < 10.0 and sizes[1] < 3 * sizes[0]


def test_without_moves_the_second_layer_sees_the_same_distances() -> None:
    model = model_of(CONFIG.model_copy(update={"moving": False}))
    assert not [name for name, _ in model.named_parameters() if "move" in name]


# --- charged particles ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def particles() -> Any:
    """The example as a module."""
    return example("charged_particles")


def test_trajectories_are_those_of_charges(particles: Any) -> None:
    """Of one system as scipy integrates it, and the centre of mass goes straight on."""
    given = particles.simulated(5, 0)
    drift = (given.places + given.velocities - given.later).mean(1)
    assert drift.abs().max() < 1e-5
    charges, x, v = (a[0].double().numpy() for a in (given.charges, given.places, given.velocities))

    def change(_: float, state: np.ndarray) -> np.ndarray:
        places, speed = state.reshape(2, 5, 3)
        force = np.zeros((5, 3))
        for i in range(5):
            for j in range(5):
                r = places[i] - places[j]
                force[i] += charges[i] * charges[j] * r / (r @ r + particles.SOFT) ** 1.5
        return np.concatenate([speed.ravel(), force.ravel()])

    end = solve_ivp(change, (0, 1), np.concatenate([x.ravel(), v.ravel()]), rtol=1e-8, atol=1e-8)
    found = end.y[:15, -1].reshape(5, 3)
    assert np.abs(found - given.later[0].numpy()).max() < 1e-3


def test_few_trajectories_teach_egnn_what_many_turned_ones_do_not_teach_a_plain_network(
    particles: Any,
) -> None:
    """3000 and 300 trajectories in the full example; here fewer, and less training."""
    found = particles.compare(500, 60)
    plain = found["plain, turned at random"]
    assert found["EGNN"] < 0.8 * plain and found["EGNN, a tenth of the data"] < plain
