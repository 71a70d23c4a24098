"""One HTML page about a run: self-contained, opens without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..train.metrics import ErrorSums
from . import page as html
from . import picture
from .config import RunConfig
from .dynamics import DynamicsResult
from .dynamics_figures import dynamics_pictures
from .elements import SYMBOLS
from .evaluate import Evaluation, SystemErrors
from .figures import error_pictures, learning_curve
from .picture import Picture
from .prepare import Prepared
from .run import TrainedRun
from .symmetry_check import SymmetryErrors, symmetry_errors
from .units import MILLI

REPORT = "report.html"

_TURNED = 20  # systems that the symmetry is measured on
_NAMED = 200  # systems that the title looks at
_HEADINGS = (
    ("set", ""),
    ("frames", ""),
    ("energy MAE", "meV"),
    ("energy RMSE", "meV"),
    ("energy RMSE", "meV/atom"),
    ("force MAE", "meV/Å"),
    ("force RMSE", "meV/Å"),
    ("force error", "% of rms force"),
)
_STRESS_HEADING = ("stress RMSE", "meV/Å³")


def write_report(
    directory: Path,
    run: TrainedRun,
    prepared: Prepared,
    config: RunConfig,
    motion: DynamicsResult | None = None,
) -> list[Path]:
    """Writes `report.html`, and each picture as PNG; without matplotlib the page has no pictures.

    Args:
        directory: of the run.
        run: trained and evaluated.
        prepared: its data.
        config: its settings.
        motion: dynamics with the trained potential, where there was one.

    Returns:
        The files written, the page first.
    """
    learning = learning_curve(run.outcome.rows)
    errors = error_pictures(run.evaluations)
    moving = [] if motion is None else dynamics_pictures(motion, prepared.split.train)
    last = list(run.evaluations.values())[-1]
    symmetry = symmetry_errors(run.potential, last.predictions.systems[:_TURNED])
    body = [
        _header(prepared, config),
        _cards(run),
        html.section("Accuracy", _accuracy(run.evaluations), _plots(errors)),
        html.section("Training", *_training(run), _plots(learning)),
        _dynamics(motion, moving),
        html.section("Symmetry", *_symmetry(symmetry, last.total)),
        html.section("Data", *_data(prepared, run.evaluations)),
        '<div class="two">',
        html.section("Model", html.definitions(_model(run, prepared, config))),
        html.section("Time", html.definitions(_times(run))),
        "</div>",
        html.section("Configuration", _CONFIGURED, html.verbatim(config.to_yaml())),
        _footer(run),
    ]
    target = directory / REPORT
    target.write_text(html.page(f"Potential for {_title(prepared)}", body), encoding="utf-8")
    if not picture.available():
        return [target]
    return [target, *(p.save(directory) for p in [*learning, *errors, *moving])]


_CONFIGURED = html.hint("Every setting that was in force; this text is config.yaml of the run.")


def _title(prepared: Prepared) -> str:
    """The molecules or compounds, where they are few."""
    train = prepared.split.train
    step = -(-len(train) // _NAMED)  # a data set that lies on disk is not read through for a title
    formulas = list(dict.fromkeys(system.formula for system in train[::step]))
    if len(formulas) <= 3:
        return ", ".join(_subscripted(text) for text in formulas)
    return "Compounds of " + ", ".join(SYMBOLS[z] for z in prepared.reference.elements)


def _subscripted(formula: str) -> str:
    return formula.translate(str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉"))


def _header(prepared: Prepared, config: RunConfig) -> str:
    split = prepared.split
    files = ", ".join(path.name for path in config.data.train)
    lead = (
        f"{config.model.describe()}. Trained on {html.count(len(split.train))} structures of "
        f"{files}; {html.count(len(split.valid))} validation structures chose the parameters that "
        "were kept"
    )
    if split.test:
        lead += f"; {html.count(len(split.test))} test structures had no part in anything"
    return html.header("Interatomic potential", _title(prepared), f"{lead}.")


def _cards(run: TrainedRun) -> str:
    name, last = list(run.evaluations.items())[-1]
    total = last.total
    whose = {"test": "test set", "valid": "validation set"}.get(name, "training set")
    cards = []
    if total.forces.count:
        relative = html.number(100 * total.forces.relative, 2)
        text = f"force RMSE, {whose}; {relative} % of the rms force"
        cards.append((html.number(MILLI * total.forces.rmse), "meV/Å", text))
    if total.energy.count:
        an_atom = html.number(MILLI * total.energy_per_atom.rmse)
        text = f"energy RMSE of whole systems, {whose}; {an_atom} meV/atom"
        cards.append((html.number(MILLI * total.energy.rmse), "meV", text))
    atoms = sum(len(system) for system in last.predictions.systems)
    text = f"for an atom: energy and forces, in batches, on {_threads(run)}"
    cards.append((html.number(1e6 * last.seconds / max(atoms, 1)), "µs", text))
    text = f"training, {html.count(run.outcome.epochs)} epochs, ended by {run.outcome.reason}"
    cards.append((html.duration(run.outcome.seconds), "", text))
    return html.cards(cards)


def _threads(run: TrainedRun) -> str:
    threads = run.summary()["threads"]
    return "one thread" if threads == 1 else f"{threads} threads"


def _accuracy(evaluations: Mapping[str, Evaluation]) -> str:
    names, errors, inner = [], [], []
    for name, evaluation in evaluations.items():
        names.append(name)
        errors.append(evaluation.total)
        if len(evaluation.by_config_type) > 1:
            for group, part in evaluation.by_config_type.items():
                inner.append(len(names))
                names.append(group)
                errors.append(part)
    columns = [
        [MILLI * e.energy.mae for e in errors],
        [MILLI * e.energy.rmse for e in errors],
        [MILLI * e.energy_per_atom.rmse for e in errors],
        [MILLI * e.forces.mae for e in errors],
        [MILLI * e.forces.rmse for e in errors],
        [100 * e.forces.relative for e in errors],
    ]
    headings = _HEADINGS
    if any(e.stress.count for e in errors):
        columns.append([MILLI * e.stress.rmse for e in errors])
        headings = (*headings, _STRESS_HEADING)
    frames = [html.count(_frames(e)) for e in errors]
    cells = [names, frames, *(html.column(values, 3) for values in columns)]
    return html.table(headings, list(zip(*cells, strict=True)), inner)


def _frames(errors: SystemErrors) -> int:
    return errors.energy.count


def _plots(pictures: Sequence[Picture]) -> str:
    if not picture.available():
        return html.hint("Pictures need matplotlib: pip install 'schur[plot]'")
    return html.plots(pictures)


def _training(run: TrainedRun) -> list[str]:
    outcome = run.outcome
    text = (
        f"{html.count(outcome.epochs)} epochs and {html.count(outcome.steps)} steps; "
        f"ended by {outcome.reason}."
    )
    return [html.hint(text)]


def _dynamics(motion: DynamicsResult | None, pictures: Sequence[Picture]) -> str:
    if motion is None:
        return ""
    bonds = "no bond broke, " if motion.config.bonds else ""
    text = (
        f"{motion.config.describe()}. Nothing unphysical was seen: {bonds}no atoms collided, the "
        "temperature kept to its bounds, and every number was finite."
    )
    entries = motion.summary()
    return html.section("Dynamics", html.hint(text), html.definitions(entries), _plots(pictures))


def _symmetry(symmetry: SymmetryErrors, errors: SystemErrors) -> list[str]:
    text = (
        f"Energies and forces of {symmetry.systems} systems before and after a random motion, "
        "with the trained model in the number type of training. Exact models leave rounding; "
        "one on a grid of directions leaves more."
    )
    headings = (
        ("motion", ""),
        ("energy changes by at most", "meV"),
        ("forces by at most", "meV/Å"),
    )
    rows = [
        (name, html.number(MILLI * c.energy, 2), html.number(MILLI * c.forces, 2))
        for name, c in symmetry.changes.items()
    ]
    largest = symmetry.largest.forces
    after = ""
    if errors.forces.count and 0 < largest < errors.forces.rmse:
        ratio = html.number(float(f"{errors.forces.rmse / largest:.1g}"), 1)
        after = f"The error of the forces on these data is about {ratio} times larger."
    return [html.hint(text), html.table(headings, rows), html.hint(after)]


def _data(prepared: Prepared, evaluations: Mapping[str, Evaluation]) -> list[str]:
    reference = prepared.reference
    sets = {k: e.by_element for k, e in evaluations.items() if e.by_element}
    rows = [
        (
            SYMBOLS[z],
            *(
                html.count(e[SYMBOLS[z]].count // 3 if SYMBOLS[z] in e else 0)
                for e in sets.values()
            ),
            html.fixed(reference.values[z], 4),
        )
        for z in reference.elements
    ]
    headings = [("element", ""), *((name, "atoms") for name in sets), ("E0", "eV")]
    found = prepared.findings
    verdict = "" if found else "The inspection found nothing to complain about."
    return [
        html.listed(note for note in prepared.notes if not note.startswith("E0 ")),
        html.hint(verdict),
        html.findings(found),
        html.table(headings, rows),
        html.hint(f"E0, which energies are counted from: {reference.source}."),
    ]


def _atoms(sums: Mapping[str, ErrorSums], symbol: str) -> str:
    """Atoms of an element: a third of the force components that were compared."""
    return html.count(sums[symbol].count // 3) if symbol in sums else "0"


def _model(run: TrainedRun, prepared: Prepared, config: RunConfig) -> dict[str, str]:
    model = config.model
    entries = {
        "architecture": model.architecture.upper(),
        "elements": ", ".join(SYMBOLS[z] for z in run.potential.elements),
        "cutoff": f"{model.cutoff:g} Å",
        "parameters": html.count(sum(p.numel() for p in run.potential.parameters())),
    }
    for name in ("layers", "hidden", "edge_lmax", "correlation"):
        if name in type(model).model_fields:
            entries[name.replace("_", " ")] = str(getattr(model, name))
    entries["number type"] = config.training.dtype
    entries["scale, shift"] = (
        f"{html.fixed(prepared.scale, 4)} eV, {html.fixed(prepared.shift, 4)} eV an atom"
    )
    return entries


def _times(run: TrainedRun) -> dict[str, str]:
    summary, outcome = run.summary(), run.outcome
    entries = {
        "in all": html.duration(run.seconds),
        "training": html.duration(outcome.seconds),
        "a training step": f"{html.number(MILLI * outcome.seconds / max(outcome.steps, 1))} ms",
    }
    for name, evaluation in run.evaluations.items():
        atoms = sum(len(system) for system in evaluation.predictions.systems)
        each = html.number(1e6 * evaluation.seconds / max(atoms, 1))
        entries[f"inference, {name}"] = f"{each} µs an atom"
    entries["threads"] = str(summary["threads"])
    return entries


def _footer(run: TrainedRun) -> str:
    versions = ", ".join(f"{name} {value}" for name, value in run.summary()["versions"].items())
    return f"<footer>{versions}</footer>"
