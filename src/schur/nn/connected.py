"""Which nodes of a graph hang together."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int64, Shaped
from torch import Tensor

from schur.engine import recording


def first_connected(
    edge_index: Shaped[Tensor, "2 edges"], num_nodes: int, there: Bool[Tensor, " edges"]
) -> Int64[Tensor, " nodes"]:
    """For each node the smallest number among the nodes that hang together with it.

    Every node takes the smallest number among itself and its neighbours, then that of the node
    of this number, until nothing changes; edges count in both directions.

    Args:
        edge_index: integers.
        num_nodes: how many nodes there are.
        there: the edges that count.

    Source: Shiloach and Vishkin, "An O(log n) parallel connectivity algorithm" (1982): hooking and
    shortcutting.

    Example:
        >>> edges, there = torch.tensor([[3, 1, 2], [0, 4, 1]]), torch.tensor([True, True, False])
        >>> first_connected(edges, 5, there).tolist()
        [0, 1, 2, 0, 1]
    """
    first = torch.empty(num_nodes, dtype=torch.int64, device=edge_index.device)

    def find() -> None:
        torch.arange(num_nodes, out=first)
        ends = edge_index[:, there].long()
        ends = torch.cat([ends, ends.flip(0)], 1)
        while True:
            least = first.scatter_reduce(0, ends[1], first[ends[0]], "amin")
            least = least[least]
            if least.equal(first):
                return
            first.copy_(least)

    recording.past_torch(find, [edge_index, there], [first])
    return first
