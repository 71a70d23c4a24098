"""FAENet: frames of edges, the average over them, one in turn, ties refused, and the formula."""

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
from schur.engine.recording import record
from schur.errors import NumberError
from schur.models.faenet import FAENet, FAENetConfig
from schur.nn.connected import first_connected
from schur.testing import random_orthogonal
from schur.train.config import TrainingConfig

CUTOFF, NEIGHBOURS = 4.0, 5.0
CONFIG = FAENetConfig(cutoff=CUTOFF, layers=2, features=5, edge_features=6, radial=4, readout=4)
EPS = torch.finfo(torch.float64).eps


def model_of(**settings: object) -> FAENet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = FAENet(CONFIG.model_copy(update=settings), 2, NEIGHBOURS)
    return model.double().eval().requires_grad_(False)


def edges_of(places: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors and indices of all pairs below the cutoff, paired as a batch has them."""
    half = torch.triu_indices(len(places), len(places), 1)
    half = half[:, (places[half[1]] - places[half[0]]).norm(dim=1) < CUTOFF]
    edges = torch.cat([half, half.flip(0)], 1)
    return places[edges[1]] - places[edges[0]], edges


def cloud(atoms: int = 6, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(atoms, 3, generator=generator, dtype=torch.float64)


def energies(model: FAENet, places: Tensor) -> Tensor:
    return model(*arguments(places), paired=True)


def arguments(places: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    vectors, edges = edges_of(places)
    return vectors, torch.arange(len(places)) % 2, edges


def change(model: FAENet, places: Tensor, other: Tensor) -> float:
    """As a share of the energies."""
    before = energies(model, places)
    return float((energies(model, other) - before).abs().max() / before.abs().max())


# --- the average is invariant, one frame is not ---------------------------------------------------


@pytest.mark.parametrize("group", ["O(3)", "SO(3)"])
def test_the_mean_over_frames_is_invariant_to_rounding(group: str) -> None:
    model, generator, places = model_of(group=group), torch.Generator().manual_seed(1), cloud()
    for _ in range(10):
        R = random_orthogonal(generator, proper=True)
        assert change(model, places, places @ R.T) < 4096 * EPS
    mirror = change(model, places, places * torch.tensor([1.0, 1.0, -1.0]))
    assert mirror < 4096 * EPS if group == "O(3)" else mirror > 1e-6


def test_one_frame_alone_depends_on_the_frame_and_their_mean_is_the_model() -> None:
    model, places = model_of(), cloud()
    exact = energies(model, places)
    model.train()
    each = torch.stack([energies(drawing(model, k), places) for k in range(8)])
    assert each.std(0).max() > 1e-2 * exact.abs().max()
    assert (each.mean(0) - exact).abs().max() < 64 * EPS * exact.abs().max()


def drawing(model: FAENet, frame: int) -> FAENet:
    """The model, about to evaluate this frame of a single system."""
    model._drawn = lambda first: torch.full((len(first),), frame)
    return model


def test_steps_of_training_draw_all_frames_alike() -> None:
    model, counts = model_of(), torch.zeros(5, 8)
    for _ in range(1000):
        next(model.readout.parameters()).add_(1e-4)
        drawn = model._drawn(torch.ones(5, dtype=torch.bool))
        assert (drawn == model._drawn(torch.ones(5, dtype=torch.bool))).all()
        counts[torch.arange(5), drawn] += 1
    assert (counts - 125).abs().max() < 5 * (1000 * 7 / 64) ** 0.5


def test_training_on_all_frames_is_evaluation() -> None:
    model, places = model_of(frames="all"), cloud()
    exact = energies(model, places)
    assert (energies(model.train(), places) == exact).all()


def test_validation_takes_all_frames_and_training_goes_on_with_one() -> None:
    config = CONFIG.model_copy(update={"frames": "one"})
    potential = build_potential(config, (1, 6), (0.0, 0.0), 5.0, 1.0, 0.0, 0, torch.float64)
    generator = np.random.default_rng(0)
    places, still = generator.normal(size=(4, 5, 3)), np.zeros((5, 3))
    systems = [System([1, 6, 1, 6, 1], x, energy=0.0, forces=still) for x in places]
    data = AtomicDataset(systems, (1, 6), CUTOFF, torch.float64)
    task = PotentialTask(potential, data, data, LossConfig(), TrainingConfig())
    found = task.validate()
    assert potential.training
    drawn = evaluate(potential, data).total.forces.rmse
    exact = evaluate(potential.eval(), data).total.forces.rmse
    assert found["forces_rmse"] == pytest.approx(1e3 * exact, rel=1e-9)
    assert abs(drawn - exact) > 1e-3 * exact


# --- systems --------------------------------------------------------------------------------------


def test_nodes_that_hang_together() -> None:
    generator = np.random.default_rng(0)
    for nodes, edges in ((1, 0), (7, 3), (40, 30), (200, 150)):
        index = torch.from_numpy(generator.integers(0, nodes, (2, edges)))
        reached = torch.eye(nodes, dtype=torch.bool)
        reached[index[0], index[1]] = reached[index[1], index[0]] = True
        for _ in range(9):
            reached = (reached.double() @ reached.double()) > 0
        found = first_connected(index, nodes, torch.ones(edges, dtype=torch.bool))
        assert ((found[:, None] == found[None]) == reached).all()
        assert (found <= torch.arange(nodes)).all() and (found[found] == found).all()
    order = torch.from_numpy(generator.permutation(500))  # a long way, in any order
    path, there = torch.stack([order[1:], order[:-1]]), torch.ones(499, dtype=torch.bool)
    assert (first_connected(path, 500, there) == 0).all()
    there[250] = False
    assert len(first_connected(path, 500, there).unique()) == 2


def test_a_recording_finds_other_systems_in_other_places() -> None:
    model, (vectors, species, edges) = model_of(), arguments(cloud(4))
    made = record(lambda v: model(v, species, edges, paired=True), vectors)
    far = vectors * 3.0  # where some pairs are beyond the cutoff
    assert (far.norm(dim=1) > CUTOFF).any()
    exact = model(far, species, edges, paired=True)
    assert (made(far) - exact).abs().max() < 64 * EPS * exact.abs().max()


def test_systems_without_a_common_edge_do_not_know_of_each_other() -> None:
    model, one, other = model_of(), cloud(6), cloud(4, 1)
    together = energies(model, torch.cat([one, other + 30.0]))
    alone = torch.cat([energies(model, one), energies(model, other)])
    assert (together - alone).abs().max() < 1024 * EPS * alone.abs().max()


def test_pairs_beyond_the_cutoff_join_nothing() -> None:
    """Neighbour lists hold some, and a batch may be filled up with them."""
    model, places = model_of(), torch.cat([cloud(5), cloud(4, 1) + 30.0])
    vectors, species, edges = arguments(places)
    half = len(vectors) // 2
    far, link = (places[5] - places[0])[None], torch.tensor([[0], [5]])
    more = torch.cat([vectors[:half], far, vectors[half:], -far])
    index = torch.cat([edges[:, :half], link, edges[:, half:], link.flip(0)], 1)
    exact = model(vectors, species, edges, paired=True)
    assert (model(more, species, index, paired=True) - exact).abs().max() < 64 * EPS


# --- ties -----------------------------------------------------------------------------------------

TETRAHEDRON = [[1.0, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]


def methane() -> Tensor:
    return torch.tensor([[0.0, 0, 0], *TETRAHEDRON], dtype=torch.float64)


def test_ties_are_refused_and_a_naive_average_depends_on_the_orientation() -> None:
    generator = torch.Generator().manual_seed(3)
    R = random_orthogonal(generator, proper=True)
    with pytest.raises(NumberError, match="not unique"):
        energies(model_of(), methane())
    naive = model_of(ties="accept")
    assert change(naive, methane(), methane() @ R.T) > 1e-3
    # A step: two atoms moved by 1e-4 Å in other ways, and the energy is another.
    near = [methane() + 1e-4 * cloud(5, seed) for seed in (1, 2)]
    assert change(model_of(), *near) > 1e-3
    assert change(model_of(), near[0], near[0] @ R.T) < 1e-9


@pytest.mark.parametrize(
    "places", [[[0.0, 0, 0], [0.3, 0.9, 1.2]], [[0.0, 0, 0], [0, 0, 1.1], [0, 0, 2.5]]]
)
def test_axes_that_no_atom_sees_may_be_any(places: list[list[float]]) -> None:
    """Atoms on a line: two second moments are zero, and the energy is exact."""
    line, generator = torch.tensor(places, dtype=torch.float64), torch.Generator().manual_seed(4)
    for _ in range(5):
        R = random_orthogonal(generator)
        assert change(model_of(), line, line @ R.T) < 4096 * EPS


# --- the network ----------------------------------------------------------------------------------


def test_the_model_is_its_formula() -> None:
    """Frames by numpy, sums over edges one by one, with the model's own networks."""
    model, places = model_of(), cloud(5)
    vectors, species, edges = arguments(places)
    length = vectors.norm(dim=1)
    f = model.envelope(length)
    C = torch.einsum("e,ea,eb->ab", f, vectors, vectors)
    U = torch.from_numpy(np.linalg.eigh(C.numpy())[1])
    total = torch.zeros(len(places), dtype=torch.float64)
    for signs in torch.cartesian_prod(*3 * [torch.tensor([1.0, -1.0], dtype=torch.float64)]):
        unit = (vectors @ (U * signs)) / length[:, None]
        four = torch.cat([torch.ones_like(unit[:, :1]), unit], 1)
        known = four[:, :, None] * (model.radial(length) * f[:, None])[:, None]
        e = model.geometry(known.flatten(1))
        h = model.embedding[species]
        for layer in model.interactions:
            sums = torch.zeros_like(h)
            for k, (j, i) in enumerate(edges.T.tolist()):
                mixed = layer.of_edge(e[k]) + layer.at_receiver(h[i]) + layer.at_sender(h[j])  # pyright: ignore[reportCallIssue]
                sums[i] += f[k] * layer.scale * torch.nn.functional.silu(mixed) * h[j]
            h = h + layer.update(torch.cat([h, sums], 1))  # pyright: ignore[reportCallIssue]
        total += model.readout(h)[:, 0] / 8
    exact = energies(model, places)
    assert (exact - total).abs().max() < 4096 * EPS * exact.abs().max()
    assert (model(vectors, species, edges) - exact).abs().max() < 64 * EPS * exact.abs().max()
