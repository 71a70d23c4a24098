"""The shape of an EGNN model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .energy_model_config import EnergyModelConfig


class EGNNConfig(EnergyModelConfig, frozen=True):
    """Shape of an EGNN model.

    Beside what `EnergyModelConfig` has:

    Args:
        layers: number of message passings.
        features: width of messages and of the features of atoms.
        moving: whether layers move the coordinates that the next layer measures distances by.
        step: size of these moves at first, Å for one neighbour far away.
        readout: hidden scalars of the readout.
    """

    architecture: Literal["egnn"] = "egnn"
    layers: int = Field(default=4, ge=1)
    features: int = Field(default=64, ge=1)
    radial: int = Field(default=16, ge=1)
    moving: bool = True
    step: float = Field(default=0.1, gt=0)
    readout: int = Field(default=32, ge=1)

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> EGNNConfig().describe()
            'EGNN, 64 features, 4 layers, cutoff 5.0 Å'
        """
        return f"EGNN, {self.features} features, {self.layers} layers, cutoff {self.cutoff} Å"
