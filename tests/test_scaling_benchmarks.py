"""The scaling benchmarks: fits and crossings are right, and contenders compute the same."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.scaling import diagrams, equiformer, freedom, products
from benchmarks.scaling.curves import Curve, crossing, draw, shortest, table, write
from schur.forms import evaluate
from schur.reps import clebsch_gordan


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


def test_steps_of_a_model_are_measured_where_the_orders_are() -> None:
    assert set(equiformer.measured("all orders", [1, 2]).points) == {1, 2}
    assert set(equiformer.measured("orders to 2", [1, 2]).points) == {2}


def test_a_contender_that_computes_something_else_stops_the_run() -> None:
    with pytest.raises(ArithmeticError, match="differ"):
        diagrams.agree(torch.ones(3), torch.tensor([1.0, 1.0, 1.1]))


def test_pictures_are_drawn(tmp_path: Any) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "picture.png"
    draw(path, [("title", "n", "ms", [("curve", {1: 1.0, 2: 2.0})])], logarithmic=True)
    assert path.stat().st_size > 1000


def test_the_dense_product_is_the_sparse_one() -> None:
    degree, channels = 2, products.CHANNELS
    reps = products.representations(degree)
    lines = products.paths(reps)
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((4, channels, 9)), rng.standard_normal((4, 9))
    expected = np.einsum("nca,nb,abd->ncd", x, y, products.coefficients(degree, lines))
    # As `coefficients` draws them; here a weight of each path for every channel.
    weight = np.repeat(np.random.default_rng(0).standard_normal(len(lines)), channels)
    given = {"x": x.transpose(0, 2, 1).reshape(4, -1), "y": y, "weight": weight}
    found = evaluate(products.clebsch_gordan_program(reps), given)["out"]
    found = found.reshape(4, 9, channels).transpose(0, 2, 1)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", products.EXPRESSIVITY)
def test_counts_of_maps_are_ranks(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert products.expressed(name, 1).span >= 4
    count, *rest = products.EXPRESSIVITY[name]
    one_more = (lambda degree: (count(degree)[0] + 1, count(degree)[1]), *rest)
    monkeypatch.setitem(products.EXPRESSIVITY, name, one_more)
    with pytest.raises(ArithmeticError, match="reaches"):
        products.expressed(name, 1)


def test_products_are_measured_and_read_again(tmp_path: Any) -> None:
    curve = products.measured("CG dense", products.dense, [1, 2])
    assert set(curve.points) == set(curve.notes) == {1, 2}
    missing = products.measured("CG, e3nn", products.by_e3nn, [12])
    assert not missing.points
    write(tmp_path / "raw.json", [{"name": c.name, "points": c.points, "notes": c.notes}
                                  for c in (curve, missing)])  # fmt: skip
    assert products.from_raw(tmp_path / "raw.json") == [curve, missing]


@pytest.mark.parametrize("backward", [False, True])
@pytest.mark.parametrize(("name", "outputs"), [("SISO", 5), ("SIMO", 15), ("MIMO", 58)])
def test_settings_of_the_price_of_freedom(
    name: str, outputs: int, backward: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The widths are those that the published programs give for l = 2."""
    assert freedom.setting(name, 2).out.dim == outputs
    monkeypatch.setattr(freedom, "ROWS", 40)
    given = freedom.setting(name, 1)
    assert freedom.measured(given, ["Schur"], backward)["Schur"]["error"] < 1e-6


def test_a_contender_that_multiplies_something_else_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = freedom.setting("SIMO", 1)
    wrong = freedom.exact(given, False)
    wrong[0, 0] += 0.01
    monkeypatch.setitem(freedom.CONTENDERS, "Schur", lambda *_: (lambda: wrong, np.asarray))
    with pytest.raises(ArithmeticError, match="is off by"):
        freedom.measured(given, ["Schur"])


def test_diagonals_hold_all_of_a_coupling() -> None:
    for degrees in ((1, 1, 1), (2, 2, 3), (3, 2, 4), (4, 4, 8)):
        coupling = clebsch_gordan(*degrees)
        places, coefficients = freedom.diagonals(coupling)
        found = np.zeros(coupling.shape)
        for place, held in zip(places, coefficients, strict=True):
            m1, m3 = np.indices(held.shape)
            found[m1, place, m3] += held
        np.testing.assert_allclose(found, coupling, rtol=0, atol=1e-7)


def test_columns_are_sorted_by_irrep() -> None:
    given = freedom.setting("MIMO", 2)
    degrees = np.concatenate([np.full(ir.dim, ir.l) for _, _, ir in given.paths])
    columns = freedom.sorted_columns(given)
    assert np.all(np.diff(degrees[columns]) >= 0) and not np.all(np.diff(degrees) >= 0)
    assert sorted(columns) == list(range(given.out.dim))
