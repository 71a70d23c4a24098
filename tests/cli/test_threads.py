"""Threads: what is asked for, what the resumed run had, or what other programs leave."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from schur.cli import threads
from schur.cli.threads import processors_free, use_threads
from schur.train.checkpoint import RunState, read_threads, save_checkpoint

BUSY = "while True: pass"


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize(("free", "chosen"), [(4.0, 4), (3.8, 4), (3.5, 3), (1.3, 1), (0.2, 1)])
def test_as_many_threads_as_processors_are_free(
    free: float,
    chosen: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(threads, "processors_free", lambda wanted: free)
    use_threads(None)
    assert torch.get_num_threads() == chosen
    said = capsys.readouterr().out
    assert said.startswith(f"threads: {chosen} of 4; other") if chosen < 4 else not said


def test_a_wish_counts_whatever_is_free(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(threads, "processors_free", lambda wanted: 0.5)
    use_threads(3)
    assert torch.get_num_threads() == 3
    torch.set_num_threads(4)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    use_threads(None)
    assert torch.get_num_threads() == 4
    assert capsys.readouterr().out == ""


def test_a_resumed_run_has_the_threads_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "processors_free", lambda wanted: 1.0)
    path, model = tmp_path / "checkpoint.safetensors", torch.nn.Linear(1, 1)
    assert read_threads(path) is None
    state = RunState(threads=2)
    save_checkpoint(path, state, model, {}, {}, torch.optim.AdamW(model.parameters()))
    use_threads(None, path)
    assert torch.get_num_threads() == 2
    use_threads(3, path)
    assert torch.get_num_threads() == 3
    torch.set_num_threads(1)
    use_threads(None, path)  # a machine with fewer processors
    assert torch.get_num_threads() == 1
    torch.set_num_threads(4)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")  # as torchrun, for one of several processes
    use_threads(None, path)
    assert torch.get_num_threads() == 4


def test_a_busy_program_is_noticed() -> None:
    count = 4 * (os.cpu_count() or 1)
    rivals = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        time.sleep(0.2)
        with_rivals = processors_free(2, seconds=0.5)
    finally:
        for rival in rivals:
            rival.kill()
            rival.wait()
    assert 0.0 < with_rivals < 1.7
