"""TensorNet: features that are 3 x 3 matrices, multiplied as matrices.

Simeon, De Fabritiis, "TensorNet: Cartesian Tensor Representations for Efficient Learning of
Molecular Potentials", NeurIPS 2023.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..nn.cutoffs import PolynomialCutoff
from ..nn.layer_norm import LayerNorm
from ..nn.radial_basis import RadialBasis
from ..nn.radial_mlp import RadialMLP
from ..nn.radial_spline import RadialSpline, SplineKnots
from ..nn.species import Species
from ..tensors import Graph
from ..tensors.harmonics import spherical_harmonics
from .energy_model import EnergyModel, distinct
from .tabulated import weight_networks, with_children, with_weights
from .tensornet_config import TensorNetConfig
from .tensornet_layers import MatrixEmbedding, MatrixInteraction, norms

__all__ = ["TensorNet", "TensorNetConfig"]


class TensorNet(EnergyModel[TensorNetConfig]):
    """Energies of atoms from species and edge vectors.

    An atom has matrices X = I + A + S: a multiple of the identity, an antisymmetric and a
    symmetric traceless part.  ‖X‖² is Tr XᵀX, W acts on the channels of each part by itself, and f
    are functions of a distance that vanish at the cutoff.  With Z species embeddings and r̂ the
    direction of an edge,

        X_i = Σ_j (Z_i + Z'_j) (f_I 1 + f_A [r̂]_× + f_S (r̂ r̂ᵀ - 1/3))     embedding
        X_i ← g_I W I_i + g_A W A_i + g_S W S_i,    g = φ(LayerNorm(‖X_i‖²))

    and each layer does

        X_i ← X_i / (‖X_i‖² + 1),    Y_i = W X_i
        M_i = Σ_j f_I I_j + f_A A_j + f_S S_j                             of Y_j
        Z_i = Y_i M_i + M_i Y_i
        X_i ← X_i + ΔX_i + ΔX_i²,    ΔX_i = W (Z_i / (‖Z_i‖² + 1))

    ‖I‖², ‖A‖² and ‖S‖² of the last X, normalised, go through a network to the energy.  Sums over
    neighbours are divided by √λ, λ the mean number of neighbours.

    With polar vectors in A an inversion transposes every matrix.  Y M + M Y and ΔX² commute with
    that; Y M alone would not, and the model would tell mirror images apart.

    Matrices are kept as the irreps 0e, 1o and 2e in an orthonormal basis, so that ‖·‖² is a sum of
    squares.

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: λ.

    Source: Simeon and De Fabritiis (2023), equations 7 to 11 and section 3.2.  There radial
    functions have biases and a cosine cutoff; here they have neither and vanish with three
    derivatives.

    Example:
        >>> model = TensorNet(TensorNetConfig(features=8), num_species=2, mean_neighbours=1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> vectors = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> model(vectors, torch.tensor([0, 1]), edges).shape
        torch.Size([2])
    """

    def __init__(self, config: TensorNetConfig, num_species: int, mean_neighbours: float) -> None:
        super().__init__(config, num_species, mean_neighbours)
        envelope = PolynomialCutoff(config.cutoff, config.envelope)
        self.radial = RadialBasis(config.cutoff, config.radial, envelope=envelope)
        self.embedding = MatrixEmbedding(config, num_species, self.mean_neighbours)
        self.layers = nn.ModuleList(
            MatrixInteraction(config, self.mean_neighbours) for _ in range(config.layers)
        )
        self.norm = LayerNorm(f"{3 * config.features}x0e")
        self.readout = RadialMLP([3 * config.features, config.readout, 1])

    def atom_energies(self, vectors: Tensor, species: Species, graph: Graph) -> Tensor:
        """See `EnergyModel.forward`."""
        radial = self.radial(torch.linalg.vector_norm(distinct(vectors, graph), dim=1))
        harmonics = spherical_harmonics("0e + 1o + 2e", vectors, True, "norm")
        matrices = self.embedding(species.index, harmonics, radial, graph)
        for layer in self.layers:
            matrices = layer(matrices, radial, graph)
        parts = norms(matrices, (1, 3, 5))
        return self.readout(self.norm(parts))[:, 0]

    def radial_networks(self) -> list[Callable[[Tensor], Tensor]]:
        """See `schur.models.tabulated`."""
        radial = copy.deepcopy(self.radial).double()
        return weight_networks(radial, (self.embedding, *self.layers))

    def with_tables(self, knots: SplineKnots, tables: Sequence[RadialSpline]) -> nn.Module:
        """See `schur.models.tabulated`."""
        embedding, *layers = with_weights((self.embedding, *self.layers), tables)
        return with_children(self, radial=knots, embedding=embedding, layers=nn.ModuleList(layers))
