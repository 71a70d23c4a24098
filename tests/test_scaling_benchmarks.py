"""The scaling benchmarks: fits and crossings are right, and contenders compute the same."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from benchmarks.scaling import diagrams
from benchmarks.scaling.curves import Curve, crossing, draw, shortest, table


def test_exponents_are_fitted() -> None:
    cubic = Curve("cubic", {n: 1e-6 * n**3 for n in (2, 4, 8)})
    assert cubic.exponent(2) == pytest.approx(3)
    shifted = Curve("shifted", {n: (n + 1) ** 2.0 for n in (1, 2, 3, 9)})
    assert shifted.exponent(2, shift=1) == pytest.approx(2)
    assert math.isnan(cubic.exponent(8))
    assert "3.00" in "\n".join(table([cubic, shifted], "n", 2))


def test_crossings_hold_from_there_on() -> None:
    slow = Curve("slow", {1: 1.0, 2: 2.0, 3: 3.0, 4: 4.0})
    assert crossing(slow, Curve("fast", {1: 0.5, 2: 3.0, 3: 1.0, 4: 1.0, 5: 1.0})) == 3
    assert crossing(slow, Curve("never", {4: 5.0})) is None


def test_the_shortest_run_counts() -> None:
    calls = []
    assert shortest(lambda: calls.append(0)) >= 0
    assert len(calls) >= 2


@pytest.mark.parametrize("name", diagrams.CASES)
def test_diagrams_are_measured_beside_the_dense_matrix(name: str) -> None:
    fast, dense = diagrams.measured(name, [3, 4])
    assert set(fast.points) == set(dense.points) == {3, 4}


def test_a_contender_that_computes_something_else_stops_the_run() -> None:
    with pytest.raises(ArithmeticError, match="differ"):
        diagrams.agree(torch.ones(3), torch.tensor([1.0, 1.0, 1.1]))


def test_pictures_are_drawn(tmp_path: Any) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "picture.png"
    draw(path, [("title", "n", "ms", [("curve", {1: 1.0, 2: 2.0})])], logarithmic=True)
    assert path.stat().st_size > 1000
