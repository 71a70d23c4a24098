"""`schur convert`, and what can be done with a converted model."""

from __future__ import annotations

import json
import lzma
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from typer.testing import CliRunner, Result

import schur
from schur.atoms.evaluator import Outcome
from schur.atoms.extxyz import Frame, read_extxyz, write_frames
from schur.cli import app

DATA = Path(__file__).parents[1] / "data" / "mace"


def call(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of two heads, and what mace-torch says of structures."""
    folder = tmp_path_factory.mktemp("models")
    packed = (DATA / "density.model.xz").read_bytes()
    (folder / "density.model").write_bytes(lzma.decompress(packed))
    reference = json.loads((DATA / "reference.json").read_text(encoding="utf-8"))
    pairs = zip(reference["systems"], reference["models"]["density"]["pbe"], strict=True)
    frames = [
        Frame(
            np.array(system["numbers"]),
            np.array(system["positions"]),
            {"energy": said["energy"]},
            {"forces": np.array(said["forces"])},
        )
        for system, said in pairs
        if not system["pbc"]
    ]
    write_frames(folder / "said.xyz", frames)
    done = call("convert", folder / "density.model", "--head", "pbe")
    assert done.exit_code == 0, done.output
    assert "elements: H, C, O" in done.output
    return folder


def test_info_says_what_it_is(folder: Path) -> None:
    shown = call("info", folder / "density.schur").output
    for text in ("mace model", "repulsion: zbl", "distance_transform: agnesi", "mace-torch"):
        assert text in shown


def test_eval_finds_no_error(folder: Path) -> None:
    done = call("eval", folder / "density.schur", folder / "said.xyz", "-o", folder / "errors")
    assert done.exit_code == 0, done.output
    errors = json.loads((folder / "errors" / "metrics.json").read_text())["errors"]["said"]["total"]
    assert errors["energy_rmse_meV"] < 1e-8 and errors["forces_rmse_meV_per_A"] < 1e-8


def test_calculator_and_load_agree_with_mace_torch(folder: Path) -> None:
    frame = next(iter(read_extxyz(folder / "said.xyz")))
    atoms = Atoms(frame.numbers, frame.positions)
    atoms.calc = schur.Calculator(folder / "density.schur")
    forces = frame.arrays["forces"]
    assert np.allclose(atoms.get_forces(), forces, rtol=0, atol=1e-6 * np.abs(forces).max())
    assert atoms.get_potential_energy() == pytest.approx(frame.info["energy"], rel=1e-6)
    loaded = schur.load(folder / "density.schur")(atoms)
    assert isinstance(loaded, Outcome) and loaded.energy == atoms.get_potential_energy()


def test_md_runs(folder: Path) -> None:
    write_frames(folder / "start.xyz", [next(iter(read_extxyz(folder / "said.xyz")))])
    words = ("--steps", 3, "--timestep", 0.1, "-o", folder / "md")
    done = call("md", folder / "density.schur", folder / "start.xyz", *words)
    assert done.exit_code == 0, done.output


def test_a_head_has_to_be_named(folder: Path) -> None:
    done = call("convert", folder / "density.model", "-o", folder / "none.schur")
    assert done.exit_code == 1 and "one of pbe, r2scan" in done.output
    assert not (folder / "none.schur").exists()


def test_the_model_is_not_written_over(folder: Path) -> None:
    before = (folder / "density.model").read_bytes()
    words = ("--head", "pbe", "-o", folder / "density.model")
    done = call("convert", folder / "density.model", *words)
    assert done.exit_code == 1 and "written over" in done.output
    assert (folder / "density.model").read_bytes() == before
