"""PONITA: convolutions over positions and orientations.

Bekkers, Vadgama, Hesselink, van der Linden, Romero, "Fast, Expressive SE(n) Equivariant Networks
through Weight-Sharing in Position-Orientation Space", ICLR 2024.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..engine import Sorted
from ..nn.chance import drawn_rotation
from ..nn.cutoffs import PolynomialCutoff
from ..nn.position_orientation import icosahedral_directions
from ..nn.radial_basis import RadialBasis
from ..nn.radial_mlp import RadialMLP
from ..nn.species import Species
from ..tensors import Graph
from .energy_model import EnergyModel
from .ponita_config import PONITAConfig
from .ponita_layers import KernelBasis, PONITALayer, Way

__all__ = ["PONITA", "PONITAConfig"]


class PONITA(EnergyModel[PONITAConfig]):
    """Energies of atoms from species and edge vectors.

    Features f(i, o) live at atoms and at directions o of a fixed grid; at first f = W_z for all o.
    With kernels k of invariants each layer does

        g(i, o)  = (1/√λ) Σ_j k(r_ij, o·r̂_ij) f(j, o)     over positions
        g'(i, o) = Σ_o' w(o') k'(o·o') g(i, o')            over directions with weights w
        f ← f + φ(g')                                     φ(Norm(g')) with `norm=True`

    channel by channel but for φ, and a network of f, averaged over directions, gives the energy.
    A kernel is a linear map of a network of Legendre polynomials of o·r̂ times radial functions,
    shared by all layers. The first kernel reads all invariants of an edge and one direction, the
    second all of two directions at one point. With `kernel="joint"` one kernel takes the place of
    both and reads all five of an edge and two directions
    (`schur.nn.position_orientation.pair_invariants`), of which the paper's three leave out one.

    A grid of directions is equivariant under its own 120 rotations and reflections exactly and
    under others up to an error that falls as the grid grows; `schur.atoms.symmetry_check` measures
    it. Forces are the gradient of the energy all the same.

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: λ.

    Source: Bekkers et al. (2024), equations 9 to 12 and figure 2.

    Example:
        >>> model = PONITA(PONITAConfig(features=4), num_species=2, mean_neighbours=1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> vectors = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> model(vectors, torch.tensor([0, 1]), edges).shape
        torch.Size([2])
    """

    def __init__(self, config: PONITAConfig, num_species: int, mean_neighbours: float) -> None:
        super().__init__(config, num_species, mean_neighbours)
        directions, weights = icosahedral_directions(config.frequency)
        self._weights = tuple(float(w) for w in weights)
        self.embedding = nn.Parameter(torch.randn(num_species, config.features))
        envelope = PolynomialCutoff(config.cutoff, config.envelope)
        self.radial = RadialBasis(config.cutoff, config.radial, envelope=envelope)
        self.kernels = KernelBasis(config, directions)
        self.layers = nn.ModuleList(
            PONITALayer(config, directions, weights, self.mean_neighbours)
            for _ in range(config.layers)
        )
        self.readout = RadialMLP([config.features, config.readout, 1])

    def atom_energies(self, vectors: Tensor, species: Species, graph: Graph) -> Tensor:
        """See `EnergyModel.forward`."""
        if self.training and self.config.turning:
            vectors = vectors @ drawn_rotation(next(self.readout.parameters())).to(vectors)
        ways = [Way(graph.senders, graph.receivers)]
        if graph.pairs is not None and self.config.kernel != "joint":
            # Turned round, an edge has the kernels of the opposite directions, which are there too.
            vectors = vectors[: len(vectors) // 2]
            ends = graph.edge_index[:, : len(vectors)]
            one, other = (Sorted(end, graph.num_nodes) for end in ends)
            ways = [Way(one, other), Way(other, one, reverse=True)]
        radial = self.radial(torch.linalg.vector_norm(vectors, dim=1))
        basis = self.kernels(vectors, radial)
        features = self.embedding[species.index][:, None].expand(-1, len(self._weights), -1)
        for layer in self.layers:
            features = layer(features, basis, ways)
        by_direction = self.readout(features)[..., 0]
        return (by_direction * by_direction.new_tensor(self._weights)).sum(1)
