"""A hypergraph as a symmetric tensor over its vertices."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations, product

import torch
from jaxtyping import Float
from torch import Tensor

from schur.errors import ShapeError


def hypergraph_tensor(edges: Sequence[Sequence[int]], n: int, order: int) -> Float[Tensor, "..."]:
    """T with T[i_1, …, i_k] = 1 where the set {i_1, …, i_k} is an edge, else 0.

    An edge of fewer than k vertices is written with repeated indices, so that edges of all sizes
    up to k share one tensor. Add an axis for channels, and it is the input of a
    `PermutationNetwork` of order k. Order 2 with edges of two vertices is the adjacency matrix.

    Args:
        edges: for each edge its vertices.
        n: the number of vertices.
        order: k.

    Raises:
        ShapeError: an edge is empty, has more than k distinct vertices, or names no vertex.

    Source: Maron et al., https://arxiv.org/abs/1812.09902, section 1.

    Example:
        >>> hypergraph_tensor([[0, 1], [2]], 3, 2)
        tensor([[0., 1., 0.],
                [1., 0., 0.],
                [0., 0., 1.]])
    """
    out = torch.zeros((n,) * order)
    for edge in edges:
        vertices = sorted(set(edge))
        if not vertices or len(vertices) > order or not 0 <= vertices[0] <= vertices[-1] < n:
            raise ShapeError(
                "an edge does not fit the tensor",
                got=list(edge),
                expected=f"1 to {order} vertices out of 0, …, {n - 1}",
            )
        if len(vertices) == order:
            places = permutations(vertices)
        else:
            places = (i for i in product(vertices, repeat=order) if len(set(i)) == len(vertices))
        for place in places:
            out[place] = 1.0
    return out
