"""Pictures of dynamics, and whether its structures look like those of the training data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError
from .bonds import bond_lengths, find_bonds
from .dynamics import DynamicsResult, Row
from .neighbours import complete_cell, neighbour_list
from .picture import EXTRA, SOFT, TEST, VALID, Draw, Picture, label, legend
from .sources import read_frames
from .system import System
from .units import MILLI

_PICTURED = 400  # frames that the distances are measured in
_FAR = 6.0  # Å


def dynamics_pictures(result: DynamicsResult, data: Sequence[System] = ()) -> list[Picture]:
    """Temperature, energies and pair distances; data to compare with where given."""
    frames = list(read_frames(result.trajectory))
    systems = [System(f.numbers, f.positions, f.cell, f.pbc) for f in frames]
    target = result.config.kept_temperature
    return [*log_pictures(result.rows, result.atoms, target), *structure_pictures(systems, data)]


def require_rows(rows: Sequence[Row], path: Path) -> Sequence[Row]:
    """The rows, where they are those of a log of dynamics.

    Raises:
        DataError: no rows, or columns of something else.
    """
    if not rows or not {"time_fs", "total_eV", "temperature_K"} <= set(rows[0]):
        raise DataError(
            f"{path} is no log of dynamics",
            got=", ".join(rows[0]) if rows else "no rows",
            expected="columns time_fs, total_eV, temperature_K ...",
        )
    return rows


def log_pictures(rows: Sequence[Row], atoms: int | None, target: float | None) -> list[Picture]:
    """Temperature and energies by time, and what else the log holds.

    Args:
        rows: of the log.
        atoms: number of atoms; energies are shown for each of them where it is known.
        target: temperature that a thermostat keeps, K, or None.
    """
    times = np.array([row["time_fs"] for row in rows])
    unit, factor = ("ps", 1e-3) if times[-1] > 2000 else ("fs", 1.0)
    times = times * factor

    def values(key: str) -> np.ndarray:
        return np.array([row[key] for row in rows])

    def temperature(axes: Any) -> None:
        axes.plot(times, values("temperature_K"), color=TEST, linewidth=0.7, alpha=0.75)
        if target is not None:
            axes.axhline(target, color=SOFT, linewidth=1, linestyle="--")
        label(axes, "Temperature", f"time, {unit}", "T, K")

    def spread(axes: Any) -> None:
        _draw_temperatures(axes, values("temperature_K"), atoms, target)

    def energies(axes: Any) -> None:
        for key, name, colour in (
            ("potential_eV", "potential", VALID),
            ("total_eV", "total", TEST),
        ):
            energy = MILLI * (values(key) - rows[0][key]) / (atoms or 1)
            axes.plot(times, energy, color=colour, linewidth=0.8, label=name)
        legend(axes, loc="best")
        label(axes, "Energy since the start", f"time, {unit}", f"ΔE, meV{'/atom' if atoms else ''}")

    panels: list[Draw] = [temperature, spread, energies]
    for key, title, name in (
        ("volume_A3", "Volume", "V, Å³"),
        ("pressure_GPa", "Pressure of the atoms at rest", "p, GPa"),
        ("force_deviation_eV_A", "Deviation of the committee", "force on an atom, eV/Å"),
    ):
        if key in rows[0]:
            panels.append(_line(times, values(key), title, f"time, {unit}", name))
    return [Picture("dynamics", "Temperature and energy", "", tuple(panels))]


def _draw_temperatures(
    axes: Any, temperatures: np.ndarray, atoms: int | None, target: float | None
) -> None:
    """How often each temperature occurs, beside the law of the canonical ensemble.

    There 3N T / T0 follows the chi-squared distribution of 3N degrees of freedom.
    """
    second_half = temperatures[len(temperatures) // 2 :]
    bins = min(max(int(len(second_half) ** 0.5), 6), 30)
    axes.hist(second_half, bins=bins, density=True, color=TEST, alpha=0.55, label="second half")
    if target is not None and atoms is not None:
        half = 1.5 * atoms
        places = np.linspace(0.2, 2.2, 300) if atoms < 20 else np.linspace(0.6, 1.4, 300)
        log = half * np.log(half) - math.lgamma(half) + (half - 1) * np.log(places) - half * places
        axes.plot(
            places * target, np.exp(log) / target, color=SOFT, linewidth=1.3, label="canonical"
        )
    axes.set_yticks([])
    legend(axes, loc="upper right")
    label(axes, "Spread of the temperature", "T, K", "how often")


def _line(x: np.ndarray, y: np.ndarray, title: str, unit: str, name: str) -> Draw:
    def draw(axes: Any) -> None:
        axes.plot(x, y, color=EXTRA, linewidth=0.8)
        label(axes, title, unit, name)

    return draw


def structure_pictures(systems: Sequence[System], data: Sequence[System] = ()) -> list[Picture]:
    """Distances between atoms, and lengths of bonds, beside those of the data."""
    systems, data = _some(systems), _some(data)
    if not systems:
        return []

    def distances(axes: Any) -> None:
        for group, name, colour in ((data, "training data", SOFT), (systems, "dynamics", TEST)):
            if group:
                places, density = pair_distances(group)
                axes.plot(places, density, color=colour, linewidth=1.3, label=name)
        axes.set_ylim(bottom=0)
        legend(axes, loc="best")
        label(axes, "Distances between atoms", "r, Å", "pairs an atom and Å")

    panels: list[Draw] = [distances]
    if len(find_bonds(systems[0])):
        panels.append(lambda axes: _draw_bonds(axes, systems, data))
        panels.append(lambda axes: _draw_stretch(axes, systems))
    note = (
        "Where the dynamics keeps to structures like those of the data, the curves agree in their "
        "peaks; other temperatures make peaks wider or narrower."
    )
    return [Picture("structure", "Structure", note if data else "", tuple(panels))]


def _some(systems: Sequence[System]) -> list[System]:
    step = -(-len(systems) // _PICTURED) or 1
    return list(systems[::step])


def pair_distances(systems: Sequence[System], bins: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Middles of bins to 6 Å, and how many neighbours an atom has there for each Å.

    Example:
        >>> h2 = System([1, 1], [[0, 0, 0], [0, 0, 0.74]])
        >>> places, density = pair_distances([h2])
        >>> round(float(places[density.argmax()]), 2), round(float(density.sum() * 6 / 120), 2)
        (0.73, 1.0)
    """
    lengths = [np.linalg.norm(neighbour_list(s, _FAR).vectors, axis=1) for s in systems]
    counts, edges = np.histogram(np.concatenate(lengths), bins=bins, range=(0.0, _FAR))
    atoms = sum(len(system) for system in systems)
    return 0.5 * (edges[1:] + edges[:-1]), counts / atoms / (_FAR / bins)


def _draw_bonds(axes: Any, systems: Sequence[System], data: Sequence[System]) -> None:
    moved, known = bond_lengths(systems), bond_lengths(data)
    kinds = list(moved)[::-1]
    for k, kind in enumerate(kinds):
        for lengths, colour, offset in ((known.get(kind), SOFT, 0.16), (moved[kind], TEST, -0.16)):
            if lengths is None:
                continue
            low, first, middle, last, high = np.quantile(lengths, (0, 0.25, 0.5, 0.75, 1))
            place = k + (offset if kind in known else 0.0)
            axes.plot([low, high], [place, place], color=colour, linewidth=1)
            axes.plot([first, last], [place, place], color=colour, linewidth=5)
            axes.plot([middle], [place], "|", color=colour, markersize=9, markeredgewidth=1.5)
    axes.set_yticks(range(len(kinds)), kinds)
    axes.set_ylim(-0.6, len(kinds) - 0.4)
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    label(axes, "Bonds: range, quartiles, median", "length, Å", "")


def _draw_stretch(axes: Any, systems: Sequence[System]) -> None:
    """The bonds of the first frame: the longest and shortest of each moment, against the median."""
    bonds = find_bonds(systems[0])
    lengths = np.stack([bonds.lengths(s.positions, complete_cell(s)) for s in systems])
    strain = 100 * (lengths / np.median(lengths, axis=0) - 1)
    share = np.linspace(0, 100, len(systems))
    axes.plot(share, strain.max(axis=1), color=TEST, linewidth=0.8, label="longest")
    axes.plot(share, strain.min(axis=1), color=VALID, linewidth=0.8, label="shortest")
    axes.axhline(0, color=SOFT, linewidth=0.8)
    legend(axes, loc="best")
    label(axes, "Bonds against their median", "% of the run", "change of length, %")
