"""Extended XYZ is read as it stands, and a damaged file never passes."""

from __future__ import annotations

from pathlib import Path

import ase.io
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schur.atoms.comment_line import parse_comment
from schur.atoms.extxyz import read_extxyz, write_frames
from schur.atoms.frame import Frame
from schur.errors import DataError

WATER = """3
Lattice="9.0 0 0 0 9.0 0 0 0 9.0" Properties=species:S:1:pos:R:3:forces:R:3 energy=-14.5 pbc="T T F"
O 0.0 0.0 0.0 0.1 0.0 0.0
H 0.9 0.0 0.0 -0.1 0.0 0.0
H -0.2 0.9 0.0 0.0 0.0 0.0
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "frames.xyz"
    path.write_text(text)
    return path


def test_keeps_every_word_and_column(tmp_path: Path) -> None:
    (frame,) = read_extxyz(write(tmp_path, WATER))
    assert frame.info == {"energy": -14.5}
    assert frame.numbers.tolist() == [8, 1, 1]
    assert frame.pbc == (True, True, False)
    assert frame.cell is not None and frame.cell[0].tolist() == [9.0, 0.0, 0.0]
    assert frame.arrays["forces"][1].tolist() == [-0.1, 0.0, 0.0]


def test_agrees_with_ase(shared_data: Path) -> None:
    """Positions, cells and numbers against an independent reader."""
    path = shared_data / "acac" / "train_300K.xyz"
    reference = ase.io.read(path, index="::50")
    assert isinstance(reference, list)
    frames = list(read_extxyz(path))[::50]
    assert len(frames) == len(reference) == 10
    for frame, atoms in zip(frames, reference, strict=True):
        assert isinstance(atoms, ase.Atoms) and frame.cell is not None
        assert np.array_equal(frame.positions, atoms.positions)
        assert np.array_equal(frame.numbers, atoms.numbers)
        assert np.array_equal(frame.cell, atoms.cell.array)
        assert frame.info["energy"] == atoms.get_potential_energy()
        assert np.array_equal(frame.arrays["forces"], atoms.get_forces())


def test_forces_of_constrained_atoms_survive(tmp_path: Path) -> None:
    """ASE sets them to zero; the file does not."""
    atoms = ase.Atoms("H2", [[0, 0, 0], [0, 0, 0.7]])
    frame = Frame(
        atoms.numbers,
        atoms.positions,
        arrays={"forces": np.ones((2, 3)), "move_mask": np.array([False, True])},
    )
    path = tmp_path / "constrained.xyz"
    write_frames(path, [frame])
    (again,) = read_extxyz(path)
    assert np.array_equal(again.arrays["forces"], np.ones((2, 3)))
    assert again.arrays["move_mask"].tolist() == [False, True]


numbers = st.floats(allow_nan=False, allow_infinity=False, width=64)


@given(st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=4), numbers)
def test_what_is_written_is_read(rows: list[tuple[float, float, float]], energy: float) -> None:
    import tempfile

    positions = np.array(rows)
    info = {"energy": energy, "name": "two words", "flag": True, "list": np.array([1, 2, 3])}
    frame = Frame(np.full(len(rows), 6), positions, info, {"forces": -positions})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.xyz"
        write_frames(path, [frame, frame])
        first, second = read_extxyz(path)
    assert np.array_equal(first.positions, positions)
    assert np.array_equal(second.arrays["forces"], -positions)
    assert first.info["energy"] == energy and first.info["name"] == "two words"
    assert first.info["flag"] is True and first.info["list"].tolist() == [1, 2, 3]


@pytest.mark.parametrize("lines", [1, 2, 3, 4])
def test_truncation_names_frame_and_line(tmp_path: Path, lines: int) -> None:
    text = WATER + "".join(WATER.splitlines(keepends=True)[:lines])
    with pytest.raises(DataError, match=r"frame 1 is cut off \(it starts at line 6\)"):
        list(read_extxyz(write(tmp_path, text)))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (("H 0.9 0.0 0.0 -0.1 0.0 0.0", "H 0.9 0.0 0.0 -0.1"), "line 4 has the wrong number"),
        (("0.1 0.0 0.0\n", "0.1 0.O 0.0\n"), "line 3 holds a word that is no number"),
        (("O 0.0", "Qq 0.0"), "no chemical symbol"),
        (("3\n", "three\n"), "does not begin with its number of atoms"),
        (("pos:R:3", "pos:R"), "Properties cannot be read"),
        (("9.0 0 0 0 9.0", "9.0 0 0 9.0"), "Lattice cannot be read"),
        (('pbc="T T F"', 'pbc="yes"'), "pbc cannot be read"),
    ],
)
def test_damage_is_named(tmp_path: Path, damage: tuple[str, str], message: str) -> None:
    damaged = WATER.replace(damage[0], damage[1], 1)
    assert damaged != WATER
    with pytest.raises(DataError, match=message):
        list(read_extxyz(write(tmp_path, damaged)))


def test_no_file_and_empty_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be opened"):
        list(read_extxyz(tmp_path / "absent.xyz"))
    with pytest.raises(DataError, match="holds no frame"):
        list(read_extxyz(write(tmp_path, "\n\n")))


def test_comment_forms() -> None:
    text = """a=1 b=-2.5e3 c="1 2 3" d={4 5} e='x y' f=[[1,2],[3,4]] "g h"=T i k=F m=_JSON"""
    info = parse_comment(text)
    assert info["a"] == 1 and info["b"] == -2500.0 and info["c"].tolist() == [1, 2, 3]
    assert info["d"].tolist() == [4, 5] and info["e"] == "x y"
    assert info["f"].tolist() == [[1, 2], [3, 4]] and info["g h"] is True
    assert info["i"] is True and info["k"] is False
    assert parse_comment('d="_JSON [1, 2]"') == {"d": [1, 2]}
    with pytest.raises(DataError, match="comment line cannot be read"):
        parse_comment('a=1 b="open')
