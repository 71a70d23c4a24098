"""Equivariant maps with weights as contract, mix and copy, differentiable to any order."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from schur.engine.asked_for import asked_for
from schur.engine.c_backend import dense
from schur.engine.factored_product import Couplings, FactoredMaps, Side
from schur.products.diagrams import EquivariantMaps
from schur.products.diagrams.factoring import Factoring
from schur.products.diagrams.maps import OrbitMaps
from schur.products.diagrams.numbering import Numbering, numbered

# Vectors of 64 bytes that may be held at a time.
_HELD_VECTORS = 1 << 20


def factored_maps(
    maps: EquivariantMaps, shifts: EquivariantMaps | None, channels: tuple[int, int]
) -> FactoredMaps | None:
    """Tables of Σ_d D_d x weight_d + Σ_b B_b bias_b.

    Args:
        maps: the D_d.
        shifts: the B_b, maps of one number; None for no bias.
        channels: of the input and the output.

    Returns:
        None for maps that are given by orbits, which have nothing to contract, and where numbers of
        16 rows in float32 would take more than 64 MB.

    Example:
        >>> from schur.groups import Sym
        >>> from schur.products.diagrams import equivariant_maps
        >>> found = factored_maps(equivariant_maps(Sym(10), 2, 2), None, (4, 4))
        >>> found.operations, 100 * 100 * 4 * 4
        (6544, 160000)
    """
    if isinstance(maps, OrbitMaps) or maps.dimension == 0:
        return None
    terms = list(maps.factorings())
    biases = [] if shifts is None else list(shifts.factorings())
    entries = prod(maps.shape_in), prod(maps.shape_out)
    read = numbered((one.below for one in terms), entries[0])
    written = numbered((one.above for one in (*terms, *biases)), entries[1])
    found = FactoredMaps(
        Side(entries[0], read.size, 0, read.target, read.source, read.factor),
        _with_given(written, entries[1], biases),
        _couplings(terms, read, written),
        len(terms),
        channels,
    )
    return found if found.vectors <= _HELD_VECTORS else None


def _with_given(written: Numbering, entries: int, biases: list[Factoring]) -> Side:
    """The side that is written with a number for each bias at its end.

    That number is what the bias adds to, read from the output: as if it were a sum of those values.
    """
    target, source, factor = [written.target], [written.source], [written.factor]
    for number, bias in enumerate(biases):
        components, factors = bias.couplings
        source.append(components[:, 1] + written.starts[bias.above])
        target.append(np.full(len(factors), written.size + number))
        factor.append(factors)
    joined = (np.concatenate(columns) for columns in (target, source, factor))
    return Side(entries, written.size + len(biases), len(biases), *joined)


def _couplings(terms: list[Factoring], read: Numbering, written: Numbering) -> Couplings:
    to, source, number, factor = ([np.zeros(0, np.int64)] for _ in range(4))
    for d, one in enumerate(terms):
        components, factors = one.couplings
        to.append(components[:, 1] + written.starts[one.above])
        source.append(components[:, 0] + read.starts[one.below])
        number.append(np.full(len(factors), d))
        factor.append(factors)
    return Couplings(*(np.concatenate(columns) for columns in (to, source, number, factor)))


def apply_factored(
    x: Float[Tensor, "rows dim_in"],
    weight: Float[Tensor, "maps width_in width_out"],
    bias: Float[Tensor, "biases width_out"] | None,
    maps: FactoredMaps,
) -> Float[Tensor, "rows dim_out"]:
    """Σ_d D_d x weight_d + Σ_b B_b bias_b for every row.

    x, weight -> out and its gradients are one trilinear form with another slot open, so two
    operations differentiate each other to any order.
    """
    if not torch.is_grad_enabled():
        given = None if bias is None else dense(bias)
        return maps.apply(dense(x), dense(weight), given)
    x, weight, bias = _inner(x), _inner(weight), None if bias is None else _inner(bias)
    return _Apply.apply(x, weight, bias, maps)  # type: ignore[no-any-return]


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, maps: FactoredMaps
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.maps = maps
        given = None if bias is None else dense(bias)
        return maps.apply(dense(x), dense(weight), given)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        (g,), asked = grads, asked_for(ctx)
        by_x = by_weight = by_bias = None
        if asked[0]:
            by_x = apply_factored(g, weight.mT, None, ctx.maps.transpose)
        if asked[1] or asked[2]:
            by_weight, by_bias = _outer(x, g, ctx.maps)
        return by_x, by_weight, by_bias if asked[2] else None, None


def _outer(
    x: Float[Tensor, "rows dim_in"], g: Float[Tensor, "rows dim_out"], maps: FactoredMaps
) -> tuple[Float[Tensor, "maps width_in width_out"], Float[Tensor, "biases width_out"]]:
    """The gradients of ⟨g, apply_factored(x, weight, bias)⟩ by weight and bias."""
    if not torch.is_grad_enabled():
        return maps.outer(dense(x), dense(g))
    return _Outer.apply(x, g, maps)  # type: ignore[no-any-return]


class _Outer(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, g: Tensor, maps: FactoredMaps) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(x, g)
        ctx.maps = maps
        return maps.outer(dense(x), dense(g))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, g = ctx.saved_tensors
        (h, shift), asked = grads, asked_for(ctx)
        by_x = by_g = None
        if asked[0]:
            by_x = apply_factored(g, h.mT, None, ctx.maps.transpose)
        if asked[1]:
            by_g = apply_factored(x, h, shift, ctx.maps)
        return by_x, by_g, None


def _inner(tensor: Tensor) -> Tensor:
    """The tensor, as no leaf: whether the gradient by a leaf is asked for, torch answers with an
    error, which takes longer than a small layer."""
    return tensor.view_as(tensor) if tensor.requires_grad and tensor.is_leaf else tensor
