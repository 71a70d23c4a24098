"""eComFormer: attention among atoms of a crystal, with one equivariant layer in between.

Yan, Fu, Qian, Qian, Ji, "Complete and efficient graph transformers for crystal material property
prediction", ICLR 2024.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..nn.convolution import Convolution
from ..nn.cutoffs import PolynomialCutoff
from ..nn.edge_sums import collect, spread
from ..nn.linear import Linear
from ..nn.radial_basis import RadialBasis
from ..nn.radial_mlp import RadialMLP
from ..nn.silu import silu
from ..nn.species import Species
from ..reps import Irreps
from ..tensors import Graph
from ..tensors.harmonics import spherical_harmonics
from .ecomformer_config import EComFormerConfig
from .energy_model import EnergyModel, distinct

__all__ = ["AtomAttention", "EComFormer", "EComFormerConfig", "EquivariantUpdate"]


class EComFormer(EnergyModel[EComFormerConfig]):
    """Energies of atoms from species and edge vectors.

    Scalars of atoms pass layers of attention (`AtomAttention`), which see lengths, and in between
    one equivariant layer (`EquivariantUpdate`), which sees directions too: degrees up to `lmax` are
    collected from neighbours, and contracted with the directions to theirs.

    The paper's model predicts properties of whole relaxed crystals. This is the same as a model of
    energies, so that forces and stress are derivatives; what differs follows from that. All that
    an edge brings is multiplied by an envelope, where the paper cuts off; there is no batch norm,
    since an energy may not depend on who else is in the batch; and a crystal's lattice vectors
    enter as what they are, edges from an atom to its own images, where they are shorter than the
    cutoff. The paper adds the three shortest ones whatever their length. For an energy that is no
    choice: a supercell has other ones, and would have another energy. (`IComFormer` and
    `crystal_graph` have them, for properties.)

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: neighbours of an atom on average; sums are divided by its root.

    Source: Yan et al. (2024), section 4.

    Example:
        >>> model = EComFormer(EComFormerConfig(features=4), num_species=2, mean_neighbours=1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> vectors = torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, -1.0]])
        >>> model(vectors, torch.tensor([0, 1]), edges).shape
        torch.Size([2])
    """

    def __init__(self, config: EComFormerConfig, num_species: int, mean_neighbours: float) -> None:
        super().__init__(config, num_species, mean_neighbours)
        self.embedding = nn.Parameter(torch.randn(num_species, config.features))
        self.envelope = PolynomialCutoff(config.cutoff, config.envelope)
        self.radial = RadialBasis(config.cutoff, config.radial)
        self.edge = Irreps.spherical_harmonics(config.lmax)
        widths = [config.radial, *config.radial_hidden]
        self.layers = nn.ModuleList(
            AtomAttention(config.features, widths, self.mean_neighbours)
            for _ in range(config.layers)
        )
        self.update = EquivariantUpdate(config.hidden, widths, self.mean_neighbours)
        self.readout = RadialMLP([config.features, *config.readout, 1])

    def atom_energies(self, vectors: Tensor, species: Species, graph: Graph) -> Tensor:
        """See `EnergyModel.forward`."""
        length = torch.linalg.vector_norm(distinct(vectors, graph), dim=1)
        radial, envelope = self.radial(length), self.envelope(length)[:, None]
        harmonics = spherical_harmonics(self.edge, vectors, True, "component")
        features = self.embedding[species.index]
        half = (len(self.layers) + 1) // 2
        for layer in self.layers[:half]:
            features = layer(features, radial, envelope, graph)
        features = self.update(features, harmonics, radial, envelope, graph)
        for layer in self.layers[half:]:
            features = layer(features, radial, envelope, graph)
        return self.readout(features)[:, 0]


class AtomAttention(nn.Module):
    """x_i + W'' (1/√λ) Σ_j c_ij σ(q_i ∘ k_ij / √d) ∘ v_ij, every channel with its own attention.

        k_ij = W φ(A x_i + B x_j + C e_ij),     v_ij likewise,     q_i = Q x_i

    with e the features of the edge's length and c the envelope. The sigmoid has no denominator, so
    that a neighbour leaves without a step and how many there are is not forgotten.

    Args:
        features: d.
        widths: sizes of the network from Bessel functions to e, but the last.
        mean_neighbours: λ.

    Source: Yan et al. (2024), equations 3 and 4 (their node-wise transformer layer).
    """

    def __init__(self, features: int, widths: Sequence[int], mean_neighbours: float) -> None:
        super().__init__()
        rep, both = Irreps(f"{features}x0e"), Irreps(f"{2 * features}x0e")
        self.features, self.share = features, mean_neighbours**-0.5
        self.query = Linear(rep, rep, biases=True)
        self.at_receiver, self.at_sender = Linear(rep, both, biases=True), Linear(rep, both)
        self.of_edge = RadialMLP([*widths, both.dim])
        self.key, self.value = (RadialMLP([features, features]) for _ in range(2))
        self.out = Linear(rep, rep)

    def forward(self, features: Tensor, radial: Tensor, envelope: Tensor, graph: Graph) -> Tensor:
        """(atoms, features) to the same; `radial` and `envelope` of all edges or of one half."""
        mixed = spread(
            self.at_receiver(features), self.at_sender(features), self.of_edge(radial), graph
        )
        key, value = silu(mixed).split(self.features, 1)
        fit = self.query(features)[graph.receivers.index] * self.key(key.contiguous())
        message = torch.sigmoid(fit * self.features**-0.5) * self.value(value.contiguous())
        return features + self.share * self.out(collect(message, envelope, graph))


class EquivariantUpdate(nn.Module):
    """Scalars through degrees and back: what directions tell, two neighbours at a time.

        h_i  = (1/√λ) Σ_j R(r_ij) x_j Y(r_ij)               scalars to all degrees
        x'_i = x_i + φ(W (1/√λ) Σ_j R'(r_ij) ⊗ h_j ⊗ Y(r_ij)) + φ(W' x_i)     and back to scalars

    Args:
        rep: h, with scalars first.
        widths: sizes of the networks from Bessel functions to R and R', but the last.
        mean_neighbours: λ.

    Source: Yan et al. (2024), section 4.2 (their node-wise equivariant updating layer).
    """

    def __init__(self, rep: Irreps, widths: Sequence[int], mean_neighbours: float) -> None:
        super().__init__()
        scalars, edge = Irreps(rep[:1]), Irreps.spherical_harmonics(rep.lmax)
        self.up = Convolution(scalars, edge, rep)
        self.down = Convolution(self.up.rep_out, edge, scalars)
        numels = self.up.weight_numel, self.down.weight_numel
        share = 1 / mean_neighbours
        self.radial_up, self.radial_down = (
            RadialMLP([*widths, numel], variance_out=share) for numel in numels
        )
        self.mix = Linear(self.down.rep_out, scalars, biases=True)
        self.own = Linear(scalars, scalars, biases=True)

    def forward(
        self, features: Tensor, harmonics: Tensor, radial: Tensor, envelope: Tensor, graph: Graph
    ) -> Tensor:
        """(atoms, features) to the same."""
        ways = [net(radial) * envelope for net in (self.radial_up, self.radial_down)]
        hidden = self.up(features, harmonics, ways[0], graph)
        found = self.mix(self.down(hidden, harmonics, ways[1], graph))
        return features + silu(found) + silu(self.own(features))
