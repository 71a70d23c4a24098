"""Which key gave which label, and what happens where keys are absent, partial or mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from schur.atoms.findings import require
from schur.atoms.frame import Frame
from schur.atoms.labels import label_frames
from schur.atoms.symmetric import matrix, voigt
from schur.errors import DataError

FORCES = np.arange(6.0).reshape(2, 3)


def frame(info: dict[str, Any], arrays: dict[str, Any] | None = None, **more: Any) -> Frame:
    positions = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.8]])
    return Frame(np.array([1, 1]), positions, info, arrays or {}, **more)


def codes(frames: list[Frame], **keys: Any) -> list[str]:
    return [finding.code for finding in label_frames(frames, **keys)[1].findings]


def test_search_order() -> None:
    both = frame({"energy": -1.0, "REF_energy": -2.0}, {"forces": FORCES})
    systems, report = label_frames([both, both])
    assert systems[0].energy == -2.0
    assert report.used["energy"] == {"REF_energy": 2} and report.used["forces"] == {"forces": 2}
    assert report.findings == []
    assert "energy: 'REF_energy' in 2 frames" in report.lines()


def test_named_key_wins_and_is_the_only_one() -> None:
    both = frame({"energy": -1.0, "pbe": -2.0}, {"forces": FORCES})
    assert label_frames([both], {"energy": ("pbe",)})[0][0].energy == -2.0
    assert codes([both], keys={"energy": ("other",)}) == ["absent-energy"]


def test_absent_key_suggests_the_misspelt_one() -> None:
    report = label_frames([frame({"Energy_dft": -1.0}, {"Forces": FORCES})])[1]
    assert [finding.code for finding in report.findings] == ["absent-energy", "absent-forces"]
    assert "--energy-key Energy_dft" in report.findings[0].remedy
    with pytest.raises(DataError, match="--allow absent-energy"):
        require(report.findings)


def test_partial_and_mixed_keys_stop() -> None:
    good = frame({"energy": -1.0}, {"forces": FORCES})
    assert codes([good, frame({}, {"forces": FORCES})]) == ["partial-labels"]
    other = frame({"DFT_energy": -1.0}, {"forces": FORCES})
    assert codes([good, other]) == ["mixed-keys"]
    assert codes([good, good]) == []


def test_isolated_atoms_need_no_forces() -> None:
    atom = Frame(np.array([1]), np.zeros((1, 3)), {"energy": -13.6})
    good = frame({"energy": -1.0}, {"forces": FORCES})
    assert codes([good, atom]) == []
    assert label_frames([good, atom])[1].isolated == 1


def test_virial_becomes_stress_with_the_right_sign() -> None:
    cell = np.diag([2.0, 3.0, 4.0])
    virial = frame(
        {"energy": -1.0, "virial": np.arange(9.0)}, {"forces": FORCES}, cell=cell, pbc=(True,) * 3
    )
    stress = label_frames([virial])[0][0].stress
    assert stress is not None
    assert np.allclose(stress, -np.arange(9.0).reshape(3, 3) / 24.0, rtol=4e-16, atol=0)


def test_voigt_order() -> None:
    full = matrix(np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]))
    assert np.array_equal(full, [[1, 6, 5], [6, 2, 4], [5, 4, 3]])
    assert np.array_equal(full, full.T)
    assert np.array_equal(voigt(full), np.arange(1.0, 7.0))


@pytest.mark.parametrize("bad", ["text", np.zeros(2)])
def test_malformed_label_names_the_frame(bad: object) -> None:
    with pytest.raises(DataError, match=r"energy of .*frame 7"):
        label_frames([frame({"energy": bad}, {"forces": FORCES}, index=7)])
