"""Files are whole or not there."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from schur.errors import DataError
from schur.train.tensor_file import load_tensors, save_tensors

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, dtype=torch.float64)}


def test_round_trip(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_tensors(path, {**TENSORS, "t": TENSORS["a"].T}, {"name": "Å", "n": 3})
    tensors, header = load_tensors(path)
    assert header == {"name": "Å", "n": 3}
    assert all(torch.equal(tensors[name], value) for name, value in TENSORS.items())
    assert torch.equal(tensors["t"], TENSORS["a"].T)
    assert os.listdir(tmp_path) == ["x.safetensors"]


@pytest.mark.parametrize("keep", [0, 5, 40, -1])
def test_truncated_file(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "x.safetensors"
    save_tensors(path, TENSORS, {})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match="cannot be read"):
        load_tensors(path)


def test_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    save_tensors(path, TENSORS, {"version": 1})

    def full(descriptor: int) -> Any:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left"):
        save_tensors(path, TENSORS, {"version": 2})
    assert load_tensors(path)[1] == {"version": 1}
    assert os.listdir(tmp_path) == ["x.safetensors"]


def test_foreign_and_absent_files(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"a": torch.ones(1)}, tmp_path / "y.safetensors")
    with pytest.raises(DataError, match="not written by schur"):
        load_tensors(tmp_path / "y.safetensors")
    with pytest.raises(DataError, match="no such file"):
        load_tensors(tmp_path / "z.safetensors")


def test_files_have_the_usual_permissions(tmp_path: Path) -> None:
    path, usual = tmp_path / "x.safetensors", tmp_path / "usual"
    save_tensors(path, TENSORS, {})
    usual.touch()
    assert path.stat().st_mode == usual.stat().st_mode
