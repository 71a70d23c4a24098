"""The twenty silent failures that cost weeks, one test each, through the real commands.

Numbers are those of the specification. A test writes a data file with the fault, asks
`schur data check` (or trains, moves, resumes) and expects the finding by its code, or an error;
every one of them also shows that sound data do not trigger it.

In other files, because they need what those have: 18 (an early stop that differs between
processes) with two real processes, `test_ends_are_decided_together` in
`tests/train/test_processes.py`; 20 for each format of data in `test_data_formats.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from schur.atoms.config import DataConfig
from schur.atoms.frame import Frame
from schur.atoms.neighbours import neighbour_list
from schur.atoms.prepare import prepare
from schur.atoms.reference import reference_energies
from schur.atoms.sources import write_any
from schur.atoms.system import System
from schur.cli import app
from schur.errors import DataError, SchurError

E0 = {1: -13.6, 8: -2041.0}
CELL = 5.0 * np.eye(3)
WATER = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])

Change = Callable[[Frame, int], Frame]


def atoms() -> list[Frame]:
    """Both isolated atoms."""
    return [Frame(np.array([z]), np.zeros((1, 3)), {"energy": e}) for z, e in E0.items()]


def molecules(count: int = 20) -> list[Frame]:
    """Sound frames of water."""
    generator = np.random.default_rng(0)
    return [
        Frame(
            np.array([8, 1, 1]),
            WATER + generator.normal(0, 0.03, (3, 3)),
            {"energy": E0[8] + 2 * E0[1] - 10.0 + float(generator.normal(0, 0.05))},
            {"forces": generator.normal(size=(3, 3))},
        )
        for _ in range(count)
    ]


def crystal(frame: Frame, stress: float = 0.01) -> Frame:
    """The frame in a small cell that repeats, with a stress of ordinary size."""
    tensor = stress * np.array([1.0, 2.0, -1.0, 0.1, 0.2, 0.3])
    info = {**frame.info, "stress": tensor}
    return replace(frame, info=info, cell=CELL, pbc=(True, True, True))


def with_info(frame: Frame, **info: Any) -> Frame:
    return replace(frame, info={**frame.info, **info})


def without(frame: Frame, *names: str) -> Frame:
    return replace(
        frame,
        info={n: v for n, v in frame.info.items() if n not in names},
        arrays={n: v for n, v in frame.arrays.items() if n not in names},
    )


def check(folder: Path, frames: list[Frame], *options: str) -> tuple[int, str]:
    """Exit status and output of `schur data check` on these frames."""
    path = folder / "data.xyz"
    write_any(path, frames)
    result = CliRunner().invoke(app, ["data", "check", str(path), *options])
    return result.exit_code, result.output


@pytest.fixture
def expect(tmp_path: Path) -> Callable[..., str]:
    """Checks faulty frames for a code, and sound ones for its absence."""

    def run(
        code: str, faulty: list[Frame], sound: list[Frame] | None = None, stops: bool = True
    ) -> str:
        status, output = check(tmp_path, [*atoms(), *(molecules() if sound is None else sound)])
        assert status == 0 and f"[{code}]" not in output, output
        status, output = check(tmp_path, [*atoms(), *faulty])
        assert f"[{code}]" in output and status == int(stops), output
        return output

    return run


def changed(change: Change, which: range = range(20)) -> list[Frame]:
    return [
        change(frame, index) if index in which else frame for index, frame in enumerate(molecules())
    ]


Expect = Callable[..., str]


def test_01_key_absent_or_misspelt(expect: Expect) -> None:
    def misspell(frame: Frame, _: int) -> Frame:
        return replace(without(frame, "forces"), arrays={"Forces_dft": frame.arrays["forces"]})

    output = expect("absent-forces", changed(misspell))
    assert "--forces-key Forces_dft" in output


def test_02_key_in_a_few_frames_only(expect: Expect) -> None:
    output = expect("partial-labels", changed(lambda f, _: without(f, "forces"), range(3, 5)))
    assert "missing in 2 of 20 frames" in output


def test_03_forces_exactly_zero(expect: Expect) -> None:
    def all_zero(frame: Frame, _: int) -> Frame:
        return replace(frame, arrays={"forces": np.zeros((3, 3))})

    def one_zero(frame: Frame, _: int) -> Frame:
        return replace(frame, arrays={"forces": frame.arrays["forces"] * [[0.0], [1.0], [1.0]]})

    expect("zero-forces", changed(all_zero, range(1)))
    expect("zero-force-rows", changed(one_zero, range(1)))


@pytest.mark.parametrize("unit", [160.2, 1602.0])
def test_04_stress_in_gpa_or_kbar(expect: Expect, unit: float) -> None:
    sound = [crystal(frame) for frame in molecules()]
    expect("stress-units", [crystal(frame, 0.01 * unit) for frame in molecules()], sound)


@pytest.mark.parametrize(("factor", "code"), [(-1.0, "stress-sign"), (160.2, "stress-virial")])
def test_05_stress_and_virial_contradict(expect: Expect, factor: float, code: str) -> None:
    def both(frame: Frame, by: float) -> Frame:
        boxed = crystal(frame, 0.001)
        return with_info(boxed, virial=-125.0 * by * boxed.info["stress"])

    expect(code, [both(f, factor) for f in molecules()], [both(f, 1.0) for f in molecules()])


def test_06_energies_of_another_method(expect: Expect) -> None:
    expect("energy-scale", changed(lambda f, _: with_info(f, energy=-14.2)))


def test_07_hartree(tmp_path: Path) -> None:
    """Energies of -76.4 and forces of thermal size in hartree and bohr, with and without atoms."""

    def scaled(frames: list[Frame]) -> list[Frame]:
        return [
            replace(
                with_info(f, energy=f.info["energy"] / 27.2114),
                arrays={n: a / 51.4221 for n, a in f.arrays.items()},
            )
            for f in frames
        ]

    for lone in (atoms(), []):
        status, output = check(tmp_path, [*lone, *molecules()])
        assert status == 0 and "[units]" not in output
        status, output = check(tmp_path, scaled([*lone, *molecules()]))
        assert status == 1 and "[units]" in output


def test_08_the_same_frame_in_train_and_test(tmp_path: Path) -> None:
    frames = molecules()
    write_any(tmp_path / "train.xyz", [*atoms(), *frames[:15]])
    write_any(tmp_path / "apart.xyz", frames[15:])
    write_any(tmp_path / "shared.xyz", frames[14:])

    def run(test: str) -> None:
        files = {"train": [tmp_path / "train.xyz"], "test": [tmp_path / test]}
        prepare(DataConfig.model_validate(files), 4.0, seed=0)

    run("apart.xyz")
    with pytest.raises(DataError, match=r"shared-frames.*1 of 6 test frames"):
        run("shared.xyz")


def test_09_single_atoms_are_recognised_without_a_label(tmp_path: Path) -> None:
    """Bare or in a large box they give E0; an atom in a small cell is a crystal."""
    boxed = [replace(a, cell=15 * np.eye(3), pbc=(True, True, True)) for a in atoms()]
    for lone in (atoms(), boxed):
        status, output = check(tmp_path, [*lone, *molecules()])
        assert status == 0 and "E0 (isolated atoms)" in output
        assert "2 of them isolated atoms" in output
    status, output = check(tmp_path, molecules())
    assert status == 0 and "E0 (least squares over 20 frames" in output
    contradiction = [*atoms(), with_info(atoms()[0], energy=-0.5)]
    status, output = check(tmp_path, [*contradiction, *molecules()])
    assert status == 1 and "isolated atoms of H contradict" in output


def test_10_atoms_too_close_or_alone(expect: Expect) -> None:
    def close(frame: Frame, _: int) -> Frame:
        return replace(frame, positions=frame.positions * [[1.0], [0.3], [1.0]])

    def far(frame: Frame, _: int) -> Frame:
        return replace(frame, positions=frame.positions * [[1.0], [1.0], [30.0]])

    expect("close-atoms", changed(close, range(1)))
    expect("lonely-atoms", changed(far, range(1)), stops=False)


def test_11_cells(expect: Expect) -> None:
    def in_cell(cell: np.ndarray | None) -> list[Frame]:
        pbc = (True, True, True)
        return [replace(frame, cell=cell, pbc=pbc) for frame in molecules()]

    sound = in_cell(CELL)
    flat = np.array([[5.0, 0, 0], [5.0, 0, 0], [0, 0, 5.0]])
    expect("cell", in_cell(None), sound)
    expect("cell", in_cell(flat), sound)
    expect("left-handed-cell", in_cell(CELL[[1, 0, 2]]), sound, stops=False)
    expect("dummy-cell", in_cell(30 * np.eye(3)), sound, stops=False)


def test_11_atoms_outside_and_small_cells_have_their_neighbours() -> None:
    """These are no faults of data; what must not fail silently is the neighbour list."""
    small = np.diag([2.0, 2.0, 2.0])
    inside = System([1, 1], [[0, 0, 0], [1, 0, 0]], small, True)
    outside = System([1, 1], [[0, 0, 0], [1 + 2 * 7, -2 * 9, 0]], small, True)
    found = [np.linalg.norm(neighbour_list(s, 3.0).vectors, axis=1) for s in (inside, outside)]
    # Along x neighbours lie at every Å: the 18 images of each kind within 3 Å of a cubic lattice.
    assert len(found[0]) > 2 * 18
    assert np.allclose(np.sort(found[0]), np.sort(found[1]), rtol=0, atol=1e-14 * 20)


def test_12_elements_that_training_lacks(tmp_path: Path) -> None:
    frames = molecules()
    strange = replace(frames[0], numbers=np.array([16, 1, 1]))
    write_any(tmp_path / "train.xyz", [*atoms(), *frames[:15]])
    write_any(tmp_path / "test.xyz", [*frames[15:], strange])
    files = {"train": [tmp_path / "train.xyz"], "test": [tmp_path / "test.xyz"]}
    with pytest.raises(DataError, match=r"new-elements.*S occurs in 1 test frames"):
        prepare(DataConfig.model_validate(files), 4.0, seed=0)


@pytest.mark.parametrize("key", ["charge", "spin"])
def test_13_charge_or_spin_ignored(expect: Expect, key: str) -> None:
    varied = changed(lambda f, i: with_info(f, **{key: i % 2}))
    expect("charge-ignored", varied)
    expect("charge-ignored", changed(lambda f, _: with_info(f, **{key: 1})), stops=False)


def test_14_free_energy_against_energy(expect: Expect) -> None:
    same = changed(lambda f, _: with_info(f, free_energy=f.info["energy"]))
    apart = changed(lambda f, _: with_info(f, free_energy=f.info["energy"] - 0.3))
    output = expect("free-energy", apart, same, stops=False)
    assert "--energy-key free_energy" in output


def test_15_exception_in_a_callback_of_dynamics(tmp_path: Path) -> None:
    """What a listener raises reaches the caller; with a sound one the run ends by itself."""
    import ase
    from ase.calculators.lj import LennardJones

    from schur.atoms.dynamics import run_dynamics
    from schur.atoms.dynamics_config import DynamicsConfig

    config = DynamicsConfig.model_validate({"timestep": 1.0, "interval": 1, "steps": 4})
    told: list[float] = []

    def broken(row: dict[str, float]) -> None:
        raise SchurError(f"the listener failed at {row['time_fs']} fs")

    for listener in (lambda row: told.append(row["time_fs"]), broken):
        moving = ase.Atoms("Ar2", [[0, 0, 0], [0, 0, 3.8]])
        moving.calc = LennardJones(sigma=3.4, epsilon=0.01)
        if listener is broken:
            with pytest.raises(SchurError, match="the listener failed"):
                run_dynamics(moving, config, tmp_path / "broken", listener)
        else:
            run_dynamics(moving, config, tmp_path / "sound", listener)
    assert len(told) >= 4


TINY = [
    *("model.hidden=2x0e", "model.edge_lmax=1", "model.correlation=1", "model.layers=1"),
    *("model.radial_hidden=[4]", "model.cutoff=3.0", "training.epochs=2"),
    *("training.batch_size=5", "training.validate_every=1"),
]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data and a finished run."""
    folder = tmp_path_factory.mktemp("run")
    write_any(folder / "data.xyz", [*atoms(), *molecules()])
    result = train(folder)
    assert result[0] == 0, result[1]
    return folder


def train(folder: Path, *words: str) -> tuple[int, str]:
    command = ["train", str(folder / "data.xyz"), "-o", str(folder / "out"), *TINY, *words]
    result = CliRunner().invoke(app, command)
    return result.exit_code, result.output


def test_16_resumed_with_a_changed_configuration(run: Path) -> None:
    assert train(run)[0] == 0, "the same settings resume"
    status, output = train(run, "model.cutoff=2.5")
    assert status == 1 and "other settings" in output


def test_17_averaged_weights_are_not_the_raw_ones(run: Path) -> None:
    """A checkpoint holds both under their names; the model file holds the averaged ones."""
    from schur.train.tensor_file import load_tensors, select

    (checkpoint,) = (path for path in (run / "out").iterdir() if "checkpoint" in path.name)
    stored, _ = load_tensors(checkpoint)
    raw, averaged = select(stored, "raw"), select(stored, "average")
    assert raw and set(raw) == set(averaged)
    assert any(not torch.equal(raw[name], averaged[name]) for name in raw)
    best = select(stored, "best")
    model, _ = load_tensors(run / "out" / "model.schur")
    assert all(
        any(torch.equal(value, found) for found in model.values()) for value in best.values()
    )


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_19_labels_that_are_not_finite(expect: Expect, value: float) -> None:
    def spoilt(frame: Frame, _: int) -> Frame:
        forces = frame.arrays["forces"].copy()
        forces[0, 0] = value
        return replace(frame, arrays={"forces": forces})

    output = expect("non-finite-labels", changed(spoilt, range(7, 8)))
    assert "data.xyz frame 9" in output


def test_20_truncated_data(tmp_path: Path) -> None:
    path = tmp_path / "data.xyz"
    write_any(path, [*atoms(), *molecules()])
    whole = path.read_bytes()
    for size in (len(whole) - 1, len(whole) - 30, len(whole) // 2, 0):
        path.write_bytes(whole[:size])
        result = CliRunner().invoke(app, ["data", "check", str(path)])
        assert result.exit_code == 1, f"{size} of {len(whole)} bytes passed"
        assert "Traceback" not in result.output


def test_20_truncated_model(run: Path, tmp_path: Path) -> None:
    whole = (run / "out" / "model.schur").read_bytes()
    for size in (len(whole) - 1, len(whole) // 2, 4, 0):
        (tmp_path / "model.schur").write_bytes(whole[:size])
        result = CliRunner().invoke(app, ["info", str(tmp_path / "model.schur")])
        assert result.exit_code == 1 and "cannot be read" in result.output
    (tmp_path / "model.schur").write_bytes(whole)
    assert CliRunner().invoke(app, ["info", str(tmp_path / "model.schur")]).exit_code == 0
    assert json.loads((run / "out" / "metrics.json").read_text())["epochs"] == 2


def test_e0_of_the_sound_data_is_what_was_put_in() -> None:
    """The frames above are sound, or no test here would mean anything."""
    systems = [System(f.numbers, f.positions, energy=f.info["energy"]) for f in molecules()]
    lone = [System(f.numbers, f.positions, energy=f.info["energy"]) for f in atoms()]
    assert reference_energies(systems, lone).values == E0
