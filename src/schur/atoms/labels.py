"""From raw frames to labelled systems: which key holds the energy, and in how many frames."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..errors import DataError
from .findings import Finding, Noted
from .frame import Frame
from .frame_watch import FrameWatch
from .isolated import is_isolated_atom
from .symmetric import matrix
from .system import System

SEARCH_ORDER: dict[str, tuple[str, ...]] = {
    "energy": ("REF_energy", "energy", "DFT_energy"),
    "forces": ("REF_forces", "forces", "DFT_forces"),
    "stress": ("REF_stress", "stress"),
    "virial": ("REF_virials", "virial", "virials"),
}
"""Where each label is looked for; the first key that a frame has is the one used."""


@dataclass
class LabelReport:
    """Which key gave which label in how many frames.

    Args:
        frames: number of frames read.
        isolated: how many of them have one atom and no periodic direction.
        used: label -> key -> number of frames.
        findings: what is missing or contradictory.
    """

    frames: int = 0
    isolated: int = 0
    used: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)

    def lines(self) -> list[str]:
        """The report as sentences."""
        text = [f"{self.frames} frames, {self.isolated} of them isolated atoms"]
        for label, keys in self.used.items():
            parts = [f"{key!r} in {count} frames" for key, count in keys.items()]
            text.append(f"{label}: " + (", ".join(parts) if parts else "absent"))
        return text


def label_frames(
    frames: Iterable[Frame], keys: dict[str, Sequence[str]] | None = None
) -> tuple[list[System], LabelReport]:
    """Turns frames into systems and says which keys were used.

    Args:
        frames: from `read_frames`, of one file or several.
        keys: label -> keys to look for, in order; replaces `SEARCH_ORDER` label by label.

    Returns:
        The systems in order, and the report; the report's findings say what is absent, partial or
        mixed. One-atom frames need no forces.

    Raises:
        DataError: a label of the wrong kind or shape, with the frame named.

    Example:
        >>> hydrogen = Frame(np.array([1]), np.zeros((1, 3)), {"energy": -13.6})
        >>> systems, report = label_frames([hydrogen])
        >>> systems[0].energy, report.lines()[1]
        (-13.6, "energy: 'energy' in 1 frames")
    """
    labeller = Labeller(keys)
    return [labeller.label(frame) for frame in frames], labeller.report()


class Labeller:
    """Turns frames into systems one after another, and remembers which keys were used.

    Args:
        keys: label -> keys to look for, in order; replaces `SEARCH_ORDER` label by label.

    Raises:
        DataError: a label that there is not.

    Example:
        >>> labeller = Labeller()
        >>> hydrogen = Frame(np.array([1]), np.zeros((1, 3)), {"energy": -13.6})
        >>> labeller.label(hydrogen).energy, labeller.report().frames
        (-13.6, 1)
    """

    def __init__(self, keys: Mapping[str, Sequence[str]] | None = None) -> None:
        self.order = {label: tuple(names) for label, names in SEARCH_ORDER.items()}
        for label, names in (keys or {}).items():
            if label not in self.order:
                raise DataError("this is no label", got=label, expected=", ".join(self.order))
            self.order[label] = tuple(names)
        self._report = LabelReport(used={label: Counter() for label in self.order})
        self._missing = {label: Noted() for label in self.order}
        self._seen: Counter[str] = Counter()
        self._watch = FrameWatch()

    def system(self, frame: Frame) -> System:
        """The labelled system of a frame, of which nothing is remembered.

        Raises:
            DataError: a label of the wrong kind or shape, with the frame named.
        """
        return _system(frame, {label: _first(frame, names) for label, names in self.order.items()})

    def label(self, frame: Frame) -> System:
        """The labelled system of a frame, which the report counts.

        Raises:
            DataError: a label of the wrong kind or shape, with the frame named.
        """
        chosen = {label: _first(frame, names) for label, names in self.order.items()}
        system = _system(frame, chosen)
        self._watch.see(frame, chosen)
        self._seen.update([*frame.info, *frame.arrays])
        lone = is_isolated_atom(system)
        self._report.frames += 1
        self._report.isolated += lone
        for label, key in chosen.items():
            if key is not None:
                self._report.used[label][key] += 1
            elif not lone:
                self._missing[label].add(frame.origin)
        return system

    def report(self) -> LabelReport:
        """What was found so far."""
        findings = _findings(self._report, self.order, self._missing, self._seen)
        return replace(self._report, findings=findings + self._watch.findings())


def _first(frame: Frame, names: Sequence[str]) -> str | None:
    return next((n for n in names if n in frame.info or n in frame.arrays), None)


def _system(frame: Frame, chosen: dict[str, str | None]) -> System:
    count = len(frame.numbers)
    energy = _label(frame, chosen["energy"], (1,))
    stress = _label(frame, chosen["stress"], (9,), (6,))
    virial = _label(frame, chosen["virial"], (9,), (6,))
    cell = np.zeros((3, 3)) if frame.cell is None else frame.cell
    volume = abs(float(np.linalg.det(cell)))
    if stress is None and virial is not None and volume > 0:
        stress = -virial / volume
    return System(
        frame.numbers,
        frame.positions,
        cell,
        frame.pbc,
        energy=None if energy is None else float(energy[0]),
        forces=_label(frame, chosen["forces"], (count, 3)),
        stress=stress,
        config_type=str(frame.info.get("config_type", "default")),
        weight=float(frame.info.get("config_weight", 1.0)),
        origin=frame.origin,
    )


def _label(frame: Frame, key: str | None, *shapes: tuple[int, ...]) -> np.ndarray | None:
    if key is None:
        return None
    raw: Any = frame.arrays[key] if key in frame.arrays else frame.info[key]
    try:
        array = np.array(raw, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(
            f"{key} of {frame.origin} is no number", got=repr(raw), expected="numbers"
        ) from None
    for shape in shapes:
        if array.size == int(np.prod(shape)):
            return matrix(array) if shape in ((9,), (6,)) else array.reshape(shape)
    raise DataError(
        f"{key} of {frame.origin} has the wrong size",
        got=array.shape,
        expected=" or ".join(str(shape) for shape in shapes),
    )


def _findings(
    report: LabelReport,
    order: dict[str, tuple[str, ...]],
    missing: dict[str, Noted],
    seen: Counter[str],
) -> list[Finding]:
    findings: list[Finding] = []
    for label in ("energy", "forces"):
        total = sum(report.used[label].values())
        whole = report.frames - report.isolated
        if total == 0 and (whole > 0 or label == "energy"):
            findings.append(_absent(label, order[label], seen))
        elif len(missing[label]):
            findings.append(_partial(label, whole, missing[label]))
    for label in ("stress", "virial"):
        if sum(report.used[label].values()) and len(missing[label]):
            findings.append(_partial(label, report.frames - report.isolated, missing[label]))
    for label, keys in report.used.items():
        if len(keys) > 1:
            parts = ", ".join(f"{key!r} in {count}" for key, count in keys.items())
            text = f"the {label} comes from different keys in different frames: {parts}"
            remedy = f"name the one to use, for example --{label}-key {next(iter(keys))}"
            findings.append(Finding("mixed-keys", True, text, remedy=remedy))
    return findings


def _absent(label: str, names: tuple[str, ...], seen: Counter[str]) -> Finding:
    text = f"no frame has {label} under the key " + " or ".join(repr(name) for name in names)
    text += "; the file has " + (", ".join(repr(key) for key in seen) or "no key at all")
    close = [key for key in seen if label[:5].lower() in key.lower()]
    close += [key for name in names for key in difflib.get_close_matches(name, list(seen))]
    remedy = f"did you mean --{label}-key {close[0]}?" if close else ""
    return Finding(f"absent-{label}", True, text, remedy=remedy)


def _partial(label: str, whole: int, missing: Noted) -> Finding:
    text = f"{label} is missing in {len(missing)} of {whole} frames"
    return missing.finding("partial-labels", True, text)
