"""Systems, E0, splits, batches, and the statistics a model starts from."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from schur.atoms.batch import AtomicDataset
from schur.atoms.census import Census
from schur.atoms.evaluate import batches_of_atoms
from schur.atoms.prepare import scale_and_shift
from schur.atoms.reference import reference_energies
from schur.atoms.split import split_systems
from schur.atoms.system import System
from schur.errors import DataError, NumberError, ShapeError


def molecule(numbers: list[int], seed: int = 0, **more: object) -> System:
    positions = np.random.default_rng(seed).uniform(0, 3, (len(numbers), 3))
    return System(numbers, positions, **more)  # pyright: ignore[reportArgumentType]


def test_systems_copy_and_lock_their_arrays() -> None:
    positions = np.zeros((1, 3))
    system = System([1], positions)
    positions[0, 0] = 5.0
    assert system.positions[0, 0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        system.positions[0, 0] = 1.0


def test_systems_refuse_what_does_not_fit() -> None:
    with pytest.raises(ShapeError, match=r"positions of a structure"):
        System([1, 1], np.zeros((1, 3)))
    with pytest.raises(NumberError, match="positions of here are not finite"):
        System([1], [[0, 0, np.nan]], origin="here")


def test_isolated_atoms_give_e0() -> None:
    atoms = [System([z], [[0, 0, 0]], energy=-10.0 * z) for z in (1, 8)]
    found = reference_energies([molecule([8, 1, 1], energy=-105.0)], atoms)
    assert found.values == {1: -10.0, 8: -80.0} and found.source == "isolated atoms"
    assert found.total(molecule([8, 1, 1])) == -100.0


def test_least_squares_recovers_exact_energies() -> None:
    compositions = [[1], [1, 1], [8, 1, 1], [8, 8], [8, 1]]
    systems = [molecule(c + c, energy=2 * sum(-3.0 * z for z in c)) for c in compositions]
    found = reference_energies(systems)
    assert found.values[1] == pytest.approx(-3.0, rel=1e-12)
    assert found.values[8] == pytest.approx(-24.0, rel=1e-12)
    assert "(least squares over 5 frames)" in found.describe()


def test_least_squares_of_one_composition_leaves_no_remainder() -> None:
    systems = [molecule([8, 1, 1], seed, energy=-105.0) for seed in range(3)]
    found = reference_energies(systems)
    assert found.total(systems[0]) == pytest.approx(-105.0, rel=1e-12)
    assert found.values[8] == pytest.approx(8 ** (7 / 3) * found.values[1], rel=1e-12)
    assert "do not determine it" in found.describe()


def test_least_squares_fills_in_beside_isolated_atoms() -> None:
    atom = System([1], [[0, 0, 0]], energy=-10.0)
    found = reference_energies([molecule([8, 1, 1], energy=-105.0)], [atom])
    assert found.values == pytest.approx({1: -10.0, 8: -85.0})


def test_contradicting_isolated_atoms() -> None:
    atoms = [System([1], [[0, 0, 0]], energy=e) for e in (-13.6, -0.5)]
    with pytest.raises(DataError, match="isolated atoms of H contradict"):
        reference_energies(atoms)


def test_split_is_disjoint_complete_and_repeats() -> None:
    systems = [molecule([1, 1], seed) for seed in range(30)]
    parts = split_systems(systems, valid=0.1, test=0.2, seed=3)
    assert (len(parts.train), len(parts.valid), len(parts.test)) == (21, 3, 6)
    ids = [id(s) for part in (parts.train, parts.valid, parts.test) for s in part]
    assert sorted(ids) == sorted(id(s) for s in systems)
    again = split_systems(systems, valid=0.1, test=0.2, seed=3)
    assert [id(s) for s in again.test] == [id(s) for s in parts.test]
    other = split_systems(systems, valid=0.1, test=0.2, seed=4)
    assert [id(s) for s in other.test] != [id(s) for s in parts.test]


def test_equal_frames_stay_together() -> None:
    systems = [molecule([1, 1], seed % 10) for seed in range(40)]
    for seed in range(5):
        parts = split_systems(systems, valid=0.1, test=0.2, seed=seed)
        train = {s.positions.tobytes() for s in parts.train}
        assert not train & {s.positions.tobytes() for s in [*parts.valid, *parts.test]}


def test_too_few_frames_to_split() -> None:
    with pytest.raises(DataError, match="too few"):
        split_systems([molecule([1, 1])] * 5, valid=0.1, test=0.1, seed=0)


def test_batches_hold_every_system_once() -> None:
    systems = [molecule([1] * n, n, energy=float(n)) for n in (1, 2, 3, 4, 5)]
    data = AtomicDataset(systems, (1,), 2.0, torch.float64)
    batches = list(data.batches(2, order=[4, 0, 3, 1, 2]))
    assert [b.energies.tolist() for b in batches] == [[5, 1], [4, 2], [3]]
    assert batches[1].system.tolist() == [0] * 4 + [1] * 2
    for batch in batches:
        senders, receivers = batch.edge_index
        assert torch.equal(batch.system[senders], batch.system[receivers])
        half = len(senders) // 2
        assert torch.equal(batch.edge_index[:, half:], batch.edge_index[:, :half].flip(0))
        assert torch.equal(batch.vectors[half:], -batch.vectors[:half])
    assert sum(b.num_systems for b in batches_of_atoms(data, 6)) == 5
    assert max(b.num_atoms for b in batches_of_atoms(data, 6)) <= 6


def test_unknown_labels_are_nan_and_unknown_elements_an_error() -> None:
    data = AtomicDataset([molecule([1, 1])], (1,), 2.0)
    assert data.batch([0]).energies.isnan().all() and data.batch([0]).forces.isnan().all()
    with pytest.raises(DataError, match="O"):
        AtomicDataset([molecule([8])], (1,), 2.0)


def test_scale_and_shift() -> None:
    forces = np.array([[0, 0, 3.0], [0, 0, -3.0]])
    systems = [molecule([1, 1], s, energy=-30.0 - s, forces=forces) for s in (1, 3)]
    reference = reference_energies(systems, [System([1], [[0, 0, 0]], energy=-14.0)])
    scale, shift = scale_and_shift(Census.of(systems), np.arange(2), reference)
    assert scale == pytest.approx(np.sqrt(3.0)) and shift == pytest.approx(-2.0)
