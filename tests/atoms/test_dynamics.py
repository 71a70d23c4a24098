"""Dynamics keeps its ensemble, writes what it did, and stops when it is no longer physical."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from ase.calculators.lj import LennardJones

from schur.atoms.dynamics import run_dynamics
from schur.atoms.dynamics_config import DynamicsConfig
from schur.atoms.physical import PhysicalWatch
from schur.atoms.sources import read_frames
from schur.errors import DataError, NumberError


class Springs(Calculator):
    """Atoms on springs around where they started; `fails_after` calls it raises."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def __init__(self, rest: np.ndarray, strength: float = 5.0, fails_after: int = 10**9) -> None:
        super().__init__()
        self.rest, self.strength, self.calls_left = rest.copy(), strength, fails_after

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: list[str] = all_changes,
    ) -> None:
        """Energy and forces."""
        super().calculate(atoms, properties or ["energy"], system_changes)
        self.calls_left -= 1
        if self.calls_left < 0:
            raise RuntimeError("the calculator broke")
        assert atoms is not None
        shift = atoms.positions - self.rest
        energy = 0.5 * self.strength * float((shift**2).sum())
        self.results = {"energy": energy, "forces": -self.strength * shift}


def atoms_on_springs(count: int = 20, **more: float) -> Atoms:
    rest = np.arange(3.0 * count).reshape(count, 3) * 2.0
    atoms = Atoms("Ar" * count, rest)
    atoms.calc = Springs(rest, **more)  # pyright: ignore[reportArgumentType]
    return atoms


def settings(**changes: object) -> DynamicsConfig:
    return DynamicsConfig.model_validate({"timestep": 5.0, "interval": 5, **changes})


def test_constant_energy(tmp_path: Path) -> None:
    result = run_dynamics(atoms_on_springs(), settings(ensemble="nve", steps=400), tmp_path)
    totals = np.array([row["total_eV"] for row in result.rows])
    kinetic = np.array([row["kinetic_eV"] for row in result.rows])
    assert np.ptp(totals) < 0.02 * np.ptp(kinetic)
    assert abs(result.drift()) * 2000.0 < 1e-3 * totals.mean()


@pytest.mark.parametrize("ensemble", ["langevin", "nose-hoover"])
def test_constant_temperature(tmp_path: Path, ensemble: str) -> None:
    config = settings(ensemble=ensemble, steps=3000, temperature=200.0, friction=0.02)
    result = run_dynamics(atoms_on_springs(), config, tmp_path)
    temperatures = [row["temperature_K"] for row in result.rows[100:]]
    # 60 coordinates and some hundred independent moments: a few percent.
    assert np.mean(temperatures) == pytest.approx(200.0, rel=0.12)


def test_what_is_written(tmp_path: Path) -> None:
    atoms = atoms_on_springs(3)
    before = atoms.positions.copy()
    result = run_dynamics(atoms, settings(steps=50), tmp_path)
    frames = list(read_frames(result.trajectory))
    rows = list(csv.DictReader(result.log.read_text().splitlines()))
    assert len(frames) == len(rows) == len(result.rows) == 11
    assert float(rows[-1]["time_fs"]) == frames[-1].info["time_fs"] == 250.0
    assert np.array_equal(atoms.positions, before), "the caller's atoms moved"
    again = run_dynamics(atoms, settings(steps=50), tmp_path)
    assert again.rows == result.rows


def test_constant_pressure(tmp_path: Path) -> None:
    from ase.build import bulk

    atoms = bulk("Ar", cubic=True, a=5.2).repeat((2, 2, 2))
    atoms.calc = LennardJones(sigma=3.4, epsilon=0.0103, rc=6.0)
    config = settings(
        ensemble="npt", steps=100, temperature=20.0, pressure=1.0, compressibility=0.4, damping=20.0
    )
    rows = run_dynamics(atoms, config, tmp_path).rows
    assert rows[-1]["volume_A3"] < 0.98 * rows[0]["volume_A3"]
    with pytest.raises(DataError, match="constant pressure needs a cell"):
        run_dynamics(atoms_on_springs(), config, tmp_path)


def test_failures_of_the_calculator_are_not_swallowed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="the calculator broke"):
        run_dynamics(atoms_on_springs(fails_after=20), settings(steps=100), tmp_path)
    assert len(list(read_frames(tmp_path / "trajectory.xyz"))) == 4


def test_unphysical_motion_stops(tmp_path: Path) -> None:
    with pytest.raises(NumberError, match=r"(?s)no longer physical.*K"):
        run_dynamics(atoms_on_springs(strength=-50.0), settings(steps=400), tmp_path)
    close = Atoms("H2", [[0, 0, 0], [0, 0, 0.3]])
    close.calc = Springs(close.positions)
    with pytest.raises(
        NumberError, match=r"(?s)start from is not.* 0 \(H\) and 1 \(H\) are 0\.30 Å"
    ):
        run_dynamics(close, settings(steps=5), tmp_path)
    (frame,) = read_frames(tmp_path / "stopped.xyz")
    assert np.array_equal(frame.positions, close.positions)


def test_an_explosion_between_two_looks_is_seen(tmp_path: Path) -> None:
    """The structure is looked at every 400 steps, its temperature more often."""
    config = settings(ensemble="nve", steps=400, interval=400)
    with pytest.raises(NumberError, match=r"(?s)after (50|100)\.0 fs.*K"):
        run_dynamics(atoms_on_springs(strength=-50.0), config, tmp_path)
    assert (tmp_path / "stopped.xyz").exists()


def test_numbers_that_are_not_finite_stop_with_the_frame_saved(tmp_path: Path) -> None:
    atoms = atoms_on_springs(3)

    class Broken(Springs):
        def calculate(self, *args: object, **more: object) -> None:
            super().calculate(*args, **more)  # pyright: ignore[reportArgumentType]
            if self.calls_left < 10**9 - 12:
                self.results["forces"] = np.full((3, 3), np.nan)

    atoms.calc = Broken(atoms.positions)
    with pytest.raises(NumberError, match="no longer physical"):
        run_dynamics(atoms, settings(steps=50), tmp_path)
    assert (tmp_path / "stopped.xyz").exists()


def test_exceptions_of_the_listener_are_not_swallowed(tmp_path: Path) -> None:
    def told(row: dict[str, float]) -> None:
        if row["time_fs"] > 60.0:
            raise KeyError("the listener broke")

    with pytest.raises(KeyError, match="the listener broke"):
        run_dynamics(atoms_on_springs(), settings(steps=50), tmp_path, told)


def stretched(numbers: str, places: list[float], moved: list[float]) -> tuple[Atoms, Atoms]:
    """Atoms on a line before and after."""
    before = Atoms(numbers, [[0, 0, z] for z in places])
    return before, Atoms(numbers, [[0, 0, z] for z in moved])


def test_a_broken_bond_is_seen_and_a_proton_may_change_its_partner() -> None:
    row = {"time_fs": 1.0, "temperature_K": 300.0}
    before, after = stretched("OHO", [0.0, 1.0, 2.5], [0.0, 1.25, 2.5])
    PhysicalWatch(before, 300.0).require(after, row)
    _, transferred = stretched("OHO", [0.0, 1.0, 2.5], [0.0, 1.7, 2.7])
    PhysicalWatch(before, 300.0).require(transferred, row)
    _, gone = stretched("OHO", [0.0, 1.0, 2.5], [0.0, 1.7, 5.0])
    with pytest.raises(NumberError, match=r"(?s)bond of atoms .* is 1\.70 Å long.*bonds=false"):
        PhysicalWatch(before, 300.0).require(gone, row)
    PhysicalWatch(before, 300.0, bonds=False).require(gone, row)
    metal, apart = stretched("CuCu", [0.0, 2.5], [0.0, 6.0])
    PhysicalWatch(metal, 300.0).require(apart, row)


def test_a_committee_that_disagrees_stops(tmp_path: Path) -> None:
    class Committee(Springs):
        def calculate(self, *args: object, **more: object) -> None:
            super().calculate(*args, **more)  # pyright: ignore[reportArgumentType]
            self.results["forces_std"] = 0.01 * np.abs(self.results["forces"])

    atoms = atoms_on_springs(3)
    atoms.calc = Committee(atoms.positions)
    result = run_dynamics(atoms, settings(steps=20), tmp_path)
    assert result.rows[-1]["force_deviation_eV_A"] > 0 and "committee" in result.summary()
    limit = 0.5 * max(row["force_deviation_eV_A"] for row in result.rows)
    with pytest.raises(NumberError, match="models of the committee disagree"):
        run_dynamics(atoms, settings(steps=20, max_deviation=limit), tmp_path)
    with pytest.raises(DataError, match="single model has no deviation"):
        run_dynamics(atoms_on_springs(), settings(steps=20, max_deviation=1.0), tmp_path)
