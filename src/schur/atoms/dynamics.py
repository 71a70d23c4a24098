"""Molecular dynamics with a potential, through ASE, that stops when it stops being physical."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import yaml
from ase import Atoms, units
from ase.md.langevin import Langevin
from ase.md.nose_hoover_chain import NoseHooverChainNVT
from ase.md.nptberendsen import NPTBerendsen
from ase.md.verlet import VelocityVerlet

from ..errors import DataError, NumberError
from .dynamics_config import DynamicsConfig
from .extxyz import append_frame, write_frames
from .frame import Frame
from .physical import PhysicalWatch, require_temperature, unphysical
from .units import GIGAPASCAL, MILLI

Row = dict[str, float]

TRAJECTORY, LOG, SETTINGS = "trajectory.xyz", "dynamics.csv", "dynamics.yaml"
STOPPED = "stopped.xyz"

_DEVIATION = "force_deviation_eV_A"
_LOOK = 10  # steps between looks at temperature and numbers, where the interval is longer


@dataclass(frozen=True)
class DynamicsResult:
    """A finished run.

    Args:
        config: how it was run.
        rows: of the log: time in fs, energies in eV, temperature in K.
        atoms: number of atoms.
        trajectory, log: the files written.
        seconds: wall time.
    """

    config: DynamicsConfig
    rows: list[Row]
    atoms: int
    trajectory: Path
    log: Path
    seconds: float

    def drift(self) -> float:
        """Slope of the total energy, eV/fs, by least squares."""
        times = np.array([row["time_fs"] for row in self.rows])
        energies = np.array([row["total_eV"] for row in self.rows])
        return float(np.polyfit(times, energies, 1)[0]) if len(times) > 1 else 0.0

    def mean_temperature(self) -> tuple[float, float]:
        """Mean and standard deviation over the second half of the run, K."""
        values = np.array([row["temperature_K"] for row in self.rows[len(self.rows) // 2 :]])
        return float(values.mean()), float(values.std())

    def summary(self) -> dict[str, str]:
        """What came of it, in words and numbers."""
        mean, spread = self.mean_temperature()
        entries = {"temperature": f"{mean:.0f} ± {spread:.0f} K in the second half"}
        kept = self.config.kept_temperature
        if kept is None:
            drift = MILLI * self.drift() * 1000.0 / self.atoms
            entries["drift of the energy"] = f"{drift:.4f} meV/atom/ps"
        else:
            ideal = kept * np.sqrt(2 / (3 * self.atoms))
            entries["temperature"] += (
                f" (canonical, {self.atoms} classical atoms: {kept:g} ± {ideal:.0f} K)"
            )
        deviations = [row[_DEVIATION] for row in self.rows if _DEVIATION in row]
        if deviations:
            entries["committee"] = (
                f"forces differ by {MILLI * np.mean(deviations):.1f} meV/Å in the mean and "
                f"{MILLI * max(deviations):.1f} at most (the atom that differs most)"
            )
        entries["time"] = f"{MILLI * self.seconds / self.config.steps:.2f} ms a step"
        return entries


def run_dynamics(
    atoms: Atoms,
    config: DynamicsConfig,
    directory: Path,
    told: Callable[[Row], None] | None = None,
) -> DynamicsResult:
    """Moves a copy of the atoms; writes `trajectory.xyz`, `dynamics.csv`, `dynamics.yaml`.

    Every interval the structure is looked at. What was written up to a failure stays, and the
    structure that failed is in `stopped.xyz`. Exceptions of the calculator and of `told` end the
    run: none is swallowed.

    Args:
        atoms: with a calculator.
        config: ensemble and length.
        directory: made where it does not exist.
        told: gets each row of the log.

    Raises:
        NumberError: atoms too close, a bond broken, a temperature far off, numbers that are not
            finite, or a committee that disagrees.
        DataError: npt without a periodic cell, or a committee's threshold for a single model.
    """
    begin = time.perf_counter()
    directory.mkdir(parents=True, exist_ok=True)
    moving = atoms.copy()
    moving.calc = atoms.calc
    generator = np.random.default_rng(config.seed)
    draw_velocities(moving, config.temperature, generator)
    watch = PhysicalWatch(moving, config.temperature, config.bonds)
    dynamics = _integrator(moving, config, generator)
    trajectory, log = directory / TRAJECTORY, directory / LOG
    trajectory.write_text("")
    (directory / STOPPED).unlink(missing_ok=True)
    (directory / SETTINGS).write_text(yaml.safe_dump(config.model_dump(), sort_keys=False))
    rows: list[Row] = []
    with open(log, "w", newline="", encoding="utf-8") as stream:
        write = _row_writer(stream)
        try:
            for row in _moments(moving, dynamics, config):
                write(row)
                append_frame(trajectory, _frame(moving, row))
                rows.append(row)
                if told is not None:
                    told(row)
                watch.require(moving, row)
                _require_agreement(row, config)
        except NumberError:
            write_frames(directory / STOPPED, [_bare_frame(moving)])
            raise
    seconds = time.perf_counter() - begin
    return DynamicsResult(config, rows, len(atoms), trajectory, log, seconds)


def _moments(atoms: Atoms, dynamics: Any, config: DynamicsConfig) -> Iterator[Row]:
    """Rows at every interval; the atoms move between them."""
    yield _row(atoms, 0.0)
    done = 0
    while done < config.steps:
        goal = min(done + config.interval, config.steps)
        while done < goal:
            few = min(_LOOK, goal - done)
            time_fs = (done + few) * config.timestep
            try:
                dynamics.run(few)
            except NumberError as error:
                raise unphysical({"time_fs": time_fs}, str(error), "finite numbers") from error
            done += few
            _require_not_hot(atoms, time_fs, config.temperature)
        yield _row(atoms, done * config.timestep)


def _row_writer(stream: TextIO) -> Callable[[Row], None]:
    writers: list[csv.DictWriter[str]] = []

    def write(row: Row) -> None:
        if not writers:
            writers.append(csv.DictWriter(stream, fieldnames=list(row)))
            writers[0].writeheader()
        writers[0].writerow({key: f"{value:.10g}" for key, value in row.items()})
        stream.flush()

    return write


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


def _row(atoms: Atoms, time_fs: float) -> Row:
    potential, kinetic = atoms.get_potential_energy(), atoms.get_kinetic_energy()
    row = {
        "time_fs": time_fs,
        "potential_eV": float(potential),
        "kinetic_eV": float(kinetic),
        "total_eV": float(potential + kinetic),
        "temperature_K": float(atoms.get_temperature()),
    }
    if atoms.pbc.all():
        row["volume_A3"] = float(atoms.get_volume())
        trace = float(np.trace(atoms.get_stress(voigt=False)))
        row["pressure_GPa"] = -trace / 3 / GIGAPASCAL
    spread = atoms.calc.results.get("forces_std")  # pyright: ignore[reportOptionalMemberAccess]
    if spread is not None:
        row[_DEVIATION] = float(np.linalg.norm(spread, axis=1).max())
    return row


def _require_not_hot(atoms: Atoms, time_fs: float, temperature: float) -> None:
    """A look that costs nothing, so that an explosion ends within a few steps."""
    now = {"time_fs": time_fs, "temperature_K": float(atoms.get_temperature())}
    require_temperature(now, temperature)


def _require_agreement(row: Row, config: DynamicsConfig) -> None:
    if config.max_deviation is None:
        return
    if _DEVIATION not in row:
        raise DataError(
            "a single model has no deviation to stop at",
            got=f"max_deviation {config.max_deviation}",
            expected="several models",
        )
    if row[_DEVIATION] > config.max_deviation:
        raise NumberError(
            f"after {row['time_fs']:.1f} fs the models of the committee disagree",
            got=f"forces on an atom that differ by {row[_DEVIATION]:.3g} eV/Å",
            expected=f"{config.max_deviation:g} eV/Å at most",
            remedy="label the structure in stopped.xyz, add it to the training data, train again",
        )


def _frame(atoms: Atoms, row: Row) -> Frame:
    info = {"energy": row["potential_eV"], "time_fs": row["time_fs"]}
    cell = atoms.cell.array if atoms.cell.array.any() else None
    a, b, c = (bool(flag) for flag in atoms.pbc)
    arrays = {"forces": atoms.get_forces(), "velocities": atoms.get_velocities() * units.fs}
    return Frame(atoms.numbers, atoms.positions, info, arrays, cell, (a, b, c))


def _bare_frame(atoms: Atoms) -> Frame:
    """Positions alone: where they are not finite the calculator could say nothing of them."""
    cell = atoms.cell.array if atoms.cell.array.any() else None
    a, b, c = (bool(flag) for flag in atoms.pbc)
    return Frame(atoms.numbers, atoms.positions, {}, {}, cell, (a, b, c))
