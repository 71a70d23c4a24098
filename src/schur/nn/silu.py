"""SiLU with derivatives of few passes: those of forces and of a loss of forces."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.nn.blockwise import is_traced


def silu(x: Shaped[Tensor, "*shape"]) -> Shaped[Tensor, "*shape"]:
    """φ(x) = x σ(x), differentiable to any order.

    The same numbers as `torch.nn.functional.silu`. A loss of forces needs φ'', for which torch
    differentiates the formula of φ' step by step, a pass over memory for each. Here there are six
    passes, which takes a twentieth to a tenth off a training step of FAENet, eComFormer and EGNN:

        φ'' = s (1 - s) (2 + x (1 - 2 s)),    s = σ(x)

    Example:
        >>> x = torch.tensor(0.0, requires_grad=True)
        >>> (slope,) = torch.autograd.grad(silu(x), x, create_graph=True)
        >>> slope.item(), torch.autograd.grad(slope, x)[0].item()
        (0.5, 0.5)
    """
    if is_traced() or not x.requires_grad:
        return torch.nn.functional.silu(x)
    return _Silu.apply(x)  # type: ignore[no-any-return]


class _Silu(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.nn.functional.silu(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return _Slope.apply(x, grads[0])  # type: ignore[no-any-return]


class _Slope(torch.autograd.Function):
    """φ'(x) g."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, g: Tensor) -> Tensor:
        ctx.save_for_backward(x, g)
        return torch.ops.aten.silu_backward(g, x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (x, g), (h,) = ctx.saved_tensors, grads
        s = torch.sigmoid(x)
        by_x = by_g = None
        if torch.is_grad_enabled():  # a third derivative: rare, and left to torch
            if ctx.needs_input_grad[0]:
                by_x = s * (1 - s) * (2 + x * (1 - 2 * s)) * g * h
            if ctx.needs_input_grad[1]:
                by_g = (s + x * s * (1 - s)) * h
            return by_x, by_g
        if ctx.needs_input_grad[0]:
            by_x = torch.ops.aten.sigmoid_backward(g * h, s)
            by_x.mul_(torch.addcmul(x, x, s, value=-2).add_(2))
        if ctx.needs_input_grad[1]:
            by_g = torch.ops.aten.silu_backward(h, x)
        return by_x, by_g
