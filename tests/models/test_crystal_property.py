"""Properties of crystals: the same for every description, and learnt by the training loop."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from schur.errors import DataError, ShapeError
from schur.models.crystal_graph import CrystalGraph, crystal_graph
from schur.models.crystal_property import CrystalProperty
from schur.models.ecomformer import EComFormer, EComFormerConfig

from ..support.scripts import example

CUTOFF = 4.0
Crystal = tuple[np.ndarray, np.ndarray, np.ndarray]


def network(**options: Any) -> CrystalProperty:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = EComFormerConfig(cutoff=CUTOFF, layers=2, features=4)
        model = EComFormer(shape, 2, 20.0).double()
    return CrystalProperty(model, (11, 17), **options).requires_grad_(False)


def salt(strain: float = 0.0) -> Crystal:
    cell = 3.9 * (np.eye(3) + strain * np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0.5]]))
    return np.array([[0.1, 0, 0], [0.5, 0.55, 0.45]]) @ cell, np.array([11, 17]), cell


def test_a_mean_over_atoms_is_the_same_for_every_description() -> None:
    positions, numbers, cell = salt(0.1)
    rng = np.random.default_rng(0)
    R = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    shifts = np.array([[a, 0, c] for a in range(2) for c in range(3)]) @ cell
    many = (positions[None] + shifts[:, None]).reshape(-1, 3)
    sheared = np.array([[1, 0, 0], [2, 1, 0], [0, 3, 1]]) @ cell
    ways: list[Crystal] = [
        (positions, numbers, cell),
        (positions @ R.T + 1.0, numbers, cell @ R.T),
        (positions[::-1].copy(), numbers[::-1].copy(), sheared),
        (many, np.tile(numbers, 6), np.diag([2, 1, 3]) @ cell),
    ]
    found = network()([crystal_graph(*way, CUTOFF) for way in ways])
    assert (found - found[0]).abs().max() < 1e-12 * found.abs().max()


def test_a_supercell_that_is_not_reduced_has_the_mean_of_its_cell() -> None:
    """The mean itself, with no help from the primitive cell: two copies side by side."""
    one = crystal_graph(*salt(), CUTOFF)
    two = CrystalGraph(
        one.numbers.repeat(2),
        one.vectors.repeat(2, 1),
        torch.cat([one.edge_index, one.edge_index + 2], 1),
        one.bases,
        one.weights,
    )
    say = network()
    assert (say([two]) - say([one])).abs() < 1e-13 * say([one]).abs()


def test_crystals_of_a_batch_know_nothing_of_each_other() -> None:
    graphs = [crystal_graph(*salt(strain), CUTOFF) for strain in (0.0, 0.1, 0.2)]
    say = network(scale=2.0, shift=3.0)
    found, alone = say(graphs), torch.cat([say([graph]) for graph in graphs])
    assert (found - alone).abs().max() < 1e-13 * alone.abs().max()
    assert (found - found[0]).abs()[1:].min() > 1e-3 * found.std()
    assert torch.allclose(found, 2.0 * network()(graphs) + 3.0, rtol=1e-14)


def test_what_is_no_crystal_of_its_elements() -> None:
    with pytest.raises(ShapeError, match="no crystal"):
        network()([])
    positions, _, cell = salt()
    with pytest.raises(DataError, match="does not know"):
        network()([crystal_graph(positions, np.array([11, 35]), cell, CUTOFF)])


def test_both_networks_learn_through_the_training_loop() -> None:
    found = example("crystal_properties").compare(20, 10, 15, features=8)
    for name in ("eComFormer, mean over atoms", "iComFormer"):
        assert found[name] < 0.9 * found["the mean"]
