"""The shape of a tensor field network."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from ..reps import Irreps


class TensorFieldNetworkConfig(BaseModel):
    """Shape of a tensor field network.

    Args:
        cutoff: Å; edges are shorter.
        layers: number of point convolutions.
        lmax: highest degree of features and of the spherical harmonics of an edge.
        features: multiplicity of each degree.
        radial: number of Bessel functions.
        radial_hidden: widths of the network from Bessel functions to weights.
        envelope: exponent p of the polynomial cutoff.
        readout: widths of the hidden layers of the readout; none for a linear one.
        lone_atoms: whether an atom without neighbours has an energy that training happens to give
            it (`free`), or exactly the reference energy of its element (`reference`); see
            `Potential`.

    Example:
        >>> TensorFieldNetworkConfig(lmax=1, features=8).hidden
        8x0e+8x1o
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["tensor-field-network"] = "tensor-field-network"
    cutoff: float = Field(default=5.0, gt=0)
    layers: int = Field(default=3, ge=1)
    lmax: int = Field(default=2, ge=0)
    features: int = Field(default=32, ge=1)
    radial: int = Field(default=8, ge=1)
    radial_hidden: tuple[int, ...] = (64,)
    envelope: int = Field(default=6, ge=2)
    readout: tuple[int, ...] = (32,)
    lone_atoms: Literal["free", "reference"] = "free"

    @property
    def hidden(self) -> Irreps:
        """The features that a layer passes on; the last one passes on scalars alone."""
        harmonics = Irreps.spherical_harmonics(self.lmax)
        return Irreps([(self.features, ir) for _, ir in harmonics])

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> TensorFieldNetworkConfig().describe()
            'tensor field network, 32x0e+32x1o+32x2e, 3 layers, cutoff 5.0 Å'
        """
        return f"tensor field network, {self.hidden}, {self.layers} layers, cutoff {self.cutoff} Å"
