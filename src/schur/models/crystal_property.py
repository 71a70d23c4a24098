"""Properties of crystals from any model of atoms."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..errors import DataError, ShapeError
from .crystal_graph import CrystalGraph

__all__ = ["CrystalProperty"]


class CrystalProperty(nn.Module):
    """The mean over the atoms of a crystal of what a model says of each.

    What is invariant and the same for every cell and supercell: the atoms of a larger cell are as
    many times more as their sum is. Any architecture of `schur.models.registry` will do; of
    `EComFormer` this is the network of its paper but for the lattice vectors, which `IComFormer`
    has.

    Args:
        model: (vectors, species, edge_index) -> one number an atom.
        elements: atomic numbers in the order of the model's species.
        scale, shift: what the mean is multiplied by, and what is added; the spread and the mean of
            the property over the training set.

    Source: Yan et al., "Complete and efficient graph transformers" (2024), section 4: the mean
        over nodes.

    Example:
        >>> import numpy as np
        >>> from schur.models.crystal_graph import crystal_graph
        >>> from schur.models.ecomformer import EComFormer, EComFormerConfig
        >>> model = EComFormer(EComFormerConfig(features=4, cutoff=4.0), 2, 20.0).double()
        >>> network = CrystalProperty(model, elements=(17, 55))
        >>> places, cell = np.array([[0, 0, 0], [2.0, 2, 2]]), 4.0 * np.eye(3)
        >>> network([crystal_graph(places, np.array([55, 17]), cell, 4.0)]).shape
        torch.Size([1])
    """

    def __init__(
        self, model: nn.Module, elements: Sequence[int], scale: float = 1.0, shift: float = 0.0
    ) -> None:
        super().__init__()
        self.model = model
        self.elements = tuple(int(z) for z in elements)
        self.scale, self.shift = float(scale), float(shift)

    def forward(self, crystals: Sequence[CrystalGraph]) -> Float[Tensor, " crystals"]:
        """The property of each crystal.

        Raises:
            ShapeError: no crystal.
            DataError: an element that the model does not know.
        """
        if not crystals:
            raise ShapeError("there is no crystal", got=0, expected="one or more")
        counts = torch.tensor([len(crystal.numbers) for crystal in crystals])
        starts = counts.cumsum(0) - counts
        edges = torch.cat(
            [c.edge_index + start for c, start in zip(crystals, starts, strict=True)], 1
        )
        vectors = torch.cat([crystal.vectors for crystal in crystals])
        numbers = torch.cat([crystal.numbers for crystal in crystals])
        by_atom = self.model(vectors, self._species(numbers), edges)
        owner = torch.repeat_interleave(torch.arange(len(crystals)), counts)
        total = by_atom.new_zeros(len(crystals)).index_add(0, owner, by_atom)
        return self.scale * total / counts + self.shift

    def _species(self, numbers: Tensor) -> Tensor:
        match = numbers[:, None] == torch.tensor(self.elements)
        if not bool(match.any(1).all()):
            raise DataError(
                "the model does not know this element",
                got=sorted(set(numbers[~match.any(1)].tolist())),
                expected=f"atomic numbers among {self.elements}",
            )
        return match.int().argmax(1)
