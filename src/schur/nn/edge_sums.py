"""What message passing does around networks on edges: spread to edges, collect at nodes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float
from torch import Tensor

from schur.engine import Routine, Sorted
from schur.forms import Block, Factor, Form, Operand, Path, Program
from schur.tensors import Graph


def spread(
    at_receiver: Float[Tensor, "nodes channels"],
    at_sender: Float[Tensor, "nodes channels"],
    of_edge: Float[Tensor, "_ channels"],
    graph: Graph,
) -> Float[Tensor, "edges channels"]:
    """a[receiver(e)] + b[sender(e)] + c[e], in one pass.

    Args:
        at_receiver, at_sender: a and b.
        of_edge: c, one row for each edge, or for each pair of a graph of paired edges.
        graph: the edges.

    Example:
        >>> import torch
        >>> graph = Graph(torch.tensor([[0, 1], [1, 0]]), 2)
        >>> a, b = torch.tensor([[1.0], [2.0]]), torch.tensor([[10.0], [20.0]])
        >>> spread(a, b, torch.zeros(2, 1), graph).T
        tensor([[12., 21.]])
    """
    routine = _routine("spread", at_receiver.shape[1], _rows(of_edge, graph))
    indices = _indices(graph, of_edge)
    return routine(at_receiver, at_sender, of_edge, indices={**indices, "senders": graph.senders})


def collect(
    of_edge: Float[Tensor, "edges columns"], factor: Float[Tensor, "_ factors"], graph: Graph
) -> Float[Tensor, "nodes columns"]:
    """Σ_{e -> n} c[e] v[e], in one pass.

    Args:
        of_edge: v.
        factor: c, of one column or as many as v has; one row for each edge, or for each pair of a
            graph of paired edges.
        graph: the edges.

    Example:
        >>> import torch
        >>> graph = Graph(torch.tensor([[0, 1, 2], [1, 0, 1]]), 3)
        >>> v, c = torch.ones(3, 2), torch.tensor([[1.0], [2.0], [3.0]])
        >>> collect(v, c, graph)
        tensor([[2., 2.],
                [4., 4.],
                [0., 0.]])
    """
    kind = "collect" if factor.shape[1] == 1 else "collect by channel"
    routine = _routine(kind, of_edge.shape[1], _rows(factor, graph))
    sizes = {"receivers": graph.num_nodes, "rows": graph.num_edges}
    return routine(of_edge, factor, indices=_indices(graph, factor), sizes=sizes)


def convolve(
    at_sender: Float[Tensor, "nodes channels"],
    of_edge: Float[Tensor, "edges channels"],
    factor: Float[Tensor, "_ 1"],
    graph: Graph,
) -> Float[Tensor, "nodes channels"]:
    """Σ_{e -> n} c[e] w[e] ∘ x[sender(e)], in one pass.

    Args:
        at_sender: x.
        of_edge: w, a filter for each channel.
        factor: c, one row for each edge, or for each pair of a graph of paired edges.
        graph: the edges.

    Example:
        >>> import torch
        >>> graph = Graph(torch.tensor([[0, 1, 2], [1, 0, 1]]), 3)
        >>> x, w = torch.tensor([[1.0], [2.0], [3.0]]), torch.full((3, 1), 10.0)
        >>> convolve(x, w, torch.tensor([[1.0], [1.0], [0.5]]), graph).T
        tensor([[20., 25.,  0.]])
    """
    routine = _routine("convolve", at_sender.shape[1], _rows(factor, graph))
    indices = {**_indices(graph, factor), "senders": graph.senders}
    return routine(at_sender, of_edge, factor, indices=indices)


def _rows(array: Tensor, graph: Graph) -> str | None:
    """The index at which an array is read where it has one row for each pair."""
    return "pairs" if graph.pairs is not None and len(array) < graph.num_edges else None


def _indices(graph: Graph, array: Tensor) -> dict[str, Sorted]:
    found = {"receivers": graph.receivers}
    if _rows(array, graph) is not None:
        assert graph.pairs is not None
        found["pairs"] = graph.pairs
    return found


@lru_cache(maxsize=256)
def _routine(kind: str, channels: int, pairs: str | None) -> Routine:
    make = {"spread": _spreading, "convolve": _convolving}.get(kind, _collecting)
    return Routine(make(channels, pairs, kind))


def _spreading(channels: int, pairs: str | None, kind: str) -> Program:
    block = (Block(1, (channels,)),)
    sources = (
        Operand("at_receiver", block, "indexed", "receivers"),
        Operand("at_sender", block, "indexed", "senders"),
        Operand("of_edge", block, "row" if pairs is None else "indexed", pairs),
    )
    out = Operand("out", block)
    paths = tuple(
        Path((Factor(source.name, 0, "u"), Factor("out", 0, "u")), np.zeros((1, 2), int), [1.0])
        for source in sources
    )
    return Form((*sources, out), paths).open("out")


def _collecting(channels: int, pairs: str | None, kind: str) -> Program:
    block = (Block(1, (channels,)),)
    shared = kind == "collect"
    factors = (Block(1),) if shared else block
    operands = (
        Operand("of_edge", block),
        Operand("factor", factors, "row" if pairs is None else "indexed", pairs),
        Operand("out", block, "indexed", "receivers"),
    )
    letters = ("u", "" if shared else "u", "u")
    path = Path(
        [Factor(o.name, 0, c) for o, c in zip(operands, letters, strict=True)],
        np.zeros((1, 3), int),
        [1.0],
    )
    return Form(operands, (path,)).open("out")


def _convolving(channels: int, pairs: str | None, kind: str) -> Program:
    block = (Block(1, (channels,)),)
    operands = (
        Operand("at_sender", block, "indexed", "senders"),
        Operand("of_edge", block),
        Operand("factor", (Block(1),), "row" if pairs is None else "indexed", pairs),
        Operand("out", block, "indexed", "receivers"),
    )
    path = Path(
        [Factor(o.name, 0, c) for o, c in zip(operands, ("u", "u", "", "u"), strict=True)],
        np.zeros((1, 4), int),
        [1.0],
    )
    return Form(operands, (path,)).open("out")
