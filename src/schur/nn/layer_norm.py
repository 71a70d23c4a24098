"""Normalisation of each row by itself."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.errors import RepresentationError
from schur.reps import Irreps
from schur.tensors import GeometricTensor, checked, wrapped


class LayerNorm(torch.nn.Module):
    """Each term of a row to mean square one over its channels, even scalars to mean zero first.

        out[m, u] = weight[u] x[m, u] / √(⟨|x_u|²⟩_u + eps)   (+ bias[u] for 0e)

    Args:
        rep: the representation.
        eps: added to the mean square.
        affine: whether there are trainable weights (one an irrep) and biases (one an even scalar).
        normalization: |x_u|² is the `"norm"` or its mean over components, `"component"`.

    Raises:
        RepresentationError: for an unknown option.

    Source: Liao and Smidt, "Equiformer" (2023), section 4.1.

    Example:
        >>> LayerNorm("4x0e+4x1o")(torch.randn(10, 16)).shape
        torch.Size([10, 16])
    """

    rep: Irreps
    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        rep: Irreps | str,
        eps: float = 1e-5,
        affine: bool = True,
        normalization: str = "component",
    ) -> None:
        super().__init__()
        if normalization not in ("norm", "component"):
            raise RepresentationError(
                "unknown normalization", got=repr(normalization), expected="norm, component"
            )
        self.rep, self.eps, self.normalization = Irreps(rep), eps, normalization
        scalars = sum(mul for mul, ir in self.rep if ir.is_scalar())
        weight = torch.nn.Parameter(torch.ones(self.rep.num_irreps)) if affine else None
        bias = torch.nn.Parameter(torch.zeros(scalars)) if affine else None
        self.register_parameter("weight", weight)
        self.register_parameter("bias", bias)

    def forward(self, x: Shaped[Tensor, "..."] | GeometricTensor) -> Any:
        """Evaluate, shape (..., dim) to the same shape."""
        data = checked(x, self.rep, "x")
        parts, scalar, irrep = [], 0, 0
        for (mul, ir), place in zip(self.rep, self.rep.slices(), strict=True):
            if mul == 0:
                continue
            block = data[..., place].unflatten(-1, (ir.dim, mul))
            if ir.is_scalar():
                block = block - block.mean(-1, keepdim=True)
            square = block.square().mean((-2, -1), keepdim=True)
            if self.normalization == "norm":
                square = square * ir.dim
            block = block * (square + self.eps).rsqrt()
            if self.weight is not None:
                block = block * self.weight[irrep : irrep + mul]
            if ir.is_scalar():
                if self.bias is not None:
                    block = block + self.bias[scalar : scalar + mul]
                scalar += mul
            irrep += mul
            parts.append(block.flatten(-2))
        return wrapped(torch.cat(parts, -1) if parts else data, self.rep, x)

    def extra_repr(self) -> str:
        return f"{self.rep}, eps={self.eps}"
