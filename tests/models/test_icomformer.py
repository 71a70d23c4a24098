"""iComFormer: one representation for every description of a crystal, and mirror images apart."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from ase.spacegroup import crystal as spacegroup_crystal

from schur.errors import DataError, ShapeError
from schur.models.crystal_graph import (
    CrystalGraph,
    crystal_graph,
    lattice_bases,
    primitive_cell,
)
from schur.models.icomformer import IComFormer, IComFormerConfig

CUTOFF = 4.0
Crystal = tuple[np.ndarray, np.ndarray, np.ndarray]


def model(angles: bool = True) -> IComFormer:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        shape = IComFormerConfig(cutoff=CUTOFF, layers=2, features=8, radial=6, angles=angles)
        return IComFormer(shape, 30.0).double().requires_grad_(False)


def represented(network: IComFormer, crystal: Crystal, cutoff: float = CUTOFF) -> np.ndarray:
    return network.represent([crystal_graph(*crystal, cutoff)])[0].numpy()


def gap(network: IComFormer, one: Crystal, other: Crystal, cutoff: float = CUTOFF) -> float:
    """Largest difference as a share of the largest number."""
    found = [represented(network, crystal, cutoff) for crystal in (one, other)]
    return float(np.abs(found[0] - found[1]).max() / np.abs(found[0]).max())


def quartz(group: int) -> Crystal:
    """α-quartz, right-handed (P3_121, 152) or left-handed (P3_221, 154)."""
    sign = 1 if group == 152 else -1
    sites = [(0.4697, 0.0, sign / 3), (0.4135, 0.2669, sign * 0.2142)]
    cell = [4.9134, 4.9134, 5.4052, 90, 90, 120]
    atoms = spacegroup_crystal(["Si", "O"], sites, spacegroup=group, cellpar=cell)
    return atoms.positions, atoms.numbers, np.array(atoms.cell)


def motif(cell: np.ndarray) -> Crystal:
    """Three atoms without symmetry in a cell; the same fractions in each."""
    fractions = np.array([[0.1, 0.2, 0.3], [0.6, 0.55, 0.9], [0.35, 0.8, 0.65]])
    return fractions @ cell, np.array([11, 17, 8]), cell


CRYSTALS = {"quartz": quartz(152), "cubic": motif(3.6 * np.eye(3))}


def described_otherwise(crystal: Crystal) -> dict[str, Crystal]:
    positions, numbers, cell = crystal
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    rotation *= np.linalg.det(rotation)
    order = rng.permutation(len(numbers))
    found: dict[str, Crystal] = {
        "rotated": (positions @ rotation.T, numbers, cell @ rotation.T),
        "translated": (positions + rng.uniform(-5, 5, 3), numbers, cell),
        "relabelled": (positions[order], numbers[order], cell),
    }
    for k in range(3):
        upper, lower = (np.triu(rng.integers(-1, 2, (3, 3)), 1) + np.eye(3) for _ in range(2))
        found[f"cell {k}"] = positions, numbers, (upper @ lower.T) @ cell
    shifts = np.array([[a, 0, c] for a in range(2) for c in range(3)]) @ cell
    many = (positions[None] + shifts[:, None]).reshape(-1, 3)
    found["2 x 1 x 3"] = many, np.tile(numbers, 6), np.diag([2, 1, 3]) @ cell
    return found


@pytest.mark.parametrize("name", CRYSTALS)
def test_one_representation_for_every_description(name: str) -> None:
    network, crystal = model(), CRYSTALS[name]
    for way, other in described_otherwise(crystal).items():
        assert gap(network, crystal, other) < 1e-9, way


def test_left_and_right_quartz() -> None:
    """The same distances throughout; a right-handed basis tells them apart."""
    right, left = quartz(152), quartz(154)
    assert len(right[1]) == len(left[1]) == 9
    assert gap(model(angles=False), right, left) < 1e-9
    assert gap(model(), right, left) > 1e-6
    mirrored = right[0] * [1, 1, -1], right[1], right[2] * [1, 1, -1]
    assert gap(model(), left, mirrored) < 1e-9


def test_layers_of_spheres_in_another_order() -> None:
    """Twelve equal distances in fcc and in hcp."""
    fcc = np.zeros((1, 3)), np.array([29]), 2.5 / 2**0.5 * (1 - np.eye(3))
    height = 2.5 * (8 / 3) ** 0.5
    cell = np.array([[2.5, 0, 0], [-1.25, 2.5 * 0.75**0.5, 0], [0, 0, height]])
    hcp = np.array([[0, 0, 0], [1 / 3, 2 / 3, 0.5]]) @ cell, np.array([29, 29]), cell
    assert gap(model(angles=False), fcc, hcp, 3.0) < 1e-9
    assert gap(model(), fcc, hcp, 3.0) > 1e-6


def test_continuous_where_lattice_vectors_tie() -> None:
    """A cube that is strained by ±ε: one choice of vectors jumps, the mean of all does not."""
    network = model()
    long, flat = (motif(np.diag([3.6, 3.6, 3.6 * (1 + strain)])) for strain in (1e-7, -1e-7))
    assert gap(network, long, flat) < 1e-5
    graph = crystal_graph(*motif(3.6 * np.eye(3)), CUTOFF)

    def only(k: int) -> CrystalGraph:
        return replace(graph, bases=graph.bases[k : k + 1], weights=torch.ones(1).double())

    choices = network.represent([only(k) for k in range(len(graph.bases))])
    assert float((choices - choices[0]).abs().max() / choices.abs().max()) > 1e-3


def test_weights_fall_to_zero_before_a_basis_is_left_out() -> None:
    """The mean over bases along a strain that takes the tie apart: half the step, half the change.

    A jump would be as large whatever the step.
    """
    changes = []
    for count in (61, 121):
        means = []
        for strain in np.linspace(0, 0.15, count):
            bases, weights = lattice_bases(np.diag([3.0, 3.0, 3.0 * (1 + strain)]))
            assert weights.sum() == pytest.approx(1) and (weights > 0).all()
            assert np.allclose(np.linalg.det(bases), 27 * (1 + strain))
            means.append((weights[:, None, None] * bases**2).sum(0))
        changes.append(np.abs(np.diff(np.array(means), axis=0)).max())
    assert changes[1] < 0.55 * changes[0]
    assert len(lattice_bases(np.diag([3.0, 3.0, 3.45]))[0]) == 8
    assert len(lattice_bases(3.0 * np.eye(3))[0]) == 24


def test_primitive_cells() -> None:
    """Conventional fcc, bcc and a salt; a moved atom makes the supercell its own."""
    corners = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0.0]])
    for places, numbers, kept in (
        (corners, [29] * 4, 1),
        (np.array([[0, 0, 0], [2, 2, 2.0]]), [26, 26], 1),
        (np.concatenate([corners, corners + 2]), [11] * 4 + [17] * 4, 2),
    ):
        found, _, cell = primitive_cell(places, np.array(numbers), 4.0 * np.eye(3))
        assert len(found) == kept
        assert abs(np.linalg.det(cell)) == pytest.approx(64 * kept / len(numbers))
    moved = corners + np.array([[0.01, 0, 0], [0, 0, 0], [0, 0, 0], [0, 0, 0]])
    assert len(primitive_cell(moved, np.array([29] * 4), 4.0 * np.eye(3))[0]) == 4


def test_it_can_be_trained() -> None:
    """Volume an atom of a few cells, by gradient descent."""
    cells = [motif(size * np.eye(3)) for size in (3.2, 3.5, 3.8)]
    graphs = [crystal_graph(*crystal, CUTOFF) for crystal in cells]
    wanted = torch.tensor([[-1.0], [0.0], [1.0]], dtype=torch.float64)
    network = model().requires_grad_(True)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.02)
    losses = []
    for _ in range(15):
        optimiser.zero_grad()
        loss = (network(graphs) - wanted).square().mean()
        loss.backward()
        losses.append(float(loss.detach()))
        optimiser.step()
    idle = [k for k, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle and losses[-1] < losses[0] / 4


def test_what_is_no_crystal() -> None:
    with pytest.raises(ShapeError, match="do not fit"):
        crystal_graph(np.zeros((2, 3)), np.array([1]), np.eye(3), 3.0)
    with pytest.raises(DataError, match="no volume"):
        crystal_graph(np.zeros((1, 3)), np.array([1]), np.diag([1.0, 1.0, 0.0]), 3.0)
    with pytest.raises(ShapeError, match="no crystal"):
        model()([])
