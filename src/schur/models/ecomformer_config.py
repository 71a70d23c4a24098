"""The shape of an eComFormer model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..reps import Irreps
from .energy_model_config import EnergyModelConfig, natural_irreps


class EComFormerConfig(EnergyModelConfig, frozen=True):
    """Shape of an eComFormer model.

    Beside what `EnergyModelConfig` has:

    Args:
        layers: attention layers, half of them (rounded up) before the equivariant one.
        lmax: highest degree inside of the equivariant layer.
        features: scalars of an atom.
        radial_hidden: widths of the networks from Bessel functions to weights.
        readout: widths of the hidden layers of the readout; none for a linear one.

    Example:
        >>> EComFormerConfig(features=8).hidden
        8x0e+8x1o+8x2e
    """

    architecture: Literal["ecomformer"] = "ecomformer"
    layers: int = Field(default=3, ge=1)
    lmax: int = Field(default=2, ge=0)
    features: int = Field(default=64, ge=1)
    radial_hidden: tuple[int, ...] = (64,)
    readout: tuple[int, ...] = (64,)

    @property
    def hidden(self) -> Irreps:
        """The features inside of the equivariant layer."""
        return natural_irreps(self.lmax, self.features)

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
