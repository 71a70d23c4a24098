"""Products of a node's features with themselves, as in MACE."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.engine import Routine
from schur.engine.routine import Backend
from schur.errors import RepresentationError
from schur.nn.species import Species, checked_species
from schur.products import symmetric_contraction
from schur.reps import Irreps
from schur.tensors import GeometricTensor, checked, wrapped


class SymmetricContraction(torch.nn.Module):
    """Equivariant polynomials of each channel, with weights for each species.

        out[n, L, M, u] = Σ_{ν <= correlation} Σ_p weight[s(n), L, ν, p, u] B_{Lνp,M}(x[n, :, u])

    The polynomials B are the orthonormal bases of `schur.products.symmetric_basis`: the span of
    MACE's U matrices without their redundancy, and only the terms that are not zero.

    Args:
        rep_in, rep_out: representations in which every term has the same multiplicity.
        correlation: the highest degree; the body order of a message is one more.
        species: how many species have weights of their own; None for one set of weights.
        backend: see `schur.engine.Routine`.

    Attributes:
        weight: shape (species, weight_numel) or (weight_numel,): for each term of `rep_out` and
            each degree, for each polynomial one number a channel.

    Raises:
        RepresentationError: if multiplicities differ, or no product has an irrep of the output.

    Source: Batatia et al., "MACE: Higher order equivariant message passing neural networks"
    (2022), eq. 10 and 11.

    Example:
        >>> layer = SymmetricContraction("8x0e+8x1o", "8x0e+8x1o", correlation=3, species=2)
        >>> layer.weight.shape
        torch.Size([2, 72])
        >>> layer(torch.randn(5, 32), torch.tensor([0, 1, 0, 0, 1])).shape
        torch.Size([5, 32])
    """

    rep_in: Irreps
    rep_out: Irreps
    weight_numel: int

    def __init__(
        self,
        rep_in: Irreps | str,
        rep_out: Irreps | str,
        correlation: int,
        species: int | None = None,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        if correlation < 1 or (species is not None and species < 1):
            raise RepresentationError(
                "correlation and species count from one", got=(correlation, species)
            )
        self.rep_in, self.rep_out = Irreps(rep_in), Irreps(rep_out)
        self.correlation, self.species = correlation, species
        program = symmetric_contraction(
            self.rep_in, self.rep_out, correlation, by_species=species is not None
        )
        self.routine = Routine(program, backend)
        blocks = program.values["weight"].blocks
        self.weight_numel = sum(block.size for block in blocks)
        lead = () if species is None else (species,)
        # As in MACE each path starts with the weight 1 / number of paths, times a random number.
        start = [
            torch.randn(*lead, block.components, *block.channels) / block.components
            for block in blocks
        ]
        flat = [part.flatten(len(lead)) for part in start]
        self.weight = torch.nn.Parameter(torch.cat(flat, -1))
        # Paths by channels; the blocks differ in their paths only.
        channels = prod(blocks[0].channels)
        self.weight_shapes = ((self.weight_numel // channels, channels),)

    def forward(
        self,
        x: Shaped[Tensor, "..."] | GeometricTensor,
        species: Shaped[Tensor, "..."] | Species | None = None,
    ) -> Any:
        """Evaluate.

        Args:
            x: shape (..., rep_in.dim).
            species: integers of shape (...) or a `Species`, for a layer with species.

        Returns:
            Shape (..., rep_out.dim); a GeometricTensor if `x` is one.
        """
        data = checked(x, self.rep_in, "x")
        lead = data.shape[:-1]
        which = checked_species(species, self.species, lead)
        known = which.sorted if isinstance(which, Species) else which
        indices = {} if known is None else {"species": known}
        out = self.routine(data.reshape(-1, self.rep_in.dim), self.weight, indices=indices)
        return wrapped(out.reshape(*lead, self.rep_out.dim), self.rep_out, x)

    def __repr__(self) -> str:
        by = "" if self.species is None else f" for each of {self.species} species"
        return (
            f"SymmetricContraction({self.rep_in} -> {self.rep_out}, "
            f"correlation={self.correlation}, {self.weight_numel} weights{by})"
        )
