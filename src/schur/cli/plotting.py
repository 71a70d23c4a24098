"""`schur plot`: pictures of runs that are over."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..atoms import config as settings
from ..atoms.dynamics import LOG, SETTINGS, TRAJECTORY
from ..atoms.dynamics_figures import log_pictures, require_rows, structure_pictures
from ..atoms.evaluate import Evaluation, Predictions, compare, evaluate
from ..atoms.figures import error_pictures, learning_curve
from ..atoms.labels import is_isolated_atom, label_frames
from ..atoms.modelfile import load_potential
from ..atoms.picture import Picture, require_matplotlib
from ..atoms.prepare import prepare
from ..atoms.run import CONFIG, MODEL
from ..atoms.sources import read_frames
from ..atoms.symmetric import matrix
from ..atoms.system import System
from ..errors import DataError
from ..train.loop import HISTORY
from .moving import dynamics_config
from .prediction import ENERGY, FORCES, STRESS
from .tables import console, say


def run_plot(paths: Sequence[Path], output: Path | None) -> None:
    """Draws what folders of runs and single files hold.

    Args:
        paths: folders of `schur train` and `schur md`, `history.csv`, `dynamics.csv`, and
            structures that `schur predict` wrote.
        output: folder for the pictures; beside what is drawn where None.

    Raises:
        BackendError: matplotlib is not installed.
        DataError: nothing that can be drawn.
    """
    require_matplotlib()
    out = console()
    for path in paths:
        pictures = _of_folder(path) if path.is_dir() else _of_file(path)
        folder = output or (path if path.is_dir() else path.parent)
        folder.mkdir(parents=True, exist_ok=True)
        for picture in pictures:
            say(out, f"wrote {picture.save(folder)}")


def _of_folder(folder: Path) -> list[Picture]:
    pictures: list[Picture] = []
    for name in (HISTORY, LOG):
        if (folder / name).exists():
            pictures += _of_table(folder / name)
    if (folder / MODEL).exists() and (folder / CONFIG).exists():
        pictures += error_pictures(_evaluations(folder))
    if not pictures:
        raise DataError(
            f"{folder} holds nothing to draw",
            got=", ".join(sorted(p.name for p in folder.iterdir())[:8]) or "an empty folder",
            expected=f"a folder of schur train or schur md, with {HISTORY} or {LOG}",
        )
    return pictures


def _of_file(path: Path) -> list[Picture]:
    if path.suffix.lower() == ".csv":
        return _of_table(path)
    return error_pictures({path.stem: _predicted(path)})


def _of_table(path: Path) -> list[Picture]:
    """Pictures of a table of epochs or of a log of dynamics."""
    rows = _rows(path)
    if rows and "epoch" in rows[0]:
        return learning_curve(rows)
    rows = require_rows(rows, path)
    trajectory = path.with_name(TRAJECTORY)
    systems: list[System] = []
    if trajectory.exists():
        frames = read_frames(trajectory)
        systems = [System(f.numbers, f.positions, f.cell, f.pbc) for f in frames]
    atoms = len(systems[0]) if systems else None
    target: float | None = None
    if path.with_name(SETTINGS).exists():
        written = settings.read_settings(path.with_name(SETTINGS))
        target = dynamics_config(written, []).kept_temperature
    return [*log_pictures(rows, atoms, target), *structure_pictures(systems)]


def _rows(path: Path) -> list[dict[str, float]]:
    try:
        with open(path, newline="", encoding="utf-8") as stream:
            return [
                {key: float(value) for key, value in row.items() if value}
                for row in csv.DictReader(stream)
            ]
    except (OSError, ValueError, TypeError) as error:
        raise DataError(
            f"{path} cannot be read", got=str(error), expected=f"{HISTORY} or {LOG}"
        ) from error


def _evaluations(folder: Path) -> dict[str, Evaluation]:
    """The errors of a run's model on its data, anew."""
    config = settings.resolve(settings.read_settings(folder / CONFIG))
    prepared = prepare(config.data, config.model.cutoff, config.training.seed)
    potential = load_potential(folder / MODEL)
    dtype = potential.dtype
    sets = prepared.datasets(config.model.cutoff, dtype)
    return {name: evaluate(potential, part) for name, part in sets.items() if len(part)}


def _predicted(path: Path) -> Evaluation:
    """Labels beside the predictions in the same file."""
    frames = list(read_frames(path))
    if any(ENERGY not in frame.info or FORCES not in frame.arrays for frame in frames):
        raise DataError(
            f"{path} holds no predictions",
            got=", ".join([*frames[0].info, *frames[0].arrays]) or "no labels",
            expected=f"{ENERGY} and {FORCES} in every frame, as schur predict writes them",
        )
    systems, _ = label_frames(frames)
    pairs = [(s, f) for s, f in zip(systems, frames, strict=True) if not is_isolated_atom(s)]
    stresses = [matrix(np.asarray(f.info[STRESS])) for _, f in pairs if STRESS in f.info]
    said = Predictions(
        [system for system, _ in pairs],
        [float(frame.info[ENERGY]) for _, frame in pairs],
        forces=[frame.arrays[FORCES] for _, frame in pairs],
        stresses=stresses if len(stresses) == len(pairs) else [],
    )
    return compare(said)
