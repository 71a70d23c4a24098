"""Evaluation path by path agrees with the oracle."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from random_programs import case, draw_program, excess

from schur.decompositions.rowwise import evaluate_rows, rowwise


@given(st.data())
def test_agrees_with_the_oracle(data: st.DataObject) -> None:
    program = rowwise(draw_program(data.draw))
    assert all(operand.mode == "row" for operand in program.values.values())
    given = case(program, rows=3)
    found = evaluate_rows(program, given.values)
    eps = float(np.finfo(np.float64).eps)
    assert excess(given, found, eps) <= 1
    # The companion: a relative error of 1e-6 is seen.
    wrong = {name: value * (1 + 1e-6) for name, value in found.items()}
    assert excess(given, wrong, eps) > 1 or not any(v.any() for v in found.values())
