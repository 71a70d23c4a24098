"""`--device` of every command that computes: a GPU that is not there is said to be not there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from ase import Atoms

import schur as package
from schur.atoms.extxyz import write_frames
from schur.atoms.modelfile import build_potential, save_potential
from schur.errors import BackendError
from schur.models.mace import MACEConfig

from .test_cli import schur, springs


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A torch with CUDA on a machine without."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.version, "cuda", "13.0")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A model, and structures."""
    folder = tmp_path_factory.mktemp("device")
    config = MACEConfig(hidden="1x0e", edge_lmax=1, correlation=1, layers=1, radial_hidden=(4,))
    potential = build_potential(config, (1, 8), (0.0, 0.0), 2.0, 1.0, 0.0, 0, torch.float32)
    save_potential(folder / "m.schur", potential)
    write_frames(folder / "data.xyz", springs(20))
    return folder / "m.schur", folder / "data.xyz"


@pytest.mark.parametrize("command", ["train", "eval", "predict", "md", "relax", "audit", "demo"])
def test_a_gpu_that_is_not_there(files: tuple[Path, Path], command: str, tmp_path: Path) -> None:
    model, data = files
    words = {"train": [data], "demo": []}.get(command, [model, data])
    output = [] if command == "audit" else ["-o", tmp_path / "out.xyz"]
    result = schur(command, *words, *output, "--device", "cuda")
    assert result.exit_code == 1
    said = " ".join(result.output.split())
    for part in ("device 'cuda' cannot be used", "torch sees no GPU", "a GPU", "ask for cpu"):
        assert part in said
    assert not (tmp_path / "out.xyz").exists()


@pytest.mark.parametrize("words", [["--device", "gpu"], ["training.device=mps"]])
def test_a_word_that_names_no_device(files: tuple[Path, Path], words: list[str]) -> None:
    result = schur("train", files[1], *words, "--dry-run")
    assert result.exit_code == 1 and "device" in result.output


def test_the_choice_is_said_and_its_reason(files: tuple[Path, Path], tmp_path: Path) -> None:
    result = schur("train", files[1], "--dry-run")
    assert "device: cpu (auto: torch sees no GPU)" in result.output
    result = schur("train", files[1], "--dry-run", "training.device=cpu")
    assert "device: cpu (asked for)" in result.output
    result = schur("predict", *files, "-o", tmp_path / "said.xyz", "--device", "cpu")
    assert result.exit_code == 0 and "device: cpu (asked for)" in result.output
    result = schur("audit", *files, "--frames", 1, "--samples", 1, "--device", "cpu")
    assert result.exit_code == 0 and "device: cpu (asked for)" in result.output


def test_from_python(files: tuple[Path, Path]) -> None:
    for ask in (package.load, package.Calculator):
        with pytest.raises(BackendError, match="torch sees no GPU"):
            ask(files[0], device="cuda")
    atoms = Atoms("OH", [[0, 0, 0], [0, 0, 1.0]])
    atoms.calc = calculator = package.Calculator(files[0], device="cpu")
    assert calculator.chosen.reason == "asked for"
    said = package.load(files[0], device="cpu")(atoms)
    assert not isinstance(said, list)
    assert atoms.get_potential_energy() == pytest.approx(said.energy, rel=1e-6)
