"""NequIP: equivariant convolutions with gates.

Batzner, Musaelian, Sun, Geiger, Mailoa, Kornbluth, Molinari, Smidt, Kozinsky, "E(3)-equivariant
graph neural networks for data-efficient and accurate interatomic potentials", Nature
Communications 13, 2453 (2022).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..nn.convolution import Convolution, with_network
from ..nn.cutoffs import PolynomialCutoff
from ..nn.gate import Gate
from ..nn.linear import Linear
from ..nn.radial_basis import RadialBasis
from ..nn.radial_mlp import RadialMLP
from ..nn.radial_spline import RadialSpline, SplineKnots, SplinePlace
from ..nn.species import Species
from ..reps import Irreps
from ..tensors import Graph
from ..tensors.harmonics import spherical_harmonics
from .energy_model import EnergyModel, distinct
from .nequip_config import NequIPConfig
from .tabulated import weight_networks, with_children, with_weights

__all__ = ["NequIP", "NequIPConfig", "NequIPLayer"]


class NequIP(EnergyModel[NequIPConfig]):
    """Energies of atoms from species and edge vectors.

    With h⁰ = W_z, edge vectors r_ij and Y the spherical harmonics, each layer does

        m_i = (1/√λ) Σ_j  R(|r_ij|) ⊗ W h_j ⊗ Y(r_ij)     message (Convolution)
        h_i ← gate(W' m_i + W_z h_i)                       self connection by species

    and a readout of the scalars of the last layer gives the energy. λ is the mean number of
    neighbours. The first layer has no self connection, so that an atom without neighbours has
    energy zero.

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: λ.

    Source: Batzner et al. (2022), figure 1 and equations 5 to 9.

    Example:
        >>> config = NequIPConfig(layers=2, lmax=1, features=4, radial_hidden=(8,))
        >>> model = NequIP(config, num_species=2, mean_neighbours=1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> vectors = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> model(vectors, torch.tensor([0, 1]), edges).shape
        torch.Size([2])
    """

    def __init__(self, config: NequIPConfig, num_species: int, mean_neighbours: float) -> None:
        super().__init__(config, num_species, mean_neighbours)
        hidden = config.hidden
        scalars = Irreps(hidden[:1])
        rep = Irreps(f"{config.type_features or scalars[0].mul}x0e")
        self.embedding = nn.Parameter(torch.randn(num_species, rep.dim))
        envelope = PolynomialCutoff(config.cutoff, config.envelope)
        self.radial = RadialBasis(
            config.cutoff, config.radial, envelope=envelope, trainable=config.radial_trainable
        )
        self.edge = Irreps.spherical_harmonics(config.lmax)
        layers: list[NequIPLayer] = []
        for index in range(config.layers):
            wanted = scalars if index == config.layers - 1 else hidden
            connected = num_species if index else None
            layers.append(NequIPLayer(config, rep, wanted, connected, self.mean_neighbours))
            rep = layers[-1].rep_out
        self.layers = nn.ModuleList(layers)
        self.readout = RadialMLP([rep.dim, *config.readout, 1])

    def atom_energies(self, vectors: Tensor, species: Species, graph: Graph) -> Tensor:
        """See `EnergyModel.forward`."""
        radial = self.radial(torch.linalg.vector_norm(distinct(vectors, graph), dim=1))
        harmonics = spherical_harmonics(self.edge, vectors, True, "component")
        features = self.embedding[species.index]
        for layer in self.layers:
            features = layer(features, species, harmonics, radial, graph)
        return self.readout(features)[:, 0]

    def radial_networks(self) -> list[Callable[[Tensor], Tensor]]:
        """See `schur.models.tabulated`."""
        return weight_networks(copy.deepcopy(self.radial).double(), self.layers)

    def with_tables(self, knots: SplineKnots, tables: Sequence[RadialSpline]) -> nn.Module:
        """See `schur.models.tabulated`."""
        layers = nn.ModuleList(with_weights(self.layers, tables))
        return with_children(self, radial=knots, layers=layers)


class NequIPLayer(nn.Module):
    """One interaction block and its gate, as `NequIP` describes them.

    Args:
        config: shape of the model.
        rep_in: features before.
        wanted: features after, of which those that no path reaches are left out.
        species: how many elements have a self connection of their own; None for no connection.
        mean_neighbours: what the variance of the sum over neighbours is divided by.

    Attributes:
        rep_out: features after.
    """

    rep_out: Irreps

    def __init__(
        self,
        config: NequIPConfig,
        rep_in: Irreps,
        wanted: Irreps,
        species: int | None,
        mean_neighbours: float,
    ) -> None:
        super().__init__()
        edge = Irreps.spherical_harmonics(config.lmax)
        self.gate = gate_for(reached(wanted, rep_in, edge))
        self.rep_out = self.gate.rep_out
        self.up = Linear(rep_in, rep_in)
        self.convolution = Convolution(rep_in, edge, self.gate.rep_in)
        widths = [config.radial, *config.radial_hidden, self.convolution.weight_numel]
        self.fused = None
        if config.fuse_radial:
            self.fused = Convolution(rep_in, edge, self.gate.rep_in, hidden=widths[-2])
        # The division by √λ rides along with the product that makes the weights.
        self.weights = RadialMLP(widths, variance_out=1 / mean_neighbours)
        self.mix = Linear(self.convolution.rep_out, self.gate.rep_in)
        self.connection = None
        if species is not None:
            self.connection = Linear(rep_in, self.gate.rep_in, species=species)

    def forward(
        self,
        features: Tensor,
        species: Species,
        harmonics: Tensor,
        radial: Tensor | SplinePlace,
        graph: Graph,
    ) -> Tensor:
        """(atoms, rep_in.dim) -> (atoms, rep_out.dim); `radial` of all edges or of one half."""
        at = (self.up(features), harmonics, graph)
        message = with_network(self.convolution, self.fused, self.weights, radial, None, at)
        message = self.mix(message)
        if self.connection is not None:
            message = message + self.connection(features, species=species)
        return self.gate(message)


def reached(wanted: Irreps, rep_in: Irreps, edge: Irreps) -> Irreps:
    """The terms of `wanted` that occur in the product of features and harmonics.

    Example:
        >>> reached(Irreps("4x0e + 4x0o + 4x1o"), Irreps("4x0e"), Irreps("0e + 1o"))
        4x0e+4x1o
    """
    found = {ir for _, a in rep_in for _, b in edge for ir in a * b}
    return Irreps([term for term in wanted if term.ir in found])


def gate_for(rep: Irreps) -> Gate:
    """Scalars through SiLU (even) or tanh (odd), other irreps times an even scalar through SiLU.

    Example:
        >>> gate_for(Irreps("4x0e + 2x0o + 3x1o")).rep_in
        2x0o+7x0e+3x1o
    """
    scalars = Irreps([term for term in rep if term.ir.l == 0])
    gated = Irreps([term for term in rep if term.ir.l > 0])
    gates = Irreps([(mul, "0e") for mul, _ in gated])
    silu = nn.functional.silu
    activations = [silu if term.ir.p == 1 else torch.tanh for term in scalars]
    return Gate(scalars, activations, gates, [silu] * len(gates), gated)
