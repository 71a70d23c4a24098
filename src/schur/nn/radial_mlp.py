"""The network from radial functions to the weights of a convolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.engine.block_map import BlockMap, BlockPath
from schur.errors import DtypeError, ShapeError
from schur.nn.blockwise import block_linear
from schur.nn.second_moment import ScalarFunction, second_moment_scale
from schur.nn.silu import silu


class _Layer(torch.nn.Module):
    """One matrix; the module exists so that parameters are named as in e3nn."""

    def __init__(self, size_in: int, size_out: int) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(size_in, size_out))


class RadialMLP(torch.nn.Module):
    """A multilayer perceptron on invariants, without biases.

        x <- c φ(x W / √h)    in between,    x W / √h    at the end,

    with W standard normal at first, h the size that goes in, and c such that c φ has second
    moment 1 on normal numbers.  The numbers, the names of the parameters and the normalisation are
    those of `e3nn.nn.FullyConnectedNet`.

    Args:
        sizes: input, hidden and output sizes.
        activation: φ, or None for a product of matrices.
        variance_in, variance_out: variance of the input, and wanted variance of the output.
        out_activation: whether the activation follows the last matrix too.

    Raises:
        ShapeError: if there are fewer than two sizes, or one is not positive.

    Example:
        >>> net = RadialMLP([8, 64, 64, 128])
        >>> net(torch.randn(10, 8)).shape
        torch.Size([10, 128])
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: ScalarFunction | None = torch.nn.functional.silu,
        variance_in: float = 1.0,
        variance_out: float = 1.0,
        out_activation: bool = False,
    ) -> None:
        super().__init__()
        self.sizes = tuple(sizes)
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise ShapeError("a network needs at least two positive sizes", got=self.sizes)
        self.activation = silu if activation is torch.nn.functional.silu else activation
        moment = 1.0 if activation is None else second_moment_scale(activation)
        self._maps: list[BlockMap] = []
        gain = variance_in**-0.5  # what the input of a matrix still has to be multiplied by
        for k, (size_in, size_out) in enumerate(zip(self.sizes, self.sizes[1:], strict=False)):
            setattr(self, f"layer{k}", _Layer(size_in, size_out))
            last = k == len(self.sizes) - 2
            scale = gain * size_in**-0.5
            if last and not (out_activation and activation is not None):
                scale *= variance_out**0.5
            path = BlockPath(0, 0, 1, size_in, size_out, 0, scale)
            self._maps.append(BlockMap((path,), size_in, size_out, size_in * size_out))
            gain = moment
        self._final = None
        if out_activation and activation is not None:
            self._final = moment * variance_out**0.5

    def forward(self, x: Shaped[Tensor, "..."]) -> Tensor:
        """Evaluate, shape (..., sizes[0]) to (..., sizes[-1])."""
        if x.shape[-1:] != (self.sizes[0],):
            raise ShapeError(
                "the input has the wrong shape", got=tuple(x.shape), expected=("...", self.sizes[0])
            )
        lead, x = x.shape[:-1], x.reshape(-1, self.sizes[0])
        x = self._through(x, len(self._maps))
        if self._final is not None:
            x = x * self._final
        return x.reshape(*lead, self.sizes[-1])

    def in_parts(self, x: Shaped[Tensor, "rows radial"]) -> tuple[Tensor, Tensor]:
        """What the last matrix multiplies, and that matrix with the constants.

        For a layer that takes both in place of their product; see `Convolution`.

        Raises:
            ShapeError: where an activation follows the last matrix.

        Example:
            >>> net, x = RadialMLP([8, 16, 4]), torch.randn(3, 8)
            >>> hidden, matrix = net.in_parts(x)
            >>> torch.allclose(hidden @ matrix, net(x), atol=1e-5)
            True
        """
        if self._final is not None:
            raise ShapeError(
                "this network does not end with a matrix",
                got="out_activation=True",
                expected="a network without an activation at its end",
            )
        last = len(self._maps) - 1
        (path,) = self._maps[last].paths
        return self._through(x, last), path.scale * getattr(self, f"layer{last}").weight

    def _through(self, x: Tensor, count: int) -> Tensor:
        """The first of the matrices, each with the activation that follows it."""
        for k, blocks in enumerate(self._maps[:count]):
            weight = getattr(self, f"layer{k}").weight
            if weight.dtype != x.dtype and not torch.is_autocast_enabled(x.device.type):
                raise DtypeError(
                    "the input and the weights differ in number type",
                    got=(x.dtype, weight.dtype),
                    remedy="convert the input or the layer with .to(dtype)",
                )
            # The constants of activation and normalisation ride along with the matrix product.
            x = block_linear(x.to(weight.dtype), weight.reshape(-1), blocks)
            if self.activation is not None and (k < len(self._maps) - 1 or self._final):
                x = self.activation(x)
        return x

    def extra_repr(self) -> str:
        return f"{' -> '.join(map(str, self.sizes))}"
