"""One HTML page about a run: self-contained, opens without a network."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from . import figures
from .config import RunConfig
from .evaluate import Evaluation, SystemErrors
from .findings import Finding
from .prepare import Prepared
from .run import TrainedRun
from .symmetry_check import SymmetryErrors, symmetry_errors
from .units import MILLI

REPORT = "report.html"

_STYLE = """
:root { color-scheme: light; --ink: #29323b; --soft: #5d6b79; --line: #dfe4ea; --paper: #ffffff;
  --ground: #f4f6f8; --accent: #1f5fa8; }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
main { max-width: 1060px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 26px; margin: 0 0 2px; }
h2 { font-size: 17px; margin: 0 0 12px; }
.lead { color: var(--soft); margin: 0 0 24px; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  padding: 20px 22px; margin: 0 0 18px; overflow-x: auto; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 14px;
  margin: 0 0 18px; }
.card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px;
  padding: 16px 18px; }
.card b { display: block; font-size: 26px; line-height: 1.2; color: var(--accent);
  font-variant-numeric: tabular-nums; }
.card span { color: var(--soft); font-size: 13px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 5px 10px; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; font-size: 13px; }
tr.group td:first-child { padding-left: 28px; color: var(--soft); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(380px, 1fr)); gap: 10px; }
.plots svg { width: 100%; height: auto; display: block; }
pre { margin: 0; font: 12.5px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  overflow-x: auto; }
ul { margin: 0; padding-left: 20px; }
.stop { color: #a3321f; } .note { color: #8a5a00; }
@media print { body { background: #fff; } section, .card { break-inside: avoid; } }
"""

_HEADINGS = (
    "set",
    "frames",
    "E MAE, meV",
    "E RMSE, meV",
    "E RMSE, meV/atom",
    "F MAE, meV/Å",
    "F RMSE, meV/Å",
    "F relative, %",
)


def write_report(
    directory: Path, run: TrainedRun, prepared: Prepared, config: RunConfig
) -> list[Path]:
    """Writes `report.html`, and each picture as PNG; without matplotlib the page has no pictures.

    Args:
        directory: of the run.
        run: trained and evaluated.
        prepared: its data.
        config: its settings.

    Returns:
        The files written.
    """
    pictures: dict[str, Any] = {}
    if figures.available():
        pictures = figures.all_figures(run.outcome.rows, run.evaluations)
    written = []
    for name, figure in pictures.items():
        path = directory / f"{name}.png"
        figure.savefig(path, dpi=160)
        written.append(path)
    last = list(run.evaluations.values())[-1]
    symmetry = symmetry_errors(run.potential, last.predictions.systems[:20])
    page = directory / REPORT
    page.write_text(_page(run, prepared, config, pictures, symmetry), encoding="utf-8")
    return [page, *written]


def _page(
    run: TrainedRun,
    prepared: Prepared,
    config: RunConfig,
    pictures: Mapping[str, Any],
    symmetry: SymmetryErrors,
) -> str:
    name, last = list(run.evaluations.items())[-1]
    title = "Interatomic potential: " + ", ".join(path.name for path in config.data.train)
    sections = [
        _cards(name, last, run),
        _section("Errors", _error_table(run.evaluations)),
        _section("Pictures", _plots(pictures)),
        _section("Symmetry, measured on the trained model", _symmetry(symmetry)),
        _section("Data", _data(prepared.notes, prepared.findings)),
        _section("Run", _timings(run)),
        _section("Configuration", f"<pre>{escape(config.to_yaml())}</pre>"),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>"
        f"<h1>{escape(title)}</h1>"
        f'<p class="lead">{config.model.describe()}. '
        "Errors are root mean squares on frames that training never saw "
        "where the set is valid or test; validation frames chose the parameters that were kept.</p>"
        + "\n".join(sections)
        + "</main></body></html>\n"
    )


def _section(title: str, body: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{body}</section>" if body else ""


def _cards(name: str, evaluation: Evaluation, run: TrainedRun) -> str:
    total = evaluation.total
    cards = [
        (f"{MILLI * total.forces.rmse:.1f} meV/Å", f"force RMSE, {name}"),
        (f"{MILLI * total.energy.rmse:.2f} meV", f"energy RMSE of whole systems, {name}"),
        (f"{100 * total.forces.relative:.1f} %", f"relative force error, {name}"),
        (f"{run.outcome.seconds / 60:.1f} min", f"training, {run.outcome.epochs} epochs"),
    ]
    inner = "".join(
        f'<div class="card"><b>{escape(value)}</b><span>{escape(label)}</span></div>'
        for value, label in cards
    )
    return f'<div class="cards">{inner}</div>'


def _error_table(evaluations: Mapping[str, Evaluation]) -> str:
    head = "".join(f"<th>{escape(text)}</th>" for text in _HEADINGS)
    body = ""
    for name, evaluation in evaluations.items():
        body += _error_row(name, evaluation.total, "")
        if len(evaluation.by_config_type) > 1:
            for group, errors in evaluation.by_config_type.items():
                body += _error_row(group, errors, ' class="group"')
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _error_row(name: str, errors: SystemErrors, style: str) -> str:
    values = [
        (MILLI * errors.energy.mae, 2),
        (MILLI * errors.energy.rmse, 2),
        (MILLI * errors.energy_per_atom.rmse, 3),
        (MILLI * errors.forces.mae, 2),
        (MILLI * errors.forces.rmse, 2),
        (100 * errors.forces.relative, 2),
    ]
    cells = "".join(f"<td>{value:.{digits}f}</td>" for value, digits in values)
    return f"<tr{style}><td>{escape(name)}</td><td>{errors.energy.count}</td>{cells}</tr>"


def _plots(pictures: Mapping[str, Any]) -> str:
    if not pictures:
        return "<p>Pictures need matplotlib: pip install 'schur[plot]'</p>"
    return '<div class="plots">' + "".join(_svg(f) for f in pictures.values()) + "</div>"


def _svg(figure: Any) -> str:
    stream = io.StringIO()
    figure.savefig(stream, format="svg", dpi=160)
    text = stream.getvalue()
    return text[text.index("<svg") :]


def _symmetry(symmetry: SymmetryErrors) -> str:
    return (
        f"<p>{symmetry.systems} systems turned by random rotations and inversions: energies change "
        f"by {MILLI * symmetry.energy:.2g} meV and forces by {MILLI * symmetry.forces:.2g} meV/Å "
        "at most.</p>"
    )


def _data(notes: Sequence[str], findings: Sequence[Finding]) -> str:
    lines = "".join(f"<li>{escape(note)}</li>" for note in notes)
    for finding in findings:
        style = "stop" if finding.stops else "note"
        lines += f'<li class="{style}">{escape(str(finding))}</li>'
    return f"<ul>{lines}</ul>"


def _timings(run: TrainedRun) -> str:
    summary = run.summary()
    outcome = run.outcome
    atoms = {
        name: sum(len(s) for s in e.predictions.systems) / max(e.seconds, 1e-9)
        for name, e in run.evaluations.items()
    }
    rows = {
        "ended by": outcome.reason,
        "epochs, steps": f"{outcome.epochs}, {outcome.steps}",
        "training": f"{outcome.seconds:.0f} s, "
        f"{MILLI * outcome.seconds / max(outcome.steps, 1):.1f} ms a step",
        "in all": f"{run.seconds:.0f} s on {summary['threads']} threads",
        "prediction": ", ".join(f"{name} {rate:.0f} atoms/s" for name, rate in atoms.items()),
        "parameters": str(summary["parameters"]),
        "versions": ", ".join(f"{k} {v}" for k, v in summary["versions"].items()),
    }
    body = "".join(
        f"<tr><td>{escape(k)}</td><td>{escape(str(v))}</td></tr>" for k, v in rows.items()
    )
    return f"<table><tbody>{body}</tbody></table>"
