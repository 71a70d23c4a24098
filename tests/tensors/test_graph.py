"""Graphs: bounds are checked, sorts are right."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from schur.errors import DtypeError, IndexRangeError, ShapeError
from schur.tensors import Graph


@given(st.integers(1, 6), st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_sorts(nodes: int, edges: list[tuple[int, int]]) -> None:
    pairs = [(s % nodes, r % nodes) for s, r in edges]
    index = torch.tensor(pairs, dtype=torch.int64).reshape(-1, 2).T
    graph = Graph(index, nodes)
    assert torch.equal(graph.edge_index, index)
    assert graph.num_edges == len(edges)
    assert graph.in_degree.tolist() == [sum(r == n for _, r in pairs) for n in range(nodes)]
    for side, row in ((graph.senders, 0), (graph.receivers, 1)):
        for node in range(nodes):
            rows = side.order[side.start[node] : side.start[node + 1]]
            assert rows.tolist() == [e for e, pair in enumerate(pairs) if pair[row] == node]


def test_int32_and_moving() -> None:
    graph = Graph(torch.tensor([[0, 1], [1, 0]], dtype=torch.int32), 2).to("cpu")
    assert graph.senders.index.tolist() == [0, 1]
    assert repr(graph) == "Graph(num_nodes=2, num_edges=2)"


def test_errors() -> None:
    index = torch.tensor([[0, 1], [1, 2]])
    with pytest.raises(IndexRangeError, match="outside"):
        Graph(index, 2)
    with pytest.raises(IndexRangeError, match="outside"):
        Graph(-index, 3)
    with pytest.raises(ShapeError, match="edge_index"):
        Graph(torch.zeros(3, 4, dtype=torch.int64), 5)
    with pytest.raises(DtypeError, match="integers"):
        Graph(index.float(), 3)
    with pytest.raises(ShapeError, match="negative"):
        Graph(index[:, :0], -1)
