"""`schur train`: what it chooses, misspelt settings, several processes, a second training."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from schur.atoms.extxyz import write_frames
from schur.atoms.frame import Frame

from .test_cli import TINY, schur, springs

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty frames of three atoms."""
    path = tmp_path_factory.mktemp("data") / "springs.xyz"
    write_frames(path, springs(30))
    return path


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("epochs=3", "did you mean training.epochs?"),
        ("training.epoch=3", "did you mean training.epochs?"),
        ("model.hiden=4x0e", "did you mean model.hidden?"),
        ("trainig.seed=3", "did you mean training?"),
        ("loss.energy=-1", "greater than or equal to 0"),
        ("training.schedule=cosin", "'cosine', 'linear' or 'constant'"),
        ("loss.qqq=1", "loss.qqq: Extra inputs are not permitted"),
    ],
)
def test_a_misspelt_setting_is_named(data: Path, word: str, expected: str) -> None:
    result = schur("train", data, word, "--dry-run")
    assert result.exit_code == 1 and expected in result.output


def test_what_the_data_choose_is_said(data: Path) -> None:
    said = " ".join(schur("train", data, "--dry-run").output.split())
    for text in (
        "cutoff 4.0 Å: 2.0 neighbours an atom",
        "chosen training.batch_size = 10: frames of 3 atoms",
        "chosen training.epochs = 3000: 3 steps an epoch",
        "22 train, 5 valid, 3 test",
    ):
        assert text in said
    own = schur("train", data, "--dry-run", "training.batch_size=2", "training.epochs=7").output
    assert "chosen training.batch_size" not in own and "chosen training.epochs" not in own
    assert "batch_size: 2" in own and "epochs: 7" in own


TINY_CELLS = [
    *(word for word in TINY if not word.startswith(("training", "model.cutoff"))),
    "model.cutoff=4.0",
    "--allow",
    "small-cell",
]


@pytest.mark.parametrize("label", ["stress", "virial"])
def test_a_weight_of_the_stress_is_chosen(tmp_path: Path, label: str) -> None:
    path = tmp_path / "cells.xyz"
    write_frames(path, copper(12, label))
    said = schur("train", path, *TINY_CELLS, "--dry-run").output
    assert "chosen loss.stress = 1" in said and "Å^3 an atom)^2" in said, said


def test_stress_is_learnt(tmp_path: Path) -> None:
    """Strained cells of copper, labelled by EMT as virials, which are -V times the stress."""
    path, out = tmp_path / "cells.xyz", tmp_path / "out"
    write_frames(path, copper(24, "virial"))
    result = schur("train", path, *TINY_CELLS, "training.epochs=40", "-o", out)
    assert result.exit_code == 0, result.output
    rows = list(csv.DictReader((out / "history.csv").read_text().splitlines()))
    first, last = ([float(row[k]) for k in ("loss", "stress_rmse")] for row in (rows[0], rows[-1]))
    assert last[0] < 0.5 * first[0] and last[1] < 0.7 * first[1]


def copper(count: int, label: str) -> list[Frame]:
    """Strained and rattled cells of four atoms."""
    from ase.build import bulk
    from ase.calculators.emt import EMT

    rng, frames = np.random.default_rng(0), []
    for seed in range(count):
        atoms = bulk("Cu", "fcc", a=3.6, cubic=True)
        atoms.set_cell(
            atoms.cell.array @ (np.eye(3) + rng.normal(0, 0.03, (3, 3))), scale_atoms=True
        )
        atoms.rattle(0.05, seed=seed)
        atoms.calc = EMT()
        stress = atoms.get_stress(voigt=False)
        labels = {"stress": stress, "virial": -atoms.get_volume() * stress}
        info = {"energy": float(atoms.get_potential_energy()), label: labels[label]}
        forces = {"forces": atoms.get_forces()}
        cell = atoms.cell.array
        frames.append(Frame(atoms.numbers, atoms.positions, info, forces, cell, (True, True, True)))
    return frames


def test_an_option_wins_over_the_file(data: Path, tmp_path: Path) -> None:
    tree = {"data": {"train": [str(data)]}, "training": {"seed": 4, "epochs": 9}}
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(tree))
    assert "seed: 4" in schur("train", path, "--dry-run").output
    said = schur("train", path, "--dry-run", "--seed", 0, "training.epochs=8").output
    assert "seed: 0" in said and "epochs: 8" in said


def test_training_goes_on_from_a_model(data: Path, tmp_path: Path) -> None:
    """On data of a method whose energies lie elsewhere: E0 moves, and nothing is learnt anew."""
    first = schur("train", data, "-o", tmp_path / "first", *TINY, "training.epochs=30")
    assert first.exit_code == 0, first.output
    moved = springs(30)
    for frame in moved:
        frame.info["energy"] = frame.info["energy"] - 1000.0
    write_frames(tmp_path / "moved.xyz", moved)
    model = tmp_path / "first" / "model.schur"
    again = schur(
        "train", tmp_path / "moved.xyz", "--from", model, "-o", tmp_path / "again",
        "training.epochs=1", "training.learning_rate=1e-9", "training.warmup=0",
    )  # fmt: skip
    assert again.exit_code == 0, again.output
    assert "E0 move to the level of these energies" in " ".join(again.output.split())
    before, after = (
        json.loads((tmp_path / name / "metrics.json").read_text())["errors"]["test"]["total"]
        for name in ("first", "again")
    )
    assert after["forces_rmse_meV_per_A"] == pytest.approx(
        before["forces_rmse_meV_per_A"], rel=1e-4
    )
    assert after["energy_rmse_meV"] < 2 * before["energy_rmse_meV"] + 1


def test_what_a_model_cannot_go_on_from(data: Path, tmp_path: Path) -> None:
    assert schur("train", data, "-o", tmp_path / "first", *TINY).exit_code == 0
    model = tmp_path / "first" / "model.schur"
    frames = springs(30)
    for frame in frames:
        frame.numbers[0] = 16
    write_frames(tmp_path / "sulphur.xyz", frames)
    words = ["train", "--from", model, "-o", tmp_path / "again"]
    strange = schur(*words, tmp_path / "sulphur.xyz")
    assert strange.exit_code == 1 and "elements S that it does not know" in strange.output
    other = schur(*words, data, "model.layers=2")
    assert other.exit_code == 1 and "the settings of the model are not those of" in other.output
    absent = schur("train", data, "--from", tmp_path / "absent.schur")
    assert absent.exit_code == 1 and "no such file" in absent.output


def test_a_run_does_not_go_on_with_other_data(tmp_path: Path) -> None:
    """The same file name, another label: resuming is refused with words."""
    path, frames = tmp_path / "data.xyz", springs(12)
    write_frames(path, frames)
    words = ["train", path, "-o", tmp_path / "out", *TINY]
    assert schur(*words).exit_code == 0
    frames[5].info["energy"] = frames[5].info["energy"] + 0.01
    write_frames(path, frames)
    other = schur(*words)
    assert "going on from" in other.output
    assert other.exit_code == 1 and "structures and labels" in other.output
    anew = schur(*words, "--restart", "never", "--dry-run")
    assert anew.exit_code == 0 and "going on from" not in anew.output


def test_a_folder_that_cannot_be_made_is_a_message(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = schur("train", data, "-o", tmp_path / "file" / "out", *TINY)
    assert result.exit_code == 1 and "Not a directory" in result.output


def test_torchrun(data: Path, tmp_path: Path) -> None:
    """Two processes on one command line: the history of one, printed once."""
    words = [str(data), *TINY, "training.dtype=float64", "training.batch_size=5"]
    alone = schur("train", *words, "-o", tmp_path / "one")
    assert alone.exit_code == 0, alone.output
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [sys.executable, *launcher, "-m", "schur", "train", *words, "-o", str(tmp_path / "two")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("ended by epochs after 3 epochs") == 1
    assert done.stdout.count("split at random") == 1
    one, two = (
        list(csv.DictReader((tmp_path / name / "history.csv").read_text().splitlines()))
        for name in ("one", "two")
    )
    # Sums in float64 in another order, grown by steps that are relative to small gradients; the
    # file has eight digits.
    for key in ("loss", "score", "energy_rmse", "forces_rmse"):
        ours, theirs = ([float(row[key]) for row in rows] for rows in (one, two))
        assert ours == pytest.approx(theirs, rel=1e-6)
