"""The shape of a FAENet model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class FAENetConfig(BaseModel):
    """Shape of a FAENet model.

    Args:
        cutoff: Å; edges are shorter.
        layers: number of message passings.
        features: width of the features of atoms and of the filters.
        edge_features: width of what is known of an edge, from which filters are made.
        radial: number of radial basis functions.
        group: `O(3)` for 8 frames, `SO(3)` for 4, so that mirror images may differ.
        frames: whether training evaluates one frame of each system, drawn in every step (`one`),
            or the average of all of them (`all`), as evaluation always does.
        ties: whether a system whose principal axes are not unique is refused, or evaluated with
            one of the possible choices of axes (`accept`); see `FAENet`.
        envelope: exponent p of the polynomial cutoff.
        readout: hidden scalars of the readout.
        lone_atoms: whether an atom without neighbours has an energy that training happens to give
            it (`free`), or exactly the reference energy of its element (`reference`); see
            `Potential`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["faenet"] = "faenet"
    cutoff: float = Field(default=5.0, gt=0)
    layers: int = Field(default=3, ge=1)
    features: int = Field(default=64, ge=1)
    edge_features: int = Field(default=32, ge=1)
    radial: int = Field(default=8, ge=1)
    group: Literal["O(3)", "SO(3)"] = "O(3)"
    frames: Literal["one", "all"] = "one"
    ties: Literal["refuse", "accept"] = "refuse"
    envelope: int = Field(default=6, ge=2)
    readout: int = Field(default=32, ge=1)
    lone_atoms: Literal["free", "reference"] = "free"

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> FAENetConfig().describe()
            'FAENet, 64 features in 8 frames, 3 layers, cutoff 5.0 Å'
        """
        count = 8 if self.group == "O(3)" else 4
        return (
            f"FAENet, {self.features} features in {count} frames, {self.layers} layers, "
            f"cutoff {self.cutoff} Å"
        )
