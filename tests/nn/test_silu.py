"""SiLU: torch's values, and derivatives of every order against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from schur.nn.silu import silu

F = torch.nn.functional.silu


def derivatives(function: object, x: Tensor, orders: int) -> list[Tensor]:
    """The value, and derivatives of a sum of odd weights."""
    x = x.clone().requires_grad_()
    weights = torch.linspace(-1, 2, x.numel(), dtype=x.dtype).view_as(x)
    found = [function(x)]  # type: ignore[operator]
    for _ in range(orders):
        (slope,) = torch.autograd.grad((weights * found[-1]).sum(), x, create_graph=True)
        found.append(slope)
    return [each.detach() for each in found]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(), (0,), (301,), (7, 43)])
def test_derivatives_are_those_of_torch(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = torch.randn(shape, dtype=dtype) * 4
    for mine, expected in zip(derivatives(silu, x, 4), derivatives(F, x, 4), strict=True):
        scale = float(expected.abs().max()) if x.numel() else 0.0
        assert mine.shape == expected.shape and mine.dtype == expected.dtype
        torch.testing.assert_close(mine, expected, rtol=0, atol=64 * torch.finfo(dtype).eps * scale)


def test_the_gradient_of_a_gradient_is_that_of_differences() -> None:
    x, g = torch.randn(2, 9, dtype=torch.float64, requires_grad=True).unbind(0)
    x, g = x.detach().requires_grad_(), g.detach().requires_grad_()

    def slope(x: Tensor, g: Tensor) -> Tensor:
        return torch.autograd.grad(silu(x), x, g, create_graph=True)[0]

    assert torch.autograd.gradcheck(slope, (x, g))
    assert torch.autograd.gradgradcheck(silu, (x,))


@pytest.mark.parametrize("value", [-1e4, -200.0, 0.0, 200.0, 1e4, float("nan")])
def test_far_out_nothing_overflows(value: float) -> None:
    x = torch.tensor([value])
    for mine, expected in zip(derivatives(silu, x, 2), derivatives(F, x, 2), strict=True):
        torch.testing.assert_close(mine, expected, equal_nan=True, rtol=0, atol=1e-5)


def test_tracers_see_torchs_own_function() -> None:
    x = torch.randn(5, dtype=torch.float64)
    slope = torch.func.grad(lambda x: silu(x).sum())
    torch.testing.assert_close(
        slope(x), derivatives(F, x, 1)[1] / torch.linspace(-1, 2, 5).double()
    )
    torch.testing.assert_close(torch.func.vmap(silu)(x), F(x))
