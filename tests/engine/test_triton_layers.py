"""Linear layers inside the kernels around them: what they make never reaches memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schur.engine.triton_kernels import Budget
from schur.engine.triton_layers import fusion
from schur.engine.triton_source import source
from schur.forms import Program, derive
from schur.products import convolution, so2, with_last_layer
from schur.reps import Irreps
from schur.testing import assert_agrees_with_oracle

from .served import needs_triton

SH = Irreps("0e+1o")


def layered(rep: str = "5x0e+3x1o") -> Program:
    return with_last_layer(convolution(Irreps(rep), SH, SH)[0], 3)


def in_memory(program: Program, budget: Budget) -> set[str]:
    """The values that kernels read or write."""
    names = list(program.values)
    made = source(program, "float32", budget)
    return {names[k] for each in made.passes for call in each.launches for k in call.values}


def test_weights_and_their_gradients_stay_in_registers() -> None:
    program = layered()
    forward, backward = in_memory(program, Budget()), in_memory(derive(program), Budget())
    assert forward == {"x", "y", "hidden", "matrix", "out"}
    grads = {"grad_x", "grad_y", "grad_hidden", "grad_matrix", "grad_out"}
    assert backward == {"x", "y", "hidden", "matrix"} | grads


@needs_triton
@pytest.mark.parametrize(("order", "channels"), [(0, 32), (1, 2), (2, 32)])
def test_layers(budget: Callable[[Budget], None], order: int, channels: int) -> None:
    """In one block of channels and in three, of which some lack paths."""
    budget(Budget(channels=channels))
    assert_agrees_with_oracle(layered(), "triton", rows=5, sizes={"receivers": 3}, order=order)


@needs_triton
def test_layers_cut_into_kernels(budget: Callable[[Budget], None]) -> None:
    """Each kernel adds to what the layers of earlier ones have stored."""
    few = Budget(channels=4, registers=12)
    budget(few)
    program = derive(layered())
    assert max(len(each.launches) for each in source(program, "float64", few).passes) > 1
    assert_agrees_with_oracle(program, "triton", rows=4)


def test_what_cannot_be_taken_in_is_left_alone() -> None:
    """Weights without channels, a layer whose result is asked for, one of what is made before."""
    single = with_last_layer(convolution(Irreps("0e+1o"), SH, SH)[0], 3)
    assert "weight" in in_memory(single, Budget())
    program = layered()
    asked = Program(program.inputs, program.statements, ("out", "weight"))
    assert fusion(asked).rest is asked
    rotated = so2(Irreps("2x0e+2x1o"), SH, Irreps("2x0e+2x1o")).program
    for each in (rotated, derive(rotated), derive(derive(rotated))):
        assert fusion(each).rest is each
