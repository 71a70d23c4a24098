"""Polynomials of a graph's adjacency matrix as features."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from schur.errors import ShapeError
from schur.products.diagrams import Pattern


class GraphPolynomials(torch.nn.Module):
    """Means of products of entries of A over all placements of small patterns.

        out[…, i_0, …, i_{m-1}, p] = n^(m - v_p) P_p(A)[i_0, …, i_{m-1}]

    with v_p the number of vertices of pattern p (see `schur.products.diagrams.Pattern`): features
    of the graph for m = 0, of vertices for m = 1, of pairs for m = 2. The polynomials of all
    multigraphs are a basis of the equivariant polynomials of A where n is at least v_p; means
    stay of order one where counts overflow float32. A pattern costs n^(width + 1).

    Args:
        patterns: with one number of marked vertices; `multigraphs` lists them all.

    Source: Puny et al., "Equivariant polynomials for graph neural networks",
    https://arxiv.org/abs/2302.11556.

    Example:
        >>> from schur.products.diagrams import multigraphs
        >>> features = GraphPolynomials(multigraphs(3, marked=1))
        >>> features(torch.ones(10, 6, 6)).shape
        torch.Size([10, 6, 33])
    """

    def __init__(self, patterns: Sequence[Pattern]) -> None:
        super().__init__()
        self.patterns = tuple(patterns)
        if len({pattern.marked for pattern in self.patterns}) != 1:
            raise ShapeError(
                "patterns of one output have equally many marked vertices",
                got=[pattern.marked for pattern in self.patterns],
                expected="one pattern or more, of one number",
            )

    def forward(self, adjacency: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*out p"]:
        """Evaluate.

        Args:
            adjacency: A; weights of edges need not be 0 or 1.

        Returns:
            Shape (..., n, …, n, patterns), with an axis for each marked vertex.
        """
        n, batch = adjacency.shape[-1], adjacency.shape[:-2]
        ones = adjacency.new_ones(n)
        found = []
        for pattern in self.patterns:
            # Divided by n edge by edge and vertex by vertex it never grows large.
            value = pattern.contract(adjacency, ones / n, torch.einsum)
            value = adjacency.new_ones(()) * value * n**pattern.marked  # marks have ones, too
            found.append(value.expand((*batch, *[n] * pattern.marked)))
        return torch.stack(found, -1)
