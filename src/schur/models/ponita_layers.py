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
from ..nn.second_moment import second_moment_scale
from ..nn.silu import silu
from ..tensors.harmonics import spherical_harmonics
from .ponita_config import PONITAConfig

SILU_VARIANCE = second_moment_scale(nn.functional.silu) ** -2
"""The second moment of what a basis of kernels is made of: functions φ, without a constant."""


class KernelBasis(nn.Module):
    """Functions of the invariants of an edge and one direction, or two.

        φ(Σ_k p_k W_k b),    with more layers after it where `config.kernel_hidden` has more widths

    b are the radial functions of the edge. W_k b is made once for an edge, whatever the number of
    directions; of a direction there are only the invariants p_k, a few numbers.

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
        invariants = 4 + config.handed if self.joint else config.degree + 1
        first, *rest = config.kernel_hidden
        self.of_length = RadialMLP([config.radial, invariants * first], activation=None)
        self.rest = None
        if rest:
            self.rest = RadialMLP(
                config.kernel_hidden,
                variance_in=SILU_VARIANCE,
                variance_out=SILU_VARIANCE,
                out_activation=True,
            )
        places = len(directions) ** (2 if self.joint else 1)
        self._combine = _combination(places, invariants, first)

    def forward(
        self, vectors: Float[Tensor, "edges 3"], radial: Float[Tensor, "edges radial"]
    ) -> Float[Tensor, "edges places width"]:
        """(edges, directions, width), or (edges, directions · directions, width)."""
        numbers = self._of_two(vectors) if self.joint else self._of_one(vectors)
        combined = self._combine(numbers.flatten(1), self.of_length(radial))
        basis = silu(combined).unflatten(1, (numbers.shape[1], -1))
        return basis if self.rest is None else self.rest(basis)

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
        self.kernel = RadialMLP([basis, width], variance_in=SILU_VARIANCE, variance_out=variance)
        self._weights = torch.from_numpy(weights.copy())
        self._opposite = tuple((directions @ directions.T).argmin(1).tolist())
        if not self.joint:
            self.mix = ZonalConvolution(width, config.degree, directions, weights, config.norm)
        else:
            self.mix = DirectionNorm(width, weights) if config.norm else nn.Identity()
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
        return features + self.network(self.mix(collected))


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


class ZonalConvolution(nn.Module):
    """A convolution over directions, and the norm of what it gives.

        h_lm(u)   = a_l(u) Σ_o w(o) Y_lm(o) x(o, u) / √(2l+1)          harmonics of degrees l <= L
        out(o, u) = b(u) + Σ_lm Y_lm(o) h_lm(u)

    By the addition theorem that is the convolution with the kernel Σ_l a_l √(2l+1) P_l(o·o').
    With a norm

        c(u) (h - mean_u h) / √(Σ_lm mean_u h_lm² + ε)

    takes the place of h in the second line: `DirectionNorm` where there are (L + 1)² numbers in
    place of one for each direction, and with its mean over the whole sphere.

    Args:
        features: channels u.
        degree: L.
        directions, weights: the grid.
        norm: whether there is one.
    """

    def __init__(
        self,
        features: int,
        degree: int,
        directions: Float64[np.ndarray, "directions 3"],
        weights: Float64[np.ndarray, " directions"],
        norm: bool,
    ) -> None:
        super().__init__()
        self.over_directions = nn.Parameter(torch.randn(degree + 1, features))
        self.weight = nn.Parameter(torch.ones(features)) if norm else None
        self.bias = nn.Parameter(torch.zeros(features))
        values = harmonic_values(degree, directions, "component")
        degrees = np.arange(degree + 1)
        of_each = degrees.repeat(2 * degrees + 1)
        self._degree_of = torch.from_numpy(of_each)
        self._into = _linear_map((values * (2 * of_each + 1) ** -0.5).T * weights, features)
        self._back = _linear_map(values, features)

    def forward(
        self, x: Float[Tensor, "atoms directions features"]
    ) -> Float[Tensor, "atoms directions features"]:
        """The same shape."""
        h = self._into(x.flatten(1)).unflatten(1, (-1, x.shape[2]))
        h = h * self.over_directions[self._degree_of.to(x.device)]
        if self.weight is not None:
            h = h - h.mean(-1, keepdim=True)
            square = h.square().mean(-1).sum(1)[:, None, None]
            h = h * torch.rsqrt(square + 1e-5) * self.weight
        # The harmonic of degree zero is one everywhere.
        h = torch.cat([h[:, :1] + self.bias, h[:, 1:]], 1)
        return self._back(h.flatten(1)).unflatten(1, (-1, x.shape[2]))


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
def _combination(places: int, invariants: int, width: int) -> Routine:
    """out[e, o, u] = Σ_k p[e, o, k] v[e, k, u] / √(number of k)."""
    numbers = Operand("numbers", (Block(places * invariants),))
    values = Operand("values", (Block(invariants, (width,)),))
    out = Operand("out", (Block(places, (width,)),))
    terms = [[o * invariants + k, k, o] for o, k in product(range(places), range(invariants))]
    factors = (Factor("numbers", 0), Factor("values", 0, "u"), Factor("out", 0, "u"))
    path = Path(factors, np.array(terms), np.full(len(terms), invariants**-0.5))
    return Routine(Form((numbers, values, out), (path,)).open("out"))


def _linear_map(matrix: Float64[np.ndarray, "out in"], width: int) -> Routine:
    """out[n, i, u] = Σ_j M[i, j] x[n, j, u]."""
    x, out = (
        Operand(name, (Block(size, (width,)),))
        for name, size in zip(("x", "out"), matrix.shape[::-1], strict=True)
    )
    factors = (Factor("x", 0, "u"), Factor("out", 0, "u"))
    return Routine(Form((x, out), (Path.dense(factors, matrix.T),)).open("out"))


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
