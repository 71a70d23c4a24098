"""Matrix units: which paths they take, and that values and derivatives are the oracle's."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.engine import Routine, triton_calls
from schur.engine.triton_kernels import Budget
from schur.engine.triton_nests import nests
from schur.engine.triton_source import source
from schur.forms import Block, Factor, Form, Operand, Path, Program, derive
from schur.products import Placement, fully_connected, normalised, tensor_product
from schur.reps import Irreps
from schur.testing import assert_agrees_with_oracle

from .served import needs_triton

pytestmark = needs_triton


def connected(in1: str, in2: str, out: str, weight: str = "shared") -> Program:
    reps = Irreps(in1), Irreps(in2), Irreps(out)
    paths = normalised(*reps, fully_connected(*reps))
    return tensor_product(*reps, paths, Placement(weight=weight))  # pyright: ignore[reportArgumentType]


# Sides of less and of more than a block of 16; x2 with one channel and with two.
PROGRAMS = {
    "one channel": connected("9x0e+10x1o", "0e+1o", "20x1o+8x0e"),
    "two channels": connected("9x0e", "2x1o", "17x1o"),
}
DTYPES = {0: torch.float64, 1: torch.float32, 2: torch.float64}


def kinds(program: Program) -> set[str]:
    return {product.kind for each in nests(program) for product in each.products}


@pytest.mark.parametrize("order", [0, 1, 2])
@pytest.mark.parametrize("name", PROGRAMS)
def test_values_and_derivatives(name: str, order: int) -> None:
    """More rows than a block has, and not a multiple of it."""
    assert_agrees_with_oracle(PROGRAMS[name], "triton", DTYPES[order], rows=20, order=order)


def test_all_three_kinds_take_part() -> None:
    program = PROGRAMS["two channels"]
    assert kinds(program) == {"across"}
    assert kinds(derive(program)) == kinds(derive(derive(program))) == {"across", "inner", "outer"}


def test_nothing_is_multiplied_number_by_number() -> None:
    for each in (PROGRAMS["one channel"], derive(PROGRAMS["one channel"])):
        assert all(made.products for made in nests(each))


def test_short_sides_and_matrices_of_rows_are_left_alone() -> None:
    assert not kinds(connected("7x0e", "0e", "40x0e"))
    assert not kinds(connected("9x0e", "0e", "9x0e", weight="row"))


def test_a_linear_map_of_what_an_index_reads() -> None:
    """Gathered on the way; the gradient by the table is summed number by number."""
    x = Operand("x", (Block(3, (12,)),), "indexed", "senders")
    w, out = Operand("w", (Block(1, (12, 9)),), "shared"), Operand("out", (Block(3, (9,)),))
    factors = (Factor("x", 0, "u"), Factor("w", 0, "uv"), Factor("out", 0, "v"))
    path = Path.dense(factors, np.eye(3)[:, None, :])
    program = Form((x, w, out), (path,)).open("out")
    assert kinds(program) == {"across"} and kinds(derive(program)) == {"outer"}
    for order in (0, 1):
        assert_agrees_with_oracle(program, "triton", rows=20, sizes={"senders": 6}, order=order)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_short_numbers_are_added_up_in_float32(dtype: torch.dtype) -> None:
    """Against the same operands in float64: what is off is the rounding of the result."""
    program = connected("40x0e", "0e", "16x0e")
    random = torch.Generator().manual_seed(0)
    values = [
        torch.randn(
            (operand.size,) if operand.mode == "shared" else (5, operand.size), generator=random
        )
        for operand in program.inputs
    ]
    short = [value.to(dtype) for value in values]
    found: Tensor = Routine(program, "triton")(*short)
    exact: Tensor = Routine(program, "torch")(*(value.double() for value in short))
    assert found.dtype == dtype
    error = float((found.double() - exact).abs().max() / exact.abs().max())
    assert error <= torch.finfo(dtype).eps


@pytest.fixture
def told() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    yield
    torch.set_float32_matmul_precision(before)


def test_float32_is_multiplied_as_it_is_unless_torch_is_told(told: None) -> None:
    """TF32 has 10 bits: nobody gets it who did not ask torch for it."""
    assert triton_calls.precision(torch.float32) == "tf32"
    torch.set_float32_matmul_precision("highest")
    assert triton_calls.precision(torch.float32) == "ieee"
    text = source(PROGRAMS["one channel"], "float32", Budget()).text
    assert text.count("input_precision=precision") == text.count("tl.dot(") > 0


def test_a_wrong_matrix_product_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check at first use sees a sign that the kernel got wrong."""
    from schur.engine import triton_backend, triton_check, triton_module, triton_tuning
    from schur.errors import BackendError

    program = connected("8x0e", "0e", "8x0e")
    text = source(program, "float32", Budget()).text
    assert "mask=mt[None, :]" not in text and ", acc0, mask" in text
    wrong = triton_module.kept("a planted fault", text.replace(", acc0, mask", ", -acc0, mask"))
    triton_backend._compiled.cache_clear()
    triton_check._passed.clear()
    monkeypatch.setattr(triton_tuning, "kernels", lambda *_: wrong)
    monkeypatch.setenv("SCHUR_SELF_CHECK", "1")
    shapes = [(o.size,) if o.mode == "shared" else (3, o.size) for o in program.inputs]
    with pytest.raises(BackendError, match="computes something else"):
        Routine(program, "triton")(*(torch.ones(shape) for shape in shapes))
    triton_backend._compiled.cache_clear()
