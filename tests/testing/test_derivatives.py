"""The checker of derivatives passes what is right, and names the order that is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from schur.testing import LawError, assert_derivatives


def test_smooth_functions_pass() -> None:
    x, y = torch.rand(2, 3, dtype=torch.float64) + 0.5
    assert_derivatives(lambda x, y: torch.sin(x) * y**3, [x, y])
    assert_derivatives(lambda x, y: torch.sin(x) * y**3, [x, y], fast=True)


def test_a_linear_function_has_higher_derivatives_of_zero() -> None:
    assert_derivatives(lambda x: 2 * x, [torch.rand(3, dtype=torch.float64)])


class Faulty(torch.autograd.Function):
    """x⁴ whose derivative of order `wrong` (and no lower) is off by one part in a hundred."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, order: int, wrong: int) -> Tensor:
        ctx.save_for_backward(x)
        ctx.order, ctx.wrong = order, wrong
        factor = [1, 4, 12, 24][order]
        return factor * x ** (4 - order) * (1.01 if order == wrong else 1)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        return Faulty.apply(x, ctx.order + 1, ctx.wrong) * grads[0], None, None  # type: ignore[operator]


@pytest.mark.parametrize("order", [1, 2, 3])
def test_a_fault_of_each_order_is_caught_and_named(order: int) -> None:
    x = torch.rand(2, dtype=torch.float64) + 0.5
    with pytest.raises(LawError, match=f"order {order}"):
        assert_derivatives(lambda x: Faulty.apply(x, 0, order), [x])  # type: ignore[arg-type]
    if order > 1:
        assert_derivatives(lambda x: Faulty.apply(x, 0, order), [x], order=order - 1)  # type: ignore[arg-type]


def test_only_what_requires_a_gradient_is_differentiated() -> None:
    x = torch.rand(2, dtype=torch.float64, requires_grad=True)
    counts = torch.rand(2, dtype=torch.float64)
    assert_derivatives(lambda x, n: x**2 * n.detach(), [x, counts])
