"""`schur eval` and `schur info`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from ..atoms import picture
from ..atoms.batch import AtomicDataset
from ..atoms.elements import SYMBOLS
from ..atoms.evaluate import Evaluation, evaluate
from ..atoms.figures import error_pictures
from ..atoms.findings import require
from ..atoms.isolated import is_isolated_atom
from ..atoms.labels import label_frames
from ..atoms.modelfile import load_potential, read_header
from ..atoms.potential import Potential
from ..atoms.preflight import non_finite_labels
from ..atoms.run import METRICS_CSV, METRICS_JSON, write_metrics_csv
from ..atoms.sources import read_frames
from ..train.device import choose_device
from ..train.json_text import json_text
from .tables import console, element_table, error_table, say, say_notes


def run_evaluation(
    model: Path, files: Sequence[Path], output: Path | None, device: str = "auto"
) -> None:
    """Prints the errors of a potential on each of the files.

    With a folder it writes them there too, with pictures where matplotlib is installed.

    Raises:
        DataError: a model or a file that cannot be used.
        BackendError: a device that is not there.
    """
    chosen = choose_device(device)
    potential = load_potential(model, device=chosen.device)
    out = console()
    say(out, str(chosen))
    evaluations = {name: _evaluate(potential, path, out) for name, path in _named(files).items()}
    say(out, "", *error_table(evaluations))
    for name, result in evaluations.items():
        if len(evaluations) > 1:
            say(out, f"{name}:")
        say(out, *element_table(result))
    atoms = sum(len(s) for e in evaluations.values() for s in e.predictions.systems)
    seconds = sum(e.seconds for e in evaluations.values())
    say(out, f"{atoms} atoms in {seconds:.2f} s, {1e6 * seconds / max(atoms, 1):.0f} µs an atom")
    if output is not None:
        for path in _write(output, model, evaluations):
            say(out, f"wrote {path}")


def _named(files: Sequence[Path]) -> dict[str, Path]:
    """Each file under its stem, or its whole path where two stems are alike."""
    stems = [path.stem for path in files]
    alone = len(set(stems)) == len(stems)
    return {stem if alone else str(path): path for stem, path in zip(stems, files, strict=True)}


def _evaluate(potential: Potential, path: Path, out: Console) -> Evaluation:
    systems, report = label_frames(read_frames(path))
    lines = [line for line in report.lines() if not line.endswith("absent")]
    say(out, *[f"{path.name}: {line}" for line in lines])
    require([*report.findings, *non_finite_labels(systems)])
    molecules = [system for system in systems if not is_isolated_atom(system)]
    dtype = potential.dtype
    return evaluate(
        potential, AtomicDataset(molecules, potential.elements, potential.cutoff, dtype)
    )


def _write(folder: Path, model: Path, evaluations: dict[str, Evaluation]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    errors = {name: result.summary() for name, result in evaluations.items()}
    text = json_text({"model": str(model), "errors": errors})
    (folder / METRICS_JSON).write_text(text + "\n", encoding="utf-8")
    write_metrics_csv(folder / METRICS_CSV, evaluations)
    written = [folder / METRICS_JSON, folder / METRICS_CSV]
    if picture.available():
        written += [drawn.save(folder) for drawn in error_pictures(evaluations)]
    return written


def run_info(model: Path) -> None:
    """Prints the header of a model file.

    Raises:
        DataError: a file that is absent, cut off or no model.
    """
    header = read_header(model)
    out = console()
    shape, training = header["model"], header["training"]
    symbols = [SYMBOLS[z] for z in header["elements"]]
    reference = zip(symbols, header["reference"], strict=True)
    size = f"{model.stat().st_size / 1e6:.1f} MB"
    if "parameters" in training:
        size += f", {training['parameters']} parameters"
    say_notes(
        out,
        [
            f"{shape['architecture']} model, format {header['format']}, {header['dtype']}, {size}",
            "elements: " + ", ".join(f"{s} (E0 {e:.4f} eV)" for s, e in reference),
            f"mean neighbours: {header['mean_neighbours']:.2f} an atom",
            f"scale: {header['scale']:.4f} eV, shift: {header['shift']:.4f} eV an atom",
            *[f"{key}: {value}" for key, value in shape.items() if key != "architecture"],
            *[_known_errors(name, errors) for name, errors in training.get("errors", {}).items()],
            *[f"{key}: {header[key]}" for key in ("licence", "citation") if header[key]],
        ],
    )


def _known_errors(name: str, errors: Mapping[str, Any]) -> str:
    """The errors of one set as training found them; what it had no labels for is left out."""
    total = errors["total"]
    words = [
        f"{what} rmse {total[key]:.2f} {unit}"
        for what, key, unit in (
            ("energy", "energy_rmse_meV", "meV"),
            ("forces", "forces_rmse_meV_per_A", "meV/Å"),
        )
        if total.get(key) is not None and math.isfinite(total[key])
    ]
    return f"{name}: {', '.join(words) or 'no labels'} ({total['systems']} systems)"
