"""The shape of an elasticity network."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..reps import Irreps


class ElasticityConfig(BaseModel):
    """Shape of an elasticity network.

    Args:
        cutoff: edges are shorter, in the unit of the vectors.
        layers: number of message passings.
        lmax: highest degree of the features; the tensor has parts of degree 4, which stay zero
            below.
        order: orders |m| <= order are mixed in the frame of an edge; all if not given.
        channels: multiplicity of each degree.
        radial: number of Bessel functions.
        type_features: width of the embedding of the two species of an edge.
        radial_hidden: widths of the network from an edge's invariants to its factors.
        envelope: exponent p of the polynomial cutoff.
        positive: what makes the matrix positive: its `square`, which may have soft directions, or
            its exponential `exp`, which has none.
        scale: typical size of the tensor times the volume of an atom.

    Example:
        >>> ElasticityConfig(channels=8).hidden
        8x0e+8x1o+8x2e+8x3o+8x4e
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    cutoff: float = Field(default=5.0, gt=0)
    layers: int = Field(default=2, ge=1)
    lmax: int = Field(default=4, ge=0)
    order: int | None = Field(default=2, ge=0)
    channels: int = Field(default=16, ge=1)
    radial: int = Field(default=8, ge=1)
    type_features: int = Field(default=8, ge=1)
    radial_hidden: tuple[int, ...] = (32,)
    envelope: int = Field(default=6, ge=2)
    positive: Literal["square", "exp"] = "square"
    scale: float = Field(default=1.0, gt=0)

    @property
    def hidden(self) -> Irreps:
        """The features of an atom."""
        harmonics = Irreps.spherical_harmonics(self.lmax)
        return Irreps([(self.channels, ir) for _, ir in harmonics])
