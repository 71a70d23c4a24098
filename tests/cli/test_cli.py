"""The commands, from a file of structures to errors on held-out frames."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner, Result

from schur.atoms.extxyz import write_frames
from schur.atoms.frame import Frame
from schur.cli import app
from schur.cli.training import seconds, split_words
from schur.errors import DataError

TINY = [
    "model.hidden=4x0e",
    "model.edge_lmax=1",
    "model.correlation=2",
    "model.layers=1",
    "model.radial_hidden=[8]",
    "model.cutoff=3.0",
    "training.epochs=3",
]


def schur(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def springs(count: int, seed: int = 0, **extra: object) -> list[Frame]:
    """Three atoms on springs: forces and energies of one another."""
    generator = np.random.default_rng(seed)
    rest = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    frames = []
    for _ in range(count):
        shift = generator.normal(0, 0.05, (3, 3))
        shift -= shift.mean(0)
        energy = -10.0 + 0.5 * 20.0 * float((shift**2).sum())
        info = {"energy": energy, **extra}
        frames.append(Frame(np.array([8, 1, 1]), rest + shift, info, {"forces": -20.0 * shift}))
    return frames


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished tiny run."""
    folder = tmp_path_factory.mktemp("run")
    write_frames(folder / "data.xyz", springs(30))
    result = schur("train", folder / "data.xyz", "-o", folder / "out", *TINY)
    assert result.exit_code == 0, result.output
    (folder / "log.txt").write_text(result.output)
    return folder


def test_another_architecture_by_name(tmp_path: Path) -> None:
    """`--model` is all it takes: training, report and the words of `info` follow."""
    write_frames(tmp_path / "data.xyz", springs(20))
    shape = ["model.layers=2", "model.features=4", "model.radial_hidden=[8]", "model.cutoff=3.0"]
    words = ["--model", "nequip", *shape, "training.epochs=2"]
    result = schur("train", tmp_path / "data.xyz", "-o", tmp_path / "out", *words)
    assert result.exit_code == 0, result.output
    assert "NequIP, 4x0e+4x1o" in (tmp_path / "out" / "report.html").read_text("utf-8")
    result = schur("info", tmp_path / "out" / "model.schur")
    assert result.exit_code == 0 and "nequip model" in result.output
    result = schur("train", tmp_path / "data.xyz", "--model", "painn")
    assert result.exit_code == 1 and "no such architecture" in result.output


def test_help_answers_without_torch() -> None:
    import subprocess
    import sys

    code = "import sys, schur.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    result = schur("--help")
    assert result.exit_code == 0 and "train" in result.output and "demo" in result.output


def test_train_prints_what_it_decided_and_how_good_it_is(run: Path) -> None:
    log = (run / "log.txt").read_text()
    for text in (
        "energy: 'energy' in 30 frames",
        "split at random (seed 0): 22 train, 5 valid, 3 test",
        "E0 (least squares over 22 frames",
        "hidden: 4x0e",
        "ended by epochs after 3 epochs",
        "force errors by element",
    ):
        assert text in log
    assert (
        max(len(line) for line in log.splitlines() if not line.startswith(("model:", "report:")))
        <= 80
    )


def test_train_writes_everything(run: Path) -> None:
    out = run / "out"
    names = {path.name for path in out.iterdir()}
    assert names >= {"model.schur", "config.yaml", "history.csv", "metrics.json", "metrics.csv"}
    strict = json.JSONDecoder(parse_constant=pytest.fail)  # NaN is no JSON
    metrics = strict.decode((out / "metrics.json").read_text())
    assert metrics["epochs"] == 3 and set(metrics["errors"]) == {"train", "valid", "test"}
    rows = list(csv.DictReader((out / "history.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert yaml.safe_load((out / "config.yaml").read_text())["model"]["hidden"] == "4x0e"


def test_written_configuration_trains_the_same_model(run: Path, tmp_path: Path) -> None:
    result = schur("train", run / "out" / "config.yaml", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    first, second = (
        json.loads((folder / "metrics.json").read_text())["errors"]["test"]["total"]
        for folder in (run / "out", tmp_path)
    )
    assert first == second


def test_eval_agrees_with_the_run(run: Path, tmp_path: Path) -> None:
    """The model file alone gives the errors that training reported."""
    result = schur("eval", run / "out" / "model.schur", run / "data.xyz", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    found = json.loads((tmp_path / "metrics.json").read_text())["errors"]["data"]["total"]
    errors = json.loads((run / "out" / "metrics.json").read_text())["errors"]
    parts = [(e["total"]["systems"], e["total"]["forces_rmse_meV_per_A"]) for e in errors.values()]
    whole = (sum(n * rmse**2 for n, rmse in parts) / sum(n for n, _ in parts)) ** 0.5
    assert found["forces_rmse_meV_per_A"] == pytest.approx(whole, rel=1e-5)
    assert (tmp_path / "parity_forces.png").exists()


def test_info(run: Path) -> None:
    result = schur("info", run / "out" / "model.schur")
    assert result.exit_code == 0
    assert "elements: H" in result.output and "cutoff: 3.0" in result.output
    assert "test: energy rmse" in result.output and "336 parameters" in result.output
    assert max(len(line) for line in result.output.splitlines()) <= 80


def test_finished_run_is_not_trained_again(run: Path) -> None:
    before = (run / "out" / "history.csv").read_text()
    result = schur("train", run / "data.xyz", "-o", run / "out", *TINY)
    assert result.exit_code == 0 and "after 3 epochs" in result.output
    assert (run / "out" / "history.csv").read_text() == before


def test_changed_settings_do_not_resume(run: Path) -> None:
    result = schur("train", run / "data.xyz", "-o", run / "out", *TINY, "model.cutoff=2.5")
    assert result.exit_code == 1 and "other settings" in result.output


def test_dry_run_trains_nothing(run: Path, tmp_path: Path) -> None:
    result = schur("train", run / "data.xyz", "-o", tmp_path / "out", "--dry-run", *TINY)
    assert result.exit_code == 0 and not (tmp_path / "out").exists()


def test_errors_are_messages(tmp_path: Path) -> None:
    absent = schur("train", tmp_path / "absent.xyz")
    assert absent.exit_code == 1 and "cannot be opened" in absent.output
    assert "Traceback" not in absent.output
    write_frames(tmp_path / "data.xyz", springs(30))
    wrong = schur("train", tmp_path / "data.xyz", "model.chanels=3", "-o", tmp_path / "out")
    assert wrong.exit_code == 1 and "model.chanels" in wrong.output
    size = schur("train", tmp_path / "data.xyz", "--size", "huge")
    assert size.exit_code == 1 and "small, medium, large" in size.output


def test_ruinous_data_stop_unless_allowed(tmp_path: Path) -> None:
    frames = springs(30)
    frames[3].arrays["forces"][:] = 0.0
    write_frames(tmp_path / "data.xyz", frames)
    words = ["train", tmp_path / "data.xyz", "--dry-run", *TINY]
    stopped = schur(*words)
    assert stopped.exit_code == 1 and "--allow zero-forces" in stopped.output
    assert "data.xyz frame 3 (line 16)" in stopped.output
    assert schur(*words, "--allow", "zero-forces").exit_code == 0


def test_words() -> None:
    assert split_words(["a.xyz", "training.seed=3"])[1] == ["training.seed=3"]
    with pytest.raises(DataError, match="what to train on"):
        split_words(["training.seed=3"])
    assert [seconds(text) for text in ("90", "90s", "1.5m", "2h")] == [90, 90, 90, 7200]
    with pytest.raises(DataError, match="no length of time"):
        seconds("soon")


def test_report_is_one_page_that_needs_no_network(run: Path) -> None:
    from html.parser import HTMLParser

    text = (run / "out" / "report.html").read_text()
    seen: list[tuple[str, dict[str, str | None]]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            seen.append((tag, dict(attrs)))

    Reader().feed(text)
    tags = [tag for tag, _ in seen]
    assert tags.count("svg") == 12 and "script" not in tags and "link" not in tags
    for _, attributes in seen:
        for name in ("src", "href", "xlink:href"):
            target = attributes.get(name)
            assert target is None or target.startswith(("data:", "#"))
    for words in ("force RMSE, test", "Configuration", "hidden: 4x0e", "least squares over 22"):
        assert words in text
    assert {path.name for path in (run / "out").glob("*.png")} == {
        "learning_curve.png",
        "parity_energy.png",
        "parity_forces.png",
        "force_errors.png",
    }


def test_predict_adds_keys_to_frames(run: Path, tmp_path: Path) -> None:
    from schur.atoms.sources import read_frames

    out = tmp_path / "said.xyz"
    result = schur("predict", run / "out" / "model.schur", run / "data.xyz", "-o", out)
    assert result.exit_code == 0, result.output
    frames = list(read_frames(out))
    assert len(frames) == 30 and frames[0].arrays["schur_forces"].shape == (3, 3)
    assert frames[0].info["energy"] != frames[0].info["schur_energy"]


def test_md_moves_and_reports(run: Path, tmp_path: Path) -> None:
    words = ["md", run / "out" / "model.schur", run / "data.xyz", "-o", tmp_path]
    result = schur(*words, "--ensemble", "nve", "--steps", 20, "--temperature", 30, "interval=5")
    assert result.exit_code == 0, result.output
    assert "drift of the energy" in result.output
    assert len((tmp_path / "dynamics.csv").read_text().splitlines()) == 6
    assert yaml.safe_load((tmp_path / "dynamics.yaml").read_text())["interval"] == 5
    assert (tmp_path / "dynamics.png").stat().st_size > 10000
    assert max(len(line) for line in result.output.splitlines() if "wrote" not in line) <= 80
    wrong = schur(*words, "--ensemble", "nvx")
    assert wrong.exit_code == 1 and "ensemble" in wrong.output
    alone = schur("md", run / "data.xyz")
    assert alone.exit_code == 1 and "what shall move" in alone.output


def test_md_of_a_committee_stops_where_it_disagrees(run: Path, tmp_path: Path) -> None:
    model, data = run / "out" / "model.schur", run / "data.xyz"
    other = schur("train", data, "-o", tmp_path / "other", "--seed", 1, *TINY)
    assert other.exit_code == 0, other.output
    words = [model, data, "--model", tmp_path / "other" / "model.schur", "-o", tmp_path / "md"]
    settings = ["--steps", 10, "--temperature", 30, "interval=5"]
    result = schur("md", *words, *settings)
    assert result.exit_code == 0, result.output
    (first, *_) = csv.DictReader((tmp_path / "md" / "dynamics.csv").read_text().splitlines())
    deviation = float(first["force_deviation_eV_A"])
    assert deviation > 0 and "committee of 2" in result.output
    stopped = schur("md", *words, *settings, "--max-deviation", deviation / 2)
    assert stopped.exit_code == 1 and "committee disagree" in stopped.output
    assert (tmp_path / "md" / "stopped.xyz").exists()
    same = schur("md", model, model, data, "-o", tmp_path / "same", *settings)
    (first, *_) = csv.DictReader((tmp_path / "same" / "dynamics.csv").read_text().splitlines())
    assert same.exit_code == 0 and float(first["force_deviation_eV_A"]) == 0.0


def test_plot_draws_what_is_there(run: Path, tmp_path: Path) -> None:
    said = tmp_path / "said.xyz"
    schur("predict", run / "out" / "model.schur", run / "data.xyz", "-o", said)
    md = ["--steps", 10, "--temperature", 30, "interval=5", "-o", tmp_path / "md"]
    schur("md", run / "out" / "model.schur", run / "data.xyz", *md)
    result = schur("plot", run / "out", said, tmp_path / "md", "-o", tmp_path / "pictures")
    assert result.exit_code == 0, result.output
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {
        "learning_curve.png",
        "parity_energy.png",
        "parity_forces.png",
        "force_errors.png",
        "dynamics.png",
        "structure.png",
    }
    for nothing, words in ((tmp_path, "nothing to draw"), (run / "data.xyz", "no predictions")):
        wrong = schur("plot", nothing)
        assert wrong.exit_code == 1 and words in wrong.output


def test_relax_lowers_the_energy_or_says_so(run: Path, tmp_path: Path) -> None:
    from schur.atoms.sources import read_frames

    words = ["relax", run / "out" / "model.schur", run / "data.xyz", "-o", tmp_path / "r.xyz"]
    result = schur(*words, "--force", 0.05)
    assert result.exit_code == 0, result.output
    (frame,) = read_frames(tmp_path / "r.xyz")
    assert np.linalg.norm(frame.arrays["forces"], axis=1).max() <= 0.05
    assert frame.info["relaxed"] is True
    short = schur(*words, "--force", 1e-9, "--steps", 1)
    assert short.exit_code == 1 and "no minimum was reached" in short.output
    assert schur(*words, "--cell").exit_code == 1


def test_relax_moves_the_cell_too(run: Path, tmp_path: Path) -> None:
    from schur.atoms.sources import read_frames

    (frame,) = springs(1)
    box = replace(frame, cell=3.5 * np.eye(3), pbc=(True, True, True))
    write_frames(tmp_path / "box.xyz", [box])
    words = ["relax", run / "out" / "model.schur", tmp_path / "box.xyz", "-o", tmp_path / "r.xyz"]
    result = schur(*words, "--cell", "--steps", 2, "--force", 1e-9)
    assert result.exit_code == 1 and "no minimum was reached" in result.output
    assert "volume" in result.output
    (moved,) = read_frames(tmp_path / "r.xyz")
    assert moved.cell is not None and np.abs(moved.cell - 3.5 * np.eye(3)).max() > 1e-4


def test_demo_does_all_five_parts(tmp_path: Path) -> None:
    pytest.importorskip("tblite")
    words = ["--frames", 20, "--picoseconds", 0.02]
    # Compiling may leave the first run no time to train, and its dynamics no model worth the name.
    schur("demo", *words, "--time-limit", "1s", "-o", tmp_path / "compiles")
    result = schur("demo", *words, "--time-limit", "4s", "-o", tmp_path)
    assert result.exit_code == 0, result.output
    for part in range(1, 6):
        assert f"[{part}/5]" in result.output
    assert "schur train data.xyz" in result.output
    names = {path.name for path in tmp_path.iterdir()}
    assert names >= {"ethanol.xyz", "model.schur", "report.html", "dynamics.csv", "dynamics.png"}
    assert len((tmp_path / "dynamics.csv").read_text().splitlines()) == 4
    assert "0.02 ps of Langevin dynamics at 300 K" in (tmp_path / "report.html").read_text()


def test_data_check(run: Path, tmp_path: Path) -> None:
    good = schur("data", "check", run / "data.xyz")
    assert good.exit_code == 0 and "30 frames are fit to train on" in good.output
    frames = springs(4)
    frames[1].info["energy"] = float("nan")
    write_frames(tmp_path / "bad.xyz", frames)
    bad = schur("data", "check", tmp_path / "bad.xyz")
    assert bad.exit_code == 1 and "non-finite-labels" in bad.output
