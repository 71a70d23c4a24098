"""Tensor field networks: the first message passing with irreps of the rotation group.

Thomas, Smidt, Kearnes, Yang, Li, Kohlhoff, Riley, "Tensor field networks: Rotation- and
translation-equivariant neural networks for 3D point clouds" (2018), arXiv 1802.08219.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..nn.activation import Activation
from ..nn.convolution import Convolution
from ..nn.cutoffs import PolynomialCutoff
from ..nn.linear import Linear
from ..nn.norm_activation import NormActivation
from ..nn.radial_basis import RadialBasis
from ..nn.radial_mlp import RadialMLP
from ..nn.radial_spline import RadialSpline, SplineKnots, SplinePlace
from ..nn.species import Species
from ..reps import Irreps
from ..tensors import Graph
from ..tensors.harmonics import spherical_harmonics
from .energy_model import EnergyModel, distinct
from .tabulated import weight_networks, with_children, with_weights
from .tensor_field_network_config import TensorFieldNetworkConfig

__all__ = [
    "PointNonlinearity",
    "TensorFieldLayer",
    "TensorFieldNetwork",
    "TensorFieldNetworkConfig",
]


class TensorFieldNetwork(EnergyModel[TensorFieldNetworkConfig]):
    """Energies of atoms from species and edge vectors.

    With h⁰ = W_z, edge vectors r_ij and Y the spherical harmonics, each layer does

        m_i = (1/√λ) Σ_j  R(|r_ij|) ⊗ W h_j ⊗ Y(r_ij)      point convolution
        h_i ← η(W' m_i + W'' h_i)                           self-interaction, nonlinearity

    where η acts on scalars as SiLU and on a vector or tensor V as V σ(‖V‖ + b), ‖V‖ made smooth at
    zero. A readout of the scalars of the last layer gives the energy. λ is the mean number of
    neighbours. The first layer has no W'', so that an atom without neighbours has energy zero.

    Radial functions are a network on Bessel functions with a cutoff in place of the paper's
    network on Gaussians, and W'' adds to the convolution what the paper sets beside it.

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: λ.

    Source: Thomas et al. (2018), section 4.

    Example:
        >>> config = TensorFieldNetworkConfig(layers=2, lmax=1, features=4)
        >>> model = TensorFieldNetwork(config, num_species=2, mean_neighbours=1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> vectors = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> model(vectors, torch.tensor([0, 1]), edges).shape
        torch.Size([2])
    """

    def __init__(
        self, config: TensorFieldNetworkConfig, num_species: int, mean_neighbours: float
    ) -> None:
        super().__init__(config, num_species, mean_neighbours)
        rep = scalars = Irreps(config.hidden[:1])
        self.embedding = nn.Parameter(torch.randn(num_species, scalars.dim))
        envelope = PolynomialCutoff(config.cutoff, config.envelope)
        self.radial = RadialBasis(config.cutoff, config.radial, envelope=envelope)
        self.edge = Irreps.spherical_harmonics(config.lmax)
        layers: list[TensorFieldLayer] = []
        for index in range(config.layers):
            wanted = scalars if index == config.layers - 1 else config.hidden
            layers.append(TensorFieldLayer(config, rep, wanted, index > 0, self.mean_neighbours))
            rep = wanted
        self.layers = nn.ModuleList(layers)
        self.readout = RadialMLP([rep.dim, *config.readout, 1])

    def atom_energies(self, vectors: Tensor, species: Species, graph: Graph) -> Tensor:
        """See `EnergyModel.forward`."""
        radial = self.radial(torch.linalg.vector_norm(distinct(vectors, graph), dim=1))
        harmonics = spherical_harmonics(self.edge, vectors, True, "component")
        features = self.embedding[species.index]
        for layer in self.layers:
            features = layer(features, harmonics, radial, graph)
        return self.readout(features)[:, 0]

    def radial_networks(self) -> list[Callable[[Tensor], Tensor]]:
        """See `schur.models.tabulated`."""
        return weight_networks(copy.deepcopy(self.radial).double(), self.layers)

    def with_tables(self, knots: SplineKnots, tables: Sequence[RadialSpline]) -> nn.Module:
        """See `schur.models.tabulated`."""
        layers = nn.ModuleList(with_weights(self.layers, tables))
        return with_children(self, radial=knots, layers=layers)


class TensorFieldLayer(nn.Module):
    """One point convolution between self-interactions, as `TensorFieldNetwork` describes it.

    Args:
        config: shape of the model.
        rep_in, rep_out: features before and after.
        connected: whether what was there before is added.
        mean_neighbours: what the variance of the sum over neighbours is divided by.
    """

    def __init__(
        self,
        config: TensorFieldNetworkConfig,
        rep_in: Irreps,
        rep_out: Irreps,
        connected: bool,
        mean_neighbours: float,
    ) -> None:
        super().__init__()
        edge = Irreps.spherical_harmonics(config.lmax)
        self.up = Linear(rep_in, rep_in)
        self.convolution = Convolution(rep_in, edge, rep_out)
        widths = [config.radial, *config.radial_hidden, self.convolution.weight_numel]
        # The division by √λ rides along with the product that makes the weights.
        self.weights = RadialMLP(widths, variance_out=1 / mean_neighbours)
        self.mix = Linear(self.convolution.rep_out, rep_out)
        self.connection = Linear(rep_in, rep_out) if connected else None
        self.nonlinearity = PointNonlinearity(rep_out)

    def forward(
        self, features: Tensor, harmonics: Tensor, radial: Tensor | SplinePlace, graph: Graph
    ) -> Tensor:
        """(atoms, rep_in.dim) -> (atoms, rep_out.dim); `radial` of all edges or of one half."""
        weights = self.weights(radial)
        message = self.mix(self.convolution(self.up(features), harmonics, weights, graph))
        if self.connection is not None:
            message = message + self.connection(features)
        return self.nonlinearity(message)


class PointNonlinearity(nn.Module):
    """SiLU on the scalars, which stand first, and V ← V σ(‖V‖ + b) on all other irreps.

    Args:
        rep: even scalars, then other irreps.

    Source: Thomas et al. (2018), section 4.1.3.

    Example:
        >>> PointNonlinearity(Irreps("4x0e + 2x1o"))(torch.randn(5, 10)).shape
        torch.Size([5, 10])
    """

    def __init__(self, rep: Irreps) -> None:
        super().__init__()
        self.scalars, others = rep[:1].dim, Irreps(rep[1:])
        self.on_scalars = Activation(rep[:1], [nn.functional.silu])
        self.on_others = None
        if others.dim:
            self.on_others = NormActivation(
                others, torch.sigmoid, normalize=False, bias=True, smooth=True
            )

    def forward(self, x: Tensor) -> Tensor:
        """(rows, rep.dim) -> the same."""
        scalars = self.on_scalars(x[:, : self.scalars])
        if self.on_others is None:
            return scalars
        return torch.cat([scalars, self.on_others(x[:, self.scalars :])], 1)
