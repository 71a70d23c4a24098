"""What all energy models have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Generic, TypeVar

from jaxtyping import Float, Int
from torch import Tensor, nn

from ..nn.species import Species
from ..tensors import Graph
from .energy_model_config import EnergyModelConfig

ConfigT = TypeVar("ConfigT", bound=EnergyModelConfig)


class EnergyModel(nn.Module, ABC, Generic[ConfigT]):
    """Energies of atoms from edge vectors and species.

    A subclass makes its layers in its constructor and says in `atom_energies` what they do. Species
    and edges come to it checked and sorted, once for all layers.

    Args:
        config: shape of the model.
        num_species: how many elements there are.
        mean_neighbours: λ, what sums over neighbours are divided by in the subclass's way.

    Example:
        >>> import torch
        >>> class Springs(EnergyModel[EnergyModelConfig]):
        ...     def atom_energies(self, vectors, species, graph):
        ...         stretch = torch.linalg.vector_norm(vectors, dim=1) - 1
        ...         atoms = vectors.new_zeros(graph.num_nodes)
        ...         return atoms.index_add(0, graph.receivers.index, stretch**2)
        >>> springs = Springs(EnergyModelConfig(architecture="springs"), 1, 1.0)
        >>> edges = torch.tensor([[1, 0], [0, 1]])
        >>> springs(torch.tensor([[0.0, 0.0, 1.5], [0.0, 0.0, -1.5]]), torch.tensor([0, 0]), edges)
        tensor([0.2500, 0.2500])
    """

    takes_topology = True

    def __init__(self, config: ConfigT, num_species: int, mean_neighbours: float) -> None:
        super().__init__()
        self.config = config
        self.num_species = num_species
        self.mean_neighbours = float(mean_neighbours)

    def forward(
        self,
        vectors: Float[Tensor, "edges dim"],
        species: Int[Tensor, " atoms"] | Species,
        edge_index: Int[Tensor, "2 edges"] | Graph,
        paired: bool = False,
    ) -> Float[Tensor, " atoms"]:
        """One number for each atom; invariant to rotation, inversion and permutation.

        Where the class says that rotations are kept to an accuracy, so are they here.

        Args:
            vectors: r_receiver - r_sender, Å.
            species: index of each atom's element.
            edge_index: senders and receivers; or a graph, whose `paired` counts.
            paired: the second half of the edges is the first half reversed, in its order; what
                is the same in both directions is then computed once.

        Raises:
            IndexRangeError: a species or an atom that there is not.
            ShapeError: edges said to be paired that are not.
        """
        if not isinstance(species, Species):
            species = Species(species, self.num_species)
        graph = Graph.of(edge_index, len(species.index), paired)
        return self.atom_energies(vectors, species, graph)

    @abstractmethod
    def atom_energies(self, vectors: Tensor, species: Species, graph: Graph) -> Tensor:
        """One number for each atom; see `forward`."""


def distinct(vectors: Tensor, graph: Graph) -> Tensor:
    """The first half of paired edges, whose lengths are those of the second; else all of them."""
    return vectors if graph.pairs is None else vectors[: len(vectors) // 2]
