"""Pictures of a run. Figures are made without pyplot, so no global state is touched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .evaluate import Evaluation
from .units import MILLI

# Three hues that the common forms of colour blindness tell apart, and greys for what is drawn on.
COLOURS = {"train": "#8da0b3", "valid": "#d98c21", "test": "#1f5fa8"}
_INK, _GRID = "#29323b", "#dfe4ea"


def available() -> bool:
    """Whether matplotlib is installed."""
    from importlib.util import find_spec

    return find_spec("matplotlib") is not None


def all_figures(
    rows: Sequence[Mapping[str, int | float]], evaluations: Mapping[str, Evaluation]
) -> dict[str, Any]:
    """Every picture by name; values are figures of matplotlib."""
    figures = {}
    if any("forces_rmse" in row for row in rows):
        figures["learning_curve"] = learning_curve(rows)
    figures["parity_energy"] = parity(evaluations, "energy")
    if any(e.total.forces.count for e in evaluations.values()):
        figures["parity_forces"] = parity(evaluations, "forces")
        last = list(evaluations.values())[-1]
        figures["force_error_by_size"] = force_error_by_size(last)
        figures["force_error_by_element"] = force_error_by_element(evaluations)
    return figures


def _blank(width: float = 4.6, height: float = 3.4) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color("#9aa5b1")
    axes.tick_params(colors=_INK, labelsize=8)
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


def _labels(axes: Any, title: str, x: str, y: str) -> None:
    axes.set_title(title, fontsize=10, color=_INK, loc="left")
    axes.set_xlabel(x, fontsize=8.5, color=_INK)
    axes.set_ylabel(y, fontsize=8.5, color=_INK)


def learning_curve(rows: Sequence[Mapping[str, int | float]]) -> Any:
    """Errors on the validation set by epoch, both on logarithmic axes."""
    from matplotlib.ticker import FuncFormatter

    figure, axes = _blank()
    shown = [row for row in rows if "forces_rmse" in row]
    epochs = [row["epoch"] for row in shown]
    for key, label, colour in (
        ("forces_rmse", "forces, meV/Å", COLOURS["test"]),
        ("energy_rmse", "energy, meV", COLOURS["valid"]),
    ):
        values = [row[key] for row in shown]
        if any(math.isfinite(value) for value in values):
            axes.plot(epochs, values, color=colour, linewidth=1.4, label=label)
    axes.set_yscale("log")
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_formatter(plain)
    axes.tick_params(axis="y", which="minor", labelsize=7, colors=_INK)
    _labels(axes, "Validation error during training", "epoch", "RMSE")
    axes.legend(frameon=False, fontsize=8)
    return figure


def parity(evaluations: Mapping[str, Evaluation], what: str) -> Any:
    """Predicted against reference values of each set; energies about their mean, an atom."""
    figure, axes = _blank(height=3.8)
    lows, highs = [], []
    for name, evaluation in evaluations.items():
        true, predicted = _pairs(evaluation, what)
        if true.size == 0:
            continue
        axes.plot(
            true,
            predicted,
            linestyle="none",
            marker="o",
            markersize=2.2 if what == "energy" else 1.2,
            alpha=0.55,
            color=COLOURS.get(name, _INK),
            label=f"{name} ({len(evaluation.predictions.systems)})",
            rasterized=True,
        )
        lows.append(min(true.min(), predicted.min()))
        highs.append(max(true.max(), predicted.max()))
    if lows:
        axes.plot([min(lows), max(highs)], [min(lows), max(highs)], color=_INK, linewidth=0.7)
        axes.legend(frameon=False, fontsize=8, markerscale=3)
    unit = "meV/atom, about the mean" if what == "energy" else "eV/Å"
    title = "Energies" if what == "energy" else "Force components"
    _labels(axes, title, f"reference, {unit}", f"predicted, {unit}")
    return figure


def _pairs(evaluation: Evaluation, what: str) -> tuple[np.ndarray, np.ndarray]:
    said = evaluation.predictions
    if what == "energy":
        rows = [
            (MILLI * (s.energy or 0.0) / len(s), MILLI * e / len(s))
            for s, e in zip(said.systems, said.energies, strict=True)
            if s.energy is not None
        ]
        pairs = np.array(rows).reshape(-1, 2)
        middle = pairs[:, 0].mean() if len(pairs) else 0.0
        return pairs[:, 0] - middle, pairs[:, 1] - middle
    known = [(s.forces, f) for s, f in zip(said.systems, said.forces, strict=True)]
    known = [(true, f) for true, f in known if true is not None]
    if not known:
        return np.zeros(0), np.zeros(0)
    true, predicted = (np.concatenate([pair[k].reshape(-1) for pair in known]) for k in (0, 1))
    # A picture of a hundred thousand points says no more than one of twenty thousand.
    step = max(len(true) // 20000, 1)
    return true[::step], predicted[::step]


def force_error_by_size(evaluation: Evaluation) -> Any:
    """Length of the force error against the length of the force, atom by atom."""
    figure, axes = _blank()
    said = evaluation.predictions
    known = [
        (np.linalg.norm(s.forces, axis=1), np.linalg.norm(f - s.forces, axis=1))
        for s, f in zip(said.systems, said.forces, strict=True)
        if s.forces is not None
    ]
    size, error = (np.concatenate([pair[k] for pair in known]) for k in (0, 1))
    step = max(len(size) // 20000, 1)
    axes.plot(
        size[::step],
        MILLI * error[::step],
        linestyle="none",
        marker="o",
        markersize=1.4,
        alpha=0.4,
        color=COLOURS["test"],
        rasterized=True,
    )
    order = np.argsort(size)
    bins = [part for part in np.array_split(order, min(12, len(order))) if part.size]
    axes.plot(
        [size[part].mean() for part in bins],
        [MILLI * np.sqrt(np.mean(error[part] ** 2)) for part in bins],
        color=COLOURS["valid"],
        linewidth=1.8,
        label="root mean square",
    )
    axes.legend(frameon=False, fontsize=8)
    axes.set_ylim(0, MILLI * float(np.quantile(error, 0.999)) * 1.2)
    _labels(axes, "Force error by force size", "|F| reference, eV/Å", "|ΔF|, meV/Å")
    return figure


def force_error_by_element(evaluations: Mapping[str, Evaluation]) -> Any:
    """RMSE of the forces on atoms of each element, for each set."""
    figure, axes = _blank()
    symbols = sorted({symbol for e in evaluations.values() for symbol in e.by_element})
    width = 0.8 / max(len(evaluations), 1)
    for k, (name, evaluation) in enumerate(evaluations.items()):
        heights = [
            MILLI * evaluation.by_element[s].rmse if s in evaluation.by_element else 0.0
            for s in symbols
        ]
        places = np.arange(len(symbols)) + (k - (len(evaluations) - 1) / 2) * width
        axes.bar(places, heights, 0.92 * width, color=COLOURS.get(name, _INK), label=name)
    axes.set_xticks(range(len(symbols)), symbols)
    axes.legend(frameon=False, fontsize=8)
    axes.grid(visible=False, axis="x")
    _labels(axes, "Force error by element", "", "RMSE, meV/Å")
    return figure
