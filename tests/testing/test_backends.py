"""The comparison with the oracle passes true backends and catches a false one."""

from __future__ import annotations

import pytest
import torch

from schur.engine import operator
from schur.forms import Form, Path, Program
from schur.products import convolution
from schur.reps import Irreps
from schur.testing import LawError, assert_agrees_with_oracle


@pytest.fixture
def program() -> Program:
    return convolution(Irreps("3x0e+2x1o"), Irreps("0e+1o"), Irreps("0e+1o+1e"))[0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("order", [0, 1, 2])
def test_torch_and_auto_agree(program: Program, dtype: torch.dtype, order: int) -> None:
    assert_agrees_with_oracle(program, "torch", dtype, order=order)
    assert_agrees_with_oracle(program, "auto", dtype, order=order)


def test_a_fault_in_one_coefficient_is_caught(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    (statement,) = program.statements
    first, *rest = statement.form.paths
    wrong = Path(first.factors, first.components, first.coefficients * 1.001, first.label)
    false = Form(statement.form.operands, (wrong, *rest)).open("out")
    monkeypatch.setattr(operator, "register_program", _registering(false))
    with pytest.raises(LawError, match="does not compute"):
        assert_agrees_with_oracle(program, "torch")


def _registering(false: Program) -> object:
    true_register = operator.register_program
    return lambda program, backend: true_register(false, backend)
