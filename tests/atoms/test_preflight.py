"""Silent failures: each is caught, and clean data pass."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from schur.atoms.census import Census
from schur.atoms.findings import Finding, require
from schur.atoms.frame import Frame
from schur.atoms.isolated import is_isolated_atom
from schur.atoms.labels import label_frames
from schur.atoms.preflight import inspect, inspect_parts
from schur.atoms.reference import ReferenceEnergies, reference_energies
from schur.atoms.split import Parts, Split
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
    "cell ": frames(pbc=True, cell=np.array([[5.0, 0, 0], [5.0, 0, 0], [0, 0, 5.0]])),
    "left-handed-cell": frames(pbc=True, cell=-5 * np.eye(3)),
    "dummy-cell": frames(pbc=True, cell=20 * np.eye(3)),
    "stress-units": frames(stress=np.diag([30.0, 20.0, 10.0])),
    "energy-scale": frames(energy=-75.9),
}


def inspect_split(split: Split) -> list[Finding]:
    """Findings between the sets, from their census."""
    sets = [split.train, split.valid, split.test]
    ends = np.cumsum([0, *map(len, sets)])
    census = Census.of([system for part in sets for system in part])
    return inspect_parts(census, Parts(*(np.arange(a, b) for a, b in pairwise(ends))))


@pytest.mark.parametrize("code", FAULTS)
def test_fault_is_found_and_named(code: str) -> None:
    findings = inspect(FAULTS[code], REFERENCE)
    assert [finding.code for finding in findings] == [code.strip()]
    assert findings[0].frames == ("frame 3",)


def test_sound_data_pass() -> None:
    assert inspect(frames(), REFERENCE) == []
    sound = frames()
    assert inspect_split(Split(sound[:2], sound[2:3], sound[3:])) == []


def test_duplicates_are_noted() -> None:
    sound = frames()
    findings = inspect([*sound, sound[1]], REFERENCE)
    assert [(f.code, f.stops, f.frames) for f in findings] == [
        ("duplicate-frames", False, ("frame 1",))
    ]


def test_atoms_without_neighbours_are_noted() -> None:
    far = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 30.0, 0]])
    findings = inspect(frames(positions=far), REFERENCE, cutoff=5.0)
    assert [(f.code, f.frames) for f in findings] == [("lonely-atoms", ("frame 3",))]
    assert inspect(frames(), REFERENCE, cutoff=5.0) == []


def in_hartree() -> list[System]:
    """Water with the total energy of all electrons and thermal forces, in atomic units."""
    forces = np.random.default_rng(0).normal(0, 1.0 / 51.4, (3, 3))
    return [Water({"energy": -76.4 + 0.01 * k, "forces": forces}).build(k) for k in range(4)]


def test_hartree_is_recognised_without_isolated_atoms() -> None:
    systems = in_hartree()
    fitted = reference_energies(systems)
    assert [f.code for f in inspect(systems, fitted)] == ["units"]
    in_volts = [
        Water({"energy": 27.2 * (s.energy or 0), "forces": 51.4 * s.forces}).build(k)
        for k, s in enumerate(systems)
        if s.forces is not None
    ]
    assert inspect(in_volts, reference_energies(in_volts)) == []


@pytest.mark.parametrize(("energy", "unit"), [(-0.4998, "hartree"), (-0.9996, "rydberg")])
def test_hydrogen_atom_gives_the_unit_away(energy: float, unit: str) -> None:
    systems = in_hartree()
    atoms = [System([1], [[0, 0, 0]], energy=energy), System([8], [[0, 0, 0]], energy=-75.0)]
    (finding,) = inspect(systems, reference_energies(systems, atoms))
    assert finding.code == "units" and unit in finding.message


CELL = 5.0 * np.eye(3)
VIRIAL = np.array([[1.0, 0.1, 0.0], [0.1, 2.0, 0.2], [0.0, 0.2, 3.0]])


def raw(**info: Any) -> Frame:
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.8]])
    return Frame(
        np.array([1, 1]),
        positions,
        {"energy": -30.0, **info},
        {"forces": np.ones((2, 3))},
        CELL,
        (True, True, True),
    )


@pytest.mark.parametrize(
    ("infos", "codes"),
    [
        ([{"charge": 0}, {"charge": 1}], [("charge-ignored", True)]),
        ([{"charge": 1}, {"charge": 1}], [("charge-ignored", False)]),
        ([{"free_energy": -30.2}] * 2, [("free-energy", False)]),
        ([{"free_energy": -30.0}] * 2, []),
        ([{"virial": VIRIAL, "stress": -VIRIAL / 125}] * 2, []),
        ([{"virial": VIRIAL, "stress": VIRIAL / 125}] * 2, [("stress-sign", True)]),
        ([{"virial": VIRIAL, "stress": -160 * VIRIAL / 125}] * 2, [("stress-virial", True)]),
    ],
)
def test_what_raw_frames_say(infos: list[dict[str, Any]], codes: list[tuple[str, bool]]) -> None:
    findings = label_frames([raw(**info) for info in infos])[1].findings
    assert [(finding.code, finding.stops) for finding in findings] == codes


def test_isolated_atoms_in_a_box_are_recognised() -> None:
    boxed = System([1], [[0, 0, 0]], 12 * np.eye(3), True)
    crystal = System([29], [[0, 0, 0]], 2.5 * np.eye(3), True)
    assert is_isolated_atom(boxed) and not is_isolated_atom(crystal)


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
