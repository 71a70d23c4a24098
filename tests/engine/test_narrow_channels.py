"""Channels that do not fill a vector, and sums over them: every length, nothing read behind."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from schur.engine import Routine
from schur.engine.c_sums import lanes_sum
from schur.forms import Block, Factor, Form, Operand, Path, Program
from schur.testing import assert_agrees_with_oracle

EXTENTS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 15, 16, 17, 20, 24)


def programs() -> list[Program]:
    """x[w] weight[u, w] -> y[u] for each extent of w, and the same with the other slots open."""
    x = Operand("x", tuple(Block(2, (extent,)) for extent in EXTENTS))
    y = Operand("y", (Block(2, (3,)),) * len(EXTENTS))
    weight = Operand("weight", tuple(Block(1, (3, extent)) for extent in EXTENTS), "shared")
    paths = [
        Path(
            (Factor("x", k, "w"), Factor("weight", k, "uw"), Factor("y", k, "u")),
            np.array([[0, 0, 1], [1, 0, 0], [1, 0, 1]]),
            np.array([1.0, -2.0, 0.5]),
        )
        for k in range(len(EXTENTS))
    ]
    form = Form((x, weight, y), tuple(paths))
    return [form.open(slot) for slot in ("x", "y", "weight")]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_lengths_agree_with_the_oracle(dtype: torch.dtype) -> None:
    for program in programs():
        assert_agrees_with_oracle(program, "c", dtype)


def test_what_lies_behind_a_row_is_not_read() -> None:
    # Rows are neighbours in memory: an entry that is no number must stay in its own row.
    sums = Routine(programs()[1], "c")
    x = torch.ones(3, sums.program.inputs[0].size)
    x[1] = float("nan")
    weight = torch.ones(sums.program.inputs[1].size)
    out = sums(x, weight)
    assert bool(out[[0, 2]].isfinite().all()) and bool(out[1].isnan().all())


@pytest.mark.parametrize("itemsize", [4, 8])
def test_the_text_serves_every_width_of_vector(itemsize: int) -> None:
    text = lanes_sum(itemsize)
    for width in (64 // itemsize, 32 // itemsize, 16 // itemsize):
        assert f"#if WIDTH == {width} && defined(HAS_SHUFFLES)" in text
    assert "#ifndef HAS_SHUFFLES" in text
