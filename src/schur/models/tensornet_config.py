"""The shape of a TensorNet model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .energy_model_config import EnergyModelConfig


class TensorNetConfig(EnergyModelConfig, frozen=True):
    """Shape of a TensorNet model.

    Beside what `EnergyModelConfig` has:

    Args:
        layers: number of interaction layers; the embedding sees neighbours too.
        features: number of 3 x 3 matrices of an atom.
        radial_hidden: widths of the networks from radial basis to weights.
        readout: hidden scalars of the readout.
    """

    architecture: Literal["tensornet"] = "tensornet"
    layers: int = Field(default=2, ge=0)
    features: int = Field(default=64, ge=1)
    radial_hidden: tuple[int, ...] = (64,)
    readout: int = Field(default=64, ge=1)

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> TensorNetConfig().describe()
            'TensorNet, 64 matrices, 2 layers, cutoff 5.0 Å'
        """
        return f"TensorNet, {self.features} matrices, {self.layers} layers, cutoff {self.cutoff} Å"
