"""The shape of a PONITA model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from .energy_model_config import EnergyModelConfig


class PONITAConfig(EnergyModelConfig, frozen=True):
    """Shape of a PONITA model.

    Beside what `EnergyModelConfig` has:

    Args:
        layers: number of convolutions.
        features: channels at each atom and direction.
        frequency: of the grid of 10 frequency² + 2 directions (12, 42, 92, …), see
            `schur.nn.position_orientation.icosahedral_directions`.
        turning: whether each step of training turns the grid at random, so that structures which
            are all aligned alike, such as those of a crystal, do not teach one orientation alone.
        kernel: what a kernel between atoms reads: the invariants of an edge and one direction
            (`separable`, with a convolution over directions after it), or the complete invariants
            of an edge and two (`joint`, as many times more work as there are directions).
        handed: whether a joint kernel reads the determinant, so that mirror images differ.
        degree: highest degree of Legendre polynomials in the kernels.
        norm: whether what an atom has collected is scaled to one size before the network that
            reads it, as in the paper. An energy depends on how much that is: without the norm
            forces become accurate in fewer steps.
        kernel_hidden: widths of the network from invariants to the basis of the kernels.
        readout: hidden scalars of the readout.
    """

    architecture: Literal["ponita"] = "ponita"
    layers: int = Field(default=3, ge=1)
    features: int = Field(default=32, ge=1)
    frequency: int = Field(default=2, ge=1)
    turning: bool = True
    kernel: Literal["separable", "joint"] = "separable"
    handed: bool = False
    degree: int = Field(default=2, ge=1)
    norm: bool = False
    kernel_hidden: tuple[int, ...] = (32,)
    readout: int = Field(default=32, ge=1)

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
            'PONITA, 32 features at 42 directions, 3 layers, cutoff 5.0 Å'
        """
        return (
            f"PONITA, {self.features} features at {self.directions} directions, "
            f"{self.layers} layers, cutoff {self.cutoff} Å"
        )
