"""Every format gives the frames that were written, exactly; a damaged file of any is named."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.constraints import FixAtoms

from schur.atoms.extxyz import write_frames
from schur.atoms.frame import Frame
from schur.atoms.labels import label_frames
from schur.atoms.sources import WRITABLE, files_in, open_source, read_frames, write_any
from schur.errors import DataError

ENDINGS = [".xyz", ".db", ".json", ".aselmdb"]


@pytest.fixture(params=ENDINGS)
def ending(request: pytest.FixtureRequest) -> str:
    """Each format in turn; LMDB where its package is installed."""
    if request.param == ".aselmdb":
        pytest.importorskip("lmdb")
    return str(request.param)


def frames(count: int = 5) -> list[Frame]:
    """Skewed cells and molecules with every kind of label, numbers without short decimals."""
    generator = np.random.default_rng(0)
    made = []
    for index in range(count):
        size = 3 + index % 2
        periodic = index % 2 == 0
        stress = generator.normal(size=(3, 3))
        info: dict[str, Any] = {
            "energy": float(generator.normal()),
            "config_type": ("bulk", "slab 2")[index % 2],
            "config_weight": 0.5 + index,
            "REF_energy": float(generator.normal()),
            "charge": index % 3,
            "virial": generator.normal(size=9),
        }
        if periodic:
            info["stress"] = np.ravel(stress + stress.T)
        made.append(
            Frame(
                generator.integers(1, 9, size),
                generator.normal(size=(size, 3)),
                info,
                {
                    "forces": generator.normal(size=(size, 3)),
                    "REF_forces": generator.normal(size=(size, 3)),
                },
                generator.normal(size=(3, 3)) if periodic else None,
                (periodic, periodic, False),
            )
        )
    return made


def assert_same(found: Frame, expected: Frame) -> None:
    assert np.array_equal(found.numbers, expected.numbers)
    assert np.array_equal(found.positions, expected.positions)
    assert (found.cell is None) == (expected.cell is None)
    assert found.cell is None or np.array_equal(found.cell, np.asarray(expected.cell))
    assert found.pbc == expected.pbc
    assert set(found.arrays) == set(expected.arrays)
    for name, array in expected.arrays.items():
        assert np.array_equal(found.arrays[name], array)
    (mine,), (theirs,) = label_frames([found])[0], label_frames([expected])[0]
    assert mine.energy == theirs.energy and mine.config_type == theirs.config_type
    assert mine.weight == theirs.weight
    assert (mine.stress is None) == (theirs.stress is None)
    assert mine.stress is None or np.array_equal(mine.stress, np.asarray(theirs.stress))
    assert found.info["charge"] == expected.info["charge"]
    assert np.array_equal(np.ravel(found.info["virial"]), expected.info["virial"])


def test_round_trip_is_exact(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    expected = frames()
    write_any(path, expected)
    found = list(read_frames(path))
    assert len(found) == len(expected)
    for mine, theirs in zip(found, expected, strict=True):
        assert_same(mine, theirs)


def test_access_by_number_gives_the_same_frames(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    write_any(path, frames())
    source, expected = open_source(path), list(read_frames(path))
    assert len(source) == 5
    for index in (4, 0, 2):
        assert_same(source[index], expected[index])
        assert source[index].origin == expected[index].origin
    with pytest.raises(IndexError, match="none numbered 5"):
        source[5]
    source.close()
    assert_same(source[1], expected[1])


@pytest.mark.parametrize("kind", [".db", ".json"])
def test_what_ase_wrote_is_read_without_constraints(tmp_path: Path, kind: str) -> None:
    import ase.db

    atoms = ase.Atoms("H2", [[0, 0, 0], [0, 0, 0.7]], cell=[5, 5, 5], pbc=True)
    atoms.set_constraint(FixAtoms([0]))
    forces = np.array([[0.1, 0.2, 0.3], [-0.1, -0.2, -0.3]])
    atoms.calc = SinglePointCalculator(atoms, energy=-1.5, forces=forces, stress=np.arange(6.0))
    path = tmp_path / f"data{kind}"
    opened: Any = ase.db.connect(path)
    with opened as database:
        database.write(atoms, config_type="fixed", data={"REF_energy": -2.5})
        database.write(atoms)
        database.delete([1])
        database.write(atoms, config_type="fixed", data={"REF_energy": -2.5})
    first, second = read_frames(path)
    assert first.info["energy"] == -1.5 and "REF_energy" not in first.info
    assert second.info["REF_energy"] == -2.5 and second.info["config_type"] == "fixed"
    assert np.array_equal(second.arrays["forces"], forces)
    assert np.array_equal(second.info["stress"], np.arange(6.0))


def test_ase_reads_what_is_written(tmp_path: Path, ending: str) -> None:
    if ending == ".aselmdb":
        pytest.skip("ASE alone has no reader of LMDB")
    path = tmp_path / f"data{ending}"
    write_any(path, frames())
    found = ase.io.read(path, index=":")
    assert isinstance(found, list)
    for atoms, frame in zip(found, frames(), strict=True):
        assert np.array_equal(atoms.positions, frame.positions)
        assert atoms.get_potential_energy() == frame.info["energy"]
        assert np.array_equal(atoms.get_forces(), frame.arrays["forces"])


def test_lmdb_rows_of_other_writers(tmp_path: Path) -> None:
    """Plain lists, a deleted row, and ASE's tagged arrays, as published files have them."""
    lmdb = pytest.importorskip("lmdb")
    import json
    import zlib

    path = tmp_path / "data.aselmdb"
    row = {
        "numbers": [1, 1],
        "positions": {"__ndarray__": [[2, 3], "float64", [0.0, 0.0, 0.0, 0.0, 0.0, 0.7]]},
        "cell": [[5.0, 0, 0], [0, 5.0, 0], [0, 0, 5.0]],
        "pbc": [True, True, True],
        "energy": -1.5,
        "forces": [[0.1, 0, 0], [-0.1, 0, 0]],
        "constraints": [{"name": "FixAtoms", "kwargs": {"indices": [0]}}],
        "data": {"charge": 1, "spin": 2},
    }
    values = {"1": row, "3": row, "nextid": 4, "deleted_ids": [2], "metadata": {}}
    with (
        lmdb.open(str(path), subdir=False, lock=False) as environment,
        environment.begin(write=True) as transaction,
    ):
        for key, value in values.items():
            transaction.put(key.encode(), zlib.compress(json.dumps(value).encode()))
    found = list(read_frames(tmp_path))
    assert len(found) == 2 and files_in([tmp_path]) == [path]
    assert found[1].arrays["forces"].tolist() == row["forces"]
    assert found[1].positions[1].tolist() == [0.0, 0.0, 0.7]
    assert found[1].info["charge"] == 1 and found[1].pbc == (True, True, True)


def test_trajectories_give_raw_forces_and_a_note(tmp_path: Path) -> None:
    atoms = ase.Atoms("H2", [[0, 0, 0], [0, 0, 0.7]])
    atoms.set_constraint(FixAtoms([0]))
    forces = np.ones((2, 3))
    atoms.calc = SinglePointCalculator(atoms, energy=-1.5, forces=forces)
    path = tmp_path / "run.traj"
    ase.io.write(path, [atoms, atoms])
    source = open_source(path)
    assert len(source) == 2 and "calculator" in source.note
    assert np.array_equal(source[1].arrays["forces"], forces)


@pytest.mark.parametrize("part", [0.97, 0.6, 0.3])
def test_a_file_cut_off_is_an_error(tmp_path: Path, ending: str, part: float) -> None:
    path = tmp_path / f"data{ending}"
    write_any(path, frames(40))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(part * len(whole))])
    with pytest.raises(DataError, match=r"cut off|cannot be read|damaged"):
        list(read_frames(path))


def test_what_is_no_database_is_an_error(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(DataError):
        list(read_frames(path))
    with pytest.raises(DataError, match="cannot be opened"):
        list(read_frames(tmp_path / f"absent{ending}"))


def test_other_formats_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "run.traj"
    ase.io.write(path, [ase.Atoms("H2", [[0, 0, 0], [0, 0, 0.7]])] * 20)
    path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match="cannot be read by ASE"):
        list(read_frames(path))


def full_after(count: int) -> Any:
    """Frames of which some are given before the disk is full."""
    yield from frames(count)
    raise OSError(errno.ENOSPC, "No space left on device")


def test_full_disk_keeps_the_old_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"data{ending}"
    write_any(path, frames(2))
    before = path.read_bytes()
    with pytest.raises(DataError, match=r"(?s)unchanged.*No space left"):
        write_any(path, full_after(3))
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_full_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system's own error at the first write, not a simulated generator."""
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    path = tmp_path / "data.xyz"
    write_any(path, frames(2))
    before = path.read_bytes()

    plain = open

    def opened(file: Any, *words: Any, **more: Any) -> Any:
        return plain("/dev/full" if ".partial" in str(file) else file, *words, **more)

    monkeypatch.setattr("builtins.open", opened)
    with pytest.raises(DataError, match="No space left"):
        write_frames(path, frames(2))
    monkeypatch.undo()
    assert path.read_bytes() == before


def test_a_last_number_without_its_digits_is_an_error(tmp_path: Path) -> None:
    """Cut off inside the last number, every column is there; only the end of the line is not."""
    path = tmp_path / "data.xyz"
    write_any(path, frames(2))
    path.write_bytes(path.read_bytes()[:-4])
    for read in (lambda: list(read_frames(path)), lambda: open_source(path)[1]):
        with pytest.raises(DataError, match=r"(?s)frame 1 is cut off.*may lack digits"):
            read()


def test_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\.aselmdb"):
        write_any(tmp_path / "data.pdb", frames(1))
    assert all(ending.startswith(".") for ending in WRITABLE)
