"""The shape of a FAENet model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from .energy_model_config import EnergyModelConfig


class FAENetConfig(EnergyModelConfig, frozen=True):
    """Shape of a FAENet model.

    Beside what `EnergyModelConfig` has:

    Args:
        layers: number of message passings.
        features: width of the features of atoms and of the filters.
        edge_features: width of what is known of an edge, from which filters are made.
        group: `O(3)` for 8 frames, `SO(3)` for 4, so that mirror images may differ.
        frames: whether training evaluates one frame of each system, drawn in every step (`one`),
            or the average of all of them (`all`), as evaluation always does.
        ties: whether a system whose principal axes are not unique is refused, or evaluated with
            one of the possible choices of axes (`accept`); see `FAENet`.
        readout: hidden scalars of the readout.
    """

    architecture: Literal["faenet"] = "faenet"
    layers: int = Field(default=3, ge=1)
    features: int = Field(default=64, ge=1)
    edge_features: int = Field(default=32, ge=1)
    group: Literal["O(3)", "SO(3)"] = "O(3)"
    frames: Literal["one", "all"] = "one"
    ties: Literal["refuse", "accept"] = "refuse"
    readout: int = Field(default=32, ge=1)

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
