"""The atoms that potentials are measured on."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.latency import molecule
from benchmarks.problem import NotPossible

ACAC = Path(__file__).resolve().parents[3] / "shared" / "data" / "acac" / "train_300K.xyz"
FRAMES = 10
MOLECULES_A_SIDE = 4
WATER_BOX = 12.42  # Å: 64 molecules at 1 g/cm³

# One structure: atomic numbers, positions in Å, and a cell or none.
Structure = dict[str, np.ndarray]


def structures(name: str) -> list[Structure]:
    """One batch of structures.

    Raises:
        NotPossible: data that are not there.
    """
    if name == "acac":
        return _acac()
    if name in ("water", "hexanol"):
        species, positions = molecule(name)
        return [{"numbers": np.array([1, 6, 8])[species], "positions": positions}]
    made = {
        "diamond": _diamond,
        "diamond 1000": partial(_diamond, 5),
        "diamond 5832": partial(_diamond, 9),
        "copper": _copper,
        "copper 2048": partial(_copper, (8, 8, 8)),
        "water box": _water_box,
        "water box 5184": partial(_water_box, 12),
    }
    return [made[name]()]


def _diamond(cells: int = 2) -> Structure:
    """Eight carbon atoms a cell, moved a little from their places."""
    corners = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]])
    return _crystal(np.concatenate([corners, corners + 1]) / 4, (cells, cells, cells), 3.567, 6)


def _copper(cells: tuple[int, int, int] = (4, 2, 2)) -> Structure:
    """Four atoms of copper a cell, moved a little from their places."""
    corners = np.array([[0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2
    return _crystal(corners, cells, 3.61, 29)


def _crystal(cell: np.ndarray, times: tuple[int, int, int], side: float, z: int) -> Structure:
    shifts = np.stack(np.meshgrid(*[np.arange(n) for n in times], indexing="ij"), -1)
    positions = (cell + shifts.reshape(-1, 1, 3)).reshape(-1, 3) * side
    positions += np.random.default_rng(10).normal(0, 0.05, positions.shape)
    return {
        "numbers": np.full(len(positions), z),
        "positions": positions,
        "cell": np.diag(np.array(times) * side),
    }


def _water_box(side: int = MOLECULES_A_SIDE) -> Structure:
    """Molecules of water on a grid, `side` along each edge, each turned at random."""
    rng = np.random.default_rng(11)
    species, atoms = molecule("water")
    grid = np.stack(np.meshgrid(*[np.arange(side)] * 3, indexing="ij"), -1)
    places = grid.reshape(-1, 3) * (WATER_BOX / MOLECULES_A_SIDE)
    turns = [np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in places]
    positions = [atoms @ turn.T + place for turn, place in zip(turns, places, strict=True)]
    return {
        "numbers": np.tile(np.array([1, 6, 8])[species], len(places)),
        "positions": np.concatenate(positions),
        "cell": np.eye(3) * WATER_BOX * side / MOLECULES_A_SIDE,
    }


def _acac() -> list[Structure]:
    """The first frames of acetylacetone at 300 K."""
    if not ACAC.exists():
        raise NotPossible(f"no {'/'.join(ACAC.parts[-4:])} beside this checkout")
    lines, frames = ACAC.read_text("utf-8").splitlines(), []
    numbers = {"H": 1, "C": 6, "O": 8}
    while len(frames) < FRAMES:
        count = int(lines[0])
        rows = [line.split() for line in lines[2 : 2 + count]]
        frames.append(
            {
                "numbers": np.array([numbers[row[0]] for row in rows]),
                "positions": np.array([row[1:4] for row in rows], dtype=float),
            }
        )
        lines = lines[2 + count :]
    return frames
