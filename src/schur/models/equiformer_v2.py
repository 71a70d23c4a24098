"""EquiformerV2: attention of neighbours with convolutions in the frames of edges.

Liao, Wood, Das, Smidt, "EquiformerV2: improved equivariant transformer for scaling to higher-degree
representations", ICLR 2024.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..nn.frame_maps import OutOfFrames
from ..nn.radial_mlp import RadialMLP
from ..nn.separable_layer_norm import SeparableLayerNorm
from ..nn.species import Species
from ..reps import Irreps
from ..tensors import Graph
from ..tensors.edge_frames import edge_wigner
from .edge_invariants import EdgeInvariants
from .energy_model import EnergyModel
from .equiformer_v2_config import EquiformerV2Config
from .equiformer_v2_layers import NORM_EPS, Edges, EquiformerBlock, SphereFeedForward

__all__ = ["EquiformerV2", "EquiformerV2Config"]


class EquiformerV2(EnergyModel[EquiformerV2Config]):
    """Energies of atoms from species and edge vectors.

    Features start as W_z and, for each degree, the sum over neighbours of functions of the edge
    along its direction. Each block then does

        x ← x + attention(norm(x)),    x ← x + network(norm(x))

    (`FrameAttention`, `SphereFeedForward`, `SeparableLayerNorm`), and a network on the scalars of
    the last block gives the energy.

    Functions of features of degree above zero act on values on a grid on the sphere. So the energy
    is invariant under rotations **as far as the grid is fine**: `config.grid_error` says how far
    that is, and is part of what `describe` prints. Whatever the grid, the energy is invariant under
    permutations and translations, and forces are its exact gradient. In the frame of an edge the
    grid's error depends on the frame's roll, and frames come from two charts: where an edge
    crosses the plane y = 0 between them, the energy has a step of the size of the error.

    Three things differ from the paper. Its forces are an output of their own, and are no gradient;
    these are. The sum in the denominator of its attention is over neighbours that are there or are
    not; here each has the cutoff as a factor, and an added 1 lets the last one leave without a
    step. And norms add 0.01 to mean squares, so that forces are smooth near sites of high symmetry.

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: neighbours of an atom on average, by whose root the first sum is divided.

    Source: Liao et al. (2024), section 4 and figure 1.

    Example:
        >>> config = EquiformerV2Config(layers=2, lmax=1, order=1, channels=4, grid=12)
        >>> model = EquiformerV2(config, num_species=2, mean_neighbours=1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> vectors = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> model(vectors, torch.tensor([0, 1]), edges).shape
        torch.Size([2])
    """

    def __init__(
        self, config: EquiformerV2Config, num_species: int, mean_neighbours: float
    ) -> None:
        super().__init__(config, num_species, mean_neighbours)
        rep, scalars = config.hidden_rep, Irreps(config.hidden_rep[:1])
        self.embedding = nn.Parameter(torch.randn(num_species, config.channels))
        self.invariants = EdgeInvariants(
            config.cutoff, config.radial, config.envelope, num_species, config.type_features
        )
        widths = [self.invariants.width, *config.radial_hidden]
        # In the frame of an edge, what does not turn about it is of order zero.
        self.first_factors = RadialMLP(
            [*widths, rep.num_irreps], variance_out=1 / self.mean_neighbours
        )
        self.first_sum = OutOfFrames(rep, order=0)
        last = config.layers - 1
        self.layers = nn.ModuleList(
            EquiformerBlock(config, rep, scalars if index == last else rep, widths)
            for index in range(config.layers)
        )
        self.norm = SeparableLayerNorm(scalars, NORM_EPS)
        self.readout = SphereFeedForward(scalars, Irreps("1x0e"), config.feed_forward, config.grid)

    def atom_energies(self, vectors: Tensor, species: Species, graph: Graph) -> Tensor:
        """See `EnergyModel.forward`."""
        invariants, envelope = self.invariants(vectors, species.index, graph)
        wigner = edge_wigner(vectors, self.config.lmax)
        edges = Edges(graph, wigner, invariants, envelope)
        degrees = self.first_factors(invariants) * envelope[:, None]
        features = self.first_sum(degrees, wigner, graph)
        scalars = features[:, : self.config.channels] + self.embedding[species.index]
        features = torch.cat([scalars, features[:, self.config.channels :]], 1)
        for layer in self.layers:
            features = layer(features, edges)
        return self.readout(self.norm(features))[:, 0]
