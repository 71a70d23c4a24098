"""Recorded evaluations of a potential give the ordinary numbers, whatever atoms or weights do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from schur.atoms.evaluator import Evaluator, Outcome
from schur.atoms.modelfile import build_potential
from schur.atoms.potential import Potential
from schur.atoms.system import System
from schur.models.mace import MACEConfig
from schur.models.nequip import NequIPConfig
from schur.models.registry import ModelConfig

CUTOFF = 3.0
CONFIGS: dict[str, ModelConfig] = {
    "mace": MACEConfig(
        hidden="4x0e + 4x1o", edge_lmax=2, cutoff=CUTOFF, radial_hidden=(8,), readout=4
    ),
    "mace by weights": MACEConfig(
        hidden="4x0e", edge_lmax=1, cutoff=CUTOFF, radial_hidden=(8,), envelope_on="weights"
    ),
    "mace density": MACEConfig(
        hidden="4x0e", edge_lmax=1, cutoff=CUTOFF, radial_hidden=(8,), interaction="density"
    ),
    "nequip": NequIPConfig(
        layers=2, lmax=1, features=(4, 3), cutoff=CUTOFF, radial_hidden=(8,), readout=(4,)
    ),
}


def build(config: ModelConfig, dtype: torch.dtype = torch.float64) -> Potential:
    potential = build_potential(config, (1, 8), (-1.0, -2.0), 4.0, 0.8, -0.1, 0, dtype)
    return potential.eval().requires_grad_(False)


def path(periodic: bool, steps: int = 12) -> list[System]:
    """Positions along a random walk."""
    generator = np.random.default_rng(0)
    cell = np.array([[4.2, 0, 0], [0.5, 4.4, 0], [0, -0.3, 4.6]]) if periodic else None
    grid = np.array([[x, y, z] for x in (0, 1.5) for y in (0, 1.5) for z in (0, 1.6)], dtype=float)
    numbers = [8, 1, 1, 8, 1, 1, 8, 1]
    positions = grid + generator.normal(0, 0.05, grid.shape)
    systems = []
    for _ in range(steps):
        positions = positions + generator.normal(0, 0.02, grid.shape)
        systems.append(System(numbers, positions, cell, periodic))
    return systems


def assert_alike(one: Outcome, two: Outcome, tolerance: float) -> None:
    assert one.energy == pytest.approx(two.energy, abs=10 * tolerance)
    np.testing.assert_allclose(one.energies, two.energies, rtol=0, atol=10 * tolerance)
    np.testing.assert_allclose(one.forces, two.forces, rtol=0, atol=tolerance)
    assert (one.stress is None) == (two.stress is None)
    if one.stress is not None and two.stress is not None:
        np.testing.assert_allclose(one.stress, two.stress, rtol=0, atol=tolerance)


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("periodic", [False, True])
def test_recordings_say_what_the_potential_says(name: str, periodic: bool) -> None:
    potential = build(CONFIGS[name])
    plain = Evaluator(potential, repeat=False)
    with_splines, exact = Evaluator(potential), Evaluator(potential, splines=False)
    for system in path(periodic):
        expected = plain(system, stress=periodic)
        assert_alike(with_splines(system, stress=periodic), expected, 1e-6)
        assert_alike(exact(system, stress=periodic), expected, 1e-11)
    assert exact._recordings and with_splines._recordings
    assert with_splines.splines == (name != "mace density")


def test_float32_stays_within_its_rounding() -> None:
    potential = build(CONFIGS["mace"], torch.float32)
    plain, fast = Evaluator(potential, repeat=False), Evaluator(potential)
    for system in path(True):
        expected = plain(system)
        assert_alike(fast(system), expected, 3e-5 * np.abs(expected.forces).max())
    assert fast._recordings


def test_pairs_leave_and_enter_the_cutoff_within_one_list() -> None:
    """A pair of atoms is drawn apart through the cutoff: one recording serves all the way."""
    potential = build(CONFIGS["mace"])
    plain, fast = Evaluator(potential, repeat=False), Evaluator(potential)
    for distance in np.linspace(2.5, 3.5, 21):
        system = System([8, 1, 1], [[0, 0, 0], [0.9, 0, 0], [0, 0, distance]])
        assert_alike(fast(system), plain(system), 1e-6)
    assert fast.lists_made == 1 and fast._recordings


def test_changed_weights_are_seen() -> None:
    potential = build(CONFIGS["mace"])
    fast = Evaluator(potential)
    systems = path(False)
    before = [fast(system) for system in systems][-1]
    with torch.no_grad():
        for parameter in potential.parameters():
            parameter.mul_(1.5)
    after = fast(systems[-1])
    assert_alike(after, Evaluator(potential, repeat=False)(systems[-1]), 1e-9)
    assert np.abs(after.forces - before.forces).max() > 1e-3


def test_atoms_on_top_of_each_other_get_the_ordinary_answer() -> None:
    potential = build(CONFIGS["mace"])
    fast = Evaluator(potential)
    for system in path(False):
        fast(system)
    collapsed = np.array(path(False)[-1].positions)
    collapsed[1] = collapsed[0]
    system = System(path(False)[-1].numbers, collapsed)
    assert_alike(fast(system), Evaluator(potential, repeat=False)(system), 1e-9)


def test_atoms_nearer_than_the_table_begins_get_the_exact_answer() -> None:
    potential = build(CONFIGS["mace"])
    fast = Evaluator(potential)
    for distance in (1.0, 0.99, 0.98, 0.05):
        pair = System([8, 1], [[0, 0, 0], [0, 0, distance]])
        assert_alike(fast(pair), Evaluator(potential, repeat=False)(pair), 1e-6)


class SeesTooFar(nn.Module):
    """A model for which pairs beyond the cutoff count."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones((), dtype=torch.float64))

    def forward(
        self, vectors: Tensor, species: Tensor, edge_index: Tensor, paired: bool = False
    ) -> Tensor:
        length = torch.linalg.vector_norm(vectors, dim=1)
        zero = length.new_zeros(len(species))
        return zero.index_add(0, edge_index[1], self.scale * length)


def test_a_model_that_sees_beyond_its_cutoff_is_not_recorded() -> None:
    potential = Potential(SeesTooFar(), (1, 8), (0.0, 0.0), cutoff=1.7)
    fast, plain = Evaluator(potential), Evaluator(potential, repeat=False)
    for system in path(False):
        assert_alike(fast(system), plain(system), 1e-12)
    assert not fast.repeat and not fast._recordings


def test_results_are_memory_of_their_own() -> None:
    fast = Evaluator(build(CONFIGS["mace"]))
    systems = path(False)
    for system in systems[:4]:
        fast(system)
    kept = fast(systems[4])
    copies = replace(kept, forces=kept.forces.copy(), energies=kept.energies.copy())
    fast(systems[5])
    assert np.array_equal(kept.forces, copies.forces)
    assert np.array_equal(kept.energies, copies.energies)
