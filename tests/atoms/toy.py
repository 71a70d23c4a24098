"""A pair potential with the interface of a model: no layers, and known in closed form."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class PairModel(nn.Module):
    """e_i = Σ_j s(z_i) s(z_j) (r - a)² (1 - r/c)² for r < c, with trainable s and a."""

    def __init__(self, num_species: int, cutoff: float) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.linspace(0.5, 1.0, num_species))
        self.length = nn.Parameter(torch.tensor(1.1))
        self.cutoff = cutoff

    def forward(
        self, vectors: Tensor, species: Tensor, edge_index: Tensor, paired: bool = False
    ) -> Tensor:
        """(edges, 3), (atoms,), (2, edges) -> (atoms,)."""
        senders, receivers = edge_index
        r = torch.linalg.vector_norm(vectors, dim=1)
        strength = self.strength[species]
        pair = (r - self.length).square() * (1 - r / self.cutoff).square()
        pair = pair * strength[senders] * strength[receivers]
        return torch.zeros_like(strength).index_add(0, receivers, pair)
