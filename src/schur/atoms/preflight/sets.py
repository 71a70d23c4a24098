"""Frames that occur twice, and elements that training never sees."""

from __future__ import annotations

from collections.abc import Sequence

from ..elements import SYMBOLS
from ..findings import Finding
from ..split import Split, fingerprint
from ..system import System


def inspect_split(split: Split) -> list[Finding]:
    """Findings that concern the three sets together."""
    return [*shared_frames(split), *new_elements(split)]


def duplicates(systems: Sequence[System]) -> list[Finding]:
    """Equal geometries; a split keeps them together."""
    seen: set[bytes] = set()
    again = []
    for system in systems:
        key = fingerprint(system)
        if key in seen:
            again.append(system.origin)
        seen.add(key)
    text = f"{len(again)} of {len(systems)} frames repeat the geometry of another"
    return [Finding("duplicate-frames", False, text, tuple(again))] if again else []


def shared_frames(split: Split) -> list[Finding]:
    """Frames of the training set that are also held out."""
    train = {fingerprint(system) for system in split.train}
    findings = []
    for name in ("valid", "test"):
        held = getattr(split, name)
        same = tuple(s.origin for s in held if fingerprint(s) in train)
        if same:
            text = f"{len(same)} of {len(held)} {name} frames are also in the training set"
            findings.append(Finding("shared-frames", True, text, same))
    return findings


def new_elements(split: Split) -> list[Finding]:
    """Elements in held-out frames that the training set lacks."""
    known = {int(z) for system in split.train for z in system.numbers}
    findings = []
    for name in ("valid", "test"):
        bad = [s for s in getattr(split, name) if not {int(z) for z in s.numbers} <= known]
        if bad:
            strange = {SYMBOLS[int(z)] for s in bad for z in s.numbers if int(z) not in known}
            listed = " ".join(sorted(strange))
            text = f"{listed} occurs in {len(bad)} {name} frames and never in training"
            origins = tuple(s.origin for s in bad)
            findings.append(Finding("new-elements", True, text, origins))
    return findings
