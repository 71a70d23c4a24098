"""What is known of an edge that no rotation changes: its length and the elements at its ends."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ..nn.cutoffs import PolynomialCutoff
from ..nn.radial_basis import RadialBasis
from ..tensors import Graph


class EdgeInvariants(nn.Module):
    """Bessel functions of an edge's length beside embeddings of its two elements, and its envelope.

    The functions are multiplied by the envelope, so that what is made of them is flat at the
    cutoff.

    Args:
        cutoff: Å.
        radial: number of Bessel functions.
        envelope: exponent p of the polynomial cutoff.
        num_species: how many elements there are.
        type_features: width of the embedding of an element, one for senders and one for receivers.

    Attributes:
        width: how many invariants an edge has.

    Source: Passaro and Zitnick (2023), section 5: the edge embedding of eSCN.

    Example:
        >>> invariants = EdgeInvariants(3.0, 4, 6, 2, 5)
        >>> graph = Graph(torch.tensor([[0, 1], [1, 0]]), 2, paired=True)
        >>> values, envelope = invariants(torch.randn(2, 3), torch.tensor([0, 1]), graph)
        >>> values.shape, envelope.shape
        (torch.Size([2, 14]), torch.Size([2]))
    """

    def __init__(
        self, cutoff: float, radial: int, envelope: int, num_species: int, type_features: int
    ) -> None:
        super().__init__()
        self.width = radial + 2 * type_features
        self.basis = RadialBasis(cutoff, radial)
        self.envelope = PolynomialCutoff(cutoff, envelope)
        self.sender = nn.Parameter(torch.randn(num_species, type_features))
        self.receiver = nn.Parameter(torch.randn(num_species, type_features))

    def forward(self, vectors: Tensor, species: Tensor, graph: Graph) -> tuple[Tensor, Tensor]:
        """(edges, 3) -> (edges, width), and (edges,) factors that are zero beyond the cutoff.

        Of paired edges each length is looked at once.
        """
        half = len(vectors) if graph.pairs is None else graph.pairs.size
        length = torch.linalg.vector_norm(vectors[:half], dim=1)
        envelope = self.envelope(length)
        basis = self.basis(length) * envelope[:, None]
        if graph.pairs is not None:
            basis, envelope = basis.repeat(2, 1), envelope.repeat(2)
        sender = self.sender[species[graph.senders.index]]
        receiver = self.receiver[species[graph.receivers.index]]
        return torch.cat([basis, sender, receiver], 1), envelope
