"""Several processes: the numbers of one, and everything decided alike."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from schur.errors import PeerError
from schur.train.loop import CHECKPOINT, HISTORY
from schur.train.processes import Processes

from .together import BASE, CASES, trained

ROOT = Path(__file__).resolve().parents[2]
EPS = 2.0**-52


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], Path]:
    """What two processes found, and the folder of the run that was interrupted."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "run").mkdir()
    call = [sys.executable, "-m", "tests.train.together"]
    started = [
        subprocess.Popen(
            [*call, str(rank), "2", str(folder / "meeting"), str(folder)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [process.communicate(timeout=240)[1] for process in started]
    assert [process.returncode for process in started] == [0, 0], "\n".join(said)
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(2)], folder / "run"


@pytest.mark.parametrize("case", ["plain", "clipped", "early stop"])
def test_two_processes_compute_what_one_computes(
    pair: tuple[list[dict[str, Any]], Path], case: str
) -> None:
    """Gradients differ by the order of a sum; a step of AdamW passes that on, 1e4 times at most."""
    alone = trained(Processes(), **CASES[case])
    for found in pair[0]:
        assert found[case]["reason"] == alone["reason"]
        assert found[case]["steps"] == alone["steps"]
        for name in ("weight", "scores", "losses"):
            assert found[case][name] == pytest.approx(alone[name], rel=1e4 * EPS, abs=1e4 * EPS)


def test_shares_that_are_weighed_alike_would_be_seen(
    pair: tuple[list[dict[str, Any]], Path],
) -> None:
    """The batches are such that a plain mean over processes gives other parameters."""
    shares = [len(Processes(rank, 2).share(range(BASE["batch_size"]))) for rank in range(2)]
    assert shares == [7, 6]


@pytest.mark.parametrize("case", [*CASES, "interrupted"])
def test_processes_agree_to_the_last_bit(
    pair: tuple[list[dict[str, Any]], Path], case: str
) -> None:
    first, second = (found[case] for found in pair[0])
    assert first == second


def test_ends_are_decided_together(pair: tuple[list[dict[str, Any]], Path]) -> None:
    assert pair[0][0]["time limit"]["reason"] == "time limit"
    assert pair[0][0]["early stop"]["reason"] == "early stop"
    # The step after Ctrl-C is the one with which the other process hears of it.
    assert pair[0][0]["interrupted"]["reason"] == "interrupted"
    assert pair[0][0]["interrupted"]["steps"] == 11


def test_an_error_in_one_ends_both_and_is_told_by_the_first(
    pair: tuple[list[dict[str, Any]], Path],
) -> None:
    first, second = pair[0]
    assert "nan from sample 11" in first["poisoned"]["text"]
    assert "process 1 of 2 failed" in first["failed"]["text"]
    for case in ("poisoned", "failed"):
        assert first[case]["error"] != "PeerError" and second[case]["error"] == "PeerError"
        assert first[case]["steps"] == second[case]["steps"]


def test_a_run_of_two_is_resumed_by_one(pair: tuple[list[dict[str, Any]], Path]) -> None:
    """Checkpoint and history of two processes, gone on with by another number of them."""
    folder = pair[1]
    assert {path.name for path in folder.iterdir()} == {CHECKPOINT, HISTORY}
    whole = trained(Processes())
    resumed = trained(Processes(), folder, resume=True)
    assert resumed["steps"] == whole["steps"] and resumed["reason"] == "epochs"
    assert resumed["weight"] == pytest.approx(whole["weight"], rel=1e4 * EPS, abs=1e4 * EPS)


def test_a_lost_process_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    import torch.distributed as dist

    def lost(values: torch.Tensor) -> None:
        raise RuntimeError("Connection closed by peer")

    monkeypatch.setattr(dist, "all_reduce", lost)
    with pytest.raises(PeerError, match="Connection closed by peer"):
        Processes(0, 2).add_up(torch.zeros(1))
