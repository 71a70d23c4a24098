"""`python -m benchmarks.accuracy`: every model trained for the same time, a table and a picture.

    python -m benchmarks.accuracy                            10 minutes for each, one after another
    python -m benchmarks.accuracy --minutes 1 --models egnn tensornet
    python -m benchmarks.accuracy --threads 1 --processor-time     fair where others use the machine

A model whose run is in the folder already is not trained again, so that runs can be made at
different times; the table names the machine's load at the end of each.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from schur.models.registry import ARCHITECTURES

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Trains what is missing, then writes results.json, table.md and accuracy.png."""
    options = _options()
    folder = options.data / "acac"
    if not folder.is_dir():
        sys.exit(f"there are no data in {folder}: name them with --data")
    options.output.mkdir(parents=True, exist_ok=True)
    results = []
    for name in options.models:
        run = options.output / name
        if not (run / "load.json").exists():
            _train(name, folder, run, options)
        if (run / "load.json").exists():
            results.append(_result(name, run))
    results.sort(key=lambda result: result["forces"])
    (options.output / "results.json").write_text(json.dumps(results, indent=1) + "\n", "utf-8")
    table = _table(results)
    (options.output / "table.md").write_text(table, "utf-8")
    _picture(results, options.output / "accuracy.png")
    print(table)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(ARCHITECTURES))
    parser.add_argument("--minutes", type=float, default=10.0, help="of each training")
    parser.add_argument(
        "--processor-time",
        action="store_true",
        help="minutes of the processor, over all threads, and not of the clock on the wall",
    )
    parser.add_argument("--size", default="medium")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data")
    parser.add_argument("--output", type=Path, default=Path("runs/accuracy"))
    return parser.parse_args()


def _train(name: str, folder: Path, run: Path, options: argparse.Namespace) -> None:
    words = [folder / "train_300K.xyz", folder / "isolated_atoms.xyz"]
    words += ["--test", folder / "test_MD_300K.xyz", "--model", name, "--size", options.size]
    words += ["--time-limit", f"{60 * options.minutes:g}s", "--threads", options.threads]
    # The clock ends the run, not the preset: the schedule follows it.
    words += ["--restart", "never", "--output", run, "training.epochs=100000"]
    clock = "processor" if options.processor_time else "wall"
    words += [f"training.clock={clock}"]
    print(f"{name}: {options.minutes:g} minutes", flush=True)
    with open(run.with_suffix(".log"), "w") as log:
        command = [sys.executable, "-m", "schur.cli", "train", *map(str, words)]
        failed = subprocess.run(command, stdout=log, stderr=log).returncode
    if failed:
        print(f"{name}: failed, see {run.with_suffix('.log')}", flush=True)
        return
    facts = {"minutes": options.minutes, "clock": clock, "threads": options.threads}
    facts["load"] = os.getloadavg()[1]
    (run / "load.json").write_text(json.dumps(facts), "utf-8")


def _result(name: str, run: Path) -> dict[str, Any]:
    metrics = json.loads((run / "metrics.json").read_text("utf-8"))
    with open(run / "history.csv", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row.get("forces_rmse")]
    test = metrics["errors"]["test"]["total"]
    return json.loads((run / "load.json").read_text("utf-8")) | {
        "model": name,
        "parameters": metrics["parameters"],
        "epochs": metrics["epochs"],
        "step_ms": 1e3 * metrics["training_seconds"] / max(metrics["steps"], 1),
        "forces": test["forces_rmse_meV_per_A"],
        "energy": test["energy_rmse_meV"],
        "curve": [(float(row["seconds"]), float(row["forces_rmse"])) for row in rows],
    }


def _table(results: list[dict[str, Any]]) -> str:
    lines = [
        "| model | parameters | ms a step | epochs | minutes, threads, load "
        "| forces, meV/Å | energy, meV |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in results:
        ran = f"{r['minutes']:g}, {r['threads']}, {r['load']:.1f}"
        lines.append(
            f"| `{r['model']}` | {r['parameters']:,} | {r['step_ms']:.1f} | {r['epochs']} | {ran} "
            f"| {r['forces']:.1f} | {r['energy']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def _picture(results: list[dict[str, Any]], path: Path) -> None:
    """Error of forces on the validation set against time, one line for each model."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    figure = Figure(figsize=(7.6, 4.4), dpi=160, layout="constrained")
    axes = figure.subplots()
    for number, result in enumerate(results):
        seconds, errors = zip(*result["curve"], strict=True)
        minutes = [s / 60 for s in seconds]
        # Ten colours twice over, the second time dashed; the legend stands in the order of errors.
        style = {"color": f"C{number % 10}", "ls": "-" if number < 10 else "--", "lw": 1.4}
        style |= {"marker": "o", "ms": 3}  # a slow model may have been validated once
        label = f"{result['forces']:5.1f}  {result['model']}"
        axes.plot(minutes, errors, label=label, **style)
    clocks = {result["clock"] for result in results}
    what = "of a processor" if clocks == {"processor"} else "of training"
    axes.set(xscale="log", yscale="log", xlabel=f"minutes {what}")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    axes.set_ylabel("forces, rms error on validation, meV/Å")
    axes.set_title("acetylacetone, 475 frames at 300 K", loc="left", fontsize=10)
    axes.grid(True, which="both", alpha=0.2)
    figure.legend(
        title="on the test set at the end", fontsize=8, title_fontsize=8, loc="outside right upper"
    )
    figure.savefig(path)


if __name__ == "__main__":
    main()
