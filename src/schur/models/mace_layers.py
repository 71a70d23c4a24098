"""What MACE is made of: radial embedding, message passing, readout."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..nn.activation import Activation
from ..nn.convolution import Convolution, with_network
from ..nn.cutoffs import PolynomialCutoff
from ..nn.linear import Linear
from ..nn.radial_basis import RadialBasis
from ..nn.radial_mlp import RadialMLP
from ..nn.radial_spline import SplineKnots, SplinePlace
from ..nn.species import Species
from ..nn.symmetric_contraction import SymmetricContraction
from ..reps import Irrep, Irreps
from ..tensors import Graph
from .distance_transforms import AgnesiTransform, SoftTransform
from .mace_config import MACEConfig

_TRANSFORMS = {"agnesi": AgnesiTransform, "soft": SoftTransform}


class RadialEmbedding(nn.Module):
    """Bessel functions of a distance or of its transform, and the envelope of the distance.

    Args:
        config: shape of the model.
        numbers: atomic number of each species; read by a transform only.
    """

    def __init__(self, config: MACEConfig, numbers: Sequence[int]) -> None:
        super().__init__()
        self.envelope = PolynomialCutoff(config.cutoff, config.envelope)
        self.basis = RadialBasis(config.cutoff, config.radial)
        kind = _TRANSFORMS.get(config.distance_transform)
        self.transform = None if kind is None else kind(numbers)
        self.on_weights = config.envelope_on == "weights"

    def forward(
        self, length: Tensor, species: Tensor, edge_index: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """(edges,) -> (edges, radial), and (edges, 1) where the envelope is for the weights."""
        envelope = self.envelope(length)[:, None]
        if self.transform is not None:
            first, second = species[edge_index]
            length = self.transform(length, first, second)
        basis = self.basis(length)
        return (basis, envelope) if self.on_weights else (basis * envelope, None)


class TabulatedEmbedding(nn.Module):
    """A radial embedding whose functions are read from tables: it says where.

    Args:
        embedding: what it replaces.
        knots: of the tables.
    """

    def __init__(self, embedding: RadialEmbedding, knots: SplineKnots) -> None:
        super().__init__()
        self.envelope, self.on_weights, self.knots = embedding.envelope, embedding.on_weights, knots

    def forward(
        self, length: Tensor, species: Tensor, edge_index: Tensor
    ) -> tuple[SplinePlace, Tensor | None]:
        """(edges,) -> the place of each distance, and the envelope where it is for the weights."""
        return self.knots(length), self.envelope(length)[:, None] if self.on_weights else None


class MACELayer(nn.Module):
    """One message passing, as `MACE` describes it.

    Args:
        config: shape of the model.
        index: which layer.
        rep_in, rep_out: features before and after.
        num_species: how many elements there are.
        mean_neighbours: what the sum over neighbours is divided by, where no density does it.
    """

    def __init__(
        self,
        config: MACEConfig,
        index: int,
        rep_in: Irreps,
        rep_out: Irreps,
        num_species: int,
        mean_neighbours: float,
    ) -> None:
        super().__init__()
        kind = config.interaction if index else config.first_interaction
        edge = Irreps.spherical_harmonics(config.edge_lmax)
        message = message_rep(config, index)
        correlation = config.correlations()[index]
        self.scale = 1.0 / mean_neighbours
        sent = config.sent if index else config.sent_first
        rep_sent = rep_in if sent is None else Irreps(sent)
        self.up = Linear(rep_in, rep_sent)
        self.convolution = Convolution(rep_sent, edge, message)
        widths = [config.radial, *config.radial_hidden, self.convolution.weight_numel]
        self.fused = None
        if config.fuse_radial:
            self.fused = Convolution(rep_sent, edge, message, hidden=widths[-2])
        self.weights = RadialMLP(widths)
        self.mix = Linear(self.convolution.rep_out, message)
        self.contraction = SymmetricContraction(message, rep_out, correlation, num_species)
        self.update = Linear(rep_out, rep_out)
        self.residual = self.choice = self.density = None
        if kind in ("residual", "density-residual"):
            self.residual = Linear(rep_in, rep_out, species=num_species)
        else:
            self.choice = Linear(message, message, species=num_species)
        if kind in ("density", "density-residual"):
            self.density = RadialMLP([config.radial, 1])

    def forward(
        self,
        features: Tensor,
        species: Species,
        harmonics: Tensor,
        radial: Tensor | SplinePlace,
        envelope: Tensor | None,
        graph: Graph,
    ) -> Tensor:
        """(atoms, rep_in.dim) -> (atoms, rep_out.dim); `radial` of all edges or of one half."""
        at = (self.up(features), harmonics, graph)
        message = with_network(self.convolution, self.fused, self.weights, radial, envelope, at)
        message = self.mix(message)
        if self.density is None:
            message = message * self.scale
        else:
            assert isinstance(radial, Tensor)  # densities are not tabulated
            message = message / (1 + self._density(radial, envelope, graph))
        if self.choice is not None:
            message = self.choice(message, species=species)
        many = self.update(self.contraction(message, species))
        return many if self.residual is None else many + self.residual(features, species=species)

    def _density(self, radial: Tensor, envelope: Tensor | None, graph: Graph) -> Tensor:
        """Σ_j tanh(d(r_ij)²) at each atom, as (atoms, 1)."""
        assert self.density is not None
        edges = torch.tanh(self.density(radial) ** 2)
        if envelope is not None:
            edges = edges * envelope
        if len(edges) < graph.num_edges:
            edges = edges.repeat(2, 1)
        return edges.new_zeros(graph.num_nodes, 1).index_add(0, graph.receivers.index, edges)


class ScalarReadout(nn.Module):
    """Scalars -> hidden scalars -> SiLU -> one number."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.first = Linear(f"{channels}x0e", f"{hidden}x0e")
        self.activation = Activation(f"{hidden}x0e", [nn.functional.silu])
        self.second = Linear(f"{hidden}x0e", "1x0e")

    def forward(self, features: Tensor) -> Tensor:
        """(atoms, channels) -> (atoms, 1)."""
        return self.second(self.activation(self.first(features)))


def message_rep(config: MACEConfig, index: int) -> Irreps:
    """The irreps of a layer's messages: those of the harmonics of an edge.

    Where hidden features have odd scalars, both parities from the second layer on.

    Example:
        >>> config = MACEConfig(hidden="4x0e+4x0o+4x1o", edge_lmax=1)
        >>> message_rep(config, 0), message_rep(config, 1)
        (4x0e+4x1o, 4x0o+4x0e+4x1o+4x1e)
    """
    hidden = Irreps(config.hidden)
    channels = hidden[0].mul
    if index and Irrep("0o") in hidden:
        degrees = range(config.edge_lmax + 1)
        return Irreps([(channels, Irrep(degree, p)) for degree in degrees for p in (-1, 1)])
    return Irreps([(channels, ir) for _, ir in Irreps.spherical_harmonics(config.edge_lmax)])
