"""Linear maps with weights as one matrix, put together from few distinct entries."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from schur.engine import c_backend
from schur.engine.assembled_product import Assembly
from schur.engine.c_backend import dense
from schur.engine.tracing import is_traced, is_transformed


class AssembledMap(torch.nn.Module):
    """x ↦ x M + b, with M and b linear in weights and biases.

        M[(j, u), (i, w)] = Σ_d patterns[c(i, j), d] weight[d, u, w]
        b[(i, w)]         = Σ_b shifts[b, i] bias[b, w]

    c(i, j) is the class of an entry: entries at which all maps agree are in one, and there are
    few. So the sums are made once for each class and read from there.

    Where no gradient by the weights is asked for, M and b are kept until the weights change. That
    is found out by comparing their values, since not every change of a parameter leaves a trace.

    Args:
        patterns: what the maps hold in each class; whole numbers.
        classes: the class of each entry, rows for the output.
        shifts: what the biases stand for; whole numbers. May be empty.
        channels: numbers of channels of the input and the output.

    Example:
        All maps of two numbers that commute with their exchange: the mean to both, and the rest.

        >>> maps = AssembledMap(np.eye(2), np.array([[0, 1], [1, 0]]), np.ones((1, 2)), (1, 1))
        >>> weight, bias = torch.tensor([[[2.0]], [[1.0]]]), torch.tensor([[5.0]])
        >>> maps(torch.tensor([[1.0, 10.0]]), weight, bias)
        tensor([[17., 26.]])
    """

    patterns: Tensor | None
    shifts: Tensor
    places: Tensor

    def __init__(
        self,
        patterns: Float[np.ndarray, "classes maps"],
        classes: Int[np.ndarray, "rows columns"],
        shifts: Float[np.ndarray, "biases rows"],
        channels: tuple[int, int],
    ) -> None:
        super().__init__()
        rows, columns = classes.shape
        width_in, width_out = channels
        self.extents = (columns * width_in, rows * width_out)
        u, w = np.arange(width_in)[:, None, None], np.arange(width_out)
        places = (classes.T[:, None, :, None] * width_in + u) * width_out + w
        kind = torch.get_default_dtype()
        # Orbits are maps and classes at once.
        same = np.array_equal(patterns, np.eye(len(patterns)))
        distinct = None if same else patterns
        self._assembly = Assembly(distinct, classes.T, shifts.T, len(patterns), channels)
        table = None if same else torch.tensor(patterns, dtype=kind)
        self.register_buffer("patterns", table, persistent=False)
        self.register_buffer("shifts", torch.tensor(shifts.T, dtype=kind), persistent=False)
        self.register_buffer("places", torch.from_numpy(places.reshape(-1)), persistent=False)
        self._kept: tuple[Tensor, Tensor | None, Tensor, Tensor | None] | None = None

    def forward(
        self,
        x: Float[Tensor, "..."],
        weight: Float[Tensor, "maps channels_in channels_out"],
        bias: Float[Tensor, "biases channels_out"] | None,
        shape: tuple[int, ...] | None = None,
    ) -> Float[Tensor, "..."]:
        """Evaluate.

        Args:
            x: rows, whose numbers may lie along several axes.
            weight, bias: see the class.
            shape: of the result; two axes if not given.
        """
        learns = weight.requires_grad or (bias is not None and bias.requires_grad)
        shape = shape or (-1, self.extents[1])
        if not (learns and torch.is_grad_enabled()) and not (is_traced() or is_transformed()):
            matrix, shift = self._unchanged(weight, bias)
        elif c_backend.takes(x, weight, bias):
            return _Product.apply(x, weight, bias, self, shape)  # pyright: ignore[reportReturnType]
        else:
            matrix, shift = self.assembled(weight, bias)
        rows = x.reshape(-1, self.extents[0])
        out = rows @ matrix if shift is None else torch.addmm(shift, rows, matrix)
        return out.view(shape)

    def assembled(
        self,
        weight: Float[Tensor, "maps channels_in channels_out"],
        bias: Float[Tensor, "biases channels_out"] | None,
    ) -> tuple[Float[Tensor, "width_in width_out"], Float[Tensor, " width_out"] | None]:
        """M and b, in operations that torch can trace and differentiate."""
        entries = weight.flatten(1)
        if self.patterns is not None:
            entries = self.patterns.to(weight.dtype) @ entries
        matrix = entries.flatten().index_select(0, self.places).view(self.extents)
        return matrix, None if bias is None else (self.shifts.to(bias.dtype) @ bias).flatten()

    def _unchanged(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        kept = self._kept
        if kept is None or not (_equal(kept[0], weight) and _equal(kept[1], bias)):
            with torch.inference_mode(False):  # what is kept may later serve a gradient by x
                copies = weight.detach().clone(), None if bias is None else bias.detach().clone()
                kept = self._kept = (*copies, *self.assembled(*copies))
        return kept[2:]

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": None}


class _Product(torch.autograd.Function):
    """x M + b in one step of compiled code each way."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        layer: AssembledMap,
        shape: tuple[int, ...],
    ) -> Tensor:
        given = dense(x), dense(weight), None if bias is None else dense(bias)
        out, matrix = layer._assembly.compiled(x.dtype).forward(*given)
        ctx.save_for_backward(x, weight, bias, matrix)
        ctx.layer = layer
        return out.view(shape)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (g,) = gradients
        x, weight, bias, matrix = ctx.saved_tensors
        assembly = ctx.layer._assembly
        if torch.is_grad_enabled() or not c_backend.takes(g, weight, bias):
            return *_traceable(ctx.layer, x, weight, bias, g), None, None
        by_x, by_weight, by_bias, *_ = ctx.needs_input_grad
        compiled, g = assembly.compiled(g.dtype), dense(g)
        grad_x = compiled.by_input(g, matrix, x.shape) if by_x else None
        grad_weight = grad_bias = None
        if by_weight or by_bias:
            grad_weight, grad_bias = compiled.by_weights(dense(x), g, weight, bias)
        return grad_x, grad_weight, grad_bias, None, None


def _traceable(
    layer: AssembledMap,
    x: Float[Tensor, "..."],
    weight: Float[Tensor, "maps channels_in channels_out"],
    bias: Float[Tensor, "biases channels_out"] | None,
    g: Float[Tensor, "..."],
) -> tuple[Tensor, Tensor, Tensor | None]:
    """The gradients of ⟨g, x M + b⟩, with a graph of their own."""
    deep, wide = layer.extents
    patterns, shifts = layer.patterns, layer.shifts
    matrix, _ = layer.assembled(weight, None)
    rows = g.reshape(-1, wide)
    product = (x.reshape(-1, deep).mT @ rows).reshape(-1)
    size = weight[0].numel()
    classes = len(weight) if patterns is None else len(patterns)
    sums = product.new_zeros(classes * size).index_add(0, layer.places, product)
    sums = sums.reshape(classes, size)
    if patterns is not None:
        sums = patterns.to(sums.dtype).mT @ sums
    grad_x, grad_weight = (rows @ matrix.mT).reshape(x.shape), sums.reshape(weight.shape)
    if bias is None:
        return grad_x, grad_weight, None
    columns = rows.sum(0).reshape(len(shifts), -1)
    return grad_x, grad_weight, shifts.to(g.dtype).mT @ columns


def _equal(kept: Shaped[Tensor, "..."] | None, now: Shaped[Tensor, "..."] | None) -> bool:
    if kept is None or now is None:
        return kept is now
    return kept.dtype == now.dtype and kept.device == now.device and torch.equal(kept, now)
