"""Normalisation over a batch."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.reps import Irreps
from schur.tensors import GeometricTensor, checked, wrapped


class BatchNorm(torch.nn.Module):
    """Scalars to mean zero, every irrep to mean square one, over the batch.

        out = weight (x - ⟨x⟩) / √(⟨|x|²⟩ + eps) + bias        (mean and bias for 0e only)

    In evaluation running averages take the place of the batch's.

    Args:
        rep: the representation.
        eps: added to the mean square.
        momentum: the share of a new batch in the running averages.
        affine: whether there are trainable weights (one an irrep) and biases (one a scalar).
        reduce: `"mean"` or `"max"` of the square over the axes between the first and the last.
        instance: normalise each entry of the batch on its own, without running averages.
        include_bias: whether there are biases.
        normalization: |x|² is the `"norm"` or its mean over components, `"component"`.

    Raises:
        RepresentationError: for an unknown option.

    Source: as `e3nn.nn.BatchNorm`, its parameters and buffers too.

    Example:
        >>> BatchNorm("4x0e+4x1o")(torch.randn(10, 16)).shape
        torch.Size([10, 16])
    """

    rep: Irreps
    running_mean: Tensor | None
    running_var: Tensor | None
    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        rep: Irreps | str,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = True,
        reduce: str = "mean",
        instance: bool = False,
        include_bias: bool = True,
        normalization: str = "component",
    ) -> None:
        super().__init__()
        if reduce not in ("mean", "max") or normalization not in ("norm", "component"):
            raise RepresentationError(
                "unknown option",
                got=f"reduce={reduce!r}, normalization={normalization!r}",
                expected="reduce: mean, max; normalization: norm, component",
            )
        self.rep, self.eps, self.momentum = Irreps(rep), eps, momentum
        self.reduce, self.instance, self.normalization = reduce, instance, normalization
        scalars = sum(mul for mul, ir in self.rep if ir.is_scalar())
        irreps = self.rep.num_irreps
        self.register_buffer("running_mean", None if instance else torch.zeros(scalars))
        self.register_buffer("running_var", None if instance else torch.ones(irreps))
        weight = torch.nn.Parameter(torch.ones(irreps)) if affine else None
        bias = torch.nn.Parameter(torch.zeros(scalars)) if affine and include_bias else None
        self.register_parameter("weight", weight)
        self.register_parameter("bias", bias)

    def forward(self, x: Shaped[Tensor, "..."] | GeometricTensor) -> Any:
        """Evaluate, shape (batch, ..., dim) to the same shape."""
        data = checked(x, self.rep, "x")
        if data.ndim < 2:
            raise ShapeError(
                "a batch is needed", got=tuple(data.shape), expected="(batch, ..., dim)"
            )
        rows = data[:, None] if data.ndim == 2 else data.flatten(1, -2)
        own = self.training or self.instance
        if own and rows.shape[:2].numel() == 0:
            raise ShapeError("an empty batch has no mean", got=tuple(data.shape))
        parts: list[Tensor] = []
        means: list[Tensor] = []
        squares: list[Tensor] = []
        scalar = irrep = 0
        for (mul, ir), place in zip(self.rep, self.rep.slices(), strict=True):
            block = rows[..., place].unflatten(-1, (ir.dim, mul))
            if ir.is_scalar():
                mean = self._mean(block) if own else self._kept("running_mean", scalar, mul)
                means.append(mean)
                block = block - mean[..., None, None, :]
            square = self._square(block) if own else self._kept("running_var", irrep, mul)
            squares.append(square)
            factor = (square + self.eps).rsqrt()
            if self.weight is not None:
                factor = factor * self.weight[irrep : irrep + mul]
            block = block * factor[..., None, None, :]
            if ir.is_scalar():
                if self.bias is not None:
                    block = block + self.bias[scalar : scalar + mul]
                scalar += mul
            irrep += mul
            parts.append(block.flatten(-2))
        if self.training and not self.instance:
            self._update("running_mean", means)
            self._update("running_var", squares)
        out = torch.cat(parts, -1) if parts else rows
        return wrapped(out.reshape(data.shape), self.rep, x)

    def _mean(self, block: Tensor) -> Tensor:
        return block.mean((1, 2)) if self.instance else block.mean((0, 1, 2))

    def _square(self, block: Tensor) -> Tensor:
        square = block.square()
        square = square.sum(2) if self.normalization == "norm" else square.mean(2)
        square = square.mean(1) if self.reduce == "mean" else square.amax(1)
        return square if self.instance else square.mean(0)

    def _kept(self, name: str, start: int, length: int) -> Tensor:
        return self.get_buffer(name)[start : start + length]

    def _update(self, name: str, parts: list[Tensor]) -> None:
        if parts:
            kept = self.get_buffer(name)
            with torch.no_grad():
                kept.lerp_(torch.cat(parts).to(kept.dtype), self.momentum)

    def extra_repr(self) -> str:
        return f"{self.rep}, eps={self.eps}, momentum={self.momentum}"
