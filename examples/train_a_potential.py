"""`schur train` on a file of structures, then the model as a calculator of ASE.

The structures are small copper clusters, labelled by ASE's EMT potential.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.calculators.emt import EMT
from ase.io import write

import schur

TETRAHEDRON = 1.8 * np.array(
    [[0.5, 0.5, 0.5], [0.5, -0.5, -0.5], [-0.5, 0.5, -0.5], [-0.5, -0.5, 0.5]]
)


def cluster(seed: int) -> Atoms:
    """Four atoms displaced at random, with energy and forces."""
    atoms = Atoms("Cu4", TETRAHEDRON)
    atoms.rattle(0.1, seed=seed)
    atoms.calc = EMT()
    atoms.get_forces()
    return atoms


with tempfile.TemporaryDirectory() as folder:
    data, run = Path(folder, "copper.xyz"), Path(folder, "run")
    write(data, [cluster(seed) for seed in range(80)])
    command = [sys.executable, "-m", "schur.cli", "train", str(data)]
    subprocess.run([*command, "--time-limit", "10s", "-o", str(run)], check=True)
    atoms = cluster(seed=1000)
    reference = atoms.get_forces()
    atoms.calc = schur.Calculator(run / "model.schur")
    error = np.sqrt(np.mean((atoms.get_forces() - reference) ** 2))
    print(f"on a cluster it has not seen, the forces are off by {1e3 * error:.0f} meV/Å (rms)")
