"""Which gradients a backward pass is asked for, as against which there could be."""

from __future__ import annotations

from typing import Any

import torch


def asked_for(ctx: Any) -> list[bool]:
    """`ctx.needs_input_grad`, less the inputs whose gradient nobody will read.

    Forces are a gradient by positions alone, yet weights require one too; torch tells a function
    of Python's no more than that, and would drop what the function made for the weights.

    Args:
        ctx: of a function whose backward is running; elsewhere all that could be is asked for.

    Example:
        >>> asked = []
        >>> class Product(torch.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x, w):
        ...         ctx.save_for_backward(x, w)
        ...         return x * w
        ...     @staticmethod
        ...     def backward(ctx, g):
        ...         asked.append(asked_for(ctx))
        ...         x, w = ctx.saved_tensors
        ...         return g * w, g * x
        >>> x, w = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
        >>> _ = torch.autograd.grad(Product.apply(2 * x, w).sum(), x)
        >>> asked
        [[True, False]]
    """
    needed = list(ctx.needs_input_grad)
    nodes = [node for node, _ in getattr(ctx, "next_functions", ()) if node is not None]
    places = [place for place, need in enumerate(needed) if need]
    if len(nodes) != len(places):
        return needed
    for place, node in zip(places, nodes, strict=True):
        needed[place] = _will_run(node)
    return needed


def _will_run(node: Any) -> bool:
    try:
        return torch._C._will_engine_execute_node(node)
    except RuntimeError:
        return True  # a leaf that is asked for itself, or no backward pass at all
