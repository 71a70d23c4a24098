"""EGNN: messages of distances, and coordinates that move along edges.

Satorras, Hoogeboom, Welling, "E(n) Equivariant Graph Neural Networks", ICML 2021.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..nn.cutoffs import PolynomialCutoff
from ..nn.edge_sums import collect, spread
from ..nn.radial_basis import RadialBasis
from ..nn.radial_mlp import RadialMLP
from ..nn.second_moment import second_moment_scale
from ..nn.silu import silu
from ..nn.species import Species
from ..tensors import Graph
from .egnn_config import EGNNConfig
from .energy_model import EnergyModel, distinct

__all__ = ["EGNN", "EGNNConfig", "EGNNLayer"]


class EGNN(EnergyModel[EGNNConfig]):
    """Energies of atoms from species and edge vectors.

    Atoms have features h, at first h⁰ = W_z, and displacements u, at first zero. With the edge
    vectors x_ij = r_ij + u_i - u_j of the moved atoms, each layer does

        m_ij = f(|r_ij|) φ_e(h_i, h_j, b(|x_ij|))
        u_i ← u_i + (1/λ) Σ_j x_ij / √(1 + |x_ij|²) φ_x(m_ij)
        h_i ← h_i + φ_h(h_i, (1/√λ) Σ_j m_ij)

    and a network of the last h gives the energy. b is a radial basis, f the polynomial cutoff, λ
    the mean number of neighbours. That is the paper's layer but for these: edges end at a cutoff
    of the distance before any move, smoothly; the distance enters by radial functions in place
    of its square; and vectors are divided by √(1 + |x|²), without which the moves feed
    themselves and grow without bound (the authors' code divides by |x| + 1, which has a kink).

    Features see distances alone, those of the moved atoms from the second layer on: mirror images
    have the same energy, and so have neighbourhoods of equal distances within one layer.

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: λ.

    Source: Satorras et al. (2021), equations 3 to 6; section 3.3 for edges that are weighted.

    Example:
        >>> model = EGNN(EGNNConfig(features=8), num_species=2, mean_neighbours=1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> vectors = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> model(vectors, torch.tensor([0, 1]), edges).shape
        torch.Size([2])
    """

    def __init__(self, config: EGNNConfig, num_species: int, mean_neighbours: float) -> None:
        super().__init__(config, num_species, mean_neighbours)
        self.embedding = nn.Parameter(torch.randn(num_species, config.features))
        self.envelope = PolynomialCutoff(config.cutoff, config.envelope)
        self.layers = nn.ModuleList(
            EGNNLayer(config, self.mean_neighbours, config.moving and index < config.layers - 1)
            for index in range(config.layers)
        )
        self.readout = RadialMLP([config.features, config.readout, 1])

    def atom_energies(self, vectors: Tensor, species: Species, graph: Graph) -> Tensor:
        """See `EnergyModel.forward`."""
        envelope = self.envelope(torch.linalg.vector_norm(distinct(vectors, graph), dim=1))[:, None]
        features, places = self.embedding[species.index], None
        for layer in self.layers:
            features, places = layer(features, places, vectors, envelope, graph)
        return self.readout(features)[:, 0]


class EGNNLayer(nn.Module):
    """One message passing, as `EGNN` describes it, in any dimension.

    Args:
        config: shape of the model.
        mean_neighbours: λ.
        moving: whether it moves the coordinates.
    """

    def __init__(self, config: EGNNConfig, mean_neighbours: float, moving: bool) -> None:
        super().__init__()
        width = config.features
        self.cutoff, self.mean_neighbours = config.cutoff, mean_neighbours
        self.radial = RadialBasis(config.cutoff, config.radial)
        # One matrix on (h_i, h_j, radial), cut in three, so that two of them act on atoms.
        self.at_receiver = RadialMLP([width, width], variance_out=1 / 3)
        self.at_sender = RadialMLP([width, width], variance_out=1 / 3)
        self.of_distance = RadialMLP([config.radial, width], variance_out=1 / 3)
        moment = second_moment_scale(nn.functional.silu) ** -2
        self.message = RadialMLP([width, width], variance_in=moment, out_activation=True)
        step = config.step / mean_neighbours
        self.move = RadialMLP([width, width, 1], variance_out=step**2) if moving else None
        self.update = RadialMLP([2 * width, width, width])

    def forward(
        self,
        features: Float[Tensor, "nodes features"],
        places: Float[Tensor, "nodes n"] | None,
        vectors: Float[Tensor, "edges n"],
        envelope: Float[Tensor, "_ 1"],
        graph: Graph,
    ) -> tuple[Float[Tensor, "nodes features"], Float[Tensor, "nodes n"] | None]:
        """Features and displacements after one layer.

        Args:
            features, places: those before; None for atoms that have not moved.
            vectors: of the edges before any move.
            envelope: of all edges or of one half.
            graph: the edges.
        """
        moved = vectors if places is None else spread(places, -places, vectors, graph)
        length = torch.linalg.vector_norm(moved[: len(envelope)], dim=1)
        radial = self.of_distance(self.radial(length))
        mixed = spread(self.at_receiver(features), self.at_sender(features), radial, graph)
        message = self.message(silu(mixed))
        if self.move is not None:
            pull = self.move(message) * moved
            change = collect(pull, envelope * torch.rsqrt(1 + length**2)[:, None], graph)
            places = change if places is None else places + change
        total = collect(message, envelope * self.mean_neighbours**-0.5, graph)
        return features + self.update(torch.cat([features, total], 1)), places
