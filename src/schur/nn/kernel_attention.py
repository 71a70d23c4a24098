"""Attention whose keys and values are convolutions, fused: no array of keys or values is made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from schur.engine import Routine
from schur.engine.routine import Backend
from schur.errors import RepresentationError, ShapeError
from schur.forms import Block, Factor, Form, Operand, Path, Program
from schur.nn.attention import neighbour_softmax
from schur.nn.linear import Linear
from schur.products import convolution
from schur.reps import Irreps
from schur.tensors import Graph


class KernelAttention(torch.nn.Module):
    """Each node sums its neighbours' values, weighted by how their keys fit its query.

        k_e = x'_s ⊗_{w(e)} y_e,   v_e = x''_s ⊗_{w'(e)} y_e,   q_r = Linear(x_r)
        a_e = c_e exp⟨q_r, k_e⟩ / (1 + Σ_{e' -> r} c_{e'} exp⟨q_r, k_{e'}⟩)
        out_r = Linear(Σ_{e -> r} a_e v_e)

    for each head, a share of the channels; x' and x'' are linear maps of x, ⊗ the depth-wise
    product of `Convolution`, s and r an edge's sender and receiver, c its envelope. A query has
    one block for each path of the product, so that ⟨q, k⟩ is the convolution's form with every
    slot filled, and a_e v_e the same form with one factor more: keys and values are never stored.

    Args:
        rep_in, rep_edge, rep_out: of nodes, edges and result; `rep_in` of one multiplicity.
        heads: number of heads; it has to divide that multiplicity.
        backend: see `schur.engine.Routine`.

    Attributes:
        key_numel, value_numel: weights w and w' of an edge.

    Raises:
        RepresentationError: several multiplicities, heads that do not divide them, or no product
            that is wanted.

    Source: Fuchs et al., "SE(3)-Transformers" (2020), equations 10 and 11.

    Example:
        >>> layer = KernelAttention("4x0e+4x1o", "0e+1o", "4x0e+4x1o", heads=2)
        >>> graph = Graph(torch.tensor([[0, 1, 2], [1, 2, 0]]), 3)
        >>> weights = torch.randn(3, layer.key_numel), torch.randn(3, layer.value_numel)
        >>> layer(torch.randn(3, 16), torch.randn(3, 4), *weights, graph, torch.ones(3)).shape
        torch.Size([3, 16])
    """

    def __init__(
        self,
        rep_in: Irreps | str,
        rep_edge: Irreps | str,
        rep_out: Irreps | str,
        heads: int = 1,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.rep_in, self.rep_edge, self.rep_out = map(Irreps, (rep_in, rep_edge, rep_out))
        self.heads = heads
        multiplicities = {mul for mul, _ in self.rep_in}
        self.channels = max(multiplicities, default=0)
        if len(multiplicities) != 1 or heads < 1 or self.channels % heads:
            raise RepresentationError(
                "attention needs one multiplicity that its heads divide",
                got=f"{heads} heads for {self.rep_in}",
                expected="such as 4 heads for 32x0e + 32x1o",
            )
        keys = {weights: _Filled.build(self, self.rep_in, weights) for weights in ("row", "pairs")}
        rows = {weights: _Filled.build(self, self.rep_out, weights) for weights in ("row", "pairs")}
        self.key_numel, self.value_numel = keys["row"].weight_numel, rows["row"].weight_numel
        self.query = Linear(self.rep_in, keys["row"].rep)
        self.key = Linear(self.rep_in, self.rep_in)
        self.value = Linear(self.rep_in, self.rep_in)
        self.out = Linear(rows["row"].rep, self.rep_out)
        # ⟨q, k⟩ has the variance of its number of terms.
        self.scale = (keys["row"].rep.dim / heads) ** -0.5
        self.logits = {name: Routine(made.logits(), backend) for name, made in keys.items()}
        self.sums = {name: Routine(made.weighted(), backend) for name, made in rows.items()}

    def forward(
        self,
        x: Shaped[Tensor, "..."],
        edge_attr: Shaped[Tensor, "..."],
        key_weight: Shaped[Tensor, "..."],
        value_weight: Shaped[Tensor, "..."],
        graph: Graph,
        envelope: Shaped[Tensor, "..."],
    ) -> Float[Tensor, "nodes dim"]:
        """Evaluate.

        Args:
            x: shape (nodes, rep_in.dim).
            edge_attr: shape (edges, rep_edge.dim).
            key_weight, value_weight: shapes (edges, key_numel) and (edges, value_numel); or one
                line for both edges of a pair, with a Graph of paired edges.
            graph: the edges.
            envelope: factors of the edges, shape (edges,), zero at the cutoff.

        Raises:
            ShapeError: arguments that do not fit.
        """
        edges = graph.num_edges
        _check("x", x, (graph.num_nodes, self.rep_in.dim))
        _check("edge_attr", edge_attr, (edges, self.rep_edge.dim))
        _check("envelope", envelope, (edges,))
        pairs = graph.pairs if len(key_weight) < edges else None
        lines = edges if pairs is None else pairs.size
        _check("key_weight", key_weight, (lines, self.key_numel))
        _check("value_weight", value_weight, (lines, self.value_numel))
        indices = {"senders": graph.senders, "receivers": graph.receivers}
        if pairs is not None:
            indices["pairs"] = pairs
        which = "row" if pairs is None else "pairs"
        fits = self.logits[which](
            self.key(x), edge_attr, key_weight, self.query(x), indices=indices
        )
        fits = self.scale * fits.unflatten(1, (self.heads, -1)).sum(-1)
        attention = neighbour_softmax(fits, envelope, graph.receivers.index, graph.num_nodes)
        spread = attention.repeat_interleave(self.channels // self.heads, 1)
        total = self.sums[which](
            self.value(x),
            edge_attr,
            value_weight,
            spread,
            indices=indices,
            sizes={"receivers": graph.num_nodes},
        )
        return self.out(total)

    def extra_repr(self) -> str:
        return f"{self.rep_in} x {self.rep_edge} -> {self.rep_out}, heads={self.heads}"


class _Filled:
    """The form of a convolution, to be given more factors than it has."""

    def __init__(self, program: Program, rep: Irreps, weight_numel: int, channels: int) -> None:
        self.form: Form = program.statements[0].form
        self.rep, self.weight_numel, self.channels = rep, weight_numel, channels

    @classmethod
    def build(cls, layer: KernelAttention, keep: Irreps, weights: str) -> _Filled:
        program, rep, paths = convolution(layer.rep_in, layer.rep_edge, keep, weights)
        if not paths:
            raise RepresentationError(
                "no product of nodes and edges has an irrep that is wanted",
                got=f"{layer.rep_in} x {layer.rep_edge}",
                expected=str(keep),
            )
        numel = sum(torch.Size(path.path_shape).numel() for path in paths)
        return cls(program, rep, numel, layer.channels)

    def logits(self) -> Program:
        """⟨query, k⟩ of each edge, one number a channel: the output's slot is filled too."""
        *read, out = self.form.operands
        query = replace(out, name="query")
        paths = [
            Path(
                [replace(f, operand="query") if f.operand == out.name else f for f in path.factors],
                path.components,
                path.coefficients,
                path.label,
            )
            for path in self.form.paths
        ]
        return self._with_factor("logit", (*read, query), paths).open("logit")

    def weighted(self) -> Program:
        """Σ attention · v, with one attention a channel."""
        *read, out = self.form.operands
        form = self._with_factor("attention", tuple(read), list(self.form.paths), (out,))
        return form.open(out.name)

    def _with_factor(
        self,
        name: str,
        before: tuple[Operand, ...],
        paths: list[Path],
        after: tuple[Operand, ...] = (),
    ) -> Form:
        """The form with an operand of one number a channel and edge, in every path."""
        factor = Operand(name, (Block(1, (self.channels,)),))
        longer = [
            Path(
                [*path.factors, Factor(name, 0, "u")],
                np.pad(path.components, ((0, 0), (0, 1))),
                path.coefficients,
                path.label,
            )
            for path in paths
        ]
        return Form((*before, factor, *after), tuple(longer))


def _check(name: str, given: Tensor, expected: tuple[int, ...]) -> None:
    if tuple(given.shape) != expected:
        raise ShapeError(f"{name} has the wrong shape", got=tuple(given.shape), expected=expected)
