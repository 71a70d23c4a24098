"""Files of torch.save are read without running them, and bad ones are refused."""

from __future__ import annotations

import contextlib
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from schur.atoms.convert import convert_mace
from schur.atoms.convert.stand_ins import Record, read_pickle
from schur.atoms.convert.torch_file import TorchFile, mapping_of
from schur.errors import DataError, SchurError

from .mace_models import saved, unpacked


class Writes:
    """Its pickle writes a file when it is run."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.write_text, (self.target, "was here")


class MACE(torch.nn.Module):
    """Something else of the same name."""


def instance_opcode(target: Path) -> bytes:
    """The old instructions for making an instance: mark, arguments, INST."""
    return b"(S'" + str(target).encode() + b"'\nS'w'\niio\nopen\n."


def stolen_state(target: Path) -> bytes:
    """Sets attributes of the class itself, then makes an instance of it."""
    return b"cio\nopen\n}X\x04\x00\x00\x00kindX\x01\x00\x00\x00xsb."


PICKLES: dict[str, Callable[[Path], bytes]] = {
    "reduce": lambda target: pickle.dumps(Writes(target)),
    "reduce, protocol 2": lambda target: pickle.dumps(Writes(target), protocol=2),
    "inst": instance_opcode,
    "state of a class": stolen_state,
}


@pytest.mark.parametrize("kind", ["reduce", "reduce, protocol 2", "inst"])
def test_hostile_pickles_do_harm_where_they_are_run(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "harm"
    made = pickle.loads(PICKLES[kind](target))
    if hasattr(made, "close"):
        made.close()
    assert target.exists()


@pytest.mark.parametrize("kind", PICKLES)
def test_nothing_in_a_pickle_is_run(kind: str, tmp_path: Path) -> None:
    target = tmp_path / "harm"
    if kind == "state of a class":
        with pytest.raises(DataError, match="cannot be read"):
            read_pickle(PICKLES[kind](target), "a file")
    else:
        assert isinstance(read_pickle(PICKLES[kind](target), "a file"), Record)
    assert not target.exists()
    assert Record.kind.fget(Record()) == ""  # pyright: ignore[reportOptionalCall]


def test_a_hostile_model_file_is_refused_unrun(tmp_path: Path) -> None:
    target = tmp_path / "harm"
    for content in (Writes(target), {"model": Writes(target)}, [Writes(target)]):
        with pytest.raises(DataError):
            convert_mace(saved(tmp_path, content))
    assert not target.exists()


def test_records_hold_what_they_were_made_of(tmp_path: Path) -> None:
    path = unpacked("scalars", tmp_path)
    root = TorchFile(path).root
    assert root.origin == "mace.modules.models.ScaleShiftMACE"
    assert root.attributes["heads"] == ["Default"]
    assert "interactions" in mapping_of(root.attributes["_modules"])


def test_tensors_are_those_that_were_saved(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    whole = torch.randn(4, 6, generator=generator)
    tensors = {
        "whole": whole,
        "view": whole[1:, ::2].T,
        "double": torch.randn(3, generator=generator, dtype=torch.float64),
        "half": whole.half(),
        "integers": torch.arange(5),
        "flags": torch.tensor([True, False]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(whole),
    }
    file = TorchFile(saved(tmp_path, tensors))
    for name, tensor in tensors.items():
        found = file.tensor(file.root[name])
        assert found.dtype == tensor.dtype and torch.equal(found, tensor.detach())


def rewritten(path: Path, change: Callable[[str, bytes], bytes | None], compress: int = 0) -> Path:
    """A copy of an archive with other parts; None leaves one out."""
    target = path.with_name("changed.model")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", compress) as new:
        for name in old.namelist():
            content = change(name, old.read(name))
            if content is not None:
                new.writestr(name, content)
    return target


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return unpacked("degree4", tmp_path_factory.mktemp("model"))


@given(share=st.floats(0, 0.999))
def test_a_truncated_file(model: Path, share: float) -> None:
    content = model.read_bytes()
    cut = model.with_name("cut.model")
    cut.write_bytes(content[: int(share * len(content))])
    with pytest.raises(DataError, match=r"cannot be read|cut off"):
        convert_mace(cut)


@given(share=st.floats(0, 1))
def test_a_truncated_pickle(model: Path, share: float) -> None:
    def cut(name: str, content: bytes) -> bytes:
        return content[: int(share * (len(content) - 1))] if name.endswith("data.pkl") else content

    with pytest.raises(DataError, match="pickle that cannot be read"):
        convert_mace(rewritten(model, cut))


@given(share=st.floats(0, 1), value=st.integers(0, 255))
def test_a_damaged_pickle_converts_or_is_refused(model: Path, share: float, value: int) -> None:
    def damaged(name: str, content: bytes) -> bytes:
        if not name.endswith("data.pkl"):
            return content
        place = int(share * (len(content) - 1))
        return content[:place] + bytes([value]) + content[place + 1 :]

    with contextlib.suppress(SchurError):
        convert_mace(rewritten(model, damaged))


def test_modules_inside_themselves(tmp_path: Path) -> None:
    module = MACE()
    module._modules["interactions"] = module
    with pytest.raises(DataError, match="do not fit together"):
        convert_mace(saved(tmp_path, module))


def test_a_flipped_bit(model: Path) -> None:
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    flipped = model.with_name("flipped.model")
    flipped.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        convert_mace(flipped)


def test_arrays_that_do_not_fit_their_records(model: Path) -> None:
    def shorter(name: str, content: bytes) -> bytes:
        return content[:-4] if "/data/" in name and content else content

    with pytest.raises(DataError, match="tensor that cannot be rebuilt"):
        convert_mace(rewritten(model, shorter))
    without = rewritten(model, lambda name, content: None if "/data/" in name else content)
    with pytest.raises(DataError, match="tensor that cannot be rebuilt"):
        convert_mace(without)


def test_other_archives(model: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        convert_mace(tmp_path / "absent.model")
    with pytest.raises(DataError, match="compressed archive"):
        convert_mace(rewritten(model, lambda _, content: content, zipfile.ZIP_DEFLATED))
    with pytest.raises(DataError, match=r"not written by torch\.save"):
        convert_mace(rewritten(model, lambda n, c: None if n.endswith("data.pkl") else c))
    with pytest.raises(DataError, match="another byte order"):
        convert_mace(rewritten(model, lambda n, c: b"big" if n.endswith("byteorder") else c))
    compiled = tmp_path / "compiled.model"
    with zipfile.ZipFile(compiled, "w") as archive:
        for name in ("data.pkl", "constants.pkl", "code/model.py"):
            archive.writestr(f"compiled/{name}", b"")
    with pytest.raises(DataError, match="TorchScript"):
        convert_mace(compiled)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"model": {"weight": torch.zeros(3)}, "epoch": 3}, "what model they belong to"),
        ([1, 2], "holds no model"),
        (torch.nn.Linear(2, 2), "a model that Schur cannot convert"),
        ({"state_dict": {}, "config": {"r_max": 5.0}}, "settings .* not complete"),
    ],
)
def test_files_of_something_else(content: object, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        convert_mace(saved(tmp_path, content))


def test_layers_of_accelerating_packages_are_named(model: Path) -> None:
    def other(name: str, content: bytes) -> bytes:
        if not name.endswith("data.pkl"):
            return content
        return content.replace(b"ce3nn.o3._linear\nLinear\n", b"ccuequivariance_torch\nLinear\n")

    with pytest.raises(DataError, match="mace_cueq_to_e3nn"):
        convert_mace(rewritten(model, other))
