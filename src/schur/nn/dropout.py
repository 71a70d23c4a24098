"""Whole irreps set to zero at random."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.errors import NumberError, ShapeError
from schur.reps import Irreps
from schur.tensors import GeometricTensor, checked, wrapped


class Dropout(torch.nn.Module):
    """In training, each irrep of each entry of the batch is dropped with probability p.

        out = x b / (1 - p),  b = 0 with probability p, else 1, one for all components of an irrep

    and for all axes between the first and the last.

    Args:
        rep: the representation.
        p: the probability to drop.

    Raises:
        NumberError: if p is no probability.

    Source: as `e3nn.nn.Dropout`.

    Example:
        >>> layer = Dropout("2x1o", p=0.5).eval()
        >>> layer(torch.ones(1, 6))
        tensor([[1., 1., 1., 1., 1., 1.]])
    """

    rep: Irreps

    def __init__(self, rep: Irreps | str, p: float) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise NumberError("p is no probability", got=p, expected="0 to 1")
        self.rep, self.p = Irreps(rep), p

    def forward(self, x: Shaped[Tensor, "..."] | GeometricTensor) -> Any:
        """Evaluate, shape (batch, ..., dim) to the same shape."""
        data = checked(x, self.rep, "x")
        if not self.training or self.p == 0:
            return x
        if data.ndim < 2:
            raise ShapeError(
                "a batch is needed", got=tuple(data.shape), expected="(batch, ..., dim)"
            )
        if self.p == 1:
            return wrapped(torch.zeros_like(data), self.rep, x)
        parts = []
        for mul, ir in self.rep:
            keep = data.new_empty(len(data), 1, mul).bernoulli_(1 - self.p)
            parts.append(keep.div_(1 - self.p).expand(-1, ir.dim, -1).flatten(1))
        noise = torch.cat(parts, -1) if parts else data.new_ones(len(data), 0)
        noise = noise.reshape(len(data), *[1] * (data.ndim - 2), -1)
        return wrapped(data * noise, self.rep, x)

    def extra_repr(self) -> str:
        return f"{self.rep}, p={self.p}"
