"""The calculator agrees with the potential it wraps, whatever its neighbour lists do."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from ase import Atoms, units
from ase.md.verlet import VelocityVerlet

from schur.atoms.calculator import Calculator
from schur.atoms.evaluator import Outcome
from schur.atoms.load import load
from schur.atoms.modelfile import build_potential, load_potential, read_header, save_potential
from schur.errors import DataError
from schur.models.mace import MACEConfig

CONFIG = MACEConfig(hidden="4x0e + 4x1o", edge_lmax=2, cutoff=3.0, radial_hidden=(8,), readout=4)


def write_model(folder: Path, seed: int = 0) -> Path:
    potential = build_potential(
        CONFIG, (1, 8), (-13.6, -2041.0), 5.0, 0.8, -0.1, seed, torch.float64
    )
    path = folder / f"model{seed}.schur"
    save_potential(path, potential, {"note": "untrained"}, licence="MIT", citation="nobody")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


def water_box() -> Atoms:
    generator = np.random.default_rng(0)
    atoms = Atoms("OH2OH2", generator.uniform(0, 4, (6, 3)), cell=[4.2, 4.4, 4.6], pbc=True)
    atoms.rattle(0.1, rng=generator)
    return atoms


def test_forces_and_stress_are_derivatives_of_the_energy(model: Path) -> None:
    from ase.calculators.fd import calculate_numerical_forces, calculate_numerical_stress

    atoms = water_box()
    atoms.calc = Calculator(model)
    assert np.allclose(atoms.get_forces(), calculate_numerical_forces(atoms, 1e-4), atol=1e-5)
    stress = calculate_numerical_stress(atoms, 1e-5)
    assert np.allclose(atoms.get_stress(), stress, atol=1e-6 * np.abs(stress).max() + 1e-7)


def test_results_agree_with_load(model: Path) -> None:
    atoms = water_box()
    atoms.calc = Calculator(model)
    molecule = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    first, second = load(model)([atoms, molecule])  # pyright: ignore[reportGeneralTypeIssues]
    assert first.energy == pytest.approx(atoms.get_potential_energy(), rel=1e-13)
    assert first.energy == pytest.approx(atoms.get_potential_energies().sum(), rel=1e-13)
    assert np.allclose(first.forces, atoms.get_forces(), rtol=0, atol=1e-11)
    assert first.stress is not None and second.stress is None
    assert np.allclose(first.stress, atoms.get_stress(voigt=False), rtol=0, atol=1e-12)
    single = load(model)(molecule)
    assert isinstance(single, Outcome) and single.energy == pytest.approx(second.energy, rel=1e-13)


def test_list_with_a_skin_serves_until_atoms_have_moved(model: Path) -> None:
    """Along a path the answers are those of fresh lists, and few lists are made."""
    atoms, fresh = water_box(), water_box()
    atoms.calc, fresh.calc = Calculator(model, skin=0.6), Calculator(model, skin=0.0)
    step = np.random.default_rng(1).normal(0, 0.03, (6, 3))
    for _ in range(20):
        atoms.positions += step
        fresh.positions += step
        assert np.allclose(atoms.get_forces(), fresh.get_forces(), rtol=0, atol=1e-6)
    assert atoms.calc._members[0].lists_made < 8 < fresh.calc._members[0].lists_made


def test_a_new_cell_makes_a_new_list(model: Path) -> None:
    atoms, fresh = water_box(), water_box()
    atoms.calc = Calculator(model)
    atoms.get_forces()
    for changed in (atoms, fresh):
        changed.set_cell(1.3 * changed.cell.array)
    fresh.calc = Calculator(model)
    assert np.allclose(atoms.get_forces(), fresh.get_forces(), rtol=0, atol=1e-12)


def test_callers_state_is_untouched(model: Path) -> None:
    atoms = water_box()
    before = atoms.copy()
    dtype, seed = torch.get_default_dtype(), torch.get_rng_state()
    environment, numpy_seed = dict(os.environ), np.random.get_state(legacy=False)["state"]["key"]  # noqa: NPY002
    atoms.calc = Calculator(model, dtype="float32")
    atoms.get_forces()[:] = 0.0
    assert np.array_equal(atoms.positions, before.positions)
    assert torch.get_default_dtype() == dtype and torch.equal(torch.get_rng_state(), seed)
    assert dict(os.environ) == environment
    assert np.array_equal(np.random.get_state(legacy=False)["state"]["key"], numpy_seed)  # noqa: NPY002


def test_committee_says_how_far_its_members_differ(model: Path, tmp_path: Path) -> None:
    atoms = water_box()
    paths = [model, write_model(tmp_path, seed=1)]
    energies = []
    for path in paths:
        atoms.calc = Calculator(path)
        energies.append(atoms.get_potential_energy())
    atoms.calc = Calculator(paths)
    assert atoms.get_potential_energy() == pytest.approx(np.mean(energies), rel=1e-13)
    assert atoms.calc.results["energy_std"] == pytest.approx(np.std(energies), rel=1e-9)
    assert atoms.calc.results["forces_std"].shape == (6, 3)


def test_energy_is_conserved(model: Path) -> None:
    """200 fs of an untrained but smooth potential; the error of Verlet falls as dt²."""
    drifts = []
    for timestep in (0.5, 0.25):
        atoms = Atoms("OH2", [[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
        atoms.set_velocities(np.random.default_rng(0).normal(0, 0.02, (3, 3)))
        atoms.calc = Calculator(model)
        dynamics = VelocityVerlet(atoms, timestep * units.fs)
        energies = [atoms.get_total_energy()]
        for _ in range(40):
            dynamics.run(round(1 / timestep))
            energies.append(atoms.get_total_energy())
        drifts.append(np.ptp(energies))
    assert drifts[0] / drifts[1] == pytest.approx(4.0, rel=0.5)


def test_model_file_keeps_everything(model: Path) -> None:
    header = read_header(model)
    assert header["elements"] == [1, 8] and header["reference"] == [-13.6, -2041.0]
    assert header["licence"] == "MIT" and header["training"] == {"note": "untrained"}
    assert header["units"]["forces"] == "eV/Å" and header["dtype"] == "float64"
    potential = load_potential(model, torch.float32)
    assert next(potential.parameters()).dtype == torch.float32
    assert not any(p.requires_grad for p in potential.parameters())


def test_unusable_models_are_errors(model: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.schur"
    cut.write_bytes(model.read_bytes()[:-100])
    with pytest.raises(DataError, match="cannot be read"):
        Calculator(cut)
    atoms = Atoms("CO", [[0, 0, 0], [0, 0, 1.1]])
    atoms.calc = Calculator(model)
    with pytest.raises(DataError, match="elements that the model does not know"):
        atoms.get_potential_energy()
    with pytest.raises(DataError, match="needs a model"):
        Calculator([])
