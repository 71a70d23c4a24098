"""SiLU of values on a grid that are never stored: from harmonics to harmonics in one pass."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from schur.nn.blockwise import is_traced

_AT_ONCE = 1 << 16  # values of one array that a piece works on, so that it stays in the cache


def grid_silu(
    x: Float[Tensor, "components columns"],
    there: Float[Tensor, "points components"],
    back: Float[Tensor, "components_out points"],
) -> Float[Tensor, "components_out columns"]:
    """back · φ(there · x) with φ(v) = v σ(v), and its derivatives, column by column.

    There are many more points than components. Columns are taken a few at a time, so that values
    are made, used and forgotten; derivatives make them again. With s = σ(v):

        φ' = s + φ - s φ,    φ'' = (1 - s) (2 φ' - φ)

    Example:
        >>> x, one = torch.tensor([[0.0, 20.0]]), torch.ones(1, 1)
        >>> grid_silu(x, one, one)
        tensor([[ 0., 20.]])
    """
    if is_traced():
        return back @ torch.nn.functional.silu(there @ x)
    return _Apply.apply(x, there, back)  # type: ignore[no-any-return]


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, there: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(x, there, back)
        out = x.new_empty(len(back), x.shape[1])
        for piece, (v, s) in _pieces(x, there, 2):
            torch.mm(there, x[:, piece], out=v)
            torch.sigmoid(v, out=s)
            torch.mm(back, v.mul_(s), out=out[:, piece])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, there, back = ctx.saved_tensors
        return _Slope.apply(x, grads[0], there, back), None, None  # type: ignore[return-value]


class _Slope(torch.autograd.Function):
    """thereᵀ [φ'(there x) ⊙ backᵀ g], the gradient by x."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, g: Tensor, there: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(x, g, there, back)
        out = torch.empty_like(x)
        for piece, (v, s, t) in _pieces(x, there, 3):
            torch.mm(there, x[:, piece], out=v)
            _slope(v, s, t)
            torch.mm(back.T, g[:, piece], out=v)
            torch.mm(there.T, t.mul_(v), out=out[:, piece])
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, g, there, back = ctx.saved_tensors
        (h,) = grads
        if torch.is_grad_enabled():  # a third derivative: rare, and left to torch
            v, u, k = there @ x, back.T @ g, there @ h
            s = torch.sigmoid(v)
            t = s + v * s - s * v * s
            return there.T @ ((1 - s) * (2 * t - v * s) * u * k), back @ (t * k), None, None
        by_x, by_g = torch.empty_like(x), torch.empty_like(g)
        for piece, (v, s, t, u, k) in _pieces(x, there, 5):
            torch.mm(there, x[:, piece], out=v)
            _slope(v, s, t)
            torch.mm(back.T, g[:, piece], out=u)
            torch.mm(there, h[:, piece], out=k)
            u.mul_(k)
            torch.mm(back, k.mul_(t), out=by_g[:, piece])
            t.mul_(2).sub_(v)
            t.addcmul_(t, s, value=-1).mul_(u)
            torch.mm(there.T, t, out=by_x[:, piece])
        return by_x, by_g, None, None


def _slope(v: Tensor, s: Tensor, t: Tensor) -> None:
    """From values v: φ in their place, σ(v) into s and φ' into t."""
    torch.sigmoid(v, out=s)
    v.mul_(s)
    torch.addcmul(s, s, v, value=-1, out=t)
    t.add_(v)


def _pieces(x: Tensor, there: Tensor, arrays: int) -> Iterator[tuple[slice, tuple[Tensor, ...]]]:
    """Columns in turn, with so many arrays of (points, columns) to work in."""
    points, columns = len(there), x.shape[1]
    width = min(max(_AT_ONCE // points, 16), max(columns, 1))
    space = x.new_empty(arrays * points * width)
    for start in range(0, columns, width):
        here = min(width, columns - start)
        used = space[: arrays * points * here].view(arrays, points, here)
        yield slice(start, start + here), used.unbind(0)
