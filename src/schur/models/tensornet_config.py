"""The shape of a TensorNet model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TensorNetConfig(BaseModel):
    """Shape of a TensorNet model.

    Args:
        cutoff: Å; edges are shorter.
        layers: number of interaction layers; the embedding sees neighbours too.
        features: number of 3 x 3 matrices of an atom.
        radial: number of radial basis functions.
        radial_hidden: widths of the networks from radial basis to weights.
        envelope: exponent p of the polynomial cutoff.
        readout: hidden scalars of the readout.
        lone_atoms: whether an atom without neighbours has an energy that training happens to give
            it (`free`), or exactly the reference energy of its element (`reference`); see
            `Potential`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["tensornet"] = "tensornet"
    cutoff: float = Field(default=5.0, gt=0)
    layers: int = Field(default=2, ge=0)
    features: int = Field(default=64, ge=1)
    radial: int = Field(default=8, ge=1)
    radial_hidden: tuple[int, ...] = (64,)
    envelope: int = Field(default=6, ge=2)
    readout: int = Field(default=64, ge=1)
    lone_atoms: Literal["free", "reference"] = "free"

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> TensorNetConfig().describe()
            'TensorNet, 64 matrices, 2 layers, cutoff 5.0 Å'
        """
        return f"TensorNet, {self.features} matrices, {self.layers} layers, cutoff {self.cutoff} Å"
