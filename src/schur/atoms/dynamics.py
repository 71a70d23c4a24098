"""Molecular dynamics with a potential, through ASE, that stops when it stops being physical."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.nptberendsen import NPTBerendsen
from ase.md.verlet import VelocityVerlet
from pydantic import BaseModel, ConfigDict, Field

from ..errors import DataError, NumberError
from .extxyz import append_frame
from .frame import Frame
from .neighbours import neighbour_list
from .system import System
from .units import GIGAPASCAL

Ensemble = Literal["nve", "langevin", "nose-hoover", "npt"]

_TOO_CLOSE = 0.5  # Å
_TOO_HOT = 10.0  # times the temperature that was asked for, and 1000 K more


class DynamicsConfig(BaseModel):
    """How a system moves.

    Args:
        ensemble: nve, langevin, nose-hoover, or npt (Berendsen's barostat).
        temperature: K; of the first velocities too.
        timestep: fs.
        steps: number of steps.
        friction: 1/fs, of langevin.
        damping: fs, of nose-hoover and npt.
        pressure: GPa, of npt.
        compressibility: 1/GPa, of npt.
        interval: steps between frames of the trajectory and lines of the log.
        seed: of velocities and noise.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    ensemble: Ensemble = "langevin"
    temperature: float = Field(default=300.0, gt=0)
    timestep: float = Field(default=0.5, gt=0)
    steps: int = Field(default=1000, ge=1)
    friction: float = Field(default=0.01, gt=0)
    damping: float = Field(default=100.0, gt=0)
    pressure: float = 0.0
    compressibility: float = Field(default=0.05, gt=0)
    interval: int = Field(default=20, ge=1)
    seed: int = Field(default=0, ge=0)


@dataclass(frozen=True)
class DynamicsResult:
    """Rows of the log: time in fs, energies in eV, temperature in K, and where it was written."""

    rows: list[dict[str, float]]
    trajectory: Path
    log: Path

    def drift(self) -> float:
        """Slope of the total energy, eV/fs, by least squares."""
        times = np.array([row["time_fs"] for row in self.rows])
        energies = np.array([row["total_eV"] for row in self.rows])
        return float(np.polyfit(times, energies, 1)[0]) if len(times) > 1 else 0.0


def run_dynamics(
    atoms: Atoms,
    config: DynamicsConfig,
    directory: Path,
    told: Callable[[dict[str, float]], None] | None = None,
) -> DynamicsResult:
    """Moves a copy of the atoms; writes `trajectory.xyz` and `dynamics.csv`.

    Every interval the structure is looked at; what is written up to the moment of a failure stays.

    Args:
        atoms: with a calculator.
        config: ensemble and length.
        directory: made where it does not exist.
        told: gets each row of the log.

    Raises:
        NumberError: atoms too close, a temperature far off, or numbers that are not finite.
        DataError: npt without a periodic cell.
    """
    directory.mkdir(parents=True, exist_ok=True)
    moving = atoms.copy()
    moving.calc = atoms.calc
    generator = np.random.default_rng(config.seed)
    draw_velocities(moving, config.temperature, generator)
    dynamics = _integrator(moving, config, generator)
    trajectory, log = directory / "trajectory.xyz", directory / "dynamics.csv"
    trajectory.write_text("")
    rows: list[dict[str, float]] = []
    with open(log, "w", newline="", encoding="utf-8") as stream:
        writer: csv.DictWriter[str] | None = None
        for done in range(0, config.steps + 1, config.interval):
            if done:
                dynamics.run(config.interval)
            row = _row(moving, done * config.timestep)
            if writer is None:
                writer = csv.DictWriter(stream, fieldnames=list(row))
                writer.writeheader()
            writer.writerow({key: f"{value:.10g}" for key, value in row.items()})
            stream.flush()
            append_frame(trajectory, _frame(moving, row))
            rows.append(row)
            if told is not None:
                told(row)
            require_physical(moving, row, config.temperature)
    return DynamicsResult(rows, trajectory, log)


def draw_velocities(atoms: Atoms, temperature: float, generator: np.random.Generator) -> None:
    """Puts Maxwell's velocities into the atoms, without a motion of their centre of mass."""
    masses = atoms.get_masses()[:, None]
    momenta = np.sqrt(masses * units.kB * temperature) * generator.standard_normal((len(atoms), 3))
    if len(atoms) > 1:
        momenta -= momenta.sum(axis=0) * masses / masses.sum()
    atoms.set_momenta(momenta)


def _integrator(atoms: Atoms, config: DynamicsConfig, generator: np.random.Generator) -> Any:
    step, kelvin = config.timestep * units.fs, config.temperature
    if config.ensemble == "nve":
        return VelocityVerlet(atoms, step)
    if config.ensemble == "langevin":
        friction = config.friction / units.fs
        return Langevin(
            atoms, step, temperature_K=kelvin, friction=friction, fixcm=False, rng=generator
        )
    if config.ensemble == "nose-hoover":
        return NoseHooverChainNVT(
            atoms, step, temperature_K=kelvin, tdamp=config.damping * units.fs
        )
    if not atoms.pbc.all():
        raise DataError(
            "constant pressure needs a cell that repeats in all directions",
            got=f"pbc {atoms.pbc.tolist()}",
            expected="pbc T T T",
            remedy="another ensemble for molecules: langevin, nose-hoover or nve",
        )
    return NPTBerendsen(
        atoms,
        step,
        temperature_K=kelvin,
        pressure_au=config.pressure * units.GPa,
        taut=config.damping * units.fs,
        taup=10 * config.damping * units.fs,
        compressibility_au=config.compressibility / units.GPa,
    )


def _row(atoms: Atoms, time: float) -> dict[str, float]:
    potential, kinetic = atoms.get_potential_energy(), atoms.get_kinetic_energy()
    row = {
        "time_fs": time,
        "potential_eV": float(potential),
        "kinetic_eV": float(kinetic),
        "total_eV": float(potential + kinetic),
        "temperature_K": float(atoms.get_temperature()),
    }
    if atoms.pbc.all():
        row["volume_A3"] = float(atoms.get_volume())
        trace = float(np.trace(atoms.get_stress(voigt=False)))
        row["pressure_GPa"] = -trace / 3 / GIGAPASCAL
    return row


def _frame(atoms: Atoms, row: dict[str, float]) -> Frame:
    info = {"energy": row["potential_eV"], "time_fs": row["time_fs"]}
    cell = atoms.cell.array if atoms.cell.array.any() else None
    a, b, c = (bool(flag) for flag in atoms.pbc)
    arrays = {"forces": atoms.get_forces(), "velocities": atoms.get_velocities() * units.fs}
    return Frame(atoms.numbers, atoms.positions, info, arrays, cell, (a, b, c))


def require_physical(atoms: Atoms, row: dict[str, float], temperature: float) -> None:
    """Stops where motion is no longer that of atoms.

    Raises:
        NumberError: saying what was seen, and when.
    """
    when = f"after {row['time_fs']:.1f} fs the dynamics is no longer physical"
    remedy = "a shorter time step, or training data nearer to where the dynamics goes"
    if not all(np.isfinite(value) for value in row.values()):
        raise NumberError(when, got=row, expected="finite numbers", remedy=remedy)
    limit = _TOO_HOT * temperature + 1000.0
    if row["temperature_K"] > limit:
        got = f"{row['temperature_K']:.0f} K"
        raise NumberError(when, got=got, expected=f"less than {limit:.0f} K", remedy=remedy)
    system = System(atoms.numbers, atoms.positions, atoms.cell.array, atoms.pbc)
    close = neighbour_list(system, _TOO_CLOSE)
    if len(close):
        i, j = int(close.receivers[0]), int(close.senders[0])
        distance = float(np.linalg.norm(close.vectors[0]))
        got = f"atoms {i} and {j} are {distance:.2f} Å apart"
        raise NumberError(when, got=got, expected=f"{_TOO_CLOSE} Å at least", remedy=remedy)
