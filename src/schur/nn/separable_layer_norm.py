"""Layer norm with one scale for all degrees above zero."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.reps import Irreps
from schur.tensors import GeometricTensor, checked, wrapped


class SeparableLayerNorm(torch.nn.Module):
    """Even scalars to mean zero and variance one; all other terms to mean square one together.

        s[u]     <- weight[u] (s[u] - ⟨s⟩) / √(⟨(s - ⟨s⟩)²⟩ + eps) + bias[u]
        x_t[m,u] <- weight_t[u] x_t[m,u] / √(⟨⟨x_t²⟩_{m,u}⟩_t + eps)

    where t runs over the terms that are no even scalars. `LayerNorm` scales each term by itself
    and loses how large degrees are compared with each other; this keeps it.

    The mean square vanishes where symmetry forbids all degrees above zero, as on a site of a cubic
    crystal. There the layer multiplies by 1/√eps, and its curvature is of the order 1/eps: an eps
    that is small only against rounding makes forces change within displacements that are as small.

    Args:
        rep: the representation.
        eps: added to mean squares.
        affine: whether there are trainable weights (one an irrep) and biases (one an even scalar).

    Source: Liao, Wood, Das, Smidt, "EquiformerV2" (2024), section 4.4.

    Example:
        >>> norm = SeparableLayerNorm("8x0e+8x1o+8x2e", eps=0.0)
        >>> out = norm(torch.randn(10, 72, dtype=torch.float64))
        >>> out[:, :8].square().mean(1).sub(1).abs().max() < 1e-12
        tensor(True)
    """

    rep: Irreps
    weight: Tensor | None
    bias: Tensor | None

    def __init__(self, rep: Irreps | str, eps: float = 1e-5, affine: bool = True) -> None:
        super().__init__()
        self.rep, self.eps = Irreps(rep), eps
        terms = [term for term in self.rep if term.mul]
        even = [term.ir.is_scalar() for term in terms]
        scalars = sum(term.mul for term, is_even in zip(terms, even, strict=True) if is_even)
        shares, among, number = [], [], 0
        for term, is_even in zip(terms, even, strict=True):
            count = scalars if is_even else (len(terms) - sum(even)) * term.dim
            shares.append(torch.full((term.dim,), float(count)))
            channels = torch.arange(number, number + term.mul)
            among.append(torch.stack([channels] * term.ir.dim).flatten())
            number += term.mul
        columns = torch.cat([torch.full((term.dim,), is_even) for term, is_even in
                             zip(terms, even, strict=True)] or [torch.zeros(0).bool()])  # fmt: skip
        # Whole numbers, which no number type rounds.
        self.register_buffer("_counts", torch.cat(shares or [torch.zeros(0)]), persistent=False)
        self.register_buffer(
            "_kinds", torch.stack([columns, ~columns]).to(torch.float32), persistent=False
        )
        self.register_buffer("_irrep_of_column", torch.cat(among or [number * columns]), False)
        self.register_buffer("_scalar_columns", columns.nonzero()[:, 0], persistent=False)
        weight = torch.nn.Parameter(torch.ones(number)) if affine else None
        bias = torch.nn.Parameter(torch.zeros(scalars)) if affine else None
        self.register_parameter("weight", weight)
        self.register_parameter("bias", bias)

    def forward(self, x: Shaped[Tensor, "..."] | GeometricTensor) -> Any:
        """Evaluate, shape (..., dim) to the same shape."""
        data = checked(x, self.rep, "x")
        kinds = self.get_buffer("_kinds").to(data.dtype)
        averages = kinds / self.get_buffer("_counts").to(data.dtype)
        data = data - (data @ averages[0])[..., None] * kinds[0]
        scale = (data.square() @ averages.T + self.eps).rsqrt() @ kinds
        out = data * scale
        if self.weight is not None:
            out = out * self.weight[self.get_buffer("_irrep_of_column")]
        if self.bias is not None and len(self.bias):
            shift = self.bias.new_zeros(self.rep.dim)
            out = out + shift.index_add(0, self.get_buffer("_scalar_columns"), self.bias)
        return wrapped(out, self.rep, x)

    def extra_repr(self) -> str:
        return f"{self.rep}, eps={self.eps}"
