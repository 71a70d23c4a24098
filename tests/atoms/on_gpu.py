"""What a GPU would be asked to do, on one that is only pretended; a test calls this file.

A process of its own, because torch keeps a device that it was told of. Word: a file for what was
found.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ase import Atoms
from pretended_gpu import MixedDevices, PretendedGPU, PretendedGraphs, device, start

from benchmarks.potentials.schur_potential import SchurPotential
from schur.atoms.batch import AtomicDataset, Batch
from schur.atoms.calculator import system_of
from schur.atoms.evaluate import predict
from schur.atoms.evaluator import Evaluator
from schur.atoms.loss import LossConfig
from schur.atoms.modelfile import build_potential, load_potential, save_potential
from schur.atoms.potential import Potential
from schur.atoms.system import System
from schur.atoms.task import PotentialTask
from schur.engine import device_graphs
from schur.errors import NumberError
from schur.models.egnn import EGNNConfig
from schur.models.mace import MACEConfig
from schur.models.nequip import NequIPConfig
from schur.models.registry import ModelConfig
from schur.train import loop
from schur.train.config import TrainingConfig
from schur.train.loop import Trainer

CUTOFF = 3.0
SHAPES: dict[str, ModelConfig] = {
    "mace": MACEConfig(
        cutoff=CUTOFF, hidden="1x0e + 1x1o", edge_lmax=1, correlation=1, radial_hidden=(4,)
    ),
    "nequip": NequIPConfig(cutoff=CUTOFF, lmax=1, layers=1, features=1, radial_hidden=(4,)),
    "egnn": EGNNConfig(cutoff=CUTOFF, layers=1, features=2),
}


def systems(count: int) -> list[System]:
    """Molecules of water, shaken, and in a box that repeats; with labels of no meaning."""
    random = np.random.default_rng(0)
    made = []
    for k in range(count):
        box = {"cell": np.diag([4.0, 4.5, 5.0]) + 0.2, "pbc": True} if k % 2 else {}
        shape = [[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]]
        atoms = Atoms("OHH", np.array(shape) + 0.1 * random.normal(size=(3, 3)), **box)
        labels: dict[str, Any] = {"energy": -10.0 + k, "forces": random.normal(size=(3, 3))}
        if k % 2:
            labels["stress"] = 0.01 * np.eye(3)
        system = system_of(atoms)
        made.append(System(system.numbers, system.positions, system.cell, system.pbc, **labels))
    return made


class Looks(torch.nn.Module):
    """A model that takes no topology, and so looks at its neighbours where they lie."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, *given: Any, **more: Any) -> torch.Tensor:
        return self.inner(*given, **more)


def looking() -> Potential:
    potential = potential_of("egnn")
    potential.model = Looks(potential.model)
    return potential


def potential_of(name: str) -> Potential:
    return build_potential(SHAPES[name], (1, 8), (-1.0, -2.0), 3.0, 0.5, 0.1, 0, torch.float64)


def trained(
    where: torch.device, folder: Path | None = None, wrong: int | None = None, epochs: int = 1
) -> dict[str, Any]:
    """A few steps, with validation and a checkpoint; or with a frame of infinite energy."""
    config = TrainingConfig(
        epochs=epochs, batch_size=1, dtype="float64", ema_decay=0.9, clip_ratio=1.5
    )
    frames = systems(3)
    if wrong is not None:
        frames[wrong] = replace(frames[wrong], energy=float("inf"), origin="the wrong frame")
    data = AtomicDataset(frames, (1, 8), CUTOFF, torch.float64)
    potential = potential_of("mace").to(where)

    def trainer() -> Trainer[Batch]:
        task = PotentialTask(potential, data, data, LossConfig(stress=1.0), config)
        return Trainer(potential, task, config, folder)

    try:
        outcome = trainer().run()
    except NumberError as error:
        kept = [] if folder is None else [path.name for path in folder.iterdir()]
        return {"said": str(error), "kept": kept}
    if folder is not None:
        outcome = trainer().run(resume=True)
    return {
        "losses": [row["loss"] for row in outcome.rows],
        "scores": [row["score"] for row in outcome.rows],
        "device": str(potential.device),
    }


def said(potential: Potential) -> dict[str, Any]:
    """Energies, forces and stresses of a set."""
    data = AtomicDataset(systems(2), potential.elements, CUTOFF, torch.float64)
    found = predict(potential, data, stress=True)
    return {
        "energies": found.energies,
        "forces": np.concatenate(found.forces).tolist(),
        "stresses": np.array(found.stresses).tolist(),
    }


def moved_along(potential: Potential, steps: int = 3) -> list[list[Any]]:
    """One system that moves, in the way of dynamics."""
    evaluator = Evaluator(potential, skin=0.5)
    found = []
    start = systems(2)[1]
    for k in range(steps):
        positions = start.positions + 0.02 * k * np.arange(9).reshape(3, 3)
        outcome = evaluator(System(start.numbers, positions, start.cell, start.pbc), stress=True)
        assert outcome.stress is not None
        found.append([outcome.energy, outcome.forces.tolist(), outcome.stress.tolist()])
    return [*found, [evaluator.lists_made]]


def on(where: torch.device, potential: Potential, batch: Batch) -> Batch:
    """The batch where the potential is put."""
    potential.to(where)
    return batch.to(where, len(potential.elements))


def benchmarked(where: torch.device, folder: Path) -> list[float]:
    """What `python -m benchmarks W11` has Schur do."""
    frame = {"numbers": [8, 1, 1], "positions": systems(1)[0].positions.tolist()}
    (folder / "structures.json").write_text(json.dumps([frame]))
    settings = {"num_layers": 1, "l_max": 1, "parity": False, "num_features": [4, 4]}
    spec = {"workload": "W11", "dtype": "float64", "device": str(where), "settings": settings}
    contender = SchurPotential(spec, folder)
    said = contender.run("EF")
    return [*said["energies"], *said["forces"].flatten(), float(contender.run("step")["loss"])]


class _Said(logging.Handler):
    """The lines of a log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def everything(folder: Path) -> dict[str, Any]:
    """By name: what the CPU found, what the GPU found, and for what it was waited."""
    host, there = torch.device("cpu"), device()
    found: dict[str, Any] = {}

    def both(name: str, work: Any) -> None:
        on_host = work(host)
        try:
            with PretendedGPU() as gpu:
                on_gpu = work(there)
        except Exception:
            found[name] = {"error": traceback.format_exc()}
        else:
            found[name] = {"cpu": on_host, "gpu": on_gpu, "waits": gpu.waits}

    for name in SHAPES:
        both(f"said by {name}", lambda where, n=name: said(potential_of(n).to(where)))
    both("said by one that looks", lambda where: said(looking().to(where)))
    (folder / "run").mkdir()
    both("trained", lambda where: trained(where, folder / "run" if where == there else None))
    (folder / "stopped").mkdir()
    both("stopped", lambda where: trained(where, folder / "stopped", wrong=1))
    both("tabulated", lambda where: said(potential_of("nequip").to(where).tabulated()))
    save_potential(folder / "model.schur", potential_of("mace"))
    both(
        "moved along",
        lambda where: moved_along(load_potential(folder / "model.schur", device=where)),
    )

    def with_graphs(name: str, work: Any) -> None:
        said = _Said()
        logging.getLogger("schur").addHandler(said)
        on_host = work(host)
        with PretendedGPU() as gpu, device_graphs.known("gpu", PretendedGraphs(gpu)):
            graphs = device_graphs._devices["gpu"]
            on_gpu = work(there)
        logging.getLogger("schur").removeHandler(said)
        found[name] = {
            "cpu": on_host,
            "gpu": on_gpu,
            "waits": gpu.waits,
            "launches": gpu.launches,
            "replays": graphs.replays,  # pyright: ignore[reportAttributeAccessIssue]
            "said": said.lines,
        }

    for steps in (4, 8):
        with_graphs(
            f"moved along {steps} steps with graphs",
            lambda where, n=steps: moved_along(potential_of("mace").to(where), n),
        )
    with_graphs("trained with graphs", lambda where: trained(where, epochs=4))
    with_graphs("benchmarked", lambda where: benchmarked(where, folder))
    with_graphs("moved along without graphs", lambda where: moved_along(looking().to(where), 4))

    potential = potential_of("mace")
    data = AtomicDataset(systems(3), (1, 8), CUTOFF, torch.float64)
    batch = data.batch([0, 1, 2])
    task = PotentialTask(potential, data, data, LossConfig(stress=1.0), TrainingConfig())
    both("loss", lambda where: float(task.loss(on(where, potential, batch), 0.5).total))
    try:
        with PretendedGPU():
            potential.to(there)(batch)
    except MixedDevices as error:
        found["mixed"] = str(error)
    return found


if __name__ == "__main__":
    start()
    # None for the time it takes: a checkpoint has to be waited for.
    loop._SECONDS_BETWEEN_CHECKPOINTS = float("inf")
    target = Path(sys.argv[1])
    target.write_text(json.dumps(everything(target.parent)))
