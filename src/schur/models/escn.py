"""eSCN: convolutions with all channels mixed, reduced to SO(2) in the frames of edges.

Passaro and Zitnick, "Reducing SO(3) convolutions to SO(2) for efficient equivariant GNNs", ICML
2023.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..nn.edge_frame_convolution import EdgeFrameConvolution
from ..nn.linear import Linear
from ..nn.radial_mlp import RadialMLP
from ..nn.species import Species
from ..reps import Irreps
from ..tensors import Graph
from ..tensors.edge_frames import edge_wigner
from .edge_invariants import EdgeInvariants
from .energy_model import EnergyModel
from .escn_config import ESCNConfig
from .nequip import gate_for

__all__ = ["ESCN", "ESCNConfig", "ESCNLayer"]


class ESCN(EnergyModel[ESCNConfig]):
    """Energies of atoms from species and edge vectors.

    With h⁰ = W_z and the frame R_ij of each edge, each layer does

        m_i = (1/√λ) Σ_j  D(R_ij) · W · D(R_ij)ᵀ (s(|r_ij|, z_i, z_j) h_j)    (EdgeFrameConvolution)
        h_i ← gate(m_i + W_z h_i)                                            self connection

    where W mixes all channels of all degrees and commutes with turns about the edge: it acts on
    each order |m| <= `order` by itself. s is a factor for each degree and channel, from a network
    on Bessel functions and both elements, times the cutoff. A readout of the scalars of the last
    layer gives the energy. λ is the mean number of neighbours. The first layer has no self
    connection, so that an atom without neighbours has energy zero.

    Frames enter through their Wigner matrices, which are polynomials of smooth charts: forces are
    the gradient of the energy for edges in any direction, the poles too.

    Two things differ from the paper. Its forces are an output of their own; these are the
    gradient. It applies a function to values on a grid on the sphere, equivariant to the accuracy
    of the grid; the gate here is exactly equivariant (`EquiformerV2` has the grid).

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: λ.

    Source: Passaro and Zitnick (2023), sections 4 and 5.

    Example:
        >>> config = ESCNConfig(layers=2, lmax=1, order=1, channels=4)
        >>> model = ESCN(config, num_species=2, mean_neighbours=1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> vectors = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> model(vectors, torch.tensor([0, 1]), edges).shape
        torch.Size([2])
    """

    def __init__(self, config: ESCNConfig, num_species: int, mean_neighbours: float) -> None:
        super().__init__(config, num_species, mean_neighbours)
        rep = scalars = Irreps(config.hidden[:1])
        self.embedding = nn.Parameter(torch.randn(num_species, scalars.dim))
        self.invariants = EdgeInvariants(
            config.cutoff, config.radial, config.envelope, num_species, config.type_features
        )
        layers: list[ESCNLayer] = []
        for index in range(config.layers):
            wanted = scalars if index == config.layers - 1 else config.hidden
            connected = num_species if index else None
            widths = [self.invariants.width, *config.radial_hidden]
            layers.append(
                ESCNLayer(rep, wanted, config.order, widths, connected, self.mean_neighbours)
            )
            rep = layers[-1].rep_out
        self.layers = nn.ModuleList(layers)
        self.lmax = max(layer.convolution.lmax for layer in layers)
        self.readout = RadialMLP([rep.dim, *config.readout, 1])

    def atom_energies(self, vectors: Tensor, species: Species, graph: Graph) -> Tensor:
        """See `EnergyModel.forward`."""
        invariants, envelope = self.invariants(vectors, species.index, graph)
        wigner = edge_wigner(vectors, self.lmax)
        features = self.embedding[species.index]
        for layer in self.layers:
            features = layer(features, species, wigner, invariants, envelope, graph)
        return self.readout(features)[:, 0]


class ESCNLayer(nn.Module):
    """One message passing and its gate, as `ESCN` describes them.

    Args:
        rep_in, rep_out: features before and after, of natural parity.
        order: the highest order that is mixed; all if None.
        widths: sizes of the network from an edge's invariants to its factors, but the last.
        species: how many elements have a self connection of their own; None for no connection.
        mean_neighbours: what the variance of the sum over neighbours is divided by.
    """

    def __init__(
        self,
        rep_in: Irreps,
        rep_out: Irreps,
        order: int | None,
        widths: Sequence[int],
        species: int | None,
        mean_neighbours: float,
    ) -> None:
        super().__init__()
        self.gate = gate_for(rep_out)
        self.rep_out = self.gate.rep_out
        self.convolution = EdgeFrameConvolution(rep_in, self.gate.rep_in, order, scaled=True)
        # The division by √λ rides along with the product that makes the factors.
        self.factors = RadialMLP(
            [*widths, self.convolution.scale_numel], variance_out=1 / mean_neighbours
        )
        self.connection = None
        if species is not None:
            self.connection = Linear(rep_in, self.gate.rep_in, species=species)

    def forward(
        self,
        features: Tensor,
        species: Tensor | Species,
        wigner: Tensor,
        invariants: Tensor,
        envelope: Tensor,
        graph: Graph,
    ) -> Tensor:
        """(atoms, rep_in.dim) -> (atoms, rep_out.dim)."""
        factors = self.factors(invariants) * envelope[:, None]
        message = self.convolution(features, wigner, graph, scale=factors)
        if self.connection is not None:
            message = message + self.connection(features, species=species)
        return self.gate(message)
