"""The neighbourhood of each vertex as a small graph of its own."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from schur.errors import ShapeError


@dataclass(frozen=True)
class EgoGroup:
    """Neighbourhoods with equally many vertices.

    Args:
        members: for each neighbourhood its vertices, the centre first.
        adjacency: which of them are joined by an edge of the whole graph.
    """

    members: Int[Tensor, "m s"]
    adjacency: Bool[Tensor, "m s s"]


def ego_subgraphs(edge_index: Int[Tensor, "2 edges"], nodes: int, hops: int) -> list[EgoGroup]:
    """For each vertex the subgraph on what is at most `hops` steps away, grouped by size.

    Nothing is padded: a layer for any n, such as `PermutationLinear`, runs once a group, on all
    its neighbourhoods together.

    Args:
        edge_index: edges (sender, receiver); steps go both ways, adjacency is as given.
        nodes: the number of vertices.
        hops: the number of steps, 0 or more.

    Raises:
        ShapeError: an edge names no vertex, or `hops` is negative.

    Source: Mitton and Murray-Smith, "Subgraph permutation equivariant networks",
    https://arxiv.org/abs/2111.11840.

    Example:
        >>> path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
        >>> [group.members.tolist() for group in ego_subgraphs(path, 3, 1)]
        [[[0, 1], [2, 1]], [[1, 0, 2]]]
    """
    outside = edge_index.numel() and not 0 <= int(edge_index.min()) <= int(edge_index.max()) < nodes
    if outside or hops < 0:
        raise ShapeError(
            "edges name vertices, and steps are counted from 0",
            got=(edge_index.tolist() if outside else "edges that fit", f"hops = {hops}"),
            expected=f"vertices 0, …, {nodes - 1} and hops >= 0",
        )
    neighbours: list[set[int]] = [set() for _ in range(nodes)]
    for i, j in edge_index.T.tolist():
        neighbours[i].add(j)
        neighbours[j].add(i)
    by_size: dict[int, list[list[int]]] = {}
    for centre in range(nodes):
        found, frontier = {centre}, {centre}
        for _ in range(hops):
            frontier = {j for i in frontier for j in neighbours[i]} - found
            found |= frontier
        members = [centre, *sorted(found - {centre})]
        by_size.setdefault(len(members), []).append(members)
    keys = torch.unique(edge_index[0] * nodes + edge_index[1])
    groups = []
    for size in sorted(by_size):
        members = torch.tensor(by_size[size], device=edge_index.device)
        pairs = members[:, :, None] * nodes + members[:, None, :]
        groups.append(EgoGroup(members, torch.isin(pairs, keys)))
    return groups
