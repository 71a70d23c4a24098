"""FAENet: a plain network on coordinates, averaged over the principal frames of the system.

Duval, Schmidt, Hernández-García, Miret, Malliaros, Bengio, Rolnick, "FAENet: Frame Averaging
Equivariant GNN for Materials Modeling", ICML 2023.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int, Int64
from torch import Tensor, nn

from ..engine import recording
from ..errors import NumberError
from ..nn.chance import drawn_integers
from ..nn.connected import first_connected
from ..nn.cutoffs import PolynomialCutoff
from ..nn.edge_sums import convolve, spread
from ..nn.frames import PrincipalFrames
from ..nn.radial_basis import RadialBasis
from ..nn.radial_mlp import RadialMLP
from ..nn.second_moment import second_moment_scale
from ..nn.silu import silu
from ..nn.species import Species
from ..tensors import Graph
from .energy_model import EnergyModel, distinct
from .faenet_config import FAENetConfig

__all__ = ["FAENet", "FAENetConfig", "Interaction"]

# Two moments that differ by a smaller share than this are equal.
_TIE = 1e-5
# Moments below so many roundings of the largest are zero: no atom lies off the other axes.
_EMPTY = 64


class FAENet(EnergyModel[FAENetConfig]):
    """Energies of atoms from species and edge vectors.

    What hangs together by edges is a system, whose frames are the eigenvectors of

        C = Σ_ij f(|r_ij|) r_ij r_ijᵀ

    with every choice of signs: 8 for O(3), 4 for SO(3). In the coordinates U_kᵀ r of frame k a
    network without any symmetry makes the atoms' energies, whose mean over k is the result. With
    b a radial basis times the polynomial cutoff f, h⁰ = W_z and λ the mean number of neighbours,

        e_ij = φ_e(b(|r_ij|) ⊗ (1, U_kᵀ r̂_ij))
        h_i ← h_i + φ_h(h_i, (1/√λ) Σ_j f(|r_ij|) σ(W e_ij + W' h_i + W'' h_j) ∘ h_j)

    and a network of the last h gives the energy in frame k. In training one frame of each system
    is evaluated (`frames="one"`), drawn anew whenever the parameters have changed; `eval()` takes
    the mean over all of them, which is invariant to rounding, with one thing to know:

    *Ties.* Where two eigenvalues of C meet, their axes are not unique, and the energy is not a
    continuous function there: it depends on how the system is turned, unless the atoms lie in the
    space of the other axes. Such a system (a cubic crystal, methane) is refused with an error.
    `ties="accept"` takes one of the possible choices. Near a tie the energy changes fast.

    C is made of edges, in place of the paper's positions of atoms: that is independent of the
    choice of the cell and of supercells, smooth where edges reach the cutoff, and lets systems
    without a common edge have the sum of their energies. When two systems come near, their frames
    become one at the first common edge, which is a step in the energy.

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: λ.

    Source: Duval et al. (2023), sections 3.2 (frames, one at random) and 4 (the network). There
    messages are normalised over the graph, and the energy is a weighted sum over atoms.

    Example:
        >>> model = FAENet(FAENetConfig(features=8), num_species=2, mean_neighbours=1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> vectors = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> model(vectors, torch.tensor([0, 1]), edges).shape
        torch.Size([2])
    """

    def __init__(self, config: FAENetConfig, num_species: int, mean_neighbours: float) -> None:
        super().__init__(config, num_species, mean_neighbours)
        width = config.features
        self.embedding = nn.Parameter(torch.randn(num_species, width))
        self.envelope = PolynomialCutoff(config.cutoff, config.envelope)
        self.radial = RadialBasis(config.cutoff, config.radial)
        self.frames = PrincipalFrames(config.group)
        known = config.edge_features
        self.geometry = RadialMLP([4 * config.radial, known, known], out_activation=True)
        self.interactions = nn.ModuleList(
            Interaction(width, known, self.mean_neighbours) for _ in range(config.layers)
        )
        self.readout = RadialMLP([width, config.readout, 1])

    def atom_energies(self, vectors: Tensor, species: Species, graph: Graph) -> Tensor:
        """See `EnergyModel.forward`."""
        halves = 1 if graph.pairs is None else 2
        length = torch.linalg.vector_norm(distinct(vectors, graph), dim=1)
        envelope = self.envelope(length)
        turned = self._in_frames(vectors, envelope, graph.edge_index, graph.num_nodes)
        frames, atoms = len(turned), graph.num_nodes
        copies = _copies(graph.edge_index, frames, atoms, halves)
        graph = Graph(copies, frames * atoms, paired=halves == 2)
        unit = turned / length.repeat(halves)[:, None]
        radial = (self.radial(length) * envelope[:, None]).repeat(halves, 1)
        inputs = torch.cat([torch.ones_like(unit[..., :1]), unit], 2)[..., None] * radial[:, None]
        edges = self.geometry(_by_halves(inputs.flatten(2), halves))
        factor = envelope.repeat(frames)[:, None]
        features = self.embedding[species.index].repeat(frames, 1)
        for interaction in self.interactions:
            features = interaction(features, edges, factor, graph)
        return self.readout(features)[:, 0].unflatten(0, (frames, atoms)).mean(0)

    def _in_frames(
        self, vectors: Tensor, envelope: Tensor, edge_index: Tensor, atoms: int
    ) -> Float[Tensor, "frames edges 3"]:
        """Coordinates of all edges in each of the frames that are evaluated."""
        half = len(envelope)
        # Each system is known by its first atom; there is a row for every atom, so that shapes do
        # not depend on how many systems there are.
        systems = first_connected(edge_index[:, :half], atoms, envelope.detach() > 0)
        of_edge = systems[edge_index[0]]
        ranges = vectors[:half, :, None] * (vectors[:half] * envelope[:, None])[:, None, :]
        moments = vectors.new_zeros(atoms, 3, 3).index_add(0, of_edge[:half], ranges)
        none = moments.detach().diagonal(0, 1, 2).sum(1) == 0
        axes = vectors.new_tensor([1.0, 2.0, 3.0]).diag()  # any; no edge sees them
        moments = torch.where(none[:, None, None], axes, moments)
        matrices = self.frames.of_moments(moments).pose.matrix.unflatten(0, (atoms, -1))
        if self.config.ties == "refuse":
            known, first = moments.detach(), matrices.detach()[:, 0]
            recording.checked(lambda: _refuse_ties(known, first), known, first)
        if self.training and self.config.frames == "one":
            rows = torch.arange(atoms, device=systems.device)
            drawn = self._drawn(systems == rows)
            matrices = matrices[rows, drawn][:, None]
        chosen = matrices.transpose(0, 1)[:, of_edge]
        return (vectors[:, :, None] * chosen).sum(2)

    def _drawn(self, first: Bool[Tensor, " atoms"]) -> Int64[Tensor, " atoms"]:
        """A frame for each system, the same in every evaluation within a step of training."""
        weight = next(self.readout.parameters())
        return drawn_integers(weight, first.cumsum(0)) % len(self.frames.signs)


class Interaction(nn.Module):
    """One message passing, as `FAENet` describes it.

    Args:
        width: of features.
        known: width of what is known of edges.
        mean_neighbours: λ.
    """

    def __init__(self, width: int, known: int, mean_neighbours: float) -> None:
        super().__init__()
        # One matrix on (e, h_i, h_j), cut in three, so that two of them act on atoms.
        self.of_edge = RadialMLP([known, width], variance_out=1 / 3)
        self.at_receiver = RadialMLP([width, width], variance_out=1 / 3)
        self.at_sender = RadialMLP([width, width], variance_out=1 / 3)
        self.update = RadialMLP([2 * width, width, width])
        self.scale = second_moment_scale(nn.functional.silu) * mean_neighbours**-0.5

    def forward(
        self,
        features: Float[Tensor, "nodes features"],
        edges: Float[Tensor, "edges known"],
        envelope: Float[Tensor, "_ 1"],
        graph: Graph,
    ) -> Float[Tensor, "nodes features"]:
        """Features after one layer.

        Args:
            features: those before.
            edges: what is known of each edge.
            envelope: of all edges or of one half.
            graph: the edges.
        """
        receivers, senders = self.at_receiver(features), self.at_sender(features)
        mixed = spread(receivers, senders, self.of_edge(edges), graph)
        filters = silu(mixed)
        total = convolve(features, filters, envelope * self.scale, graph)
        return features + self.update(torch.cat([features, total], 1))


def _refuse_ties(moments: Float[Tensor, "systems 3 3"], axes: Float[Tensor, "systems 3 3"]) -> None:
    """Raise NumberError where two axes that the system fills are not told apart.

    Raises:
        NumberError: as said.
    """
    values = (axes.mT @ moments @ axes).diagonal(0, 1, 2)
    upper, gaps = values[:, 1:], values[:, 1:] - values[:, :-1]
    empty = upper <= _EMPTY * torch.finfo(values.dtype).eps * values[:, 2:]
    relative = torch.where(empty, 1.0, gaps / torch.where(empty, 1.0, upper)).amin(1)
    if bool((relative < _TIE).any()):
        worst = int(relative.argmin())
        raise NumberError(
            "the principal axes of a system are not unique, so its energy would depend on how the "
            "system is turned",
            got=f"second moments {', '.join(f'{float(v):.6g}' for v in values[worst])} Å²",
            expected="moments that differ",
            remedy="take another model for symmetric molecules and crystals, move the atoms a "
            "little, or set model.ties=accept",
        )


def _copies(
    edge_index: Int[Tensor, "2 edges"], frames: int, atoms: int, halves: int
) -> Int[Tensor, "2 copies"]:
    """The edges of as many graphs as there are frames, side by side, halves together."""
    offsets = atoms * torch.arange(frames, device=edge_index.device)
    by_half = edge_index.unflatten(1, (halves, -1))
    return (by_half[:, :, None] + offsets[:, None]).flatten(1)


def _by_halves(rows: Float[Tensor, "frames edges width"], halves: int) -> Float[Tensor, "_ width"]:
    """Rows in the order of `_copies`."""
    return rows.unflatten(1, (halves, -1)).transpose(0, 1).flatten(0, 2)
