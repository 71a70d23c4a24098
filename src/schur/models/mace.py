"""MACE: message passing with many-body equivariant messages.

Batatia, Kovács, Simm, Ortner, Csányi, "MACE: Higher Order Equivariant Message Passing Neural
Networks for Fast and Accurate Force Fields", NeurIPS 2022.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from ..errors import RepresentationError, ShapeError
from ..nn.linear import Linear
from ..nn.radial_spline import RadialSpline, SplineKnots
from ..nn.species import Species
from ..reps import Irrep, Irreps
from ..tensors import Graph
from ..tensors.harmonics import spherical_harmonics
from .energy_model import EnergyModel, distinct
from .mace_config import MACEConfig
from .mace_layers import MACELayer, RadialEmbedding, ScalarReadout, TabulatedEmbedding
from .tabulated import weight_networks, with_children, with_weights
from .zbl import ZBL

__all__ = ["MACE", "MACEConfig"]


class MACE(EnergyModel[MACEConfig]):
    """Energies of atoms from species and edge vectors.

    With h⁰ = W_z, edge vectors r_ij and Y the spherical harmonics, each layer t does

        A_i = (1/λ) Σ_j  R(|r_ij|) ⊗ W h_j ⊗ Y(r_ij)     messages of two bodies (Convolution)
        B_i = Σ_ν Σ_paths w_z  A_i ⊗ … ⊗ A_i (ν factors)   many bodies (SymmetricContraction)
        h_i ← W B_i + W_z h_i                             update with a residual by species

    and adds a readout of the scalars of h_i: linear for all layers but the last, which has a
    hidden layer with SiLU. λ is the mean number of neighbours.

    By `config.interaction` a layer may leave out the residual and multiply A_i by W_z instead
    (`simple`), or have 1 + Σ_j tanh(d(|r_ij|)²) in place of λ (`density`, `density-residual`). A
    pair energy for short distances is added where `config.repulsion` asks for it.

    An atom without neighbours has A = 0. Its energy is then exactly zero where the first layer is
    `simple` or `density`, and a constant of the element where that layer has a residual.

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: λ.
        numbers: atomic number of each species, for a configuration that depends on them.

    Raises:
        RepresentationError: hidden features that are none of MACE.
        ShapeError: no atomic numbers where they are needed.

    Source: Batatia et al., NeurIPS 2022, equations 5 to 13.

    Example:
        >>> config = MACEConfig(hidden="4x0e + 4x1o", edge_lmax=1, correlation=2)
        >>> model = MACE(config, num_species=2, mean_neighbours=1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> vectors = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> model(vectors, torch.tensor([0, 1]), edges).shape
        torch.Size([2])
    """

    def __init__(
        self,
        config: MACEConfig,
        num_species: int,
        mean_neighbours: float,
        numbers: Sequence[int] | None = None,
    ) -> None:
        super().__init__(config, num_species, mean_neighbours)
        hidden = Irreps(config.hidden)
        channels = hidden_channels(hidden)
        scalars = Irreps(f"{channels}x0e")
        self.embedding = nn.Parameter(torch.randn(num_species, channels))
        elements = _elements(config, num_species, numbers)
        self.radial = RadialEmbedding(config, elements)
        self.repulsion = ZBL(elements, config.envelope) if config.repulsion == "zbl" else None
        self.edge = Irreps.spherical_harmonics(config.edge_lmax)
        layers: list[nn.Module] = []
        readouts: list[nn.Module] = []
        rep = scalars
        for index in range(config.layers):
            last = index == config.layers - 1
            rep_next = scalars if last else hidden
            layers.append(
                MACELayer(config, index, rep, rep_next, num_species, self.mean_neighbours)
            )
            if last and config.readout:
                readouts.append(ScalarReadout(channels, config.readout))
            elif last or config.readouts == "all":
                readouts.append(Linear(rep_next, "1x0e"))
            rep = rep_next
        self.layers = nn.ModuleList(layers)
        self.readouts = nn.ModuleList(readouts)

    def atom_energies(self, vectors: Tensor, species: Species, graph: Graph) -> Tensor:
        """See `EnergyModel.forward`."""
        which = species.index
        length = torch.linalg.vector_norm(distinct(vectors, graph), dim=1)
        ends = graph.edge_index[:, : len(length)]
        radial, envelope = self.radial(length, which, ends)
        harmonics = spherical_harmonics(self.edge, vectors, True, "component")
        features = self.embedding[which]
        energies = torch.zeros_like(features[:, 0])
        if self.repulsion is not None:
            both = graph.pairs is not None
            energies = energies + self._pair_energies(self.repulsion, length, which, ends, both)
        unread = len(self.layers) - len(self.readouts)
        for index, layer in enumerate(self.layers):
            features = layer(features, species, harmonics, radial, envelope, graph)
            if index >= unread:
                energies = energies + self.readouts[index - unread](features)[:, 0]
        return energies

    def radial_networks(self) -> list[Callable[[Tensor], Tensor]]:
        """See `schur.models.tabulated`."""
        if self.config.distance_transform != "none" or any(
            layer.density is not None for layer in self._layers()
        ):
            raise RepresentationError(
                "this model's radial functions depend on elements, or serve for densities too",
                got=self.config.describe(),
                expected="no distance transform and no density",
                remedy="evaluate the networks themselves",
            )
        radial = copy.deepcopy(self.radial).double()
        none = torch.empty(2, 0, dtype=torch.int64)
        return weight_networks(lambda length: radial(length, none[0], none)[0], self.layers)

    def with_tables(self, knots: SplineKnots, tables: Sequence[RadialSpline]) -> nn.Module:
        """See `schur.models.tabulated`."""
        layers = nn.ModuleList(with_weights(self.layers, tables))
        return with_children(self, radial=TabulatedEmbedding(self.radial, knots), layers=layers)

    def _layers(self) -> list[MACELayer]:
        return list(self.layers)  # pyright: ignore[reportReturnType]

    def _pair_energies(
        self, repulsion: ZBL, length: Tensor, species: Tensor, ends: Tensor, paired: bool
    ) -> Tensor:
        """Half of each pair's energy for either atom; large atoms may touch beyond the cutoff."""
        first, second = species[ends]
        half = 0.5 * repulsion(length, first, second) * (length < self.config.cutoff)
        atoms = half.new_zeros(len(species)).index_add(0, ends[1], half)
        return atoms.index_add(0, ends[0], half) if paired else atoms


def _elements(
    config: MACEConfig, num_species: int, numbers: Sequence[int] | None
) -> tuple[int, ...]:
    """The atomic numbers, where the configuration needs them."""
    if not config.needs_elements:
        return ()
    if numbers is None or len(numbers) != num_species:
        raise ShapeError(
            "distance transforms and repulsion depend on the elements",
            got=numbers,
            expected=f"numbers=, the atomic numbers of {num_species} species",
        )
    return tuple(numbers)


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
