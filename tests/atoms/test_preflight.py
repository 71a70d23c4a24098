"""Silent failures: each is caught, and clean data pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from schur.atoms.findings import Finding, require
from schur.atoms.preflight import inspect, inspect_split
from schur.atoms.reference import ReferenceEnergies
from schur.atoms.split import Split
from schur.atoms.system import System
from schur.errors import DataError

REFERENCE = ReferenceEnergies({1: -13.6, 8: -2041.0}, "given")


@dataclass
class Water:
    """A sound frame, and what to change in it."""

    changes: dict[str, Any] = field(default_factory=dict)

    def build(self, seed: int) -> System:
        """The frame."""
        generator = np.random.default_rng(seed)
        positions = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
        values = {
            "numbers": [8, 1, 1],
            "positions": positions + generator.normal(0, 0.05, (3, 3)),
            "energy": REFERENCE.total(System([8, 1, 1], positions)) - 10.0,
            "forces": generator.normal(0, 1, (3, 3)),
            "origin": f"frame {seed}",
        }
        return System(**{**values, **self.changes})


def frames(**changes: Any) -> list[System]:
    return [Water().build(seed) for seed in range(3)] + [Water(changes).build(3)]


FAULTS: dict[str, list[System]] = {
    "zero-forces": frames(forces=np.zeros((3, 3))),
    "zero-force-rows": frames(forces=np.diag([1.0, 0.0, 2.0])),
    "non-finite-labels": frames(energy=float("nan")),
    "close-atoms": frames(positions=np.array([[0, 0, 0], [0.3, 0, 0], [0, 0.9, 0]])),
    "cell": frames(pbc=True),
    "left-handed-cell": frames(pbc=True, cell=-9 * np.eye(3)),
    "energy-scale": frames(energy=-75.9),
}


@pytest.mark.parametrize("code", FAULTS)
def test_fault_is_found_and_named(code: str) -> None:
    findings = inspect(FAULTS[code], REFERENCE)
    assert [finding.code for finding in findings] == [code]
    assert findings[0].frames == ("frame 3",)


def test_sound_data_pass() -> None:
    assert inspect(frames(), REFERENCE) == []
    sound = frames()
    assert inspect_split(Split(sound[:2], sound[2:3], sound[3:])) == []


def test_infinite_forces_are_found() -> None:
    bad = frames(forces=np.full((3, 3), np.inf))
    assert [finding.code for finding in inspect(bad, REFERENCE)] == ["non-finite-labels"]


def in_two_sets(sound: list[System]) -> Split:
    return Split(sound[:3], sound[3:], sound[:1])


def with_new_element(sound: list[System]) -> Split:
    return Split(sound[:2], sound[2:], [System([6], [[0, 0, 0]])])


@pytest.mark.parametrize(
    ("make", "code"), [(in_two_sets, "shared-frames"), (with_new_element, "new-elements")]
)
def test_faults_between_sets(make: Callable[[list[System]], Split], code: str) -> None:
    findings = inspect_split(make(frames()))
    assert [finding.code for finding in findings] == [code]


def test_findings_stop_unless_allowed() -> None:
    fatal = Finding("a-code", True, "it is bad", ("f1", "f2", "f3", "f4"), "mend it")
    note = Finding("b-code", False, "it is odd")
    require([note])
    require([fatal, note], allow=["a-code"])
    with pytest.raises(DataError, match=r"(?s)it is bad.*f3 and 1 more.*--allow a-code"):
        require([fatal, note])
