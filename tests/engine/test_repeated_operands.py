"""An operand that a path reads several times, each time with other channel letters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from schur.engine import Routine
from schur.forms import Block, Factor, Form, Operand, Path, Program, derive, evaluate


def outer_product() -> Program:
    """out[c, u, v] = Σ C[a, b, c] x[a, u] x[b, v]."""
    x, out = Operand("x", (Block(2, (5,)),)), Operand("out", (Block(3, (5, 5)),))
    factors = [Factor("x", 0, "u"), Factor("x", 0, "v"), Factor("out", 0, "uv")]
    tensor = np.random.default_rng(0).normal(size=(2, 2, 3))
    return Form((x, out), (Path.dense(factors, tensor, "path"),)).open("out")


def trace_of_square() -> Program:
    """out = Σ x[u, v] x[v, u]."""
    x, out = Operand("x", (Block(1, (4, 4)),)), Operand("out", (Block(1),))
    factors = [Factor("x", 0, "uv"), Factor("x", 0, "vu"), Factor("out", 0, "")]
    return Form((x, out), (Path.dense(factors, np.ones((1, 1, 1)), "path"),)).open("out")


def cube() -> Program:
    """out = x x x as matrices."""
    x, out = Operand("x", (Block(1, (4, 4)),)), Operand("out", (Block(1, (4, 4)),))
    factors = [Factor("x", 0, "uv"), Factor("x", 0, "vw"), Factor("x", 0, "wt")]
    tensor = np.ones((1, 1, 1, 1))
    path = Path.dense([*factors, Factor("out", 0, "ut")], tensor, "path")
    return Form((x, out), (path,)).open("out")


@pytest.mark.parametrize("make", [outer_product, trace_of_square, cube])
def test_two_orders_of_derivatives_agree_with_the_oracle(make: Callable[[], Program]) -> None:
    program = make()
    rng = np.random.default_rng(1)
    for _ in range(3):
        values = {operand.name: rng.normal(size=(3, operand.size)) for operand in program.inputs}
        expected = evaluate(program, values)
        arguments = [torch.tensor(values[operand.name]) for operand in program.inputs]
        made = Routine(program, "c")(*arguments)
        outputs = made if isinstance(made, tuple) else (made,)
        for name, output in zip(program.outputs, outputs, strict=True):
            # At most 4 * 4 products of three factors make one number.
            bound = 32 * np.finfo(float).eps * np.abs(expected[name]).max()
            np.testing.assert_allclose(output.numpy(), expected[name], rtol=0, atol=bound)
        program = derive(program)
