"""Every family of products through Triton: values and both derivatives, as the oracle has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch

from schur.forms import Block, Factor, Form, Operand, Path, Program
from schur.harmonics import solid_harmonics
from schur.products import (
    Placement,
    cartesian,
    channelwise,
    convolution,
    fully_connected,
    gaunt,
    normalised,
    so2,
    symmetric_contraction,
    tensor_product,
)
from schur.reps import Irreps
from schur.testing import assert_agrees_with_oracle

from .served import needs_triton

pytestmark = needs_triton

REP, SH = Irreps("2x0e+2x1o"), Irreps("0e+1o")
# Both number types, without doing everything twice: the interpreter is slow.
DTYPES = {0: torch.float64, 1: torch.float32, 2: torch.float64}


def _channelwise() -> Program:
    rep, lines = channelwise(REP, SH, SH)
    return tensor_product(REP, SH, rep, normalised(REP, SH, rep, lines), Placement(weight="row"))


def _fully_connected(weight: Literal["row", "shared"]) -> Program:
    rep1, rep2, out = Irreps("2x0e+1x1o"), Irreps("1x0e+2x1o"), Irreps("1x0e+2x1o")
    paths = normalised(rep1, rep2, out, fully_connected(rep1, rep2, out))
    return tensor_product(rep1, rep2, out, paths, Placement(weight=weight))


def _segment_sum() -> Program:
    """out[receiver[row]] += x[sender[row]]."""
    block = (Block(2, (3,)),)
    x = Operand("x", block, "indexed", "senders")
    out = Operand("out", block, "indexed", "receivers")
    path = Path.dense((Factor("x", 0, "u"), Factor("out", 0, "u")), np.eye(2))
    return Form((x, out), (path,)).open("out")


FAMILIES: dict[str, Callable[[], Program]] = {
    "Clebsch-Gordan": _channelwise,
    "convolution": lambda: convolution(REP, SH, SH)[0],
    "fully connected, weights of rows": lambda: _fully_connected("row"),
    "fully connected, shared weights": lambda: _fully_connected("shared"),
    "Gaunt": lambda: gaunt(REP, SH, REP).program,
    "SO(2)": lambda: so2(REP, SH, REP).program,
    "Cartesian": lambda: cartesian(REP, REP, REP).program,
    "symmetric contraction": lambda: symmetric_contraction(Irreps("2x0e+2x1o"), Irreps("2x1o"), 2),
    "spherical harmonics": lambda: solid_harmonics((0, 1, 2), "component"),
    "segment sum": _segment_sum,
}


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("family", FAMILIES)
def test_products(family: str, order: int) -> None:
    assert_agrees_with_oracle(FAMILIES[family](), "triton", DTYPES[order], rows=3, order=order)
