"""A data set from nothing: dynamics with a semi-empirical method, and isolated atoms.

Each chain of dynamics runs in a process of its own with one thread: the compiled method brings
an OpenMP runtime that stalls beside the one that torch has loaded, and small molecules gain
nothing from threads.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..errors import BackendError
from .frame import Frame
from .langevin import langevin
from .methods import XTB, calculator_class, chosen_method, require_tblite, single_point
from .structures import first_structure

_HYDROGEN_MASS = 4.0  # u; positions are sampled alike, and steps may be twice as long


@dataclass(frozen=True)
class Chain:
    """One run of Langevin dynamics.

    Args:
        numbers, positions: the structure, Å.
        method: GFN2-xTB, GFN1-xTB or a calculator of ASE, as `single_point` takes it.
        temperature: K.
        frames: how many to keep.
        spacing: steps between two of them.
        burn_in: steps before the first.
        timestep: fs.
        friction: 1/fs.
        seed: two numbers: of the data set, of the chain.
        cell, pbc: of the structure, None for a molecule.
    """

    numbers: tuple[int, ...]
    positions: tuple[tuple[float, ...], ...]
    method: str
    temperature: float
    frames: int
    seed: tuple[int, int]
    spacing: int = 20
    burn_in: int = 300
    timestep: float = 2.0
    friction: float = 0.02
    cell: tuple[tuple[float, ...], ...] | None = None
    pbc: tuple[bool, ...] = (False, False, False)


def sample_molecule(
    name: str,
    *,
    frames: int,
    temperatures: Sequence[float] = (300.0, 600.0),
    seed: int = 0,
    method: str | None = None,
) -> list[Frame]:
    """One frame for each single atom, then frames of a structure, with energies and forces.

    Args:
        name: a structure file, a molecule known to ASE such as CH3CH2OH, or a SMILES string.
        frames: of all temperatures together.
        temperatures: K; one chain each, named in `config_type`.
        seed: the same seed gives the same frames.
        method: GFN2-xTB, GFN1-xTB, a calculator of ASE such as emt, or module:Class; by default
            GFN2-xTB, for structures that repeat GFN1-xTB.

    Raises:
        BackendError: tblite is not installed, or the method failed.
        DataError: there is no such structure or calculator.
    """
    start = first_structure(name)
    chosen = chosen_method(method, any(start.pbc))
    if chosen in XTB:
        require_tblite()
    else:
        calculator_class(chosen)
    box = None if start.cell is None else tuple(map(tuple, start.cell.tolist()))
    share = [len(part) for part in np.array_split(np.arange(frames), len(temperatures))]
    chains = [
        Chain(
            tuple(start.numbers.tolist()),
            tuple(map(tuple, start.positions.tolist())),
            chosen,
            float(t),
            count,
            (seed, index),
            cell=box,
            pbc=start.pbc,
        )
        for index, (t, count) in enumerate(zip(temperatures, share, strict=True))
    ]
    sampled = [frame for part in _run(chains) for frame in part]
    return isolated_atoms(sorted({*start.numbers.tolist()}), chosen) + sampled


def isolated_atoms(numbers: Sequence[int], method: str) -> list[Frame]:
    """Each single atom with its energy in its ground state's multiplicity."""
    from ase.data import ground_state_magnetic_moments

    frames = []
    for number in numbers:
        unpaired = round(ground_state_magnetic_moments[number])
        energy, _ = single_point(method, np.array([number]), unpaired)(np.zeros((1, 3)))
        info = {"energy": energy, "config_type": "isolated_atom"}
        frames.append(Frame(np.array([number]), np.zeros((1, 3)), info))
    return frames


def run_chain(chain: Chain) -> dict[str, np.ndarray]:
    """Positions, energies and forces of a chain's frames; what a worker process does."""
    from ase.data import atomic_masses

    numbers = np.array(chain.numbers)
    masses = np.where(numbers == 1, _HYDROGEN_MASS, atomic_masses[numbers])
    steps = langevin(
        single_point(chain.method, numbers, cell=chain.cell, pbc=chain.pbc),
        np.array(chain.positions),
        masses,
        temperature=chain.temperature,
        timestep=chain.timestep,
        friction=chain.friction,
        generator=np.random.default_rng(chain.seed),
    )
    for _ in range(chain.burn_in):
        next(steps)
    kept = []
    for _ in range(chain.frames):
        for _ in range(chain.spacing - 1):
            next(steps)
        kept.append(next(steps))
    positions, energies, forces = zip(*kept, strict=True)
    return {
        "positions": np.array(positions),
        "energies": np.array(energies),
        "forces": np.array(forces),
    }


def _run(chains: Sequence[Chain]) -> list[list[Frame]]:
    """All chains, each in its own process, side by side."""
    # The children must find this package wherever the caller found it.
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join(p for p in sys.path if p),
    }
    with tempfile.TemporaryDirectory() as folder:
        jobs = []
        for index, chain in enumerate(chains):
            target = Path(folder) / f"{index}.npz"
            command = [sys.executable, "-m", __name__, json.dumps(asdict(chain)), str(target)]
            process = subprocess.Popen(
                command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            jobs.append((process, target))
        return [
            _frames(chain, _collect(process, target))
            for chain, (process, target) in zip(chains, jobs, strict=True)
        ]


def _collect(process: subprocess.Popen[bytes], target: Path) -> dict[str, np.ndarray]:
    _, complaint = process.communicate()
    if process.returncode != 0:
        raise BackendError(
            "sampling failed",
            got=complaint.decode(errors="replace").strip()[-500:],
            expected="energies and forces of every step",
        )
    with np.load(target) as stored:
        return dict(stored)


def _frames(chain: Chain, data: dict[str, np.ndarray]) -> list[Frame]:
    group = f"{chain.temperature:.0f}K"
    return [
        Frame(
            np.array(chain.numbers),
            position,
            {"energy": float(energy), "config_type": group},
            {"forces": force},
            None if chain.cell is None else np.array(chain.cell),
            (chain.pbc[0], chain.pbc[1], chain.pbc[2]),
        )
        for position, energy, force in zip(
            data["positions"], data["energies"], data["forces"], strict=True
        )
    ]


def _worker(description: str, target: str) -> None:
    raw = json.loads(description)
    raw["positions"] = tuple(map(tuple, raw["positions"]))
    raw["seed"] = tuple(raw["seed"])
    raw["pbc"] = tuple(raw["pbc"])
    if raw["cell"] is not None:
        raw["cell"] = tuple(map(tuple, raw["cell"]))
    np.savez(target, **run_chain(Chain(**raw)))  # pyright: ignore[reportArgumentType]


if __name__ == "__main__":
    _worker(sys.argv[1], sys.argv[2])
