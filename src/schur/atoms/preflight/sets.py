"""Frames that occur twice, and elements that training never sees."""

from __future__ import annotations

import numpy as np

from ..census import Census
from ..elements import SYMBOLS
from ..findings import Finding, Noted
from ..split import Parts


def inspect_parts(census: Census, parts: Parts) -> list[Finding]:
    """Findings that concern the three sets together."""
    return [*shared_frames(census, parts), *new_elements(census, parts)]


def duplicates(census: Census) -> list[Finding]:
    """Equal geometries; a split keeps them together."""
    frames = census.molecules
    first = np.unique(census.fingerprints[frames], return_index=True)[1]
    again = np.delete(frames, first)
    text = f"{len(again)} of {len(frames)} frames repeat the geometry of another"
    return _in_frames(census, again, "duplicate-frames", False, text)


def shared_frames(census: Census, parts: Parts) -> list[Finding]:
    """Frames of the training set that are also held out."""
    fingerprints = census.fingerprints
    findings = []
    for name in ("valid", "test"):
        held = getattr(parts, name)
        same = held[np.isin(fingerprints[held], fingerprints[parts.train])]
        text = f"{len(same)} of {len(held)} {name} frames are also in the training set"
        findings += _in_frames(census, same, "shared-frames", True, text)
    return findings


def new_elements(census: Census, parts: Parts) -> list[Finding]:
    """Elements in held-out frames that the training set lacks."""
    known = {*census.elements(parts.train)}
    strange = np.array([not set(formula) <= known for formula in census.compositions])
    findings = []
    for name in ("valid", "test"):
        held = getattr(parts, name)
        bad = held[strange[census.composition[held]]]
        listed = " ".join(SYMBOLS[z] for z in census.elements(bad) if z not in known)
        text = f"{listed} occurs in {len(bad)} {name} frames and never in training"
        findings += _in_frames(census, bad, "new-elements", True, text)
    return findings


def _in_frames(
    census: Census, frames: np.ndarray, code: str, stops: bool, text: str, remedy: str = ""
) -> list[Finding]:
    """A finding in these frames; none where there are none."""
    if not len(frames):
        return []
    noted = Noted(len(frames), list(census.origins(frames[:3])))
    return [noted.finding(code, stops, text, remedy)]
