"""The shape that all energy models have in common."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from ..reps import Irreps


class EnergyModelConfig(BaseModel, frozen=True, extra="forbid"):
    """What the shapes of all architectures hold, and what can be asked of them.

    Args:
        architecture: which one.
        cutoff: Å; edges are shorter.
        radial: number of radial basis functions.
        envelope: exponent p of the polynomial cutoff.
        lone_atoms: whether an atom without neighbours has an energy that training happens to give
            it (`free`), or exactly the reference energy of its element (`reference`); see
            `Potential`.
    """

    architecture: str
    cutoff: float = Field(default=5.0, gt=0)
    radial: int = Field(default=8, ge=1)
    envelope: int = Field(default=6, ge=2)
    lone_atoms: Literal["free", "reference"] = "free"

    @property
    def needs_elements(self) -> bool:
        """Whether the model has to know which elements its species are."""
        return False

    def describe(self) -> str:
        """The shape in a few words."""
        return f"{self.architecture}, cutoff {self.cutoff} Å"


def natural_irreps(lmax: int, multiplicity: int) -> Irreps:
    """Every degree to lmax, with the parity of spherical harmonics, so many times.

    Example:
        >>> natural_irreps(2, 8)
        8x0e+8x1o+8x2e
    """
    return Irreps([(multiplicity, ir) for _, ir in Irreps.spherical_harmonics(lmax)])
