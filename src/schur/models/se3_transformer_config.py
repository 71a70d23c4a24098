"""The shape of an SE(3)-Transformer."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..reps import Irreps
from .energy_model_config import EnergyModelConfig, natural_irreps


class SE3TransformerConfig(EnergyModelConfig, frozen=True):
    """Shape of an SE(3)-Transformer.

    Beside what `EnergyModelConfig` has:

    Args:
        layers: number of attention layers.
        lmax: highest degree of features and of the spherical harmonics of an edge.
        features: multiplicity of each degree.
        heads: number of heads; they divide `features`.
        radial_hidden: widths of the network from Bessel functions to weights.
        readout: widths of the hidden layers of the readout; none for a linear one.

    Example:
        >>> SE3TransformerConfig(lmax=1, features=8).hidden
        8x0e+8x1o
    """

    architecture: Literal["se3-transformer"] = "se3-transformer"
    layers: int = Field(default=3, ge=1)
    lmax: int = Field(default=2, ge=0)
    features: int = Field(default=32, ge=1)
    heads: int = Field(default=4, ge=1)
    radial_hidden: tuple[int, ...] = (64,)
    readout: tuple[int, ...] = (32,)

    @model_validator(mode="after")
    def _check_heads(self) -> SE3TransformerConfig:
        if self.features % self.heads:
            raise ValueError(f"heads has to divide features, which is {self.features}")
        return self

    @property
    def hidden(self) -> Irreps:
        """The features that a layer passes on; the last one passes on scalars alone."""
        return natural_irreps(self.lmax, self.features)

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> SE3TransformerConfig().describe()
            'SE(3)-Transformer, 32x0e+32x1o+32x2e, 4 heads, 3 layers, cutoff 5.0 Å'
        """
        return (
            f"SE(3)-Transformer, {self.hidden}, {self.heads} heads, {self.layers} layers, "
            f"cutoff {self.cutoff} Å"
        )
