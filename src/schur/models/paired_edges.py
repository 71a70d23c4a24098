"""Edges that come in opposite pairs, so that what depends on distances is computed once."""

from __future__ import annotations

from torch import Tensor

from ..errors import ShapeError


def check_paired(edge_index: Tensor) -> None:
    """Raise ShapeError unless the second half of the edges is the first half reversed.

    Example:
        >>> import torch
        >>> check_paired(torch.tensor([[0, 1, 1, 2], [1, 2, 0, 1]]))
    """
    half = edge_index.shape[1] // 2
    if edge_index.shape[1] % 2 or not edge_index[:, half:].equal(edge_index[:, :half].flip(0)):
        raise ShapeError(
            "these edges do not come in opposite pairs",
            got=f"{edge_index.shape[1]} edges in another order",
            expected="edge k + edges/2 to be edge k with sender and receiver exchanged",
            remedy="leave out paired=True",
        )
