"""W12: what a user waits for: import, construction, the first training step, and each one after."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

TITLE = "latency and cold start, one molecule"
CUTOFF = 5.0  # Å
MOLECULES = ("water", "hexanol")
SHAPES: dict[str, dict[str, Any]] = {
    "mace": {"architecture": "mace", "hidden": "128x0e + 128x1o"},
    "nequip": {"architecture": "nequip", "lmax": 2, "parity": False, "features": [128, 64, 32]},
}
"""MACE with l <= 3 and degree 3, and the preset M of nequip."""
CALLS = 20
IN_TIME = {"empty": 10.0, "full": 1.0}
"""Seconds in which a model is to be built and to have made its first step."""
REPEATED = ("step", "forces", "call")


def measure(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Seconds of each stage, in a process that has loaded nothing yet but numpy."""
    clock = _Clock()
    import torch

    clock.lap("import torch")
    from schur.atoms.batch import AtomicDataset
    from schur.atoms.evaluator import Evaluator
    from schur.atoms.modelfile import build_potential
    from schur.atoms.system import System
    from schur.models.registry import parse_config

    clock.lap("import schur")
    species, positions = molecule(spec["case"])
    config = parse_config(SHAPES[spec["architecture"]] | {"cutoff": CUTOFF})
    dtype, elements = getattr(torch, spec["dtype"]), (1, 6, 8)
    reference = (0.0,) * len(elements)
    potential = build_potential(config, elements, reference, 10.0, 1.0, 0.0, 0, dtype)
    where = torch.device(spec["device"])
    potential.to(where)
    clock.lap("construct")
    system = System(np.array(elements)[species], positions)
    batch = AtomicDataset([system], elements, CUTOFF, dtype).batch([0]).to(where, len(elements))

    def wait() -> None:
        if where.type == "cuda":
            torch.cuda.synchronize()

    def step() -> None:
        """As in training: a loss of energies and forces."""
        potential.zero_grad()
        said = potential(batch, differentiable=True)
        (said.energies.square().sum() + said.forces.square().sum()).backward()
        wait()

    step()
    clock.lap("first step")
    again = _median(step, spec["repeats"])
    potential.requires_grad_(False)
    alone = _median(lambda: (potential(batch), wait()), spec["repeats"])
    evaluator, rng = Evaluator(potential), np.random.default_rng(12)

    def call() -> None:
        """What dynamics does: atoms that have moved a little, and the list with a skin."""
        evaluator(System(system.numbers, positions + rng.normal(0, 1e-3, positions.shape)))

    for _ in range(3):  # until it is repeated
        call()
    called = _median(call, max(CALLS, spec["repeats"]))
    return {
        "atoms": len(species),
        "seconds": clock.laps | {"step": again, "forces": alone, "call": called},
    }


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


def table(results: list[dict[str, Any]]) -> str:
    """One line an architecture, molecule and state of the cache."""
    head = results[0]
    stages = list(head["seconds"])
    lines = [f"W12 | {head['dtype']} | {head['threads']} thread(s) | {TITLE}"]
    lines.append(" " * 30 + "".join(f"{stage:>14}" for stage in stages))
    for result in results:
        name = f"{result['architecture']}, {result['case']}, cache {result['cache']}"
        cells = [
            f"{1e3 * s:.1f} ms" if stage in REPEATED else f"{s:.2f} s"
            for stage, s in result["seconds"].items()
        ]
        lines.append(f"  {name:<28}" + "".join(f"{cell:>14}" for cell in cells))
    return "\n".join(lines)


def verdict(results: list[dict[str, Any]]) -> str:
    """Whether a model is built and has made its first step in time, with each state of the cache.

    The cold start, with an empty cache, has all routines compiled.
    """
    lines = [""]
    for result in results:
        took = result["seconds"]["construct"] + result["seconds"]["first step"]
        most = IN_TIME[result["cache"]]
        said = "reached" if took <= most else "missed"
        title = f"{result['case']}, cache {result['cache']}, {result['device']}"
        lines.append(f"  {title}: {took:.2f} s from construction to first step, {said} {most:g} s")
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
