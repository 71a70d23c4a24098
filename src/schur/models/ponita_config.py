"""The shape of a PONITA model."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class PONITAConfig(BaseModel):
    """Shape of a PONITA model.

    Args:
        cutoff: Å; edges are shorter.
        layers: number of convolutions.
        features: channels at each atom and direction.
        frequency: of the grid of 10 frequency² + 2 directions (12, 42, 92, …), see
            `schur.nn.position_orientation.icosahedral_directions`.
        kernel: what a kernel between atoms reads: the invariants of an edge and one direction
            (`separable`, with a convolution over directions after it), or the complete invariants
            of an edge and two (`joint`, as many times more work as there are directions).
        handed: whether a joint kernel reads the determinant, so that mirror images differ.
        degree: highest degree of Legendre polynomials in the kernels.
        radial: number of radial basis functions.
        kernel_hidden: widths of the network from invariants to the basis of the kernels.
        envelope: exponent p of the polynomial cutoff.
        readout: hidden scalars of the readout.
        lone_atoms: whether an atom without neighbours has an energy that training happens to give
            it (`free`), or exactly the reference energy of its element (`reference`); see
            `Potential`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    architecture: Literal["ponita"] = "ponita"
    cutoff: float = Field(default=5.0, gt=0)
    layers: int = Field(default=3, ge=1)
    features: int = Field(default=32, ge=1)
    frequency: int = Field(default=1, ge=1)
    kernel: Literal["separable", "joint"] = "separable"
    handed: bool = False
    degree: int = Field(default=2, ge=1)
    radial: int = Field(default=8, ge=1)
    kernel_hidden: tuple[int, ...] = (32,)
    envelope: int = Field(default=6, ge=2)
    readout: int = Field(default=32, ge=1)
    lone_atoms: Literal["free", "reference"] = "free"

    @model_validator(mode="after")
    def _check_handed(self) -> PONITAConfig:
        if self.handed and self.kernel != "joint":
            raise ValueError(
                "one direction and an edge have no handedness: handed needs kernel=joint"
            )
        return self

    @property
    def directions(self) -> int:
        """How many directions there are."""
        return 10 * self.frequency**2 + 2

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> PONITAConfig().describe()
            'PONITA, 32 features at 12 directions, 3 layers, cutoff 5.0 Å'
        """
        return (
            f"PONITA, {self.features} features at {self.directions} directions, "
            f"{self.layers} layers, cutoff {self.cutoff} Å"
        )
