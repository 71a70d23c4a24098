"""The shape of an eComFormer model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..reps import Irreps


class EComFormerConfig(BaseModel):
    """Shape of an eComFormer model.

    Args:
        cutoff: Å; edges are shorter.
        layers: attention layers, half of them (rounded up) before the equivariant one.
        lmax: highest degree inside of the equivariant layer.
        features: scalars of an atom.
        radial: number of Bessel functions.
        radial_hidden: widths of the networks from Bessel functions to weights.
        envelope: exponent p of the polynomial cutoff.
        readout: widths of the hidden layers of the readout; none for a linear one.
        lone_atoms: whether an atom without neighbours has an energy that training happens to give
            it (`free`), or exactly the reference energy of its element (`reference`); see
            `Potential`.

    Example:
        >>> EComFormerConfig(features=8).hidden
        8x0e+8x1o+8x2e
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["ecomformer"] = "ecomformer"
    cutoff: float = Field(default=5.0, gt=0)
    layers: int = Field(default=3, ge=1)
    lmax: int = Field(default=2, ge=0)
    features: int = Field(default=64, ge=1)
    radial: int = Field(default=8, ge=1)
    radial_hidden: tuple[int, ...] = (64,)
    envelope: int = Field(default=6, ge=2)
    readout: tuple[int, ...] = (64,)
    lone_atoms: Literal["free", "reference"] = "free"

    @property
    def hidden(self) -> Irreps:
        """The features inside of the equivariant layer."""
        harmonics = Irreps.spherical_harmonics(self.lmax)
        return Irreps([(self.features, ir) for _, ir in harmonics])

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> EComFormerConfig().describe()
            'eComFormer, 64 features, 3 layers, l up to 2 in between, cutoff 5.0 Å'
        """
        return (
            f"eComFormer, {self.features} features, {self.layers} layers, l up to {self.lmax} "
            f"in between, cutoff {self.cutoff} Å"
        )
