"""Matrix products of blocks of rows, differentiable to any order."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from schur.engine import block_products
from schur.engine.asked_for import asked_for
from schur.engine.block_map import BlockMap, RowGroups, in_torch, outer_in_torch


def block_linear(
    x: Float[Tensor, "rows dim_in"],
    weight: Float[Tensor, "*groups weight_numel"],
    blocks: BlockMap,
    groups: RowGroups | None = None,
    bias: Float[Tensor, " bias_numel"] | None = None,
) -> Float[Tensor, "rows dim_out"]:
    """Apply the map to every row and add the bias.

    The three maps x, w -> out and their gradients are the same trilinear form with another slot
    open, so two operations differentiate each other to any order.
    """
    if is_traced():
        out = in_torch(x, weight, blocks, groups)
        return out if bias is None else out + _spread(bias, blocks)
    return _Apply.apply(x, weight, bias, blocks, groups)  # type: ignore[no-any-return]


def block_outer(
    x: Float[Tensor, "rows dim_in"],
    g: Float[Tensor, "rows dim_out"],
    blocks: BlockMap,
    groups: RowGroups | None = None,
) -> Float[Tensor, "*groups weight_numel"]:
    """The gradient of ⟨g, block_linear(x, w)⟩ by w."""
    if is_traced():
        return outer_in_torch(x, g, blocks, groups)
    return _Outer.apply(x, g, blocks, groups)  # type: ignore[no-any-return]


def is_traced() -> bool:
    """Whether torch looks at single operations: torch.compile, torch.export, torch.func."""
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        blocks: BlockMap,
        groups: RowGroups | None,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.blocks, ctx.groups = blocks, groups
        out = block_products.apply(x, weight, blocks, groups)
        if bias is not None:
            taken = 0
            for start, width in blocks.biases:
                out[:, start : start + width] += bias[taken : taken + width]
                taken += width
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        (g,), asked = grads, asked_for(ctx)
        by_x = by_weight = by_bias = None
        if asked[0]:
            by_x = block_linear(g, weight, ctx.blocks.transpose, ctx.groups)
        if asked[1]:
            by_weight = block_outer(x, g, ctx.blocks, ctx.groups)
        if asked[2]:
            columns = [g[:, start : start + width] for start, width in ctx.blocks.biases]
            by_bias = torch.cat(columns, 1).sum(0)
        return by_x, by_weight, by_bias, None, None


class _Outer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, g: Tensor, blocks: BlockMap, groups: RowGroups | None
    ) -> Tensor:
        ctx.save_for_backward(x, g)
        ctx.blocks, ctx.groups = blocks, groups
        return block_products.outer(x, g, blocks, groups)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, g = ctx.saved_tensors
        (h,), asked = grads, asked_for(ctx)
        by_x = by_g = None
        if asked[0]:
            by_x = block_linear(g, h, ctx.blocks.transpose, ctx.groups)
        if asked[1]:
            by_g = block_linear(x, h, ctx.blocks, ctx.groups)
        return by_x, by_g, None, None


def _spread(bias: Tensor, blocks: BlockMap) -> Tensor:
    """The bias at its columns, zero elsewhere."""
    parts, column, taken = [], 0, 0
    for start, width in blocks.biases:
        parts += [bias.new_zeros(start - column), bias[taken : taken + width]]
        column, taken = start + width, taken + width
    return torch.cat([*parts, bias.new_zeros(blocks.dim_out - column)])
