"""SE(3)-Transformer: attention whose keys and values are equivariant convolutions.

Fuchs, Worrall, Fischer, Welling, "SE(3)-Transformers: 3D roto-translation equivariant attention
networks", NeurIPS 2020.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..nn.cutoffs import PolynomialCutoff
from ..nn.kernel_attention import KernelAttention
from ..nn.linear import Linear
from ..nn.radial_basis import RadialBasis
from ..nn.radial_mlp import RadialMLP
from ..nn.species import Species
from ..reps import Irreps
from ..tensors import Graph
from ..tensors.harmonics import spherical_harmonics
from .energy_model import EnergyModel, distinct
from .se3_transformer_config import SE3TransformerConfig
from .tensor_field_network import PointNonlinearity

__all__ = ["SE3Transformer", "SE3TransformerConfig", "SE3TransformerLayer"]


class SE3Transformer(EnergyModel[SE3TransformerConfig]):
    """Energies of atoms from species and edge vectors.

    With h⁰ = W_z, edge vectors r_ij and Y the spherical harmonics, each layer does

        k_ij = R(|r_ij|) ⊗ W h_j ⊗ Y(r_ij),   v_ij = R'(|r_ij|) ⊗ W' h_j ⊗ Y(r_ij)
        m_i = Σ_j a_ij v_ij,   a_ij the attention of q_i = W'' h_i to k_ij    (KernelAttention)
        h_i ← η(m_i + W''' h_i)                                    self-interaction, nonlinearity

    with the nonlinearity η of `TensorFieldNetwork`. A readout of the scalars of the last layer
    gives the energy. The first layer has no W''', so that an atom without neighbours has energy
    zero.

    The sum over neighbours in the denominator of the attention has the cutoff in each term and
    an added 1, so that a neighbour leaves without a step; the paper's attention has neither, and
    is not continuous there.

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: how many neighbours an atom has on average; attention needs no such
            number, files do.

    Source: Fuchs et al. (2020), section 3.

    Example:
        >>> config = SE3TransformerConfig(layers=2, lmax=1, features=4, heads=2)
        >>> model = SE3Transformer(config, num_species=2, mean_neighbours=1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> vectors = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> model(vectors, torch.tensor([0, 1]), edges).shape
        torch.Size([2])
    """

    def __init__(
        self, config: SE3TransformerConfig, num_species: int, mean_neighbours: float
    ) -> None:
        super().__init__(config, num_species, mean_neighbours)
        rep = scalars = Irreps(config.hidden[:1])
        self.embedding = nn.Parameter(torch.randn(num_species, scalars.dim))
        self.envelope = PolynomialCutoff(config.cutoff, config.envelope)
        self.radial = RadialBasis(config.cutoff, config.radial)
        self.edge = Irreps.spherical_harmonics(config.lmax)
        layers: list[SE3TransformerLayer] = []
        for index in range(config.layers):
            wanted = scalars if index == config.layers - 1 else config.hidden
            layers.append(SE3TransformerLayer(config, rep, wanted, index > 0))
            rep = wanted
        self.layers = nn.ModuleList(layers)
        self.readout = RadialMLP([rep.dim, *config.readout, 1])

    def atom_energies(self, vectors: Tensor, species: Species, graph: Graph) -> Tensor:
        """See `EnergyModel.forward`."""
        length = torch.linalg.vector_norm(distinct(vectors, graph), dim=1)
        radial, envelope = self.radial(length), self.envelope(length)
        envelope = envelope.repeat(2) if graph.pairs is not None else envelope
        harmonics = spherical_harmonics(self.edge, vectors, True, "component")
        features = self.embedding[species.index]
        for layer in self.layers:
            features = layer(features, harmonics, radial, envelope, graph)
        return self.readout(features)[:, 0]


class SE3TransformerLayer(nn.Module):
    """One attention with self-interaction and nonlinearity, as `SE3Transformer` describes it.

    Args:
        config: shape of the model.
        rep_in, rep_out: features before and after.
        connected: whether what was there before is added.
    """

    def __init__(
        self, config: SE3TransformerConfig, rep_in: Irreps, rep_out: Irreps, connected: bool
    ) -> None:
        super().__init__()
        edge = Irreps.spherical_harmonics(config.lmax)
        self.attention = KernelAttention(rep_in, edge, rep_out, config.heads)
        widths = [config.radial, *config.radial_hidden]
        self.key_weights = RadialMLP([*widths, self.attention.key_numel])
        self.value_weights = RadialMLP([*widths, self.attention.value_numel])
        self.connection = Linear(rep_in, rep_out) if connected else None
        self.nonlinearity = PointNonlinearity(rep_out)

    def forward(
        self, features: Tensor, harmonics: Tensor, radial: Tensor, envelope: Tensor, graph: Graph
    ) -> Tensor:
        """(atoms, rep_in.dim) -> (atoms, rep_out.dim); `radial` of all edges or of one half."""
        weights = self.key_weights(radial), self.value_weights(radial)
        message = self.attention(features, harmonics, *weights, graph, envelope)
        if self.connection is not None:
            message = message + self.connection(features)
        return self.nonlinearity(message)
