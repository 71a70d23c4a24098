"""`schur eval` and `schur info`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from ..atoms.batch import AtomicDataset
from ..atoms.elements import SYMBOLS
from ..atoms.evaluate import evaluate
from ..atoms.findings import require
from ..atoms.labels import is_isolated_atom, label_frames
from ..atoms.modelfile import load_potential, read_header
from ..atoms.preflight import non_finite_labels
from ..atoms.run import METRICS_CSV, METRICS_JSON, write_metrics_csv
from ..atoms.sources import read_frames
from ..train.json_text import json_text
from .tables import console, element_table, error_table, say


def run_evaluation(model: Path, files: Sequence[Path], output: Path | None) -> None:
    """Prints the errors of a potential on files, and writes them where a folder is given.

    Raises:
        DataError: a model or a file that cannot be used.
    """
    potential = load_potential(model)
    out = console()
    systems, report = label_frames(chain.from_iterable(read_frames(path) for path in files))
    say(out, *[line for line in report.lines() if not line.endswith("absent")])
    require([*report.findings, *non_finite_labels(systems)])
    molecules = [system for system in systems if not is_isolated_atom(system)]
    dtype = next(potential.parameters()).dtype
    dataset = AtomicDataset(molecules, potential.elements, potential.cutoff, dtype)
    result = evaluate(potential, dataset)
    name = files[0].stem if len(files) == 1 else "all files"
    say(out, "", *error_table({name: result}), *element_table(result))
    atoms = sum(len(system) for system in molecules)
    say(out, f"{atoms} atoms in {result.seconds:.2f} s")
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        text = json_text({"model": str(model), "errors": {name: result.summary()}})
        (output / METRICS_JSON).write_text(text + "\n", encoding="utf-8")
        write_metrics_csv(output / METRICS_CSV, {name: result})


def run_info(model: Path) -> None:
    """Prints the header of a model file.

    Raises:
        DataError: a file that is absent, cut off or no model.
    """
    header = read_header(model)
    out = console()
    symbols = [SYMBOLS[z] for z in header["elements"]]
    reference = zip(symbols, header["reference"], strict=True)
    say(
        out,
        f"{header['model']['architecture']} model, format {header['format']}, {header['dtype']}",
        "elements: " + ", ".join(f"{s} (E0 {e:.4f} eV)" for s, e in reference),
        f"cutoff {header['model']['cutoff']} Å, {header['mean_neighbours']:.2f} neighbours an atom",
        f"scale {header['scale']:.4f} eV, shift {header['shift']:.4f} eV an atom",
        *[f"{key}: {value}" for key, value in header["model"].items()],
    )
    training = header["training"]
    for name, errors in training.get("errors", {}).items():
        total = errors["total"]
        say(
            out,
            f"{name}: energy rmse {total['energy_rmse_meV']:.2f} meV, "
            f"forces rmse {total['forces_rmse_meV_per_A']:.2f} meV/Å "
            f"({total['systems']} systems)",
        )
    for key in ("licence", "citation"):
        if header[key]:
            say(out, f"{key}: {header[key]}")
