"""Networks on tensors of order k over the vertices of graphs and hypergraphs."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.errors import ShapeError
from schur.nn.pair_product import PairProduct
from schur.nn.permutation_linear import PermutationLinear


class PermutationNetwork(torch.nn.Module):
    """Linear maps that commute with renumbering, and a function of each entry between them.

        x ← f(L x),  or with `multiply` where x is of order two  x ← f(L [x, P x])

    with L a `PermutationLinear` and P a `PairProduct` of as many channels as x. The last map has
    no function after it. A stack of the L alone is as strong as message passing with a
    global node (order 2), or the k-dimensional Weisfeiler-Leman test (order k); with P order 2 is
    as strong as order 3 without.

    Args:
        orders: of the input, of each layer's output, and so of the result.
        channels: as many numbers.
        activation: the function of each entry.
        multiply: whether layers on pairs see products of neighbours.

    Source: Maron et al., https://arxiv.org/abs/1812.09902 and https://arxiv.org/abs/1905.11136.

    Example:
        >>> network = PermutationNetwork([2, 2, 0], [1, 16, 3], multiply=True)
        >>> network(torch.ones(10, 5, 5, 1)).shape, network(torch.ones(7, 7, 1)).shape
        (torch.Size([10, 3]), torch.Size([3]))
    """

    def __init__(
        self,
        orders: Sequence[int],
        channels: Sequence[int],
        activation: Callable[[Tensor], Tensor] = torch.nn.functional.silu,
        *,
        multiply: bool = False,
    ) -> None:
        super().__init__()
        if len(orders) != len(channels) or len(orders) < 2:
            raise ShapeError(
                "a network has an order and a number of channels for its input and each layer",
                got=(list(orders), list(channels)),
                expected="two lists of one length, 2 or more",
            )
        self.activation = activation
        self.layers, self.products = torch.nn.ModuleList(), torch.nn.ModuleList()
        steps = zip(orders, orders[1:], channels, channels[1:], strict=False)
        for k, l, width_in, width_out in steps:
            with_product = multiply and k == 2
            self.products.append(
                PairProduct(width_in, width_in) if with_product else torch.nn.Identity()
            )
            self.layers.append(PermutationLinear(k, l, width_in * (1 + with_product), width_out))

    def forward(self, x: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """Evaluate on tensors of shape (..., n, …, n, channels), one n in a batch."""
        last = len(self.layers) - 1
        for place, (product, layer) in enumerate(zip(self.products, self.layers, strict=True)):
            if isinstance(product, PairProduct):
                x = torch.cat([x, product(x)], -1)
            x = layer(x)
            x = x if place == last else self.activation(x)
        return x
