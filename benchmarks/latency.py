"""W12: what a user waits for: import, construction, the first training step, and each one after."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

TITLE = "latency and cold start: MACE 128x0e+128x1o, l <= 3, degree 3, one molecule"
CUTOFF = 5.0  # Å
MOLECULES = ("water", "hexanol")


def measure(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds of each stage, in a process that has loaded nothing yet but numpy."""
    clock = _Clock()
    import torch

    clock.lap("import torch")
    from schur.models.mace import MACE, MACEConfig

    clock.lap("import schur")
    torch.manual_seed(0)
    species, positions = molecule(spec["case"])
    edges = neighbours(positions)
    config = MACEConfig(cutoff=CUTOFF, hidden="128x0e + 128x1o")
    dtype = getattr(torch, spec["dtype"])
    model = MACE(config, 3, edges.shape[1] / len(species)).to(dtype)
    clock.lap("construct")
    at = torch.tensor(positions, dtype=dtype)
    z, edge_index = torch.tensor(species), torch.tensor(edges)

    def forces(training: bool) -> torch.Tensor:
        moved = at.clone().requires_grad_()
        energy = model(moved[edge_index[1]] - moved[edge_index[0]], z, edge_index).sum()
        return torch.autograd.grad(energy, moved, create_graph=training)[0]

    def step() -> None:
        model.zero_grad()
        forces(training=True).square().sum().backward()

    step()
    clock.lap("first step")
    again = _median(step, spec["repeats"])
    alone = _median(lambda: forces(training=False), spec["repeats"])
    return {"atoms": len(species), "seconds": clock.laps | {"step": again, "forces": alone}}


def molecule(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Species (H, C, O) and positions in Å of water, or of a 21-atom chain, 1-hexanol."""
    if name == "water":
        return np.array([2, 0, 0]), np.array([[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])
    species, positions = [], []
    for k in range(7):  # six carbons in zigzag and the oxygen
        side = 1 if k % 2 else -1
        heavy = np.array([1.26 * k, 0.42 * side, 0.0])
        species.append(1 if k < 6 else 2)
        positions.append(heavy)
        around = [(0.0, 0.63 * side, z) for z in (0.89, -0.89)] if k < 6 else [(0.8, -0.5, 0.0)]
        if k == 0:
            around.append((-0.9, 0.6, 0.0))
        species += [0] * len(around)
        positions += [heavy + shift for shift in around]
    return np.array(species), np.array(positions)


def neighbours(positions: np.ndarray) -> np.ndarray:
    """Senders and receivers of all pairs within the cutoff."""
    distance = np.linalg.norm(positions[:, None] - positions[None], axis=-1)
    return np.stack(np.nonzero((distance < CUTOFF) & (distance > 0)))


def table(results: list[dict[str, Any]]) -> str:
    """One line a molecule and state of the cache."""
    head = results[0]
    stages = list(head["seconds"])
    lines = [f"W12 | {head['dtype']} | {head['threads']} thread(s) | {TITLE}"]
    lines.append(" " * 30 + "".join(f"{stage:>14}" for stage in stages))
    for result in results:
        name = f"{result['case']}, {result['atoms']} atoms, cache {result['cache']}"
        cells = [
            f"{1e3 * s:.1f} ms" if stage in {"step", "forces"} else f"{s:.2f} s"
            for stage, s in result["seconds"].items()
        ]
        lines.append(f"  {name:<28}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self.last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self.last = now - self.last, now


def _median(action: Callable[[], object], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)
