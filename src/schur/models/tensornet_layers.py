"""What TensorNet is made of: embedding and interaction of 3 x 3 matrices."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import sqrt

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..engine import Routine
from ..forms import Block, Factor, Form, Operand, Path, Program
from ..nn.convolution import Convolution
from ..nn.layer_norm import LayerNorm
from ..nn.linear import Linear
from ..nn.radial_mlp import RadialMLP
from ..nn.radial_spline import SplinePlace
from ..products import cartesian
from ..reps import Irreps
from ..tensors import Graph
from .tensornet_config import TensorNetConfig

_SIZES = (1, 3, 5)
"""Components of I, A and S."""

_LENGTHS = (sqrt(3), sqrt(2), sqrt(2 / 3))
"""Frobenius norms of the identity, of [r̂]_× and of r̂ r̂ᵀ - 1/3."""


class MatrixEmbedding(nn.Module):
    """Matrices of atoms from their neighbours' species, distances and directions.

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: what the variance of the sum over neighbours is divided by.
    """

    def __init__(self, config: TensorNetConfig, num_species: int, mean_neighbours: float) -> None:
        super().__init__()
        width, rep = config.features, matrices_of(config.features)
        self.at_receiver = nn.Parameter(torch.randn(num_species, width))
        self.at_sender = nn.Parameter(torch.randn(num_species, width))
        # Two embeddings of variance 1 are added; the sum has about λ terms.
        variance = 0.5 / mean_neighbours
        self.weights = RadialMLP([config.radial, 3 * width], variance_out=variance)
        self.norm = LayerNorm(f"{width}x0e")
        self.gates = RadialMLP([width, 2 * width, 3 * width], out_activation=True)
        self.mix = Linear(rep, rep)

    def forward(
        self, species: Tensor, harmonics: Tensor, radial: Tensor | SplinePlace, graph: Graph
    ) -> Float[Tensor, "atoms matrices"]:
        """(atoms,) -> (atoms, 9 features)."""
        weights = self.weights(radial)
        pairs = graph.pairs if len(weights) < graph.num_edges else None
        indices = {"receivers": graph.receivers, "senders": graph.senders}
        routine = _embedding_routine(self.mix.rep_in[0].mul, pairs is not None)
        matrices = routine(
            self.at_receiver[species],
            self.at_sender[species],
            harmonics,
            weights,
            indices=indices if pairs is None else {**indices, "pairs": pairs},
        )
        gates = self.gates(self.norm(norms(matrices, (9,))))
        return scaled(self.mix(matrices), gates, _SIZES)


class MatrixInteraction(nn.Module):
    """One interaction layer, as `TensorNet` describes it.

    Args:
        config: shape of the model.
        mean_neighbours: what the variance of the sum over neighbours is divided by.
    """

    def __init__(self, config: TensorNetConfig, mean_neighbours: float) -> None:
        super().__init__()
        rep = matrices_of(config.features)
        self.up, self.update = Linear(rep, rep), Linear(rep, rep)
        self.convolution = Convolution(rep, "0e", rep)
        widths = [config.radial, *config.radial_hidden, self.convolution.weight_numel]
        self.weights = RadialMLP(widths, variance_out=1 / mean_neighbours)
        self.product = Routine(cartesian(rep, rep, rep, weight=None).program)

    def forward(
        self,
        matrices: Float[Tensor, "atoms matrices"],
        radial: Tensor | SplinePlace,
        graph: Graph,
    ) -> Float[Tensor, "atoms matrices"]:
        """(atoms, 9 features) to the same; `radial` of all edges or of one half."""
        matrices = tamed(matrices)
        own = self.up(matrices)
        weights = self.weights(radial)
        ones = own.new_ones(graph.num_edges, 1)
        message = self.convolution(own, ones, weights, graph)
        change = self.update(tamed(self.product(own, message)))
        # The product of a matrix with itself is X X + X X.
        return matrices + change + 0.5 * self.product(change, change)


def matrices_of(features: int) -> Irreps:
    """The irreps of so many 3 x 3 matrices, those of polar vectors in the antisymmetric part.

    Example:
        >>> matrices_of(8)
        8x0e+8x1o+8x2e
    """
    return Irreps(f"{features}x0e + {features}x1o + {features}x2e")


def norms(
    matrices: Float[Tensor, "atoms matrices"], sizes: Sequence[int]
) -> Float[Tensor, "atoms channels"]:
    """‖·‖² of each channel and each part, parts of these numbers of components one after another.

    Example:
        >>> norms(torch.ones(1, 9), (9,)), norms(torch.ones(1, 9), (1, 3, 5))
        (tensor([[9.]]), tensor([[1., 3., 5.]]))
    """
    squares = matrices.unflatten(1, (9, -1)).square()
    return torch.cat([part.sum(1) for part in squares.split(list(sizes), 1)], 1)


def tamed(matrices: Float[Tensor, "atoms matrices"]) -> Float[Tensor, "atoms matrices"]:
    """X / (‖X‖² + 1), channel by channel; without it repeated products diverge."""
    return scaled(matrices, 1 / (norms(matrices, (9,)) + 1), (9,))


def scaled(
    matrices: Float[Tensor, "atoms matrices"],
    factors: Float[Tensor, "atoms channels"],
    sizes: Sequence[int],
) -> Float[Tensor, "atoms matrices"]:
    """Each channel of each part times its factor; factors laid out as by `norms`."""
    parts = matrices.unflatten(1, (9, -1)).split(list(sizes), 1)
    by_part = factors.unflatten(1, (len(sizes), -1)).unbind(1)
    return torch.cat([x * f[:, None] for x, f in zip(parts, by_part, strict=True)], 1).flatten(1)


@lru_cache(maxsize=64)
def _embedding_routine(features: int, by_pair: bool) -> Routine:
    return Routine(_embedding_program(features, by_pair))


def _embedding_program(features: int, by_pair: bool) -> Program:
    """out[n, k, u] = Σ_{e -> n} (a[n, u] + b[sender, u]) c_l Y_lk[e] w[e, l, u]."""
    line = Block(1, (features,))
    weights = Operand("weight", (line,) * 3, *(("indexed", "pairs") if by_pair else ("row", None)))
    harmonics = Operand("harmonics", tuple(Block(size) for size in _SIZES))
    out = Operand("out", tuple(Block(n, (features,)) for n in _SIZES), "indexed", "receivers")
    species = (
        Operand("at_receiver", (line,), "indexed", "receivers"),
        Operand("at_sender", (line,), "indexed", "senders"),
    )
    paths = []
    for of_atom in species:
        for part, (size, length) in enumerate(zip(_SIZES, _LENGTHS, strict=True)):
            factors = (
                Factor(of_atom.name, 0, "u"),
                Factor("harmonics", part),
                Factor("weight", part, "u"),
                Factor("out", part, "u"),
            )
            components = np.array([[0, k, 0, k] for k in range(size)])
            paths.append(Path(factors, components, np.full(size, length)))
    return Form((*species, harmonics, weights, out), tuple(paths)).open("out")
