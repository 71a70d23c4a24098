"""Tables for a terminal of 80 columns."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Mapping

from rich.console import Console

from ..atoms.evaluate import Evaluation, SystemErrors
from ..atoms.findings import Finding
from ..atoms.units import MILLI

WIDTH = 80

_HEADINGS = ("set", "frames", "E mae", "E rmse", "E/atom", "F mae", "F rmse", "F rel %")
_WIDTHS = (18, 8, 9, 9, 9, 9, 9, 9)


def console(quiet: bool = False) -> Console:
    """Standard output: as wide as the terminal, 80 columns where there is none."""
    return Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, quiet=quiet)


def say(to: Console, *lines: str) -> None:
    """Prints lines as they are, without rich's markup and without breaking words."""
    for line in lines:
        to.print(line, markup=False, highlight=False, soft_wrap=True)


def say_notes(to: Console, notes: Iterable[str]) -> None:
    """Prints sentences, broken between words where they are longer than a line."""
    for note in notes:
        say(to, *textwrap.wrap(note, WIDTH, subsequent_indent="  ", break_long_words=False))


def say_findings(to: Console, findings: Iterable[Finding]) -> None:
    """Prints what an inspection found."""
    for finding in findings:
        say(to, f"note {finding}")


def error_table(evaluations: Mapping[str, Evaluation]) -> list[str]:
    """Errors of several sets, in meV, meV/atom and meV/Å; at most 80 columns.

    A set with several `config_type`s has a line for each of them.
    """
    lines = ["E: whole systems, meV; E/atom: rmse, meV/atom; F: meV/Å, rel: of the rms force"]
    lines.append(_row(_HEADINGS))
    for name, evaluation in evaluations.items():
        lines.append(_error_row(name, evaluation.total))
        if len(evaluation.by_config_type) > 1:
            for group, errors in evaluation.by_config_type.items():
                lines.append(_error_row(f"  {group}", errors))
    return lines


def element_table(evaluation: Evaluation) -> list[str]:
    """Force errors by element."""
    lines = ["force errors by element, meV/Å (mae, rmse)"]
    for symbol, sums in evaluation.by_element.items():
        lines.append(f"  {symbol:2s} {MILLI * sums.mae:9.2f} {MILLI * sums.rmse:9.2f}")
    return lines


def _error_row(name: str, errors: SystemErrors) -> str:
    frames = max(errors.energy.count, 0)
    cells = [
        _number(MILLI * errors.energy.mae),
        _number(MILLI * errors.energy.rmse),
        _number(MILLI * errors.energy_per_atom.rmse, 3),
        _number(MILLI * errors.forces.mae),
        _number(MILLI * errors.forces.rmse),
        _number(100 * errors.forces.relative),
    ]
    return _row((name[: _WIDTHS[0] - 1], str(frames), *cells))


def _number(value: float, digits: int = 2) -> str:
    if value != value:
        return "-"
    return f"{value:.{digits}f}" if abs(value) < 1e4 else f"{value:.2e}"


def _row(cells: tuple[str, ...]) -> str:
    first = cells[0].ljust(_WIDTHS[0])
    rest = [cell.rjust(width) for cell, width in zip(cells[1:], _WIDTHS[1:], strict=True)]
    return (first + "".join(rest)).rstrip()
