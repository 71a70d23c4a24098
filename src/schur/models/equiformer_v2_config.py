"""The shape of an EquiformerV2 model."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from ..reps import Irreps
from .energy_model_config import EnergyModelConfig, natural_irreps


class EquiformerV2Config(EnergyModelConfig, frozen=True):
    """Shape of an EquiformerV2 model.

    Beside what `EnergyModelConfig` has:

    Args:
        layers: number of transformer blocks.
        lmax: highest degree of the features.
        order: orders |m| <= order are kept in the frame of an edge; all of them where it is not
            given.
        channels: multiplicity of each degree.
        heads: number of attention heads.
        attention_channels: scalars of a head that its attention is made from.
        value_channels: multiplicity of each degree of a head's values.
        hidden: multiplicity of each degree between the two maps of a message.
        feed_forward: the same in the feed-forward networks of atoms.
        grid: degree of the grids on the sphere that functions are applied on, 2 lmax or more. The
            finer, the more exactly is the energy invariant: see `grid_error`.
        type_features: width of the embedding of the two elements of an edge.
        radial_hidden: widths of the networks from an edge's invariants to its factors.

    Example:
        >>> EquiformerV2Config(lmax=2, order=1, channels=8).hidden_rep
        8x0e+8x1o+8x2e
    """

    architecture: Literal["equiformer-v2"] = "equiformer-v2"
    layers: int = Field(default=3, ge=1)
    lmax: int = Field(default=3, ge=0)
    order: int | None = Field(default=2, ge=0)
    channels: int = Field(default=48, ge=1)
    heads: int = Field(default=4, ge=1)
    attention_channels: int = Field(default=16, ge=1)
    value_channels: int = Field(default=12, ge=1)
    hidden: int = Field(default=32, ge=1)
    feed_forward: int = Field(default=48, ge=1)
    grid: int = Field(default=24, ge=0)
    type_features: int = Field(default=16, ge=1)
    radial_hidden: tuple[int, ...] = (64,)

    @model_validator(mode="after")
    def _check_sizes(self) -> EquiformerV2Config:
        if self.order is not None and self.order > self.lmax:
            raise ValueError(f"order has to be at most lmax, which is {self.lmax}")
        if self.grid < 2 * self.lmax:
            raise ValueError(f"grid has to be at least twice lmax, which is {self.lmax}")
        return self

    @property
    def hidden_rep(self) -> Irreps:
        """The features that a block passes on; the last one passes on scalars alone."""
        return natural_irreps(self.lmax, self.channels)

    @property
    def frame_order(self) -> int:
        """The highest order in the frame of an edge."""
        return self.lmax if self.order is None else self.order

    @property
    def grid_error(self) -> float:
        """How far the functions on grids are from equivariance, measured (`equivariance_error`).

        The larger of two: at atoms under rotations, and in the frames of edges under turns about
        the edge. Relative, on normal features; what it does to energies is less, and is measured
        for a trained potential by `schur eval`.

        Example:
            >>> coarse, fine = (EquiformerV2Config(grid=n).grid_error for n in (12, 24))
            >>> fine < coarse / 10
            True
        """
        from ..nn.sphere_activation import SphereActivation  # torch, which a shape does without

        if self.lmax == 0:
            return 0.0
        orders = (None, self.frame_order) if self.layers > 1 else (self.frame_order,)
        return max(
            SphereActivation(
                1, self.lmax, self.grid, order=order, separable=True
            ).equivariance_error()
            for order in orders
        )

    def describe(self) -> str:
        """The shape in a few words.

        Example:
            >>> EquiformerV2Config().describe()  # doctest: +ELLIPSIS
            'EquiformerV2, 48x0e+48x1o+48x2e+48x3o, ... grids of degree 24 (equivariant to ...'
        """
        return (
            f"EquiformerV2, {self.hidden_rep}, {self.heads} heads, orders up to "
            f"{self.frame_order}, {self.layers} layers, grids of degree {self.grid} (equivariant "
            f"to {self.grid_error:.0e}), cutoff {self.cutoff} Å"
        )
