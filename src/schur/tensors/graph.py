"""Edges between nodes, checked once and sorted once."""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.engine import Sorted, recording
from schur.errors import DtypeError, ShapeError


class Graph:
    """The edges of a graph, with the sorts that summing over them needs.

    Layers that take an `edge_index` take a graph too, and need not sort again.

    Args:
        edge_index: integers of shape (2, edges): row 0 the senders, row 1 the receivers, in any
            order; loops and repetitions are allowed.
        num_nodes: how many nodes there are.
        paired: whether edge k + edges/2 is edge k with sender and receiver exchanged.

    Attributes:
        pairs: for each edge the number of its pair, with the sort; None if edges are not `paired`.

    Raises:
        ShapeError: if `edge_index` has another shape, or edges said to be paired are not.
        DtypeError: if it does not hold integers.
        IndexRangeError: if it names a node that is not there.

    Example:
        >>> graph = Graph(torch.tensor([[0, 1, 2], [1, 0, 1]]), 3)
        >>> graph
        Graph(num_nodes=3, num_edges=3)
        >>> graph.in_degree.tolist()
        [1, 2, 0]
    """

    pairs: Sorted | None

    def __init__(
        self, edge_index: Shaped[Tensor, "..."], num_nodes: int, paired: bool = False
    ) -> None:
        check_edge_index(edge_index)
        if num_nodes < 0:
            raise ShapeError("a graph has no negative number of nodes", got=num_nodes)
        self.num_nodes = num_nodes
        self.receivers = Sorted(edge_index[1], num_nodes)
        self.senders = Sorted(edge_index[0], num_nodes)
        self.pairs = None
        if paired:
            recording.checked(lambda: check_paired(edge_index), edge_index)
            self.pairs = Sorted.repeated(edge_index.shape[1] // 2, 2, edge_index.device)

    @cached_property
    def edge_index(self) -> Shaped[Tensor, "2 edges"]:
        """Senders and receivers as one array."""
        return torch.stack([self.senders.index, self.receivers.index])

    @property
    def num_edges(self) -> int:
        """How many edges there are."""
        return len(self.receivers.index)

    @property
    def in_degree(self) -> Shaped[Tensor, " nodes"]:
        """For each node the number of edges that it receives."""
        return self.receivers.start.diff()

    @classmethod
    def of(
        cls, edges: Shaped[Tensor, "..."] | Graph, num_nodes: int, paired: bool = False
    ) -> Graph:
        """The graph of these edges, or the graph itself.

        Raises:
            ShapeError: a graph of another number of nodes; else as `Graph`.
        """
        if not isinstance(edges, Graph):
            return cls(edges, num_nodes, paired)
        if edges.num_nodes != num_nodes:
            raise ShapeError(
                "this graph has another number of nodes", got=edges.num_nodes, expected=num_nodes
            )
        return edges

    @classmethod
    def known(cls, senders: Sorted, receivers: Sorted, pairs: Sorted | None = None) -> Graph:
        """A graph of indices whose sort is known; nothing is checked."""
        made = object.__new__(cls)
        made.num_nodes = receivers.size
        made.senders, made.receivers, made.pairs = senders, receivers, pairs
        return made

    def to(self, device: torch.device | str) -> Graph:
        """The same on another device."""
        pairs = None if self.pairs is None else self.pairs.to(device)
        return Graph.known(self.senders.to(device), self.receivers.to(device), pairs)

    def with_further_nodes(self, count: int) -> Graph:
        """The same with so many nodes more, which no edge touches.

        Example:
            >>> Graph(torch.tensor([[0, 1], [1, 0]]), 2).with_further_nodes(1).in_degree
            tensor([1, 1, 0])
        """

        def longer(end: Sorted) -> Sorted:
            start = torch.cat([end.start, end.start[-1:].expand(count)])
            return Sorted.known(end.index, end.order, start)

        return Graph.known(longer(self.senders), longer(self.receivers), self.pairs)

    def __repr__(self) -> str:
        return f"Graph(num_nodes={self.num_nodes}, num_edges={self.num_edges})"


def check_paired(edge_index: Tensor) -> None:
    """Raise ShapeError unless the second half of the edges is the first half reversed.

    Example:
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


def check_edge_index(edge_index: Tensor) -> None:
    """Raise unless the array has the shape (2, edges) and holds integers."""
    if edge_index.ndim != 2 or len(edge_index) != 2:
        raise ShapeError(
            "edge_index has the wrong shape",
            got=tuple(edge_index.shape),
            expected="(2, edges): senders, receivers",
            remedy="transpose an (edges, 2) array, or stack senders and receivers",
        )
    if edge_index.dtype not in (torch.int32, torch.int64):
        raise DtypeError(
            "edge_index must hold integers", got=edge_index.dtype, expected="int32 or int64"
        )
