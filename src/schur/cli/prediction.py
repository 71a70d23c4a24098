"""`schur predict`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from ..atoms.batch import AtomicDataset
from ..atoms.evaluate import predict
from ..atoms.modelfile import load_potential
from ..atoms.sources import read_frames, write_any
from ..atoms.symmetric import voigt
from ..atoms.system import System
from ..train.device import choose_device
from .tables import console, say

ENERGY, FORCES, STRESS = "schur_energy", "schur_forces", "schur_stress"
"""Keys that predictions are written under; labels keep theirs."""


def run_prediction(model: Path, files: Sequence[Path], output: Path, device: str = "auto") -> None:
    """Writes the frames with `schur_energy`, `schur_forces` and `schur_stress` added.

    Raises:
        DataError: a model or a file that cannot be used or written.
        BackendError: a device that is not there.
    """
    chosen = choose_device(device)
    potential = load_potential(model, device=chosen.device)
    frames = list(chain.from_iterable(read_frames(path) for path in files))
    systems = [System(f.numbers, f.positions, f.cell, f.pbc, origin=f.origin) for f in frames]
    dtype = potential.dtype
    begin = time.perf_counter()
    dataset = AtomicDataset(systems, potential.elements, potential.cutoff, dtype)
    periodic = any(system.pbc.all() for system in systems)
    said = predict(potential, dataset, stress=periodic)
    seconds = time.perf_counter() - begin
    written = []
    for index, (frame, system) in enumerate(zip(frames, systems, strict=True)):
        info = {**frame.info, ENERGY: said.energies[index]}
        if periodic and system.pbc.all():
            info[STRESS] = voigt(said.stresses[index])
        arrays = {**frame.arrays, FORCES: said.forces[index]}
        written.append(replace(frame, info=info, arrays=arrays))
    write_any(output, written)
    atoms = sum(len(system) for system in systems)
    keys = f"{ENERGY}, {FORCES}" + (f", {STRESS}" if periodic else "")
    say(
        console(),
        f"wrote {output}: {len(written)} frames with {keys}",
        f"{atoms} atoms in {seconds:.2f} s; {chosen}",
    )
