"""Frames that stay on disk give the numbers of frames in memory, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from schur.atoms.batch import AtomicDataset, Batch
from schur.atoms.config import DataConfig
from schur.atoms.frame import Frame
from schur.atoms.prepare import Prepared, prepare
from schur.atoms.sources import write_any
from schur.atoms.streaming import StreamedSystems

CUTOFF = 2.5
FIELDS = ("species", "vectors", "edge_index", "system", "sizes", "volumes", "energies", "forces")


def frames(count: int) -> list[Frame]:
    """Molecules of two compositions with labels, and both single atoms."""
    generator = np.random.default_rng(1)
    rest = np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0], [0.9, 0.9, 0.8]])
    made = [
        Frame(np.array([z]), np.zeros((1, 3)), {"energy": e}) for z, e in ((1, -13.6), (8, -20.0))
    ]
    for index in range(count):
        size = 3 + index % 2
        info = {"energy": -60.0 - 13.0 * (index % 2) + float(generator.normal(0, 0.1))}
        forces = generator.normal(size=(size, 3))
        positions = rest[:size] + generator.normal(0, 0.05, (size, 3))
        made.append(Frame(np.array([8, 1, 1, 1][:size]), positions, info, {"forces": forces}))
    return made


def prepared(path: Path, stream: str, cache_gb: float = 1.0) -> Prepared:
    settings = {"train": [path], "stream": stream, "cache_gb": cache_gb}
    return prepare(DataConfig.model_validate(settings), CUTOFF, seed=0)


def assert_equal_batches(mine: Batch, theirs: Batch) -> None:
    for name in FIELDS:
        assert torch.equal(getattr(mine, name), getattr(theirs, name)), name
    assert mine.origins == theirs.origins


@pytest.mark.parametrize("ending", [".xyz", ".db", ".json", ".aselmdb"])
def test_streamed_and_kept_frames_give_the_same_numbers(tmp_path: Path, ending: str) -> None:
    if ending == ".aselmdb":
        pytest.importorskip("lmdb")
    path = tmp_path / f"data{ending}"
    write_any(path, frames(40))
    kept, streamed = prepared(path, "never"), prepared(path, "always")
    assert isinstance(streamed.split.train, StreamedSystems)
    assert (kept.scale, kept.shift, kept.reference) == (
        streamed.scale,
        streamed.shift,
        streamed.reference,
    )
    assert kept.notes == [note for note in streamed.notes if "stay on disk" not in note]
    for name, mine in kept.datasets(CUTOFF, torch.float64).items():
        theirs = streamed.datasets(CUTOFF, torch.float64)[name]
        assert len(mine) == len(theirs) > 0
        assert mine.mean_neighbours() == theirs.mean_neighbours()
        order = np.random.default_rng(2).permutation(len(mine)).tolist()
        for _epoch in range(2):
            pairs = zip(mine.batches(3, order), theirs.batches(3, order), strict=True)
            for a, b in pairs:
                assert_equal_batches(a, b)


def test_counted_neighbours_are_those_of_the_lists(tmp_path: Path) -> None:
    write_any(tmp_path / "data.xyz", frames(10))
    split = prepared(tmp_path / "data.xyz", "never").split
    counted = prepared(tmp_path / "data.xyz", "never").datasets(CUTOFF, torch.float64)["train"]
    listed = AtomicDataset(split.train, (1, 8), CUTOFF)
    assert counted.mean_neighbours() == listed.mean_neighbours() > 0


def test_memory_holds_what_it_may_and_no_more(tmp_path: Path, monkeypatch: object) -> None:
    """Reads of the file show what was kept: none of what fits, all of the rest."""
    assert isinstance(monkeypatch, pytest.MonkeyPatch)
    write_any(tmp_path / "data.xyz", frames(30))
    read: list[int] = []
    plain = StreamedSystems.__getitem__

    def counted(self: StreamedSystems, index: int) -> object:
        read.append(index)
        return plain(self, index)

    monkeypatch.setattr(StreamedSystems, "__getitem__", counted)
    everything = {0.0: 22, 1e-9 * 20_000: None, 1.0: 0}
    for cache, again in everything.items():
        data = prepared(tmp_path / "data.xyz", "always", cache).datasets(CUTOFF, torch.float32)
        train = data["train"]
        assert len(train) == 22
        list(train.batches(4))
        read.clear()
        list(train.batches(4))
        assert len(read) == again if again is not None else 0 < len(read) < 22


def test_thinned_sets_are_spread_over_the_whole(tmp_path: Path) -> None:
    write_any(tmp_path / "data.xyz", frames(30))
    streamed = prepared(tmp_path / "data.xyz", "always").datasets(CUTOFF, torch.float32)["train"]
    few = streamed.thinned(5)
    assert [s.origin for s in few.systems] == [
        streamed.systems[k].origin for k in (0, 5, 10, 16, 21)
    ]
    kept = prepared(tmp_path / "data.xyz", "never").datasets(CUTOFF, torch.float32)["train"]
    assert kept.thinned(5) is kept


def test_slices_of_streamed_systems(tmp_path: Path) -> None:
    write_any(tmp_path / "data.xyz", frames(30))
    train = prepared(tmp_path / "data.xyz", "always").split.train
    assert [s.origin for s in train[3:6]] == [train[k].origin for k in (3, 4, 5)]
    assert len(train[:-1]) == len(train) - 1
