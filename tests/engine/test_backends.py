"""Backends compute what the oracle says a program means, derivatives included."""

from __future__ import annotations

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import torch

from schur.engine import Routine
from schur.engine.routine import Backend
from schur.forms import Form, Path, Program, Statement, derive

from ..support.random_programs import (
    SMALL_EXTENTS,
    Case,
    case,
    draw_lane_program,
    draw_program,
    examples,
    excess,
)
from .served import needs_triton

DTYPES = st.sampled_from([np.float32, np.float64])


def run(given: Case, backend: Backend, sort: bool = False) -> dict[str, np.ndarray]:
    """What a backend makes of a case."""
    found = Routine(given.program, backend)(
        *(torch.from_numpy(given.values[o.name]) for o in given.program.inputs),
        indices={name: torch.from_numpy(index) for name, index in given.indices.items()},
        sizes=given.lengths,
    )
    outputs = found if isinstance(found, tuple) else (found,)
    return {
        name: output.numpy() for name, output in zip(given.program.outputs, outputs, strict=True)
    }


def assert_agrees(
    program: Program, backend: Backend, dtype: type, order: int, seed: int, rows: int
) -> None:
    for degree in range(order + 1):
        given = case(program, seed, rows, dtype=dtype, sort=seed % 2 == 0)
        worst = excess(given, run(given, backend), float(np.finfo(dtype).eps))
        assert worst <= 1, f"derivative {degree}: {worst:.1f} times what rounding explains"
        program = derive(program)
        if not program.outputs:
            return


@hypothesis.settings(max_examples=examples(30))
@hypothesis.given(st.data(), st.integers(0, 99), st.sampled_from([0, 1, 6]), DTYPES)
def test_torch(data: st.DataObject, seed: int, rows: int, dtype: type) -> None:
    assert_agrees(draw_program(data.draw), "torch", dtype, 3, seed, rows)


@hypothesis.settings(max_examples=examples(8))
@hypothesis.given(st.data(), st.integers(0, 99), st.sampled_from([0, 1, 6, 70]), DTYPES)
def test_c(data: st.DataObject, seed: int, rows: int, dtype: type) -> None:
    assert_agrees(draw_program(data.draw, 3), "c", dtype, 1, seed, rows)


@hypothesis.settings(max_examples=examples(4))
@hypothesis.given(st.data(), st.integers(0, 99), DTYPES)
def test_c_to_third_order(data: st.DataObject, seed: int, dtype: type) -> None:
    assert_agrees(draw_program(data.draw), "c", dtype, 3, seed, 5)


@pytest.mark.parametrize("backend", ["torch", "c"])
@hypothesis.settings(max_examples=examples(4))
@hypothesis.given(st.data(), st.integers(0, 99), DTYPES)
def test_intermediate_values(backend: Backend, data: st.DataObject, seed: int, dtype: type) -> None:
    assert_agrees(draw_program(data.draw, 3, chained=True), backend, dtype, 1, seed, 6)


@pytest.mark.parametrize("backend", ["torch", "c"])
@hypothesis.settings(max_examples=examples(4))
@hypothesis.given(st.data(), st.integers(0, 99), DTYPES, st.sampled_from([0, 1, 16, 37]))
def test_lanes(backend: Backend, data: st.DataObject, seed: int, dtype: type, rows: int) -> None:
    assert_agrees(draw_lane_program(data.draw), backend, dtype, 2, seed, rows)


@needs_triton
@hypothesis.settings(max_examples=examples(5))
@hypothesis.given(st.data(), st.integers(0, 99), st.sampled_from([0, 1, 4]), DTYPES, st.booleans())
def test_triton(data: st.DataObject, seed: int, rows: int, dtype: type, chained: bool) -> None:
    program = draw_program(data.draw, 2, chained, SMALL_EXTENTS)
    assert_agrees(program, "triton", dtype, 1, seed, rows)


@needs_triton
@hypothesis.settings(max_examples=examples(2))
@hypothesis.given(st.data(), st.integers(0, 99), DTYPES)
def test_triton_to_third_order(data: st.DataObject, seed: int, dtype: type) -> None:
    program = draw_program(data.draw, allowed=SMALL_EXTENTS)
    assert_agrees(program, "triton", dtype, 3, seed, 3)


@needs_triton
@hypothesis.settings(max_examples=examples(2))
@hypothesis.given(st.data(), st.integers(0, 99), DTYPES, st.sampled_from([0, 1, 150]))
def test_triton_in_lanes(data: st.DataObject, seed: int, dtype: type, rows: int) -> None:
    assert_agrees(draw_lane_program(data.draw), "triton", dtype, 2, seed, rows)


@pytest.mark.parametrize("backend", ["torch", "c"])
@hypothesis.settings(max_examples=examples(3))
@hypothesis.given(st.data())
def test_a_planted_fault_is_caught(backend: Backend, data: st.DataObject) -> None:
    """Coefficients that are off in the ninth digit."""
    program = draw_program(data.draw, 2)
    statement = program.statements[0]
    given = case(program, dtype=np.float64)
    wrong = []
    for path in statement.form.paths:
        wrong.append(
            Path(path.factors, path.components, path.coefficients * (1 + 1e-9), path.label)
        )
    faulty = Statement(Form(statement.form.operands, tuple(wrong)), statement.target)
    false = Program(program.inputs, (faulty, *program.statements[1:]), program.outputs)
    found = run(Case(false, given.values, given.indices, given.lengths), backend)
    if any(np.any(value) for value in found.values()):
        assert excess(given, found, float(np.finfo(np.float64).eps)) > 1
