"""Repulsion of nuclei behind their electrons, for atoms that come too close."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..nn.cutoffs import PolynomialCutoff
from .distance_transforms import radii_of

_COULOMB = 14.3996  # e²/(4πε0), eV Å
_BOHR = 0.529  # Å
_SHARES = (0.1818, 0.5099, 0.2802, 0.02817)
_RATES = (3.2, 0.9423, 0.4028, 0.2016)


class ZBL(nn.Module):
    """The universal screened Coulomb energy of a pair, faded out at the sum of covalent radii.

        V(r) = k Z_s Z_t / r · φ(r / a) · f(r / (R_s + R_t)),   φ(x) = Σ_i c_i exp(-d_i x)
        a = 0.4543 · 0.529 Å / (Z_s^0.3 + Z_t^0.3)

    with k = 14.3996 eV Å, covalent radii R and the polynomial cutoff f of order p. Constants and
    fading are those of mace-torch.

    Args:
        numbers: atomic number of each species.
        p: order of the cutoff.

    Source: Ziegler, Biersack, Littmark, "The Stopping and Range of Ions in Matter" (1985).

    Example:
        >>> pair = ZBL([1], 5)
        >>> pair(torch.tensor([0.1, 0.3, 0.7]), torch.tensor([0]), torch.tensor([0]))
        tensor([67.5123,  6.4469,  0.0000])
    """

    charges: Tensor
    radii: Tensor

    def __init__(self, numbers: Sequence[int], p: int) -> None:
        super().__init__()
        self.register_buffer("charges", torch.tensor([float(z) for z in numbers]).double())
        self.register_buffer("radii", radii_of(numbers))
        self.envelope = PolynomialCutoff(1.0, p)

    def forward(
        self,
        length: Float[Tensor, " edges"],
        first: Int[Tensor, " #edges"],
        second: Int[Tensor, " #edges"],
    ) -> Float[Tensor, " edges"]:
        """V in eV of pairs at a distance `length` (Å) of species `first` and `second`."""
        charges, radii = self.charges.to(length.dtype), self.radii.to(length.dtype)
        screening = charges**0.3
        x = length * (screening[first] + screening[second]) / (0.4543 * _BOHR)
        phi = torch.zeros_like(x)
        for share, rate in zip(_SHARES, _RATES, strict=True):
            phi = phi + share * torch.exp(-rate * x)
        bare = _COULOMB * charges[first] * charges[second] / length
        return bare * phi * self.envelope(length / (radii[first] + radii[second]))
