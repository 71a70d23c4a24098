"""MACE: message passing with many-body equivariant messages.

Batatia, Kovács, Simm, Ortner, Csányi, "MACE: Higher Order Equivariant Message Passing Neural
Networks for Fast and Accurate Force Fields", NeurIPS 2022.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from ..errors import RepresentationError, ShapeError
from ..nn.activation import Activation
from ..nn.convolution import Convolution
from ..nn.cutoffs import PolynomialCutoff
from ..nn.linear import Linear
from ..nn.radial_basis import RadialBasis
from ..nn.radial_mlp import RadialMLP
from ..nn.symmetric_contraction import SymmetricContraction
from ..reps import Irrep, Irreps
from ..tensors import Graph
from ..tensors.harmonics import spherical_harmonics


class MACEConfig(BaseModel):
    """Shape of a MACE model.

    Args:
        cutoff: Å; edges are shorter.
        hidden: irreps of the features that a layer passes on, all of one multiplicity; the last
            layer passes on the scalars alone.
        edge_lmax: highest degree of the spherical harmonics of an edge.
        correlation: how many neighbours one message couples (body order less one).
        layers: number of message passings.
        radial: number of radial basis functions.
        radial_hidden: widths of the network from radial basis to weights.
        envelope: exponent p of the polynomial cutoff.
        readout: hidden scalars of the last readout.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["mace"] = "mace"
    cutoff: float = Field(default=5.0, gt=0)
    hidden: str = "64x0e + 64x1o"
    edge_lmax: int = Field(default=3, ge=0)
    correlation: int = Field(default=3, ge=1, le=4)
    layers: int = Field(default=2, ge=1)
    radial: int = Field(default=8, ge=1)
    radial_hidden: tuple[int, ...] = (64, 32)
    envelope: int = Field(default=5, ge=2)
    readout: int = Field(default=16, ge=1)


class MACE(nn.Module):
    """Energies of atoms from species and edge vectors.

    With h⁰ = W_z, edge vectors r_ij and Y the spherical harmonics, each layer t does

        A_i = (1/λ) Σ_j  R(|r_ij|) ⊗ W h_j ⊗ Y(r_ij)     messages of two bodies (Convolution)
        B_i = Σ_ν Σ_paths w_z  A_i ⊗ … ⊗ A_i (ν factors)   many bodies (SymmetricContraction)
        h_i ← W B_i + W_z h_i                             update with a residual by species

    and adds a readout of the scalars of h_i: linear for all layers but the last, which has a
    hidden layer with SiLU. λ is the mean number of neighbours.

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: λ.

    Source: Batatia et al., NeurIPS 2022, equations 5 to 13.

    Example:
        >>> config = MACEConfig(hidden="4x0e + 4x1o", edge_lmax=1, correlation=2)
        >>> model = MACE(config, num_species=2, mean_neighbours=1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> vectors = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> model(vectors, torch.tensor([0, 1]), edges).shape
        torch.Size([2])
    """

    def __init__(self, config: MACEConfig, num_species: int, mean_neighbours: float) -> None:
        super().__init__()
        self.config = config
        self.num_species = num_species
        self.mean_neighbours = float(mean_neighbours)
        hidden = Irreps(config.hidden)
        channels = hidden_channels(hidden)
        scalars = Irreps(f"{channels}x0e")
        self.embedding = nn.Parameter(torch.randn(num_species, channels))
        envelope = PolynomialCutoff(config.cutoff, config.envelope)
        self.radial = RadialBasis(config.cutoff, config.radial, envelope=envelope)
        self.edge = Irreps.spherical_harmonics(config.edge_lmax)
        layers: list[nn.Module] = []
        readouts: list[nn.Module] = []
        rep = scalars
        for index in range(config.layers):
            last = index == config.layers - 1
            rep_next = scalars if last else hidden
            layers.append(MACELayer(config, rep, rep_next, num_species, self.mean_neighbours))
            readouts.append(
                ScalarReadout(channels, config.readout) if last else Linear(rep_next, "1x0e")
            )
            rep = rep_next
        self.layers = nn.ModuleList(layers)
        self.readouts = nn.ModuleList(readouts)

    def forward(
        self,
        vectors: Float[Tensor, "edges 3"],
        species: Int[Tensor, " atoms"],
        edge_index: Int[Tensor, "2 edges"],
        paired: bool = False,
    ) -> Float[Tensor, " atoms"]:
        """One number for each atom; invariant to rotation, inversion and permutation.

        Args:
            vectors: r_receiver - r_sender, Å.
            species: index of each atom's element.
            edge_index: senders and receivers.
            paired: the second half of the edges is the first half reversed, in its order; what
                depends on distances alone is then computed once for both.

        Raises:
            ShapeError: edges said to be paired that are not.
        """
        if paired:
            check_paired(edge_index)
        graph = Graph(edge_index, len(species))
        distinct = vectors[: len(vectors) // 2] if paired else vectors
        length = torch.linalg.vector_norm(distinct, dim=1)
        radial = self.radial(length)
        harmonics = spherical_harmonics(self.edge, vectors, True, "component")
        features = self.embedding[species]
        energies = torch.zeros_like(features[:, 0])
        for layer, readout in zip(self.layers, self.readouts, strict=True):
            features = layer(features, species, harmonics, radial, graph)
            energies = energies + readout(features)[:, 0]
        return energies


class MACELayer(nn.Module):
    """One message passing, as `MACE` describes it.

    Args:
        config: shape of the model.
        rep_in, rep_out: features before and after.
        num_species: how many elements there are.
        mean_neighbours: what the sum over neighbours is divided by.
    """

    def __init__(
        self,
        config: MACEConfig,
        rep_in: Irreps,
        rep_out: Irreps,
        num_species: int,
        mean_neighbours: float,
    ) -> None:
        super().__init__()
        edge = Irreps.spherical_harmonics(config.edge_lmax)
        channels = rep_in[0].mul
        message = Irreps([(channels, ir) for _, ir in edge])
        self.scale = 1.0 / mean_neighbours
        self.up = Linear(rep_in, rep_in)
        self.convolution = Convolution(rep_in, edge, message)
        widths = [config.radial, *config.radial_hidden, self.convolution.weight_numel]
        self.weights = RadialMLP(widths)
        self.mix = Linear(self.convolution.rep_out, message)
        self.contraction = SymmetricContraction(message, rep_out, config.correlation, num_species)
        self.update = Linear(rep_out, rep_out)
        self.residual = Linear(rep_in, rep_out, species=num_species)

    def forward(
        self, features: Tensor, species: Tensor, harmonics: Tensor, radial: Tensor, graph: Graph
    ) -> Tensor:
        """(atoms, rep_in.dim) -> (atoms, rep_out.dim); `radial` of all edges or of one half."""
        weights = self.weights(radial)
        if len(weights) < len(harmonics):
            weights = weights.repeat(2, 1)  # cheaper than cat to differentiate twice
        message = self.convolution(self.up(features), harmonics, weights, graph)
        message = self.mix(message) * self.scale
        many = self.contraction(message, species)
        return self.update(many) + self.residual(features, species=species)


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


def check_paired(edge_index: Tensor) -> None:
    """Raise ShapeError unless the second half of the edges is the first half reversed."""
    half = edge_index.shape[1] // 2
    if edge_index.shape[1] % 2 or not torch.equal(
        edge_index[:, half:], edge_index[:, :half].flip(0)
    ):
        raise ShapeError(
            "these edges do not come in opposite pairs",
            got=f"{edge_index.shape[1]} edges in another order",
            expected="edge k + edges/2 to be edge k with sender and receiver exchanged",
            remedy="leave out paired=True",
        )


def hidden_channels(hidden: Irreps) -> int:
    """The one multiplicity of hidden irreps that begin with even scalars.

    Raises:
        RepresentationError: several multiplicities, or no scalars in the first place.
    """
    multiplicities = {mul for mul, _ in hidden}
    if len(multiplicities) != 1 or hidden[0].ir != Irrep("0e"):
        raise RepresentationError(
            "these irreps cannot be the hidden features of MACE",
            got=str(hidden),
            expected="one multiplicity, scalars first, such as 64x0e + 64x1o",
        )
    return multiplicities.pop()
