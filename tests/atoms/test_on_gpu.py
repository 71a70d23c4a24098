"""A potential on another device: nothing is left on the CPU, and nobody waits without need.

The device is pretended (tests/support/pretended_gpu.py): its numbers come from the CPU, but
operations on tensors of both devices are errors and waits are counted, as a GPU would have it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EPS = 2.0**-52

READ = "copied to the CPU for on_host of atoms/potential.py"
"""Results are handed over: what everybody has to wait for."""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process with the pretended GPU found."""
    target = tmp_path_factory.mktemp("gpu") / "found.json"
    path = os.pathsep.join(str(ROOT / part) for part in ("src", "tests/support", "."))
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "tests.atoms.on_gpu", str(target)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(target.read_text())


def numbers(found: Any) -> list[float]:
    """All numbers in what came of a case, in order."""
    if isinstance(found, dict):
        found = [value for value in found.values() if not isinstance(value, str)]
    return [x for part in found for x in numbers(part)] if isinstance(found, list) else [found]


@pytest.mark.parametrize(
    "case",
    [
        "said by mace",
        "said by nequip",
        "said by egnn",
        "trained",
        "tabulated",
        "moved along",
        "moved along 8 steps with graphs",
        "moved along without graphs",
        "trained with graphs",
        "benchmarked",
        "loss",
    ],
)
def test_nothing_stays_on_the_cpu(found: dict[str, Any], case: str) -> None:
    """The GPU's numbers are the CPU's; its sums are those of the torch backend, not those of C."""
    result = found[case]
    assert "error" not in result, result.get("error")
    assert numbers(result["gpu"]) == pytest.approx(
        numbers(result["cpu"]), rel=1e6 * EPS, abs=1e6 * EPS
    )


def test_a_run_is_trained_on_the_gpu_and_goes_on_there(found: dict[str, Any]) -> None:
    assert found["trained"]["gpu"]["device"] == "gpu:0"


@pytest.mark.parametrize("case", ["said by mace", "said by nequip", "said by egnn"])
def test_models_that_take_a_topology_are_waited_for_when_they_are_read(
    found: dict[str, Any], case: str
) -> None:
    assert all(wait.startswith(READ) for wait in found[case]["waits"])


def test_dynamics_wait_for_results_and_for_new_lists(found: dict[str, Any]) -> None:
    """Three configurations and two lists: four results each, and nothing in between."""
    assert found["moved along"]["gpu"][-1] == found["moved along"]["cpu"][-1] == [2]
    waits = [wait for wait in found["moved along"]["waits"] if not wait.startswith(READ)]
    lists = ("atoms/device_pairs.py", "tensors/graph.py", "engine/sorting.py")
    assert waits and all(any(name in wait for name in lists) for wait in waits)
    reads = len(found["moved along"]["waits"]) - len(waits)
    assert reads == 3 * 4


def test_a_model_that_looks_at_its_neighbours_is_seen_to_wait(found: dict[str, Any]) -> None:
    """The count can fail: edges that are no graph are checked and sorted where they lie."""
    assert any("engine/sorting.py" in wait for wait in found["said by one that looks"]["waits"])


def test_an_epoch_is_waited_for_once(found: dict[str, Any]) -> None:
    """Losses and norms of its three steps are read together; saving and validation read results."""
    waits = [wait for wait in found["trained"]["waits"] if "train/tensor_file.py" not in wait]
    assert [wait for wait in waits if not wait.startswith(READ)] == [
        "copied to the CPU for read of train/late.py"
    ]


def test_a_frame_that_is_wrong_is_named_when_the_epoch_ends(found: dict[str, Any]) -> None:
    """In the words of the CPU, and before anything is kept: there is no checkpoint."""
    on_host, on_gpu = found["stopped"]["cpu"], found["stopped"]["gpu"]
    assert on_gpu["said"] == on_host["said"] and "inf from the wrong frame" in on_gpu["said"]
    assert "checkpoint.safetensors" not in on_gpu["kept"]


def test_a_batch_that_was_left_behind_would_be_seen(found: dict[str, Any]) -> None:
    assert "on the CPU with the rest on a GPU" in found["mixed"]


def test_dynamics_of_a_small_system_launch_one_graph_a_step(found: dict[str, Any]) -> None:
    """Beyond vectors and what is copied nothing is launched by itself; lists need no new graph."""
    few, many = (found[f"moved along {steps} steps with graphs"] for steps in (4, 8))
    assert few["gpu"][-1] != many["gpu"][-1]  # a new list was made
    # One is captured in the second step, launched once for the test of it, and from then on.
    assert few["replays"] == 1 + 2 and many["replays"] == 1 + 6
    alone = found["moved along without graphs"]["launches"] / 4
    assert (many["launches"] - few["launches"]) / 4 < alone / 2


def test_training_on_batches_of_the_same_atoms_launches_graphs(found: dict[str, Any]) -> None:
    """Losses, averages and scores of four epochs are those of the CPU, with one wait an epoch."""
    assert found["trained with graphs"]["replays"] >= 6
    reads = [wait for wait in found["trained with graphs"]["waits"] if "train/late.py" in wait]
    assert len(reads) == 4


def test_a_model_that_waits_is_not_captured_and_that_is_said_once(found: dict[str, Any]) -> None:
    result = found["moved along without graphs"]
    assert result["replays"] == 0
    (line,) = [line for line in result["said"] if "graph" in line]
    assert "each kernel is launched by itself: not permitted" in line and "\n" not in line
