"""Kernels compiled ahead are those that launches ask for; and nothing depends on it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schur.engine import triton_ahead, triton_workers

from .served import needs_triton

pytestmark = needs_triton
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process tells in which Triton compiles, for a GPU that is not there."""
    variables = {**os.environ, "TRITON_INTERPRET": "0", "SCHUR_COMPILERS": "1"}
    variables |= {"SCHUR_SELF_CHECK": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.engine.ahead", str(tmp_path_factory.mktemp("ahead"))]
    done = subprocess.run(
        command, cwd=ROOT, env=variables, capture_output=True, text=True, timeout=1800, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_launches_find_what_was_compiled_ahead(told: dict[str, Any]) -> None:
    """A value and its gradients, of aligned operands and of others: four binaries of two kernels.

    Nothing is launched and nothing compiled in this process before; then every launch finds its
    binary in Triton's cache, under the key that Triton asks for.
    """
    seen = told["rehearsed"]
    assert seen["asked"] == seen["found"] == seen["launched"] == seen["notes"] == 4
    assert seen["not found"] == 0
    assert seen["launched in the rehearsal"] == seen["compiled in the rehearsal"] == 0


def test_a_second_start_asks_for_nothing(told: dict[str, Any]) -> None:
    """What was noted on disk: no process is started, and the hashes are those of Triton."""
    assert told["again"]["asked"] == 0
    assert (told["again"]["found"], told["again"]["not found"]) == (4, 0)


def test_other_options_are_another_binary(told: dict[str, Any]) -> None:
    """The planted fault of the first test: what is compiled is not what launches ask for."""
    seen = told["fault"]
    assert (seen["asked"], seen["found"], seen["not found"]) == (4, 0, 4)
    assert seen["notes"] == 4  # of binaries that nobody wants
    assert seen["launched"] == 4  # compiled at their launches


def test_without_processes_launches_compile(told: dict[str, Any]) -> None:
    """And note what nobody else has compiled."""
    seen = told["no processes"]
    assert (seen["found"], seen["not found"], seen["launched"]) == (0, 4, 4)
    assert (seen["asked"], seen["notes"]) == (2, 1)


def test_two_pools_may_be_asked_for_one_kernel(told: dict[str, Any]) -> None:
    """One compiles, the other one waits for it; both say the same."""
    one, other = told["two pools"]
    assert one == other and Path(one["file"]).name.endswith(".json") and len(one["hash"]) == 64


@pytest.fixture
def processors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of a machine with eight."""
    monkeypatch.delenv("SCHUR_COMPILERS", raising=False)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)))
    triton_workers.most.cache_clear()
    yield
    triton_workers.most.cache_clear()


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (None, "", 7),  # one is left to the process that asks
        ("LOCAL_WORLD_SIZE", "2", 3),
        ("LOCAL_WORLD_SIZE", "8", 0),
        ("SCHUR_COMPILERS", "0", 0),
        ("SCHUR_COMPILERS", "3", 3),
    ],
)
def test_as_many_processes_as_there_are_processors(
    monkeypatch: pytest.MonkeyPatch,
    processors: None,
    variable: str | None,
    value: str,
    expected: int,
) -> None:
    if variable is not None:
        monkeypatch.setenv(variable, value)
    assert triton_workers.most() == expected


def test_no_processes_for_another_interpreter(
    monkeypatch: pytest.MonkeyPatch, processors: None
) -> None:
    """Where Python is part of another program, and with Triton's interpreter."""
    monkeypatch.setattr(sys, "executable", "/usr/bin/lmp")
    assert triton_workers.most() == 0
    monkeypatch.setattr(triton_ahead, "INTERPRETED", True)
    assert not triton_ahead.wanted()


def test_a_job_that_nobody_has_begun_with_is_taken_back() -> None:
    """The launch compiles it itself, and waits for nobody."""
    workers = triton_workers.Workers(0)
    job = triton_workers.Job({}, lambda answer: None)
    workers.submit(job)
    workers.settle(job)
    assert not workers._queue and not job.finished.is_set()
