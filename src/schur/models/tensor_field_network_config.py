"""The shape of a tensor field network."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ..reps import Irreps
from .energy_model_config import EnergyModelConfig, natural_irreps


class TensorFieldNetworkConfig(EnergyModelConfig, frozen=True):
    """Shape of a tensor field network.

    Beside what `EnergyModelConfig` has:

    Args:
        layers: number of point convolutions.
        lmax: highest degree of features and of the spherical harmonics of an edge.
        features: multiplicity of each degree.
        radial_hidden: widths of the network from Bessel functions to weights.
        readout: widths of the hidden layers of the readout; none for a linear one.

    Example:
        >>> TensorFieldNetworkConfig(lmax=1, features=8).hidden
        8x0e+8x1o
    """

    architecture: Literal["tensor-field-network"] = "tensor-field-network"
    layers: int = Field(default=3, ge=1)
    lmax: int = Field(default=2, ge=0)
    features: int = Field(default=32, ge=1)
    radial_hidden: tuple[int, ...] = (64,)
    readout: tuple[int, ...] = (32,)

    @property
    def hidden(self) -> Irreps:
        """The features that a layer passes on; the last one passes on scalars alone."""
        return natural_irreps(self.lmax, self.features)

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> TensorFieldNetworkConfig().describe()
            'tensor field network, 32x0e+32x1o+32x2e, 3 layers, cutoff 5.0 Å'
        """
        return f"tensor field network, {self.hidden}, {self.layers} layers, cutoff {self.cutoff} Å"
