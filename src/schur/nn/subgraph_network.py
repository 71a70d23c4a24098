"""Networks on neighbourhoods: order two where it is cheap."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from schur.errors import ShapeError
from schur.nn.ego_subgraphs import EgoGroup
from schur.nn.permutation_network import PermutationNetwork


class SubgraphNetwork(torch.nn.Module):
    """An order-2 network on each vertex's neighbourhood, summed where neighbourhoods overlap.

        out[v] = Σ_c f(A_c, mark of c, x on the diagonal)[v]   over the neighbourhoods c with v in c

    f is a `PermutationNetwork` from order 2 to order 1, the same for all neighbourhoods. For
    neighbourhoods of s vertices it costs n s^2 (with `multiply` n s^3) and not n^2 (n^3).

    Without `multiply` f tells neighbourhoods apart as colour refinement does: the graphs of Rook
    and Shrikhande, whose neighbourhoods are a hub with two triangles and a hub with a hexagon,
    need `multiply` or a second hop.

    Args:
        channels_in: of the vertices' features; 0 for graphs without.
        channels: of the hidden layers on pairs.
        channels_out: of the result.
        multiply: see `PermutationNetwork`.

    Source: Mitton and Murray-Smith, "Subgraph permutation equivariant networks",
    https://arxiv.org/abs/2111.11840.

    Example:
        >>> from schur.nn import ego_subgraphs
        >>> ring = torch.stack([torch.arange(6), (torch.arange(6) + 1) % 6])
        >>> both_ways = torch.cat([ring, ring.flip(0)], 1)
        >>> network = SubgraphNetwork(3, [8], 2)
        >>> network(torch.randn(6, 3), ego_subgraphs(both_ways, 6, hops=1)).shape
        torch.Size([6, 2])
    """

    def __init__(
        self,
        channels_in: int,
        channels: Sequence[int],
        channels_out: int,
        *,
        multiply: bool = False,
    ) -> None:
        super().__init__()
        self.channels_in, self.channels_out = channels_in, channels_out
        orders = [2, *[2] * len(channels), 1]
        widths = [2 + channels_in, *channels, channels_out]
        self.network = PermutationNetwork(orders, widths, multiply=multiply)

    def forward(
        self, x: Float[Tensor, "n u"], groups: Sequence[EgoGroup], chunk: int | None = None
    ) -> Float[Tensor, "n w"]:
        """Evaluate.

        Args:
            x: features of the vertices.
            groups: see `ego_subgraphs`.
            chunk: how many neighbourhoods are held at once; None for all of one size. Bounds
                memory where no gradient is asked for.
        """
        if x.shape[1] != self.channels_in:
            raise ShapeError(
                "features of vertices", got=x.shape, expected=(len(x), self.channels_in)
            )
        out = x.new_zeros(len(x), self.channels_out)
        for group in groups:
            many = chunk or len(group.members)
            for members, adjacency in zip(
                group.members.split(many), group.adjacency.split(many), strict=True
            ):
                found = self.network(self._pairs(x, members, adjacency))
                out = out.index_add(0, members.reshape(-1), found.reshape(-1, out.shape[1]))
        return out

    def _pairs(self, x: Tensor, members: Tensor, adjacency: Tensor) -> Tensor:
        """Edges, the mark of the centre, and the vertices' features on the diagonal."""
        mark = torch.zeros_like(adjacency, dtype=x.dtype)
        mark[:, 0, 0] = 1.0
        pairs = torch.stack([adjacency.to(x.dtype), mark], -1)
        features = torch.diag_embed(x[members].movedim(-1, 1)).movedim(1, -1)
        return torch.cat([pairs, features], -1)
