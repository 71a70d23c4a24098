"""The benchmark of linear layers: what a process reports, spaces that differ, and absent peers."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from benchmarks.linear_layers.__main__ import (
    COLUMNS,
    CONTENDERS,
    TIMES,
    disagreement,
    line,
    measure,
)
from benchmarks.linear_layers.cases import CASES
from schur.engine import c_backend
from schur.groups import Orthogonal
from schur.products.diagrams import dimension


def test_a_process_builds_and_applies() -> None:
    found = measure("schur", "O(3) 2 to 2", sys.executable, repeats=1, limit=60)
    assert found["basis"].shape == (81, dimension(Orthogonal(3), 4))
    assert all(found[name] >= 0 for name in TIMES) and "torch" in found["versions"]
    # The first process waits for a compiler, in another one.
    assert c_backend.missing() or found["cold_s"] > 2 * (found["build_s"] + found["first_s"])
    text = line("O(3) 2 to 2", dict.fromkeys(CONTENDERS, found))
    assert text.count("(1x)") == len(COLUMNS) == 8


def test_a_contender_that_is_not_there_is_named() -> None:
    absent = measure("emlp", "S(5) 1 to 1", sys.executable, repeats=1, limit=60)
    if "reason" not in absent:
        pytest.skip("emlp is installed")
    assert "No module named" in absent["reason"]
    text = line("S(5) 1 to 1", {"schur": absent, "emlp": absent})
    assert "emlp: " in text and set(CASES) >= {"S(5) 1 to 1", "O(3) 3 to 3"}


def test_spaces_that_differ_stop_the_run() -> None:
    rng = np.random.default_rng(0)
    one, _ = np.linalg.qr(rng.standard_normal((9, 3)))
    mixed, _ = np.linalg.qr(one @ rng.standard_normal((3, 3)))
    assert disagreement(one, mixed) < 1e-14
    assert disagreement(one, one[:, :2]) == 1.0
    row = dict.fromkeys(TIMES, 1.0)
    other, _ = np.linalg.qr(rng.standard_normal((9, 3)))
    with pytest.raises(ArithmeticError, match="differ"):
        line("case", {"schur": row | {"basis": one}, "emlp": row | {"basis": other}})
