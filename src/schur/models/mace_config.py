"""The shape of a MACE model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .energy_model_config import EnergyModelConfig

Interaction = Literal["simple", "residual", "density", "density-residual"]


class MACEConfig(EnergyModelConfig, frozen=True):
    """Shape of a MACE model.

    The interactions are those of mace-torch: `simple` is RealAgnosticInteractionBlock,
    `residual` RealAgnosticResidualInteractionBlock, and `density` and `density-residual` their
    variants that divide a message by a learned density of neighbours.

    Beside what `EnergyModelConfig` has:

    Args:
        hidden: irreps of the features that a layer passes on, all of one multiplicity; the last
            layer passes on the scalars alone.
        edge_lmax: highest degree of the spherical harmonics of an edge.
        correlation: how many neighbours one message couples (body order less one); one number, or
            one for each layer.
        layers: number of message passings.
        radial_hidden: widths of the network from radial basis to weights.
        readout: hidden scalars of the last readout; 0 for a linear one.
        interaction, first_interaction: kind of the layers, and of the first one.
        distance_transform: what the radial basis reads: the distance, or its Agnesi or soft
            transform, which depend on the elements.
        envelope_on: whether the cutoff multiplies the radial basis or the weights made of it.
        repulsion: a pair energy for short distances, that of Ziegler, Biersack and Littmark.
        readouts: whether all layers have a readout, or the last alone.
        sent, sent_first: irreps of what neighbours send, all of one multiplicity, in later layers
            and in the first; by default those of the features (`edge_irreps` of mace-torch).
        fuse_radial: whether the last layer of the radial networks is part of the product, so that
            weights of edges never reach memory. For GPUs, where it may save memory and time: it has
            not been measured on any. Parameters and results are the same, and so are model files.
    """

    architecture: Literal["mace"] = "mace"
    hidden: str = "64x0e + 64x1o"
    edge_lmax: int = Field(default=3, ge=0)
    correlation: int | tuple[int, ...] = 3
    layers: int = Field(default=2, ge=1)
    radial_hidden: tuple[int, ...] = (64, 32)
    envelope: int = Field(default=5, ge=2)
    readout: int = Field(default=16, ge=0)
    interaction: Interaction = "residual"
    first_interaction: Interaction = "residual"
    distance_transform: Literal["none", "agnesi", "soft"] = "none"
    envelope_on: Literal["radial", "weights"] = "radial"
    repulsion: Literal["none", "zbl"] = "none"
    readouts: Literal["all", "last"] = "all"
    sent: str | None = None
    sent_first: str | None = None
    fuse_radial: bool = False

    @model_validator(mode="after")
    def _check_correlation(self) -> MACEConfig:
        degrees = self.correlations()
        if len(degrees) != self.layers or not all(1 <= degree <= 4 for degree in degrees):
            raise ValueError(
                f"correlation has to be 1 to 4, once or for each of the {self.layers} layers"
            )
        return self

    def correlations(self) -> tuple[int, ...]:
        """The correlation of each layer.

        Example:
            >>> MACEConfig(layers=3, correlation=2).correlations()
            (2, 2, 2)
        """
        if isinstance(self.correlation, int):
            return (self.correlation,) * self.layers
        return self.correlation

    @property
    def needs_elements(self) -> bool:
        """Whether the model has to know which elements its species are."""
        return self.distance_transform != "none" or self.repulsion != "none"

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> MACEConfig().describe()
            'MACE, 64x0e + 64x1o, 2 layers, cutoff 5.0 Å'
        """
        return f"MACE, {self.hidden}, {self.layers} layers, cutoff {self.cutoff} Å"
