"""Distances seen on the scale of the two atoms that they separate."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


def radii_of(numbers: Sequence[int]) -> Tensor:
    """Covalent radii (Cordero et al. 2008) of elements in Å, float64; 0.2 where none is known.

    Example:
        >>> radii_of([1, 8])
        tensor([0.3100, 0.6600], dtype=torch.float64)
    """
    from ase.data import covalent_radii  # most models do without, and it takes a while to load

    return torch.from_numpy(covalent_radii[list(numbers)].astype("float64"))


class AgnesiTransform(nn.Module):
    """A distance as a number between 1 (at zero) and 0 (far away).

        u = 1 / (1 + a x^q / (1 + x^(q - p))),   x = r / r0,   r0 = (R_s + R_t) / 2

    with covalent radii R of the two atoms, q = 0.9183, p = 4.5791, a = 1.0805.

    Args:
        numbers: atomic number of each species.

    Source: Witt et al., "ACEpotentials.jl" (2023), section II.C, doi 10.1063/5.0158783; constants
    of Batatia et al., "A foundation model for atomistic materials chemistry" (2024).

    Example:
        >>> transform = AgnesiTransform([1])
        >>> transform(torch.tensor([0.0, 0.31, 3.1]), torch.tensor([0]), torch.tensor([0]))
        tensor([1.0000, 0.6492, 0.1005])
    """

    radii: Tensor

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("radii", radii_of(numbers))

    def forward(
        self,
        length: Float[Tensor, " edges"],
        first: Int[Tensor, " #edges"],
        second: Int[Tensor, " #edges"],
    ) -> Float[Tensor, " edges"]:
        """Transformed distances between atoms of species `first` and `second`."""
        a, q, p = 1.0805, 0.9183, 4.5791
        radii = self.radii.to(length.dtype)
        x = length / (0.5 * (radii[first] + radii[second]))
        # x^q / (1 + x^(q-p)) without the power that is infinite at zero.
        return 1 / (1 + a * x**p / (1 + x ** (p - q)))


class SoftTransform(nn.Module):
    """A distance that stops shrinking inside three quarters of the bond length.

        u = p0 + (r - p0) (1 + tanh(α (r - m) / (p1 - p0))) / 2

    with p0 = 3/4 r0, p1 = 4/3 r0, m = (p0 + p1) / 2, r0 = R_s + R_t and α = 4.

    Args:
        numbers: atomic number of each species.

    Source: `SoftTransform` of mace-torch 0.3.16.

    Example:
        >>> transform = SoftTransform([1])
        >>> transform(torch.tensor([0.1, 3.1]), torch.tensor([0]), torch.tensor([0]))
        tensor([0.4650, 3.1000])
    """

    radii: Tensor

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__()
        self.register_buffer("radii", radii_of(numbers))

    def forward(
        self,
        length: Float[Tensor, " edges"],
        first: Int[Tensor, " #edges"],
        second: Int[Tensor, " #edges"],
    ) -> Float[Tensor, " edges"]:
        """Transformed distances between atoms of species `first` and `second`, Å."""
        radii = self.radii.to(length.dtype)
        bond = radii[first] + radii[second]
        low, high = 0.75 * bond, 4 / 3 * bond
        steep = torch.tanh(4.0 * (length - 0.5 * (low + high)) / (high - low))
        return low + (length - low) * 0.5 * (1 + steep)
