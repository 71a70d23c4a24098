"""Pictures of training and of errors."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from .evaluate import Evaluation, Predictions, SystemErrors
from .picture import (
    COLOURS,
    EXTRA,
    INK,
    SOFT,
    TEST,
    Draw,
    Picture,
    cloud,
    label,
    legend,
    logarithmic,
    remark,
    short,
)
from .system import System
from .units import MILLI

_PICTURED = 2000  # systems

Rows = Sequence[Mapping[str, int | float]]

_SETS = {"train": "training set", "valid": "validation set", "test": "test set"}


def training_pictures(rows: Rows, evaluations: Mapping[str, Evaluation]) -> list[Picture]:
    """Every picture of a run."""
    return [*learning_curve(rows), *error_pictures(evaluations)]


def learning_curve(rows: Rows) -> list[Picture]:
    """Errors on the validation set, and the loss, by epoch; none where nothing was measured."""
    panels: list[Draw] = []
    for key, title, unit, colour in (
        ("forces_rmse", "Forces, validation", "RMSE, meV/Å", TEST),
        ("energy_rmse", "Energy, validation", "RMSE of whole systems, meV", COLOURS["valid"]),
        ("loss", "Loss, training", "loss", SOFT),
    ):
        points = [(float(row["epoch"]), float(row[key])) for row in rows if key in row]
        points = [(x, y) for x, y in points if math.isfinite(y) and y > 0]
        if points:
            panels.append(_curve(points, title, unit, colour))
    note = "Parameters averaged over the steps are what is validated, and the best are kept."
    return [Picture("learning_curve", "Learning curve", note, tuple(panels))] if panels else []


def _curve(points: Sequence[tuple[float, float]], title: str, unit: str, colour: str) -> Draw:
    def draw(axes: Any) -> None:
        epochs, values = zip(*points, strict=True)
        axes.plot(epochs, values, color=colour, linewidth=1.5)
        logarithmic(axes, "y")
        label(axes, title, "epoch", unit)
        if "validation" in title:
            best = int(np.argmin(values))
            axes.plot(epochs[best], values[best], "o", color=colour, markersize=4.5)
            remark(axes, f"best {short(values[best])}", side="right")

    return draw


def error_pictures(evaluations: Mapping[str, Evaluation]) -> list[Picture]:
    """Parity of energies, forces and stress for each set, and where the errors of forces lie."""
    pictures = []
    for what, title, note in (
        ("energy", "Energies", "Energies an atom, counted from the mean of the set."),
        ("forces", "Forces", "Cartesian components; colour says how many lie in one place."),
        ("stress", "Stress", "Components of the stress, tension positive."),
    ):
        panels = [
            _parity(name, evaluation, what)
            for name, evaluation in evaluations.items()
            if getattr(evaluation.total, what).count
        ]
        if panels:
            title = f"{title}, predicted against reference"
            pictures.append(Picture(f"parity_{what}", title, note, tuple(panels)))
    with_forces = {k: e for k, e in evaluations.items() if e.total.forces.count}
    if with_forces:
        pictures.append(_force_errors(with_forces))
    if any(len(e.by_config_type) > 1 for e in evaluations.values()):
        pictures.append(_by_config_type(evaluations))
    return pictures


def _parity(name: str, evaluation: Evaluation, what: str) -> Draw:
    def draw(axes: Any) -> None:
        true, predicted, unit, error = _pairs(evaluation, what)
        number = getattr(evaluation.total, what).count
        label(axes, _SETS.get(name, name), f"reference, {unit}", f"predicted, {unit}")
        both = np.concatenate([true, predicted])
        if not both.size:
            return
        low, high = float(both.min()), float(both.max())
        edge = 0.04 * (high - low) or 1.0
        axes.plot([low, high], [low, high], color=SOFT, linewidth=0.8, zorder=0)
        cloud(axes, true, predicted, COLOURS.get(name, TEST))
        axes.set_xlim(low - edge, high + edge)
        axes.set_ylim(low - edge, high + edge)
        count = f"{number:,}".replace(",", "\u2009")
        remark(axes, f"RMSE {error}\nn = {count}")

    return draw


def _pairs(evaluation: Evaluation, what: str) -> tuple[np.ndarray, np.ndarray, str, str]:
    """Reference and predicted values, their unit, and their RMSE in words."""
    said, total = evaluation.predictions, evaluation.total
    systems = _pictured(said)
    if what == "energy":
        rows = [
            (MILLI * s.energy / len(s), MILLI * said.energies[k] / len(s))
            for k, s in systems
            if s.energy is not None
        ]
        pairs = np.array(rows).reshape(-1, 2)
        pairs -= pairs[:, 0].mean() if rows else 0.0
        error = f"{short(MILLI * total.energy_per_atom.rmse)} meV/atom"
        return pairs[:, 0], pairs[:, 1], "meV/atom", error
    if what == "stress":
        error = f"{short(MILLI * total.stress.rmse)} meV/Å³"
        known = [(s.stress, said.stresses[k]) for k, s in systems]
        return *_joined(known, MILLI), "meV/Å³", error
    error = f"{short(MILLI * total.forces.rmse)} meV/Å"
    return *_joined([(s.forces, said.forces[k]) for k, s in systems], 1.0), "eV/Å", error


def _pictured(said: Predictions) -> list[tuple[int, System]]:
    """Systems by number, some thousand at most: they may have to be read from disk."""
    step = -(-len(said.systems) // _PICTURED) or 1
    return [(k, said.systems[k]) for k in range(0, len(said.systems), step)]


def _joined(
    pairs: Iterable[tuple[np.ndarray | None, np.ndarray]], factor: float
) -> tuple[np.ndarray, np.ndarray]:
    known = [(true, said) for true, said in pairs if true is not None]
    if not known:
        return np.zeros(0), np.zeros(0)
    true, said = (np.concatenate([pair[k].reshape(-1) for pair in known]) for k in (0, 1))
    return factor * true, factor * said


def _force_errors(evaluations: Mapping[str, Evaluation]) -> Picture:
    name, last = list(evaluations.items())[-1]

    def by_size(axes: Any) -> None:
        _draw_error_by_size(axes, name, last)

    def spread(axes: Any) -> None:
        _draw_spread(axes, evaluations)

    def by_element(axes: Any) -> None:
        groups = {k: {s: e.rmse for s, e in v.by_element.items()} for k, v in evaluations.items()}
        _draw_bars(axes, groups, "By element", "force RMSE, meV/Å")

    note = (
        "Lengths of the error vectors |ΔF|, atom by atom. The spread says which fraction of the "
        "atoms has a smaller error."
    )
    return Picture(
        "force_errors", "Where the force errors lie", note, (by_size, spread, by_element)
    )


def _lengths(evaluation: Evaluation) -> tuple[np.ndarray, np.ndarray]:
    """|F| in eV/Å and |ΔF| in meV/Å of all atoms."""
    said = evaluation.predictions
    known = [(s.forces, said.forces[k]) for k, s in _pictured(said) if s.forces is not None]
    size = [np.linalg.norm(true, axis=1) for true, _ in known]
    error = [np.linalg.norm(f - true, axis=1) for true, f in known]
    return np.concatenate(size), MILLI * np.concatenate(error)


def _draw_error_by_size(axes: Any, name: str, evaluation: Evaluation) -> None:
    size, error = _lengths(evaluation)
    cloud(axes, size, error, TEST)
    order = np.argsort(size)
    bins = [part for part in np.array_split(order, min(12, len(order))) if part.size]
    middles = [size[part].mean() for part in bins]
    means = [math.sqrt(np.mean(error[part] ** 2)) for part in bins]
    axes.plot(middles, means, color=INK, linewidth=1.3, marker="o", markersize=2.5, label="rms")
    axes.set_ylim(0, 1.15 * float(np.quantile(error, 0.999)) or 1.0)
    legend(axes, loc="upper left")
    label(axes, f"By force size, {_SETS.get(name, name)}", "|F|, eV/Å", "|ΔF|, meV/Å")


def _draw_spread(axes: Any, evaluations: Mapping[str, Evaluation]) -> None:
    for name, evaluation in evaluations.items():
        error = np.sort(_lengths(evaluation)[1])
        error = np.quantile(error, np.linspace(0, 1, min(len(error), 300)))
        share = np.linspace(0, 100, len(error))
        kept = error > 0
        colour = COLOURS.get(name, EXTRA)
        axes.plot(error[kept], share[kept], color=colour, linewidth=1.5, label=name)
    logarithmic(axes, "x")
    axes.set_ylim(0, 100)
    legend(axes, loc="upper left")
    label(axes, "Spread", "|ΔF|, meV/Å", "atoms with a smaller error, %")


def _by_config_type(evaluations: Mapping[str, Evaluation]) -> Picture:
    def panel(title: str, quantity: str, value: Any) -> Draw:
        groups = {
            name: {group: value(errors) for group, errors in e.by_config_type.items()}
            for name, e in evaluations.items()
        }
        return lambda axes: _draw_bars(axes, groups, title, quantity)

    def forces(errors: SystemErrors) -> float:
        return errors.forces.rmse

    def energy(errors: SystemErrors) -> float:
        return errors.energy_per_atom.rmse

    panels = (
        panel("Forces by config_type", "force RMSE, meV/Å", forces),
        panel("Energies by config_type", "energy RMSE, meV/atom", energy),
    )
    return Picture("errors_by_config_type", "By config_type", "", panels)


def _draw_bars(
    axes: Any, groups: Mapping[str, Mapping[str, float]], title: str, quantity: str
) -> None:
    """Horizontal bars: a group of them for each name, one for each set; values in eV or eV/Å."""
    names = list(dict.fromkeys(name for values in groups.values() for name in values))[::-1]
    width = 0.78 / len(groups)
    for k, (which, values) in enumerate(groups.items()):
        lengths = [MILLI * values.get(name, math.nan) for name in names]
        places = np.arange(len(names)) - (k - (len(groups) - 1) / 2) * width
        colour = COLOURS.get(which, EXTRA)
        bars = axes.barh(places, lengths, 0.9 * width, color=colour, label=which)
        if len(names) * len(groups) <= 12:
            words = [short(length) if math.isfinite(length) else "" for length in lengths]
            axes.bar_label(bars, words, padding=3, fontsize=7.5, color=SOFT)
    axes.set_yticks(range(len(names)), [name[:18] for name in names])
    axes.tick_params(axis="y", length=0)
    axes.grid(visible=False, axis="y")
    axes.margins(x=0.3)
    if len(groups) > 1:
        legend(axes, loc="best")
    label(axes, title, quantity, "")
