"""What PONITA is made of: kernels of invariants, and convolutions with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor, nn

from ..engine import Routine, Sorted
from ..forms import Block, Factor, Form, Operand, Path, Program
from ..harmonics import harmonic_values
from ..nn.position_orientation import pair_invariants
from ..nn.radial_mlp import RadialMLP
from ..tensors.harmonics import spherical_harmonics
from .ponita_config import PONITAConfig


class KernelBasis(nn.Module):
    """Functions of the invariants of an edge and one direction, or two.

    Args:
        config: shape of the model.
        directions: the grid.
    """

    def __init__(
        self, config: PONITAConfig, directions: Float64[np.ndarray, "directions 3"]
    ) -> None:
        super().__init__()
        self.degree, self.joint = config.degree, config.kernel == "joint"
        self.handed = config.handed
        # Constants are made in the number type of the vectors, so that float64 stays exact.
        self._directions = torch.from_numpy(directions.copy())
        self._legendre = torch.from_numpy(_addition_theorem(config.degree, directions))
        angular = 4 + config.handed if self.joint else config.degree + 1
        widths = [config.radial * angular, *config.kernel_hidden]
        self.network = RadialMLP(widths, out_activation=True)

    def forward(
        self, vectors: Float[Tensor, "edges 3"], radial: Float[Tensor, "edges radial"]
    ) -> Float[Tensor, "edges places width"]:
        """(edges, directions, width), or (edges, directions · directions, width)."""
        angular = self._of_two(vectors) if self.joint else self._of_one(vectors)
        products = angular[..., None] * radial[:, None, None]
        return self.network(products.flatten(2))

    def _of_one(self, vectors: Tensor) -> Tensor:
        """P_l(o·r̂) for all degrees, (edges, directions, degrees)."""
        harmonics = spherical_harmonics(tuple(range(self.degree + 1)), vectors, True, "component")
        matrix = self._legendre.to(vectors)
        return (harmonics @ matrix).unflatten(1, (-1, self.degree + 1))

    def _of_two(self, vectors: Tensor) -> Tensor:
        """1, o·r̂, o'·r̂, o·o' and, where handed, det(o, r̂, o'), (edges, directions², numbers)."""
        grid = self._directions.to(vectors)
        count = len(grid)
        first = grid.repeat_interleave(count, 0).expand(len(vectors), -1, -1)
        second = grid.repeat(count, 1).expand(len(vectors), -1, -1)
        unit = spherical_harmonics((1,), vectors, True, "norm")[:, None].expand_as(first)
        numbers = pair_invariants(unit, first, second)
        return torch.cat([torch.ones_like(numbers[..., :1]), numbers[..., 1 : 4 + self.handed]], -1)


@dataclass(frozen=True)
class Way:
    """Edges that are walked in one direction.

    Args:
        senders, receivers: the ends of each.
        reverse: whether kernels are those of the edges turned round.
    """

    senders: Sorted
    receivers: Sorted
    reverse: bool = False


class PONITALayer(nn.Module):
    """One convolution with its network, as `PONITA` describes it.

    Args:
        config: shape of the model.
        directions, weights: the grid.
        mean_neighbours: what the variance of the sum over neighbours is divided by.
    """

    def __init__(
        self,
        config: PONITAConfig,
        directions: Float64[np.ndarray, "directions 3"],
        weights: Float64[np.ndarray, " directions"],
        mean_neighbours: float,
    ) -> None:
        super().__init__()
        width, basis = config.features, config.kernel_hidden[-1]
        self.count, self.joint = len(directions), config.kernel == "joint"
        # A joint kernel integrates over directions too; its terms have variances w².
        spread = len(directions) if self.joint else 1.0
        variance = spread / mean_neighbours
        self.kernel = RadialMLP([basis, width], variance_out=variance)
        self._weights = torch.from_numpy(weights.copy())
        self._opposite = tuple((directions @ directions.T).argmin(1).tolist())
        cosines = np.clip(directions @ directions.T, -1, 1)
        self._zonal = torch.from_numpy(_legendre_of(config.degree, cosines) * weights[:, None])
        self.over_directions = None
        if not self.joint:
            self.over_directions = nn.Parameter(torch.randn(config.degree + 1, width))
        self.norm = DirectionNorm(width, weights)
        self.network = RadialMLP([width, 2 * width, width])

    def forward(
        self,
        features: Float[Tensor, "atoms directions features"],
        basis: Float[Tensor, "edges places width"],
        ways: Sequence[Way],
    ) -> Float[Tensor, "atoms directions features"]:
        """Features after one layer.

        Args:
            features: those before.
            basis: of `KernelBasis`.
            ways: along which its edges are walked; one in reverse needs a separable kernel.
        """
        weights, sent = self.kernel(basis).flatten(1), features
        if self.joint:
            sent = features * self._weights.to(features)[:, None]
        parts = []
        for way in ways:
            places = self._opposite if way.reverse else tuple(range(self.count))
            routine = _convolution(places, features.shape[2], self.joint)
            indices = {"senders": way.senders, "receivers": way.receivers}
            parts.append(routine(sent.flatten(1), weights, indices=indices))
        collected = sum(parts[1:], parts[0]).unflatten(1, (self.count, -1))
        if self.over_directions is not None:
            matrix = torch.einsum("lpo,lu->upo", self._zonal.to(features), self.over_directions)
            collected = torch.einsum("upo,npu->nou", matrix, collected)
        return features + self.network(self.norm(collected))


class DirectionNorm(nn.Module):
    """Channels to mean zero at each direction, and to mean square one over all directions.

    One factor for all directions keeps a feature as smooth a function of the direction as it was.
    A factor for each, as in a layer norm at each direction, is sharp where the feature is small,
    which a grid does not resolve: the error under rotations is then many times larger.

    Args:
        features: channels.
        weights: of the directions.
    """

    def __init__(self, features: int, weights: Float64[np.ndarray, " directions"]) -> None:
        super().__init__()
        self._weights = torch.from_numpy(weights.copy())
        self.weight = nn.Parameter(torch.ones(features))
        self.bias = nn.Parameter(torch.zeros(features))

    def forward(
        self, x: Float[Tensor, "atoms directions features"]
    ) -> Float[Tensor, "atoms directions features"]:
        """The same shape."""
        x = x - x.mean(-1, keepdim=True)
        square = (x.square().mean(-1) * self._weights.to(x)).sum(1)[:, None, None]
        return x * torch.rsqrt(square + 1e-5) * self.weight + self.bias


def _legendre_of(
    degree: int, cosines: Float64[np.ndarray, "_ _"]
) -> Float64[np.ndarray, "degrees _ _"]:
    """√(2l+1) P_l of a matrix of cosines, one degree after another."""
    scales = np.sqrt(2 * np.arange(degree + 1) + 1)
    return np.stack(
        [
            scale * np.polynomial.legendre.Legendre.basis(l)(cosines)
            for l, scale in enumerate(scales)  # noqa: E741
        ]
    )


def _addition_theorem(
    degree: int, directions: Float64[np.ndarray, "directions 3"]
) -> Float64[np.ndarray, "harmonics places"]:
    """The matrix from harmonics of a vector to √(2l+1) P_l of its cosines with the directions.

    Σ_m Y_lm(o) Y_lm(r̂) = (2l + 1) P_l(o·r̂) for harmonics in component normalisation.
    """
    values = harmonic_values(degree, directions, "component")
    matrix = np.zeros((values.shape[1], len(directions), degree + 1))
    for l in range(degree + 1):  # noqa: E741
        part = slice(l**2, (l + 1) ** 2)
        matrix[part, :, l] = values[:, part].T / np.sqrt(2 * l + 1)
    return matrix.reshape(values.shape[1], -1)


@lru_cache(maxsize=16)
def _convolution(places: tuple[int, ...], features: int, joint: bool) -> Routine:
    return Routine(_convolution_program(places, features, joint))


def _convolution_program(places: tuple[int, ...], features: int, joint: bool) -> Program:
    """out[n, o, u] = Σ_{e -> n} w[e, places[o], u] x[sender, o, u], or of a joint kernel

    out[n, o, u] = Σ_{e -> n} Σ_o' w[e, o, o', u] x[sender, o', u].

    Args:
        places: of each direction's kernel.
        features: u.
        joint: whether kernels couple any two directions.
    """
    directions = len(places)
    grid = Block(directions, (features,))
    x = Operand("x", (grid,), "indexed", "senders")
    weight = Operand("weight", (Block(directions ** (2 if joint else 1), (features,)),))
    out = Operand("out", (grid,), "indexed", "receivers")
    if joint:
        pairs = product(range(directions), repeat=2)
        components = [[o, directions * k + o, k] for k, o in pairs]
    else:
        components = [[o, place, o] for o, place in enumerate(places)]
    factors = tuple(Factor(name, 0, "u") for name in ("x", "weight", "out"))
    path = Path(factors, np.array(components), np.ones(len(components)))
    return Form((x, weight, out), (path,)).open("out")
