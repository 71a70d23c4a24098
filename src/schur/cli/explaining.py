"""`schur explain`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..atoms.picture import Picture, label, legend, logarithmic, require_matplotlib
from ..engine import seconds
from ..errors import RepresentationError
from ..products import Candidate, Needs, Plan, plan
from ..reps import Irreps
from .tables import console, say, say_notes

_CHANNELS = 16  # of the picture: one vector register of numbers
_HUES = (
    "#1f66b1",
    "#8093a7",
    "#c77d1e",
    "#2f8f6b",
    "#7a4fa3",
    "#c2497f",
    "#5b6977",
    "#a3763a",
    "#28323d",
)


def run_explain(
    first: str,
    second: str,
    out: str | None,
    needs: Needs,
    rows: int,
    timed: bool,
    folder: Path | None,
    lmax: int,
) -> None:
    """Prints the methods for a product with the reason for the choice; draws them against l.

    Raises:
        RepresentationError: representations that have no product channel by channel.
        BackendError: a picture is wanted and matplotlib is not installed.
    """
    if folder is not None:
        require_matplotlib()
    found = plan(
        Irreps(first),
        Irreps(second),
        None if out is None else Irreps(out),
        needs,
        rows,
        seconds if timed else None,
    )
    to = console()
    say_notes(to, [f"{found.rep_in1} x {found.rep_in2} -> {found.rep_out}"])
    say(to, "", *plan_table(found), "")
    say_notes(to, [found.reason + "."])
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        say(to, f"wrote {against_degree(needs, rows, lmax).save(folder)}")


def plan_table(found: Plan) -> list[str]:
    """One line for each method, at most 80 columns, and one for what keeps it from being taken."""
    lines = [
        f"{found.rows} rows, weights shared, single precision; free: maps of one channel",
        f"{'method':22s}{'couplings':>10s}{'free':>6s}{'op/row':>11s}{'bytes/row':>11s}"
        f"{'µs/row':>10s}",
    ]
    for candidate in found.candidates:
        lines.append(_row(candidate, found).rstrip())
        if candidate.obstacle:
            lines.append(f"  {candidate.obstacle}"[:80])
    return lines


def _row(candidate: Candidate, found: Plan) -> str:
    if candidate.program is None:
        return f"{candidate.name:22s}{'-':>10s}"
    time = "-" if candidate.seconds is None else f"{1e6 * candidate.seconds / found.rows:.3f}"
    mark = "  <- taken" if candidate is found.chosen else ""
    reached = f"{candidate.reached}/{len(found.asked)}"
    return (
        f"{candidate.name:22s}{reached:>10s}{candidate.freedom:>6d}"
        f"{candidate.operations / found.rows:>11,.0f}{candidate.bytes / found.rows:>11,.0f}"
        f"{time:>10s}{mark}"
    )


def against_degree(needs: Needs, rows: int, lmax: int) -> Picture:
    """Time and free maps of every method for degrees 0 … l of both inputs and the output.

    Args:
        needs: as for `plan`; methods that fall short are drawn as well, since the picture shows
            what they trade.
        rows: how many rows are measured.
        lmax: the highest l, one or more.

    Raises:
        RepresentationError: `lmax` is below one.
    """
    if lmax < 1:
        raise RepresentationError("a picture against l starts at 1", got=lmax)
    degrees = range(1, lmax + 1)
    plans = [plan(*_natural(degree, needs), needs, rows, seconds) for degree in degrees]
    named: dict[str, list[tuple[int, Candidate]]] = {}
    for degree, found in zip(degrees, plans, strict=True):
        for candidate in found.candidates:
            if candidate.program is not None:
                named.setdefault(candidate.name, []).append((degree, candidate))
    hues = dict(zip([c.name for c in plans[0].candidates], _HUES, strict=False))

    def times(axes: Any) -> None:
        for name, points in named.items():
            values = [1e6 * (c.seconds or 0.0) / rows for _, c in points]
            _line(axes, [degree for degree, _ in points], values, hues[name], name)
        logarithmic(axes, "y")
        axes.set_xticks(degrees)
        label(axes, "Time", "degree l", "µs per row")
        axes.set_ylim(top=40 * max(axes.get_ylim()))  # room for the names
        legend(axes, labelspacing=0.2, borderaxespad=0.1)

    def freedoms(axes: Any) -> None:
        for name, points in named.items():
            values = [float(c.freedom) for _, c in points]
            _line(axes, [degree for degree, _ in points], values, hues[name], name)
        logarithmic(axes, "y")
        axes.set_xticks(degrees)
        label(axes, "Expressivity", "degree l", "free maps of a channel")

    note = f"{_CHANNELS} channels, natural parities, {rows} rows, single precision, CPU."
    return Picture("products", "Products of geometric tensors", note, (times, freedoms))


def _natural(degree: int, needs: Needs) -> tuple[Irreps, Irreps, Irreps]:
    """0e + 1o + … to a degree, three times; single harmonics where the second is a direction."""
    harmonics = Irreps.spherical_harmonics(degree)
    several = Irreps([(_CHANNELS, ir) for _, ir in harmonics])
    return several, harmonics if needs.second == "direction" else several, several


def _line(axes: Any, x: list[int], y: list[float], hue: str, name: str) -> None:
    axes.plot(x, y, color=hue, label=name, linewidth=1.3, marker="o", markersize=3)
