"""The shape of an EGNN model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EGNNConfig(BaseModel):
    """Shape of an EGNN model.

    Args:
        cutoff: Å; edges are shorter.
        layers: number of message passings.
        features: width of messages and of the features of atoms.
        radial: number of radial basis functions.
        envelope: exponent p of the polynomial cutoff.
        moving: whether layers move the coordinates that the next layer measures distances by.
        step: size of these moves at first, Å for one neighbour far away.
        readout: hidden scalars of the readout.
        lone_atoms: whether an atom without neighbours has an energy that training happens to give
            it (`free`), or exactly the reference energy of its element (`reference`); see
            `Potential`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["egnn"] = "egnn"
    cutoff: float = Field(default=5.0, gt=0)
    layers: int = Field(default=4, ge=1)
    features: int = Field(default=64, ge=1)
    radial: int = Field(default=16, ge=1)
    envelope: int = Field(default=6, ge=2)
    moving: bool = True
    step: float = Field(default=0.1, gt=0)
    readout: int = Field(default=32, ge=1)
    lone_atoms: Literal["free", "reference"] = "free"

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> EGNNConfig().describe()
            'EGNN, 64 features, 4 layers, cutoff 5.0 Å'
        """
        return f"EGNN, {self.features} features, {self.layers} layers, cutoff {self.cutoff} Å"
