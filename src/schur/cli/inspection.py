"""`schur data check`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..atoms.findings import Finding, require
from ..atoms.prepare import FrameStore, describe_elements
from ..atoms.reference import reference_of
from ..atoms.sources import files_in
from .tables import console, say_findings, say_notes


def run_check(files: Sequence[Path], cutoff: float, allow: Sequence[str]) -> None:
    """Prints what is in files of structures and what is odd about them, in one pass.

    Raises:
        DataError: a finding that would ruin a model and is not allowed.
    """
    out = console()
    notes: list[str] = []
    findings: list[Finding] = []
    # Nothing is asked for again, so nothing is kept.
    store = FrameStore({}, cutoff, streamed=True)
    molecules = store.read(files_in(files), "data", notes, findings)
    census = store.inspection.census
    say_notes(out, [note.removeprefix("data: ") for note in notes])
    say_notes(out, [f"elements (atoms): {describe_elements(census)}"])
    if len(census.config_types) > 1:
        counts = zip(census.config_types, census.type_counts(), strict=True)
        say_notes(out, ["config_type (frames): " + ", ".join(f"{n} {c}" for n, c in counts)])
    if not any(finding.code == "absent-energy" for finding in findings):
        reference = reference_of(census, molecules)
        say_notes(out, [reference.describe()])
        findings += store.inspection.findings(reference)
    say_findings(out, [finding for finding in findings if not finding.stops])
    require(findings, allow)
    if len(molecules):
        say_notes(out, [f"{len(census)} frames are fit to train on"])
    else:
        say_notes(out, ["isolated atoms alone: they give E0, beside a file of structures"])
