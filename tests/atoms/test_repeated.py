"""Batches of the same atoms: repetitions have the bits of the first; what is not repeated."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from schur.atoms.batch import AtomicDataset, Batch
from schur.atoms.loss import LossConfig, RepeatedLoss, potential_loss
from schur.atoms.modelfile import build_potential
from schur.atoms.potential import Potential
from schur.atoms.repeated import RepeatedBatches, RepeatedPotential, filled_up
from schur.atoms.system import System
from schur.engine import c_backend
from schur.models.mace import MACEConfig
from schur.models.registry import ModelConfig
from schur.models.tabulated import tabulated, with_children

from ..support.energy_shapes import SHAPES
from .toy import PairModel

pytestmark = pytest.mark.skipif(c_backend.missing() is not None, reason="no C compiler")
CUTOFF = 2.2


def frames(count: int, seed: int = 0) -> list[System]:
    """One molecule in slightly different shapes, so that the number of its pairs varies."""
    rng = np.random.default_rng(seed)
    numbers, base = [6, 1, 8, 1, 6, 1, 1], rng.uniform(0, 2.6, (7, 3))
    return [
        System(
            numbers,
            base + rng.normal(0, 0.15, base.shape),
            energy=float(rng.normal()),
            forces=rng.normal(size=base.shape),
            weight=float(rng.uniform(0.5, 2)),
        )
        for _ in range(count)
    ]


def mace(dtype: torch.dtype = torch.float64, **changes: object) -> Potential:
    shape = {"hidden": "4x0e+4x1o", "edge_lmax": 2, "correlation": 2, "cutoff": CUTOFF} | changes
    config = MACEConfig.model_validate(shape)
    return build_potential(config, (1, 6, 8), (0.0, 0.0, 0.0), 5.0, 1.0, 0.0, 0, dtype)


def gradient_of(potential: Potential, batch: Batch, stage: float) -> list[Tensor]:
    loss = potential_loss(potential, batch, LossConfig(), stage)
    return list(torch.autograd.grad(loss.total, list(potential.parameters())))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_repeated_losses_and_gradients_are_those_of_the_batch(dtype: torch.dtype) -> None:
    potential = mace(dtype)
    data = AtomicDataset(frames(12), (1, 6, 8), CUTOFF, dtype)
    repeated = RepeatedLoss(potential, LossConfig())
    rng = np.random.default_rng(1)
    numbers_of_pairs = set()
    for step in range(12):
        batch = data.batch(rng.permutation(12)[:4].tolist())
        numbers_of_pairs.add(len(batch.vectors))
        stage = step / 12
        said = repeated(batch, stage)
        expected = potential_loss(potential, batch, LossConfig(), stage)
        torch.testing.assert_close(said.samples, expected.samples.detach())
        assert said.gradients is not None
        eps = torch.finfo(dtype).eps
        for one, other in zip(said.gradients, gradient_of(potential, batch, stage), strict=True):
            assert one is not None
            torch.testing.assert_close(
                one, other, rtol=0, atol=500 * eps * float(other.abs().max())
            )
        with torch.no_grad():  # parameters are read where they stand
            for parameter in potential.parameters():
                parameter *= 1.01
    assert repeated._repeated._kept
    assert len(numbers_of_pairs) > 2


def test_a_repetition_has_the_bits_of_the_first_evaluation() -> None:
    potential = mace(torch.float32)
    data = AtomicDataset(frames(4), (1, 6, 8), CUTOFF, torch.float32)
    repeated = RepeatedLoss(potential, LossConfig())
    batch = data.batch([0, 1, 2])
    outcomes = []
    for _ in range(4):  # ordinary twice, recorded, repeated
        said = repeated(batch, 0.5)
        assert said.gradients is not None
        outcomes.append([said.total.clone(), *(g.clone() for g in said.gradients if g is not None)])
        said.gradients[0].mul_(3.0)  # as clipping does  # pyright: ignore[reportOptionalMemberAccess]
        repeated(data.batch([1, 2, 3]), 0.0)
    assert repeated._repeated._kept
    for outcome in outcomes[2:]:
        assert all(torch.equal(a, b) for a, b in zip(outcome, outcomes[1], strict=True))


def test_repeated_energies_and_forces() -> None:
    potential = mace()
    data = AtomicDataset(frames(10), (1, 6, 8), CUTOFF, torch.float64)
    repeated = RepeatedPotential(potential)
    kept = []
    for start in range(8):
        batch = data.batch([start, start + 1])
        said, expected = repeated(batch), potential(batch)
        kept.append((said.energies, expected.energies))
        torch.testing.assert_close(said.forces, expected.forces, rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(said.atom_energies, expected.atom_energies)
    for said, expected in kept:  # results are the caller's own
        torch.testing.assert_close(said, expected)


def test_splines_replace_networks_until_parameters_change() -> None:
    potential = mace()
    data = AtomicDataset(frames(10), (1, 6, 8), CUTOFF, torch.float64)
    repeated = RepeatedPotential(potential, splines=True)
    for start in range(8):
        batch = data.batch([start, start + 1])
        torch.testing.assert_close(
            repeated(batch).forces, potential(batch).forces, rtol=0, atol=1e-6
        )
    assert repeated._tables is not None
    with torch.no_grad():
        for parameter in potential.parameters():
            parameter *= 1.1
    for start in range(4):
        batch = data.batch([start, start + 1])
        torch.testing.assert_close(repeated(batch).forces, potential(batch).forces)
    assert not repeated.splines


def test_tables_that_move_forces_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    potential, other = mace(), mace()
    with torch.no_grad():
        for parameter in other.parameters():
            parameter *= 1.0 + 1e-5
    wrong = with_children(potential, model=tabulated(other.model, CUTOFF)[0])
    monkeypatch.setattr(Potential, "tabulated", lambda self: wrong)
    data = AtomicDataset(frames(10), (1, 6, 8), CUTOFF, torch.float64)
    repeated = RepeatedPotential(potential, splines=True)
    for start in range(6):
        batch = data.batch([start, start + 1])
        torch.testing.assert_close(repeated(batch).forces, potential(batch).forces)
    assert not repeated.splines


def test_filling_up_adds_nothing() -> None:
    potential = mace()
    batch = AtomicDataset(frames(2), (1, 6, 8), CUTOFF, torch.float64).batch([0, 1])
    filled = filled_up(batch, len(batch.vectors) // 2 + 17, CUTOFF)
    assert len(filled.vectors) == len(batch.vectors) + 34
    one, other = potential(batch), potential(filled)
    torch.testing.assert_close(one.forces, other.forces, rtol=1e-13, atol=1e-13)
    assert torch.equal(one.energies.round(decimals=12), other.energies.round(decimals=12))


class WithoutEnvelope(nn.Module):
    """Counts its edges: not smooth at the cutoff, and never to be recorded."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5, dtype=torch.float64))

    def forward(
        self, vectors: Tensor, species: Tensor, edge_index: Tensor, paired: bool = False
    ) -> Tensor:
        pair = torch.exp(-self.weight * vectors.square().sum(1)) + 0.1
        return pair.new_zeros(len(species)).index_add(0, edge_index[1], pair)


def test_a_model_that_feels_far_pairs_is_never_recorded() -> None:
    potential = Potential(WithoutEnvelope(), (1, 6, 8), (0.0, 0.0, 0.0), CUTOFF)
    data = AtomicDataset(frames(8), (1, 6, 8), CUTOFF, torch.float64)
    repeated = RepeatedBatches(potential, lambda batch: [potential(batch).energies])
    for _ in range(3):
        for start in range(4):
            batch = data.batch(range(start, start + 4))
            (said,) = repeated(batch)
            assert said is not None
            torch.testing.assert_close(said, potential(batch).energies, rtol=0, atol=0)
    assert not repeated.able


class Noisy(PairModel):
    def forward(
        self, vectors: Tensor, species: Tensor, edge_index: Tensor, paired: bool = False
    ) -> Tensor:
        near = nn.functional.dropout(super().forward(vectors, species, edge_index, paired), 0.5)
        return near


def test_chance_is_never_recorded() -> None:
    potential = Potential(Noisy(3, CUTOFF).double(), (1, 6, 8), (0.0,) * 3, CUTOFF)
    data = AtomicDataset(frames(6), (1, 6, 8), CUTOFF, torch.float64)
    repeated = RepeatedPotential(potential)
    said = {float(repeated(data.batch([0, 1])).energies[0]) for _ in range(20)}
    assert len(said) > 2


def test_other_atoms_and_new_memory_are_evaluated_anew() -> None:
    potential = mace()
    repeated = RepeatedPotential(potential)
    small = AtomicDataset(frames(4), (1, 6, 8), CUTOFF, torch.float64)
    swapped = [replace_numbers(system) for system in frames(4)]
    other = AtomicDataset(swapped, (1, 6, 8), CUTOFF, torch.float64)
    for _ in range(4):
        for data in (small, other):
            batch = data.batch([0, 1, 2])
            torch.testing.assert_close(repeated(batch).forces, potential(batch).forces)
    fresh = mace(hidden="4x0e+4x1o")
    with torch.no_grad():
        for old, new in zip(potential.parameters(), fresh.parameters(), strict=True):
            old.data = new + 0.1
    batch = small.batch([0, 1, 2])
    torch.testing.assert_close(repeated(batch).forces, potential(batch).forces)


@pytest.mark.parametrize("config", SHAPES, ids=lambda config: config.architecture)
def test_every_architecture_is_repeated_in_training(config: ModelConfig) -> None:
    config = config.model_copy(update={"cutoff": CUTOFF})
    potential = build_potential(config, (1, 6, 8), (0.0, 0.0, 0.0), 5.0, 1.0, 0.0, 0, torch.float32)
    potential.eval()  # without chance
    data = AtomicDataset(frames(2), (1, 6, 8), CUTOFF, torch.float32)
    batches = [data.batch([0]), data.batch([1])]
    repeated = RepeatedLoss(potential, LossConfig())
    for batch in batches * 3:
        said = repeated(batch, 0.0)
        assert said.gradients is not None
        expected = gradient_of(potential, batch, 0.0)
        for one, other in zip(said.gradients, expected, strict=True):
            scale = float(other.abs().max())
            torch.testing.assert_close(one, other, rtol=0, atol=4096 * 1.2e-7 * scale)
    assert repeated._repeated.able and repeated._repeated._kept


def replace_numbers(system: System) -> System:
    return replace(system, numbers=np.asarray(system.numbers)[::-1].copy())


def test_recordings_have_a_limit_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    potential = mace()
    data = AtomicDataset(frames(6), (1, 6, 8), CUTOFF, torch.float64)
    repeated = RepeatedPotential(potential)
    for _ in range(3):
        for size in range(1, 5):
            repeated(data.batch(range(size)))
    (batches,) = repeated._by_request.values()
    kept = len(batches._kept)
    assert kept > 2
    held = sum(each.nbytes for each in batches._kept.values())
    monkeypatch.setattr("schur.atoms.repeated._MEMORY", held)
    for _ in range(2):
        repeated(data.batch([0]))  # a small one: the oldest make room
    assert 0 < len(batches._kept) <= kept and batches.able
    # Where each pushes out the others before it is repeated, none is made any more.
    monkeypatch.setattr("schur.atoms.repeated._MEMORY", 1)
    for first in range(6):
        for _ in range(2):
            repeated(data.batch(np.roll(range(6), first).tolist()))
    assert not batches._kept and not batches.able
