"""Langevin dynamics samples the canonical ensemble; the semi-empirical method is read rightly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from schur.atoms.langevin import langevin
from schur.atoms.methods import chosen_method, single_point
from schur.atoms.sampling import Chain, isolated_atoms, run_chain, sample_molecule
from schur.atoms.structures import SMILES, first_structure
from schur.atoms.units import BOLTZMANN
from schur.errors import DataError, NumberError


def spring(positions: np.ndarray) -> tuple[float, np.ndarray]:
    return 2.5 * float((positions**2).sum()), -5.0 * positions


def spread(temperature: float, masses: np.ndarray, steps: int = 4000) -> float:
    """Mean square of positions on springs of 5 eV/Å^2, over many particles."""
    chain = langevin(
        spring,
        np.zeros((len(masses), 3)),
        masses,
        temperature=temperature,
        timestep=1.0,
        friction=0.05,
        generator=np.random.default_rng(0),
    )
    squares = [float((next(chain)[0] ** 2).mean()) for _ in range(steps)]
    return float(np.mean(squares[500:]))


@pytest.mark.parametrize("mass", [1.0, 12.0])
def test_equipartition(mass: float) -> None:
    """<x²> = kT / k, whatever the mass."""
    expected = BOLTZMANN * 500.0 / 5.0
    # 120 coordinates, some hundred independent samples of each: one percent.
    assert spread(500.0, np.full(40, mass)) == pytest.approx(expected, rel=0.04)


def test_the_measurement_tells_temperatures_apart() -> None:
    assert spread(550.0, np.full(40, 12.0)) > 1.05 * BOLTZMANN * 500.0 / 5.0


def test_dynamics_that_explode_stop() -> None:
    chain = langevin(
        lambda r: (float("nan"), r * np.nan),
        np.zeros((1, 3)),
        np.ones(1),
        temperature=300.0,
        timestep=1.0,
        friction=0.01,
        generator=np.random.default_rng(0),
    )
    with pytest.raises(NumberError, match="left the finite numbers"):
        next(chain)


WATER = ((0.0, 0.0, 0.0), (0.96, 0.0, 0.0), (-0.24, 0.93, 0.0))


def test_chain_repeats_and_its_forces_are_gradients() -> None:
    pytest.importorskip("tblite")
    chain = Chain((8, 1, 1), WATER, "GFN2-xTB", 300.0, 3, (0, 0), spacing=2, burn_in=2)
    first, second = run_chain(chain), run_chain(chain)
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert first["positions"].shape == (3, 3, 3)

    forces = single_point("GFN2-xTB", np.array([8, 1, 1]))
    position = first["positions"][0]
    direction = np.random.default_rng(0).standard_normal((3, 3))
    step = 1e-3
    slope = (forces(position + step * direction)[0] - forces(position - step * direction)[0]) / (
        2 * step
    )
    assert slope == pytest.approx(-float((first["forces"][0] * direction).sum()), rel=1e-4)


def test_sampled_molecule_is_a_data_set() -> None:
    pytest.importorskip("tblite")
    frames = sample_molecule("H2O", frames=3, temperatures=(300.0, 500.0))
    assert [frame.info["config_type"] for frame in frames] == [
        "isolated_atom",
        "isolated_atom",
        "300K",
        "300K",
        "500K",
    ]
    assert all("forces" in frame.arrays for frame in frames[2:])
    hydrogen, oxygen = isolated_atoms([1, 8], "GFN2-xTB")
    atoms = 2 * hydrogen.info["energy"] + oxygen.info["energy"]
    binding = frames[2].info["energy"] - atoms
    assert -20.0 < binding < -5.0


def test_unknown_molecule() -> None:
    pytest.importorskip("tblite")
    with pytest.raises(DataError, match="not known"):
        sample_molecule("unobtainium", frames=1)


def test_smiles_strings_of_the_table_are_those_molecules() -> None:
    assert first_structure("CCO").numbers.tolist().count(1) == 6
    for word in SMILES:
        assert len(first_structure(word).numbers) > 2
    with pytest.raises(DataError, match="structure file"):
        first_structure("no such thing")


def test_smiles_strings_beyond_the_table() -> None:
    pytest.importorskip("rdkit")
    caffeine = first_structure("CN1C=NC2=C1C(=O)N(C(=O)N2C)C")
    assert sorted(caffeine.numbers.tolist()) == sorted([6] * 8 + [1] * 10 + [7] * 4 + [8] * 2)


def test_any_calculator_samples_a_crystal_from_a_file(tmp_path: Path) -> None:
    """EMT of ASE on copper: the frames repeat, and a single point gives their energies again."""
    from ase.build import bulk

    bulk("Cu", cubic=True).write(tmp_path / "cu.extxyz")
    sampled = sample_molecule(
        str(tmp_path / "cu.extxyz"), frames=2, temperatures=(300.0,), method="emt"
    )
    atom, frame, _ = sampled
    assert atom.info["config_type"] == "isolated_atom" and len(frame.numbers) == 4
    assert frame.pbc == (True, True, True) and frame.cell is not None
    again = single_point("emt", frame.numbers, cell=frame.cell.tolist(), pbc=frame.pbc)
    energy, forces = again(frame.positions)
    assert energy == pytest.approx(frame.info["energy"], rel=1e-12)
    assert np.allclose(forces, frame.arrays["forces"], rtol=0, atol=1e-10)


def test_periodic_structures_take_gfn1() -> None:
    pytest.importorskip("tblite")
    assert chosen_method(None, True) == "GFN1-xTB"
    cell = (5.0 * np.eye(3)).tolist()
    argon = single_point("GFN1-xTB", np.array([18]), cell=cell, pbc=(True, True, True))
    alone = single_point("GFN1-xTB", np.array([18]))
    assert argon(np.zeros((1, 3)))[0] != alone(np.zeros((1, 3)))[0], "the images are felt"
    with pytest.raises(DataError, match="molecules only"):
        single_point("GFN2-xTB", np.array([18]), cell=cell, pbc=(True, True, True))


def test_unknown_calculator() -> None:
    with pytest.raises(DataError, match="no such calculator"):
        sample_molecule("H2O", frames=1, method="nonsense")
