"""`schur predict`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from ..atoms.batch import AtomicDataset
from ..atoms.evaluate import predict
from ..atoms.extxyz import write_frames
from ..atoms.modelfile import load_potential
from ..atoms.sources import read_frames
from ..atoms.symmetric import voigt
from ..atoms.system import System
from .tables import console, say


def run_prediction(model: Path, files: Sequence[Path], output: Path) -> None:
    """Writes the frames with the keys `schur_energy`, `schur_forces` and `schur_stress` added.

    Raises:
        DataError: a model or a file that cannot be used.
    """
    potential = load_potential(model)
    frames = list(chain.from_iterable(read_frames(path) for path in files))
    systems = [System(f.numbers, f.positions, f.cell, f.pbc, origin=f.origin) for f in frames]
    dtype = next(potential.parameters()).dtype
    dataset = AtomicDataset(systems, potential.elements, potential.cutoff, dtype)
    periodic = any(system.pbc.all() for system in systems)
    said = predict(potential, dataset, stress=periodic)
    written = []
    for index, (frame, system) in enumerate(zip(frames, systems, strict=True)):
        info = {**frame.info, "schur_energy": said.energies[index]}
        if periodic and system.pbc.all():
            info["schur_stress"] = voigt(said.stresses[index])
        arrays = {**frame.arrays, "schur_forces": said.forces[index]}
        written.append(replace(frame, info=info, arrays=arrays))
    write_frames(output, written)
    say(console(), f"wrote {output} ({len(written)} frames)")
