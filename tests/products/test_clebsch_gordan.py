"""Programs of tensor products: their labels, blocks and meaning."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schur.forms import cost, evaluate
from schur.products import Placement, convolution, normalised, pair_columns, tensor_product
from schur.reps import Irreps, clebsch_gordan

SH3 = Irreps("0e+1o+2e+3o")


@pytest.mark.parametrize(
    ("rep_in", "paths", "weights", "outputs"),
    [
        ("128x0e+128x1o+128x2e", 17, 2176, 9088),  # W2
        ("128x0e+128x1o", 10, 1280, 5120),  # W3
        ("128x0e+64x1o+32x2e+32x3o", 23, 1312, 5472),  # W5
    ],
)
def test_convolutions_of_known_models(rep_in: str, paths: int, weights: int, outputs: int) -> None:
    program, rep_out, lines = convolution(Irreps(rep_in), SH3, SH3)
    assert len(lines) == len(rep_out) == paths
    assert program.values["weight"].size == weights
    assert program.values["out"].size == rep_out.dim == outputs


def test_each_path_has_a_label_of_its_own() -> None:
    program, _, lines = convolution(Irreps("8x0e+8x1o"), Irreps("0e+1o"), Irreps("0e+1o"))
    labels = [path.label for path in program.statements[0].form.paths]
    assert labels[1] == "1: 0e x 1o -> 1o"
    assert len(set(labels)) == len(lines)


def test_single_channels_are_scalars_of_a_row() -> None:
    program, _, _ = convolution(Irreps("8x0e"), Irreps("0e+1o"), Irreps("0e+1o"))
    assert all(block.channels == () for block in program.values["y"].blocks)
    assert all(block.channels == (8,) for block in program.values["weight"].blocks)


def test_a_product_is_the_sum_over_its_coupling() -> None:
    """Against the definition, written out with einsum."""
    rep1, rep2, out = Irreps("3x1o"), Irreps("2x2e"), Irreps("4x3o")
    (line,) = paths = normalised(rep1, rep2, out, [(0, 0, 0, "uvw", True)])
    program = tensor_product(rep1, rep2, out, paths, Placement(weight="row"))
    draw = np.random.default_rng(0).standard_normal
    x, y, w = draw((5, 3, 3)), draw((5, 5, 2)), draw((5, 3, 2, 4))
    values = {"x": x.reshape(5, -1), "y": y.reshape(5, -1), "weight": w.reshape(5, -1)}
    found = evaluate(program, values)["out"].reshape(5, 7, 4)
    C = clebsch_gordan(1, 2, 3)
    expected = line.path_weight * np.einsum("ijk,ziu,zjv,zuvw->zkw", C, x, y, w)
    eps = np.finfo(float).eps
    assert np.abs(found - expected).max() <= 32 * eps * np.abs(expected).max()
    # The companion: another coefficient is told apart.
    assert np.abs(found - 1.0001 * expected).max() > 1e4 * eps * np.abs(expected).max()


@given(st.integers(0, 5), st.integers(0, 3))
def test_pair_columns(mul: int, degree: int) -> None:
    rep = Irreps([(2, (1, -1)), (mul, (degree, 1))])
    out = Irreps([(mul * (mul - 1) // 2, (0, 1))])
    paths = normalised(rep, rep, out, [(1, 1, 0, "uvu<v", False)])
    x = np.random.default_rng(0).standard_normal(rep.dim)
    left = x[pair_columns(rep, paths, "in1")]
    right = x[pair_columns(rep, paths, "in2")]
    block = x[6:].reshape(2 * degree + 1, mul)
    u, v = np.triu_indices(mul, 1)
    assert np.array_equal(left, block[:, u].ravel())
    assert np.array_equal(right, block[:, v].ravel())


def test_cost_of_mace_large() -> None:
    """The hand count of W7 on W2: about 0.93 GFLOP for 10,112 edges."""
    program, _, _ = convolution(Irreps("128x0e+128x1o+128x2e"), SH3, SH3)
    counted = cost(program, {"rows": 10112, "senders": 64, "receivers": 64})
    assert counted.read == 10112 * (2176 + 16) + 64 * 1152
    assert 0.9e9 < counted.operations < 3e9  # each term on its own
