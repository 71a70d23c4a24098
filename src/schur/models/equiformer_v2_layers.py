"""The parts of an EquiformerV2 block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..nn.attention import neighbour_softmax
from ..nn.frame_maps import FrameLinear, IntoFrames, OutOfFrames, frame_dim
from ..nn.linear import Linear
from ..nn.radial_mlp import RadialMLP
from ..nn.separable_layer_norm import SeparableLayerNorm
from ..nn.sphere_activation import SphereActivation
from ..reps import Irreps
from ..tensors import Graph
from .equiformer_v2_config import EquiformerV2Config

NORM_EPS = 0.01
"""What norms add to mean squares: see `SeparableLayerNorm` on sites of high symmetry."""


@dataclass(frozen=True)
class Edges:
    """What all blocks read of the edges.

    Args:
        graph: senders and receivers.
        wigner: matrices of their frames (`edge_wigner`).
        invariants: (edges, width), see `EdgeInvariants`.
        envelope: (edges,), zero at the cutoff.
    """

    graph: Graph
    wigner: Tensor
    invariants: Tensor
    envelope: Tensor


class EquiformerBlock(nn.Module):
    """Attention, then a network at each atom; both see normed features and add to what was there.

    Args:
        config: shape of the model.
        rep_in: features that come in.
        rep_out: features that are passed on: the same, or their scalars alone.
        widths: sizes of the network from an edge's invariants to its factors, but the last.
    """

    def __init__(
        self, config: EquiformerV2Config, rep_in: Irreps, rep_out: Irreps, widths: Sequence[int]
    ) -> None:
        super().__init__()
        self.dim_out = rep_out.dim
        self.norms = nn.ModuleList(SeparableLayerNorm(rep, NORM_EPS) for rep in (rep_in, rep_out))
        self.attention = FrameAttention(config, rep_in, rep_out, widths)
        self.network = SphereFeedForward(rep_out, rep_out, config.feed_forward, config.grid)

    def forward(self, features: Tensor, edges: Edges) -> Tensor:
        """(atoms, rep_in.dim) -> (atoms, rep_out.dim)."""
        before, between = self.norms
        features = features[:, : self.dim_out] + self.attention(before(features), edges)
        return features + self.network(between(features))


class FrameAttention(nn.Module):
    """Attention of atoms to their neighbours, each message made in the frame of its edge.

        u, s, f = W D(R)ᵀ (s(|r|, z, z') [x_sender, x_receiver])         all channels and degrees
        a_h     = softmax over neighbours of  w_h · leaky(norm(u_h))     re-normalised attention
        out     = W'' Σ D(R) a_h W' [φ(s), φ on a grid of f]             values of head h

    W and W' act on each order |m| by itself (`FrameLinear`), u are scalars for each head, s one for
    each hidden channel, and φ is SiLU (`SphereActivation` in the frame). The norm of u before its
    function is the paper's attention re-normalisation: it keeps logits of one size whatever the
    degree.

    Args:
        config: shape of the model.
        rep_in, rep_out: features before and after.
        widths: sizes of the network from an edge's invariants to its factors, but the last.

    Source: Liao et al. (2024), sections 4.1 and 4.2.
    """

    def __init__(
        self, config: EquiformerV2Config, rep_in: Irreps, rep_out: Irreps, widths: Sequence[int]
    ) -> None:
        super().__init__()
        order = config.frame_order
        self.heads, self.per_head = config.heads, config.attention_channels
        self.into = IntoFrames(rep_in, order)
        self.factors = RadialMLP([*widths, 2 * self.into.scale_numel])
        scalars = self.heads * self.per_head + config.hidden
        hidden = Irreps([(config.hidden, ir) for _, ir in rep_in])
        signal = hidden if config.lmax else Irreps("")
        self.mix = FrameLinear(rep_in + rep_in, Irreps([(scalars, "0e")]) + signal, order)
        self.norm = nn.LayerNorm(self.per_head)
        self.fit = nn.Parameter(torch.randn(self.heads, self.per_head) * self.per_head**-0.5)
        self.activation = SphereActivation(
            config.hidden, config.lmax, config.grid, order=order, separable=True
        )
        values = Irreps([(self.heads * config.value_channels, ir) for _, ir in rep_out])
        self.value = FrameLinear(hidden, values, order)
        self.components = frame_dim(values, order) // values[0].mul
        self.value_channels = config.value_channels
        self.back = OutOfFrames(values, order)
        self.out = Linear(values, rep_out)

    def forward(
        self, features: Float[Tensor, "atoms dim"], edges: Edges
    ) -> Float[Tensor, "atoms dim_out"]:
        """Evaluate."""
        graph, into = edges.graph, self.into
        factors = self.factors(edges.invariants)
        ends = [
            into(features, edges.wigner, part.contiguous(), nodes)
            for part, nodes in zip(
                factors.chunk(2, 1), (graph.senders, graph.receivers), strict=True
            )
        ]
        mixed = self.mix(torch.cat(ends, 1))
        fits, signal = mixed.split([self.heads * self.per_head, self.activation.dim_in], 1)
        value = self.value(self.activation(signal))
        attention = self._attention(fits.unflatten(1, (self.heads, self.per_head)), edges)
        spread = attention.repeat_interleave(self.value_channels, 1)
        value = value.unflatten(1, (self.components, spread.shape[1])) * spread[:, None]
        return self.out(self.back(value.flatten(1), edges.wigner, graph))

    def _attention(self, fits: Tensor, edges: Edges) -> Tensor:
        """(edges, heads, per_head) scalars to (edges, heads) weights."""
        logits = (smooth_leaky(self.norm(fits)) * self.fit).sum(-1)
        graph = edges.graph
        return neighbour_softmax(logits, edges.envelope, graph.receivers.index, graph.num_nodes)


class SphereFeedForward(nn.Module):
    """W' [φ(s), φ on a grid of f] with s, f = W x: a network on the features of one atom.

    Args:
        rep_in, rep_out: features before and after, of one multiplicity each and degrees 0 to lmax.
        hidden: multiplicity of each degree in between.
        grid: degree of the grid.

    Source: Liao et al. (2024), figure 1d.

    Example:
        >>> rep = Irreps("4x0e+4x1o")
        >>> SphereFeedForward(rep, rep, 8, 12)(torch.randn(3, 16)).shape
        torch.Size([3, 16])
    """

    def __init__(self, rep_in: Irreps, rep_out: Irreps, hidden: int, grid: int) -> None:
        super().__init__()
        between = Irreps([(hidden, ir) for _, ir in rep_in])
        self.activation = SphereActivation(hidden, rep_in.lmax, grid, separable=True)
        signal = between if rep_in.lmax else Irreps("")
        self.first = Linear(rep_in, Irreps([(hidden, "0e")]) + signal, biases=True)
        self.second = Linear(between, rep_out)

    def forward(self, features: Float[Tensor, "atoms dim"]) -> Float[Tensor, "atoms dim_out"]:
        """Evaluate."""
        return self.second(self.activation(self.first(features)))


def smooth_leaky(x: Tensor) -> Tensor:
    """0.6 x + 0.4 x (2 σ(x) - 1): a leaky rectifier of slopes 1 and 0.2 without a kink.

    Example:
        >>> smooth_leaky(torch.tensor([-20.0, 0.0, 20.0]))
        tensor([-4.,  0., 20.])
    """
    return x * (0.2 + 0.8 * torch.sigmoid(x))
