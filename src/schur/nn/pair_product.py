"""The matrix product of tensors on pairs: what order 2 has beyond message passing."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


class PairProduct(torch.nn.Module):
    """Walks of two steps: a product over the index between.

        out[i, k, w] = n^(-1/2) Σ_j (Σ_u A[u, w] x[i, j, u]) (Σ_u B[u, w] x[j, k, u])

    With point-wise functions this makes networks on pairs as strong as the folklore
    Weisfeiler-Leman test of dimension two, which counts all cycles of up to seven vertices. It
    costs n^3.

    Args:
        channels_in, channels_out: numbers of channels.

    Source: Maron et al., "Provably powerful graph networks", https://arxiv.org/abs/1905.11136,
    section 6.

    Example:
        >>> PairProduct(4, 8)(torch.randn(10, 5, 5, 4)).shape
        torch.Size([10, 5, 5, 8])
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        scale = channels_in**-0.5
        self.left = torch.nn.Parameter(scale * torch.randn(channels_in, channels_out))
        self.right = torch.nn.Parameter(scale * torch.randn(channels_in, channels_out))

    def forward(self, x: Float[Tensor, "*batch n n u"]) -> Float[Tensor, "*batch n n w"]:
        """Evaluate."""
        left, right = (x @ self.left).movedim(-1, -3), (x @ self.right).movedim(-1, -3)
        return (left @ right).movedim(-3, -1) / x.shape[-2] ** 0.5
