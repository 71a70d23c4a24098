"""The shape of a NequIP model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..reps import Irrep, Irreps
from .energy_model_config import EnergyModelConfig


class NequIPConfig(EnergyModelConfig, frozen=True):
    """Shape of a NequIP model.

    Beside what `EnergyModelConfig` has:

    Args:
        layers: number of interaction blocks.
        lmax: highest degree of features and of the spherical harmonics of an edge.
        parity: whether features have both parities of each degree, or the natural one alone, which
            is that of the spherical harmonics.
        features: multiplicity of each irrep; one number, or one for each degree from 0 to lmax.
        type_features: width of the embedding of elements; that of the scalars if not given.
        radial_trainable: whether their frequencies are parameters.
        radial_hidden: widths of the network from Bessel functions to weights.
        readout: widths of the hidden layers of the readout; none for a linear one.
        fuse_radial: whether the last layer of the radial networks is part of the product, so that
            weights of edges never reach memory. For GPUs, where it may save memory and time: it has
            not been measured on any. Parameters and results are the same, and so are model files.

    Example:
        >>> NequIPConfig(lmax=1, features=(8, 4)).hidden
        8x0e+8x0o+4x1e+4x1o
        >>> NequIPConfig(lmax=1, features=8, parity=False).hidden
        8x0e+8x1o
    """

    architecture: Literal["nequip"] = "nequip"
    layers: int = Field(default=4, ge=1)
    lmax: int = Field(default=1, ge=0)
    parity: bool = True
    features: int | tuple[int, ...] = 32
    type_features: int | None = Field(default=None, ge=1)
    radial_trainable: bool = False
    radial_hidden: tuple[int, ...] = (128,)
    readout: tuple[int, ...] = ()
    fuse_radial: bool = False

    @model_validator(mode="after")
    def _check_features(self) -> NequIPConfig:
        counts = self.multiplicities()
        if len(counts) != self.lmax + 1 or min(counts) < 1:
            raise ValueError(
                f"features has to be positive, once or for each of the {self.lmax + 1} degrees"
            )
        return self

    def multiplicities(self) -> tuple[int, ...]:
        """The multiplicity of each degree."""
        if isinstance(self.features, int):
            return (self.features,) * (self.lmax + 1)
        return self.features

    @property
    def hidden(self) -> Irreps:
        """The features that a layer may pass on; the last one passes on even scalars alone."""
        return Irreps(
            [
                (mul, Irrep(degree, p))
                for degree, mul in enumerate(self.multiplicities())
                for p in ((1, -1) if self.parity else ((-1) ** degree,))
            ]
        )

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> NequIPConfig().describe()
            'NequIP, 32x0e+32x0o+32x1e+32x1o, 4 layers, cutoff 5.0 Å'
        """
        return f"NequIP, {self.hidden}, {self.layers} layers, cutoff {self.cutoff} Å"
