"""Curves of time against size: measured in turn, fitted, drawn, written as JSON."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

# A method's first measured run may take so long, in seconds; larger sizes are then left out.
PATIENCE = 4.0
# The shortest of so many runs counts, or of as many as fit in half a second.
RUNS, ENOUGH = 7, 0.5


@dataclass
class Curve:
    """Seconds of a processor at each size that was measured.

    Args:
        name: of the method.
        points: seconds by size.
        notes: what else is to be said of a size, for example what it can express.
    """

    name: str
    points: dict[int, float] = field(default_factory=dict)
    notes: dict[int, dict[str, float]] = field(default_factory=dict)

    @property
    def slow(self) -> bool:
        """Whether the last size was at the limit of patience."""
        return bool(self.points) and max(self.points.values()) > PATIENCE

    def exponent(self, least: int, shift: int = 0) -> float:
        """The slope of log time over log (size + shift), by least squares from `least` on."""
        sizes = [size for size in self.points if size >= least]
        if len(sizes) < 2:
            return float("nan")
        x = np.log(np.array(sizes) + shift)
        return float(np.polyfit(x, np.log([self.points[size] for size in sizes]), 1)[0])


def shortest(call: Callable[[], object]) -> float:
    """Seconds of a processor for one call, the shortest of several after one that is not timed.

    Processor time and the shortest run: what other work on the machine lengthens least.
    """
    call()
    times: list[float] = []
    while len(times) < RUNS and sum(times) < ENOUGH:
        start = process_time()
        call()
        times.append(process_time() - start)
    return min(times)


def crossing(slow: Curve, fast: Curve) -> int | None:
    """The least size from which on `fast` takes less time, of those that both were measured at."""
    common = sorted(set(slow.points) & set(fast.points))
    found = None
    for size in reversed(common):
        if fast.points[size] >= slow.points[size]:
            break
        found = size
    return found


def table(curves: Sequence[Curve], letter: str, least: int, shift: int = 0) -> list[str]:
    """Milliseconds, one line a size, and the fitted exponents."""
    sizes = sorted({size for curve in curves for size in curve.points})
    width = max(12, *(len(curve.name) + 2 for curve in curves))
    lines = [f"{letter:>4s}" + "".join(f"{curve.name:>{width}s}" for curve in curves)]
    for size in sizes:
        cells = (
            f"{1e3 * curve.points[size]:{width}.3f}" if size in curve.points else f"{'-':>{width}s}"
            for curve in curves
        )
        lines.append(f"{size:4d}" + "".join(cells))
    base = letter if not shift else f"({letter}+{shift})"
    fits = "".join(f"{curve.exponent(least, shift):{width}.2f}" for curve in curves)
    return [*lines, f"fit {fits}", f"milliseconds; exponents of {base} from {letter} = {least} on"]


def draw(
    path: Path,
    panels: Sequence[tuple[str, str, str, Sequence[tuple[str, Mapping[int, float]]]]],
    logarithmic: bool,
) -> None:
    """Panels of curves, each (title, name of x, name of y, curves).

    Args:
        path: the picture's file.
        panels: drawn side by side.
        logarithmic: whether x is; y always is.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    size = (4.6 * len(panels), 4.2)
    figure, row = plt.subplots(1, len(panels), figsize=size, constrained_layout=True, squeeze=False)
    for axis, (title, x, y, curves) in zip(row[0], panels, strict=True):
        for name, points in curves:
            axis.plot(list(points), list(points.values()), marker="o", markersize=3, label=name)
        axis.set(title=title, xlabel=x, ylabel=y, yscale="log")
        if logarithmic:
            axis.set_xscale("log", base=2)
        axis.grid(color="0.92", which="major")
        axis.legend(fontsize=7, frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)
    plt.close(figure)


def one_core() -> None:
    """Keep this process to one core, so that its processor time is the time it would take alone."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def parser(text: str | None, stem: str) -> argparse.ArgumentParser:
    """Options that all of these share."""
    found = argparse.ArgumentParser(description=text)
    found.add_argument("--json", type=Path, default=Path(f"benchmarks/results/{stem}.json"))
    found.add_argument("--picture", type=Path, default=Path(f"docs/images/{stem}.png"))
    return found


def write(path: Path, report: Any) -> None:
    """The raw numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1), "utf-8")
    print(f"raw numbers: {path}")
