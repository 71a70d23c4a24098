"""Eigenvectors of symmetric matrices whose derivative stays finite where eigenvalues meet."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from schur.errors import NumberError


def safe_eigh(
    matrix: Float[Tensor, "*batch d d"],
) -> tuple[Float[Tensor, "*batch d"], Float[Tensor, "*batch d d"]]:
    """Eigenvalues in ascending order and eigenvectors in columns, as `torch.linalg.eigh`.

    The derivative of an eigenvector, dU = U (F ∘ Uᵀ dA U), has F_ij = 1 / (λ_j - λ_i). Here F is
    Δ / (Δ² + ε²) with ε = √eps times the largest |λ|: it is relatively off by ε²/Δ², which is
    rounding for gaps above 1e-3 of the largest eigenvalue in float64, and zero, not infinite, where
    two are equal. No derivative is right there, since the eigenvectors are not unique.

    Raises:
        NumberError: there are infinite numbers, or numbers that are none.

    Example:
        >>> values, vectors = safe_eigh(torch.eye(3))
        >>> values
        tensor([1., 1., 1.])
    """
    return _Eigh.apply(matrix)  # type: ignore[no-any-return]


class _Eigh(torch.autograd.Function):
    """The backward pass speaks of the results as tensors of the graph, so it has derivatives."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> tuple[Tensor, Tensor]:
        try:
            values, vectors = torch.linalg.eigh(matrix)
        except torch.linalg.LinAlgError as error:
            raise NumberError(
                "a matrix without eigenvectors", got=str(error), expected="finite numbers"
            ) from error
        ctx.save_for_backward(values, vectors)
        return values, vectors

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        values, vectors = ctx.saved_tensors
        by_values, by_vectors = grads
        size = values.detach().abs().amax(-1)[..., None, None]
        diagonal = torch.eye(values.shape[-1], dtype=values.dtype, device=values.device)
        # The diagonal has no part: one there, lest its derivative be a difference of large numbers.
        gap = values[..., None, :] - values[..., :, None] + diagonal
        width = torch.finfo(values.dtype).eps * size**2 + torch.finfo(values.dtype).tiny
        broad = gap / (gap**2 + width) * (1 - diagonal)
        inner = broad * (vectors.mT @ by_vectors)
        full = vectors @ (torch.diag_embed(by_values) + inner) @ vectors.mT
        return (full + full.mT) / 2
