"""Converted and split files hold every frame once, with every number it had."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from schur.atoms.frame import Frame
from schur.atoms.sources import read_frames, write_any
from schur.cli import app

ENDINGS = (".xyz", ".db", ".json")


def schur(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def frames() -> list[Frame]:
    """Forty frames of ten trajectories and two kinds, a duplicate in another trajectory."""
    generator = np.random.default_rng(0)
    made = [Frame(np.array([1]), np.zeros((1, 3)), {"energy": -13.6, "number": -1})]
    for index in range(40):
        info = {
            "energy": float(generator.normal()),
            "config_type": "hot" if index % 4 == 0 else "cold",
            "config_weight": float(generator.random()),
            "trajectory": f"run {index // 4}",
            "number": index,
        }
        positions = np.array([[0.0, 0, 0], [0.7, 0, 0]]) + generator.normal(0, 0.05, (2, 3))
        if index == 39:
            positions = made[1].positions
        made.append(
            Frame(np.array([1, 1]), positions, info, {"forces": generator.normal(size=(2, 3))})
        )
    return made


def numbers(path: Path) -> list[int]:
    return [frame.info["number"] for frame in read_frames(path)]


@pytest.mark.parametrize("first", ENDINGS)
@pytest.mark.parametrize("second", ENDINGS)
def test_there_and_back_is_the_same(tmp_path: Path, first: str, second: str) -> None:
    start, middle, end = (
        tmp_path / f"{n}{e}" for n, e in zip("abc", (first, second, first), strict=True)
    )
    write_any(start, frames())
    assert schur("data", "convert", start, middle).exit_code == 0
    result = schur("data", "convert", middle, end)
    assert result.exit_code == 0 and "41 frames, 81 atoms" in result.output
    for found, expected in zip(read_frames(end), frames(), strict=True):
        assert found.info == expected.info
        assert np.array_equal(found.positions, expected.positions)
        assert all(np.array_equal(found.arrays[n], a) for n, a in expected.arrays.items())


def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    write_any(tmp_path / "a.xyz", frames())
    (tmp_path / "b.xyz").write_text("precious")
    result = schur("data", "convert", tmp_path / "a.xyz", tmp_path / "b.xyz")
    assert result.exit_code == 1 and "--force" in result.output
    assert (tmp_path / "b.xyz").read_text() == "precious"
    assert (
        schur("data", "convert", tmp_path / "a.xyz", tmp_path / "b.xyz", "--force").exit_code == 0
    )
    assert len(numbers(tmp_path / "b.xyz")) == 41


def test_what_has_no_form_is_dropped_aloud(tmp_path: Path) -> None:
    import ase
    import ase.io

    atoms = ase.Atoms("H", info={"nested": {"a": [1, 2]}, "plain": 3})
    ase.io.write(tmp_path / "a.traj", atoms)
    result = schur("data", "convert", tmp_path / "a.traj", tmp_path / "b.xyz")
    assert result.exit_code == 0 and "dropped nested of 1 frames" in result.output
    assert "calculator" in result.output
    assert next(read_frames(tmp_path / "b.xyz")).info == {"plain": 3}


@pytest.mark.parametrize("ending", ENDINGS)
def test_split_is_complete_stratified_and_repeats(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    write_any(path, frames())
    for folder in ("one", "two"):
        result = schur(
            *("data", "split", path, "-o", tmp_path / folder),
            *("--valid", 0.1, "--test", 0.2, "--seed", 3),
        )
        assert result.exit_code == 0, result.output
    sets = {n: numbers(tmp_path / "one" / f"data-{n}{ending}") for n in ("train", "valid", "test")}
    again = {n: numbers(tmp_path / "two" / f"data-{n}{ending}") for n in sets}
    assert sets == again
    assert sorted(chain.from_iterable(sets.values())) == list(range(-1, 40))
    assert -1 in sets["train"], "isolated atoms train"
    hot = {name: sum(n % 4 == 0 for n in part) for name, part in sets.items()}
    assert hot["valid"] in (1, 2) and hot["test"] in (2, 3)
    with_both = [part for part in sets.values() if 0 in part or 39 in part]
    assert len(with_both) == 1, "frames 0 and 39 have one geometry"


def test_split_keeps_groups_together(tmp_path: Path) -> None:
    write_any(tmp_path / "data.xyz", frames())
    for seed in range(3):
        options = ("--group", "trajectory", "--test", 0.3, "--seed", seed, "--force")
        assert schur("data", "split", tmp_path / "data.xyz", *options).exit_code == 0
        parts = [set(numbers(tmp_path / f"data-{n}.xyz")) for n in ("train", "valid", "test")]
        runs = [{n // 4 for n in part if n >= 0} for part in parts]
        assert sum(map(len, runs)) == 10, "a trajectory lies in two sets"
        # Runs 0 and 9 share a geometry, so that they belong together.
        assert any({0, 9} <= run for run in runs)


def test_what_cannot_be_split(tmp_path: Path) -> None:
    write_any(tmp_path / "data.xyz", frames())
    unknown = schur("data", "split", tmp_path / "data.xyz", "--group", "sort")
    assert unknown.exit_code == 1 and "no frame has a sort" in unknown.output
    much = schur("data", "split", tmp_path / "data.xyz", "--valid", 0.5, "--test", 0.5)
    assert much.exit_code == 1 and "less than 1 together" in much.output
    write_any(tmp_path / "two.xyz", frames()[:3])
    few = schur("data", "split", tmp_path / "two.xyz")
    assert few.exit_code == 1 and "too few" in few.output
