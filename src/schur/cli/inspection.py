"""`schur data check`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from ..atoms.findings import require
from ..atoms.labels import is_isolated_atom, label_frames
from ..atoms.preflight import inspect, lonely_atoms
from ..atoms.prepare import describe_elements
from ..atoms.reference import reference_energies
from ..atoms.sources import read_frames
from .tables import console, say, say_findings, say_notes


def run_check(files: Sequence[Path], cutoff: float, allow: Sequence[str]) -> None:
    """Prints what is in files of structures and what is odd about them.

    Raises:
        DataError: a finding that would ruin a model and is not allowed.
    """
    out = console()
    systems, report = label_frames(chain.from_iterable(read_frames(path) for path in files))
    say(out, *report.lines(), "elements (atoms): " + describe_elements(systems))
    molecules = [s for s in systems if not is_isolated_atom(s)]
    isolated = [s for s in systems if is_isolated_atom(s)]
    findings = list(report.findings)
    if not any(finding.code == "absent-energy" for finding in findings):
        reference = reference_energies(molecules, isolated)
        say_notes(out, [reference.describe()])
        findings += [*inspect(molecules, reference), *lonely_atoms(molecules, cutoff)]
    say_findings(out, [finding for finding in findings if not finding.stops])
    require(findings, allow)
    say(out, f"{len(systems)} frames are fit to train on")
