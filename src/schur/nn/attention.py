"""Attention between neighbours."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.engine import Routine, Sorted
from schur.engine.routine import Backend
from schur.errors import RepresentationError, ShapeError
from schur.nn.linear import Linear
from schur.nn.radial_mlp import RadialMLP
from schur.products import Placement, channelwise, normalised, tensor_product
from schur.reps import Irreps
from schur.tensors import GeometricTensor, Graph, check_edge_index, checked, wrapped


class Attention(torch.nn.Module):
    """Each node sums its neighbours' values, weighted by how their keys fit its query.

        q_n = Linear(x_n),   k_e = Linear(x_s ⊗_{w(e)} y_e),   v_e = Linear(x_s ⊗_{w'(e)} y_e)
        a_e = c_e exp⟨q_r, k_e⟩ / (1 + Σ_{e' -> r} c_{e'} exp⟨q_r, k_{e'}⟩)
        out_r = Linear(Σ_{e -> r} a_e v_e)

    for each head, where s and r are an edge's sender and receiver, c its envelope and w its
    radial weights.  The 1 in the denominator lets a node attend to nothing: a neighbour that
    leaves the envelope leaves without a step, the last one too.

    Args:
        rep_in, rep_edge, rep_out: representations of nodes, edges and result.
        radial: number of invariants of an edge that the radial weights are made from.
        rep_key: representation of queries and keys; `rep_in` if not given.
        hidden: size of the hidden layers of the radial network.
        heads: number of heads; it has to divide every multiplicity of `rep_key` and `rep_out`.
        backend: see `schur.engine.Routine`.

    Raises:
        RepresentationError: if the heads do not divide the multiplicities.

    Source: Fuchs et al., "SE(3)-Transformers" (2020), eq. 10; Vaswani et al. (2017).

    Example:
        >>> layer = Attention("4x0e+4x1o", "0e+1o", "4x0e+4x1o", radial=8, heads=2)
        >>> edges = torch.tensor([[0, 1, 2], [1, 2, 0]])
        >>> layer(torch.randn(3, 16), torch.randn(3, 4), torch.randn(3, 8), edges).shape
        torch.Size([3, 16])
    """

    rep_in: Irreps
    rep_edge: Irreps
    rep_out: Irreps
    rep_key: Irreps

    def __init__(
        self,
        rep_in: Irreps | str,
        rep_edge: Irreps | str,
        rep_out: Irreps | str,
        radial: int,
        rep_key: Irreps | str | None = None,
        hidden: int = 64,
        heads: int = 1,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.rep_in, self.rep_edge, self.rep_out = map(Irreps, (rep_in, rep_edge, rep_out))
        self.rep_key = self.rep_in if rep_key is None else Irreps(rep_key)
        self.heads = heads
        for rep in (self.rep_key, self.rep_out):
            if heads < 1 or any(mul % heads for mul, _ in rep):
                raise RepresentationError(
                    "the heads do not divide the multiplicities",
                    got=f"{heads} heads for {rep}",
                    expected="multiplicities that are multiples of the number of heads",
                )
        self.query = Linear(self.rep_in, self.rep_key)
        self.key_product = _EdgeProduct(self.rep_in, self.rep_edge, self.rep_key, backend)
        self.value_product = _EdgeProduct(self.rep_in, self.rep_edge, self.rep_out, backend)
        self.key = Linear(self.key_product.rep_out, self.rep_key)
        self.value = Linear(self.value_product.rep_out, self.rep_out)
        self.out = Linear(self.rep_out, self.rep_out)
        self.key_net = RadialMLP([radial, hidden, self.key_product.weight_numel])
        self.value_net = RadialMLP([radial, hidden, self.value_product.weight_numel])
        head = torch.cat([torch.arange(mul) // (mul // heads) for mul, _ in _channels(self)])
        self.register_buffer("_head_of_column", head, persistent=False)

    def forward(
        self,
        x: Shaped[Tensor, "..."] | GeometricTensor,
        edge_attr: Shaped[Tensor, "..."] | GeometricTensor,
        edge_scalars: Shaped[Tensor, "..."],
        edge_index: Shaped[Tensor, "..."] | Graph,
        envelope: Shaped[Tensor, "..."] | None = None,
    ) -> Any:
        """Evaluate.

        Args:
            x: shape (nodes, rep_in.dim).
            edge_attr: shape (edges, rep_edge.dim).
            edge_scalars: invariants of the edges, shape (edges, radial).
            edge_index: senders and receivers, shape (2, edges), or a Graph.
            envelope: factors of the edges, shape (edges,), zero at the cutoff; 1 if not given.

        Returns:
            Shape (nodes, rep_out.dim).
        """
        nodes = checked(x, self.rep_in, "x")
        edges = checked(edge_attr, self.rep_edge, "edge_attr")
        if not isinstance(edge_index, Graph):
            check_edge_index(edge_index)
            edge_index = Graph(edge_index, len(nodes))
        if edge_index.num_nodes != len(nodes) or nodes.ndim != 2:
            raise ShapeError(
                "x has to have one line for each node",
                got=tuple(nodes.shape),
                expected=(edge_index.num_nodes, self.rep_in.dim),
            )
        if envelope is not None and envelope.shape != (edge_index.num_edges,):
            raise ShapeError(
                "envelope has the wrong shape",
                got=tuple(envelope.shape),
                expected=(edge_index.num_edges,),
            )
        senders, receivers = edge_index.senders, edge_index.receivers.index
        key = self.key(self.key_product(nodes, edges, self.key_net(edge_scalars), senders))
        value = self.value(self.value_product(nodes, edges, self.value_net(edge_scalars), senders))
        logits = self._by_head(self.query(nodes)[receivers] * key)
        weight = neighbour_softmax(logits, envelope, receivers, len(nodes))
        spread = weight[:, self.get_buffer("_head_of_column")]
        total = value.new_zeros(len(nodes), value.shape[1])
        total = total.index_add(0, receivers, spread * value)
        return wrapped(self.out(total), self.rep_out, x, edge_attr)

    def _by_head(self, products: Tensor) -> Tensor:
        """Sum the products of queries and keys, (edges, dim), for each head."""
        total = products.new_zeros(len(products), self.heads)
        for (mul, ir), place in zip(self.rep_key, self.rep_key.slices(), strict=True):
            shape = (ir.dim, self.heads, mul // self.heads)
            total = total + products[:, place].unflatten(1, shape).sum((1, 3))
        return total / (self.rep_key.dim / self.heads) ** 0.5

    def extra_repr(self) -> str:
        return f"{self.rep_in} x {self.rep_edge} -> {self.rep_out}, heads={self.heads}"


class _EdgeProduct(torch.nn.Module):
    """The depth-wise product of a convolution, one line an edge, not summed."""

    def __init__(self, rep_in: Irreps, rep_edge: Irreps, keep: Irreps, backend: Backend) -> None:
        super().__init__()
        self.rep_out, lines = channelwise(rep_in, rep_edge, keep)
        if not lines:
            raise RepresentationError(
                "no product of nodes and edges has an irrep that is wanted",
                got=f"{rep_in} x {rep_edge}",
                expected=str(keep),
            )
        paths = normalised(rep_in, rep_edge, self.rep_out, lines)
        self.weight_numel = sum(torch.Size(path.path_shape).numel() for path in paths)
        placement = Placement(in1="senders", weight="row")
        program = tensor_product(rep_in, rep_edge, self.rep_out, paths, placement)
        self.routine = Routine(program, backend)

    def forward(self, x: Tensor, y: Tensor, weight: Tensor, senders: Sorted) -> Tensor:
        return self.routine(x, y, weight, indices={"senders": senders})


def neighbour_softmax(
    logits: Tensor, envelope: Tensor | None, receivers: Tensor, nodes: int
) -> Tensor:
    """c_e exp(logit_e) / (1 + Σ c_{e'} exp(logit_{e'})), summed over the edges of a receiver.

    The largest logit (or 0) is taken out so that no exponential overflows.

    Args:
        logits: shape (edges, heads).
        envelope: c, shape (edges,); 1 if None.
        receivers: the node that an edge points to.
        nodes: how many there are.

    Example:
        >>> both = torch.zeros(2, dtype=torch.int64)
        >>> neighbour_softmax(torch.zeros(2, 1), None, both, 1)
        tensor([[0.3333],
                [0.3333]])
    """
    where = receivers[:, None].expand_as(logits)
    top = logits.new_zeros(nodes, logits.shape[1])
    top = top.scatter_reduce(0, where, logits.detach(), "amax")
    weight = torch.exp(logits - top[receivers])
    if envelope is not None:
        weight = weight * envelope[:, None]
    total = torch.exp(-top).index_add(0, receivers, weight)
    return weight / total[receivers]


def _channels(layer: Attention) -> list[tuple[int, int]]:
    """For each component of each term of the output its channels."""
    return [(mul, m) for mul, ir in layer.rep_out for m in range(ir.dim)]
