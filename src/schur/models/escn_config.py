"""The shape of an eSCN model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..reps import Irreps
from .energy_model_config import EnergyModelConfig, natural_irreps


class ESCNConfig(EnergyModelConfig, frozen=True):
    """Shape of an eSCN model.

    Beside what `EnergyModelConfig` has:

    Args:
        layers: number of message passings.
        lmax: highest degree of the features.
        order: orders |m| <= order are mixed in the frame of an edge, the others are left out; all
            of them where it is not given. Fewer orders are as equivariant, and cost less.
        channels: multiplicity of each degree.
        type_features: width of the embedding of the two elements of an edge.
        radial_hidden: widths of the network from an edge's invariants to its factors.
        readout: widths of the hidden layers of the readout; none for a linear one.

    Example:
        >>> ESCNConfig(lmax=2, channels=8).hidden
        8x0e+8x1o+8x2e
    """

    architecture: Literal["escn"] = "escn"
    layers: int = Field(default=3, ge=1)
    lmax: int = Field(default=3, ge=0)
    order: int | None = Field(default=2, ge=0)
    channels: int = Field(default=48, ge=1)
    type_features: int = Field(default=16, ge=1)
    radial_hidden: tuple[int, ...] = (64,)
    readout: tuple[int, ...] = ()

    @model_validator(mode="after")
    def _check_order(self) -> ESCNConfig:
        if self.order is not None and self.order > self.lmax:
            raise ValueError(f"order has to be at most lmax, which is {self.lmax}")
        return self

    @property
    def hidden(self) -> Irreps:
        """The features that a layer passes on; the last one passes on scalars alone."""
        return natural_irreps(self.lmax, self.channels)

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> ESCNConfig().describe()
            'eSCN, 48x0e+48x1o+48x2e+48x3o, orders up to 2, 3 layers, cutoff 5.0 Å'
        """
        order = self.lmax if self.order is None else self.order
        return (
            f"eSCN, {self.hidden}, orders up to {order}, {self.layers} layers, "
            f"cutoff {self.cutoff} Å"
        )
