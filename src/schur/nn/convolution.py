"""Message passing: gather, product with per-edge weights, sum."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.engine import Routine
from schur.engine.routine import Backend
from schur.errors import ShapeError
from schur.forms import Program
from schur.nn.radial_mlp import RadialMLP
from schur.products import Instruction, convolution, with_last_layer
from schur.reps import Irreps
from schur.tensors import GeometricTensor, Graph, check_edge_index, checked, wrapped


class Convolution(torch.nn.Module):
    """The depth-wise product of neighbours' features with edge attributes, summed at each node.

        out[n, k, u] = Σ_{e -> n} Σ_{ij} C[i, j, k] weight[e, u] x[sender(e), i, u] y[e, j]

    One routine gathers, multiplies and sums; no array with one line an edge is made but the
    arguments.  Paths and coefficients are those of e3nn's product in mode `uvu`.

    Args:
        rep_in: representation of the nodes' features.
        rep_edge: representation of the edges' attributes, as a rule spherical harmonics.
        rep_out: the irreps that survive; its multiplicities do not matter.
        backend: see `schur.engine.Routine`.
        hidden: if given, the last layer of the radial network is part of the product: weights are
            made from so many numbers of each edge and a `matrix`, both given to the call.  On a GPU
            an array of weights, and of their gradients, is then never made: less memory for more
            arithmetic.  See `schur.products.with_last_layer`.

    Attributes:
        rep_out: one block for each path that survives: for each term of `rep_in`, for each term
            of `rep_edge`, for each irrep of their product by increasing degree.
        weight_numel: weights of one edge: for each path, multiplicity in `rep_in` times
            multiplicity in `rep_edge`.
        paths: the paths with their coefficients.
        program: what is computed, to be printed, counted and differentiated.

    Source: Batzner et al., "E(3)-equivariant graph neural networks for data-efficient and accurate
    interatomic potentials" (2022), eq. 8.

    Example:
        >>> layer = Convolution("8x0e+8x1o", "0e+1o", "0e+1o")
        >>> layer
        Convolution(8x0e+8x1o x 1x0e+1x1o -> 8x0e+8x1o+8x1o+8x0e, 32 weights an edge)
        >>> x, y, w = torch.randn(3, 32), torch.randn(2, 4), torch.randn(2, 32)
        >>> layer(x, y, w, torch.tensor([[0, 1], [1, 2]]), num_nodes=3).shape
        torch.Size([3, 64])
    """

    rep_in: Irreps
    rep_edge: Irreps
    rep_out: Irreps
    paths: tuple[Instruction, ...]
    weight_numel: int
    program: Program

    def __init__(
        self,
        rep_in: Irreps | str,
        rep_edge: Irreps | str,
        rep_out: Irreps | str,
        backend: Backend = "auto",
        hidden: int | None = None,
    ) -> None:
        super().__init__()
        self.rep_in, self.rep_edge = Irreps(rep_in), Irreps(rep_edge)
        self.program, self.rep_out, self.paths = convolution(
            self.rep_in, self.rep_edge, Irreps(rep_out)
        )
        self.hidden = hidden
        self.weight_numel = sum(torch.Size(line.path_shape).numel() for line in self.paths)
        by_pair, _, _ = convolution(self.rep_in, self.rep_edge, Irreps(rep_out), weights="pairs")
        some = bool(self.program.outputs)
        if hidden is not None and some:
            self.program = by_pair = with_last_layer(self.program, hidden)
        self.routine = Routine(self.program, backend) if some else None
        self.routine_by_pair = Routine(by_pair, backend) if some else None

    def forward(
        self,
        x: Shaped[Tensor, "..."] | GeometricTensor,
        edge_attr: Shaped[Tensor, "..."] | GeometricTensor,
        weight: Shaped[Tensor, "..."],
        edge_index: Shaped[Tensor, "..."] | Graph,
        num_nodes: int | None = None,
        matrix: Shaped[Tensor, "..."] | None = None,
    ) -> Any:
        """Evaluate.

        Args:
            x: features of the senders, shape (nodes, rep_in.dim).
            edge_attr: shape (edges, rep_edge.dim).
            weight: shape (edges, weight_numel); or (edges / 2, weight_numel) with a Graph of paired
                edges, one line for both edges of a pair.
            edge_index: senders and receivers, integers of shape (2, edges), in any order; or a
                Graph, which carries the sort from layer to layer.
            num_nodes: how many receivers there are; the length of `x` if not given.
            matrix: shape (hidden, weight_numel), for a layer made with `hidden`: the weights of an
                edge are then `weight @ matrix`, and `weight` has `hidden` columns.

        Returns:
            Shape (num_nodes, rep_out.dim); zero at nodes that receive nothing.

        Raises:
            ShapeError, DtypeError, RepresentationError, IndexRangeError: for arguments that do
                not fit.
        """
        nodes = _table(checked(x, self.rep_in, "x"), "x", "nodes")
        edges = _table(checked(edge_attr, self.rep_edge, "edge_attr"), "edge_attr", "edges")
        pairs = edge_index.pairs if isinstance(edge_index, Graph) else None
        if pairs is not None and len(weight) == len(edges):
            pairs = None
        lines = len(edges) if pairs is None else pairs.size
        columns = self.weight_numel if self.hidden is None else self.hidden
        if weight.shape != (lines, columns):
            raise ShapeError(
                "weight has the wrong shape",
                got=tuple(weight.shape),
                expected=(lines, columns),
                remedy="give one line of numbers for each edge, or pair of edges",
            )
        at_hand = {"x": nodes, "y": edges, "weight": weight}
        if self.hidden is not None or matrix is not None:
            at_hand |= {"matrix": self._in_blocks(matrix)}
            at_hand["hidden"] = weight if pairs is None else weight[pairs.index]
            pairs = None
        receivers = len(nodes) if num_nodes is None else num_nodes
        if isinstance(edge_index, Graph):
            senders, targets = edge_index.senders, edge_index.receivers
            receivers = edge_index.num_nodes if num_nodes is None else num_nodes
        else:
            check_edge_index(edge_index)
            senders, targets = edge_index[0], edge_index[1]
        routine = self.routine if pairs is None else self.routine_by_pair
        if routine is None:
            return wrapped(nodes.new_zeros(receivers, self.rep_out.dim), self.rep_out, x, edge_attr)
        indices = {"senders": senders, "receivers": targets}
        out = routine(
            *[at_hand[operand.name] for operand in self.program.inputs],
            indices=indices if pairs is None else {**indices, "pairs": pairs},
            sizes={"receivers": receivers},
        )
        return wrapped(out, self.rep_out, x, edge_attr)

    def _in_blocks(self, matrix: Tensor | None) -> Tensor:
        """The matrix as its program has it: what belongs to one path lies together."""
        expected = None if self.hidden is None else (self.hidden, self.weight_numel)
        if matrix is None or matrix.shape != expected:
            raise ShapeError(
                "matrix has the wrong shape",
                got=None if matrix is None else tuple(matrix.shape),
                expected=expected,
                remedy="make the layer with hidden=..., and give it a matrix of that shape",
            )
        sizes = [torch.Size(line.path_shape).numel() for line in self.paths]
        return torch.cat([part.flatten() for part in matrix.split(sizes, 1)])

    def __repr__(self) -> str:
        return (
            f"Convolution({self.rep_in} x {self.rep_edge} -> {self.rep_out}, "
            f"{self.weight_numel} weights an edge)"
        )


def with_network(
    plain: Convolution,
    fused: Convolution | None,
    network: torch.nn.Module,
    radial: Any,
    envelope: Tensor | None,
    at: tuple[Tensor, Tensor, Graph],
) -> Tensor:
    """A convolution whose weights a radial network makes, with its last layer inside or before.

    Args:
        plain: takes weights.
        fused: the same with `hidden`, or None to make weights first.
        network: a `RadialMLP`; of any other, such as a table, weights are made first.
        radial: what it reads.
        envelope: multiplies the weights, shape (edges, 1); or None.
        at: features, attributes of edges, and the graph.
    """
    features, harmonics, graph = at
    if fused is not None and isinstance(network, RadialMLP):
        hidden, matrix = network.in_parts(radial)
        hidden = hidden if envelope is None else hidden * envelope
        return fused(features, harmonics, hidden, graph, matrix=matrix)
    weights = network(radial)
    weights = weights if envelope is None else weights * envelope
    return plain(features, harmonics, weights, graph)


def _table(array: Tensor, name: str, lines: str) -> Tensor:
    if array.ndim != 2:
        raise ShapeError(
            f"{name} has to have one line for each of the {lines}",
            got=tuple(array.shape),
            expected=f"({lines}, {array.shape[-1]})",
        )
    return array
