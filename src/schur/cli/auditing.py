"""`schur audit`."""

from __future__ import annotations

from pathlib import Path

from ..atoms.audit import audit_potential
from ..atoms.modelfile import load_potential
from ..atoms.sources import read_frames
from ..atoms.system import System
from ..train.device import choose_device
from .tables import console, say


def run_audit(
    model: Path, files: list[Path], frames: int, samples: int, seed: int, device: str = "auto"
) -> None:
    """Prints the equivariance errors of a potential on structures, by motion and by layer.

    Raises:
        DataError: a model or a file that cannot be used.
        BackendError: a device that is not there.
    """
    chosen = choose_device(device)
    potential = load_potential(model, device=chosen.device)
    say(console(), str(chosen))
    found = [frame for path in files for frame in read_frames(path)]
    step = max(1, len(found) // frames)
    systems = [
        System(frame.numbers, frame.positions, frame.cell, frame.pbc, origin=frame.origin)
        for frame in found[::step][:frames]
    ]
    say(console(), str(audit_potential(potential, systems, samples, seed)))
