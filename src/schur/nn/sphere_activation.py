"""A function of a signal's values on the sphere, equivariant as far as the grid is fine."""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.harmonics import SphereGrid, harmonic_values
from schur.nn.grid_silu import grid_silu
from schur.nn.second_moment import ScalarFunction, second_moment_scale
from schur.products.so2 import frame_orders
from schur.reps import Irreps
from schur.tensors import rotate

_CHANNELS = 16  # of the features that the error is measured on


class SphereActivation(torch.nn.Module):
    """Harmonics to values on a grid, a function of each value, and back to harmonics.

        f_u(p) = (1/√n) Σ_lm x[lm, u] Y_lm(p)
        out[lm, u] = c (√n / 4π) ∫ φ(f_u(p)) Y_lm(p) dp,       the integral a sum over the grid

    with Y of normalisation `component`, n the number of components and c such that c φ has second
    moment one. Were the integral exact, this would commute with rotations and reflections.

    **The catch.** It commutes with them no better than the grid can integrate φ(f) Y. A polynomial
    φ of degree d is exact on a grid of degree (d + 1)·lmax, and wrong by tens of per cent below.
    For any other function the error falls with the grid (by about tenfold a doubling or faster,
    where φ is analytic), and a coarse grid breaks the symmetry without a word:
    `equivariance_error` measures by how much.

    In the frame of an edge (`order` given) the components are those of an SO(2) product, orders
    |m| <= order alone. There it has to commute with turns about the edge only, and the number of
    points around the edge decides how well it does; `grid` is then scaled by order / lmax.

    Args:
        channels: multiplicity of every degree.
        lmax: degrees are 0 ... lmax, of natural parity (0e, 1o, 2e ...).
        grid: degree up to which the grid integrates polynomials exactly; 2·lmax at least.
        act: φ.
        order: the highest order that is kept in the frame of an edge; None outside of frames.
        separable: whether further even scalars come first, one for each channel (for lmax = 0 they
            are all that comes). c φ of these takes the place of degree zero: so scalars are
            exactly invariant whatever the grid.

    Attributes:
        dim_in, dim_out: columns of the rows that come in and go out.
        points: how many there are on the grid.

    Raises:
        RepresentationError: a grid too coarse for the degrees, or an order above them.

    Source: Cohen et al., "Spherical CNNs" (2018); Passaro and Zitnick (2023), section 4.4; Liao,
    Wood, Das, Smidt, "EquiformerV2" (2024), section 4.3 (separable).

    Example:
        >>> layer = SphereActivation(8, lmax=2, grid=24)
        >>> layer(torch.randn(5, 72)).shape
        torch.Size([5, 72])
        >>> coarse = SphereActivation(8, lmax=2, grid=6)
        >>> layer.equivariance_error() < 1e-4 < 1e-2 < coarse.equivariance_error()
        True
    """

    def __init__(
        self,
        channels: int,
        lmax: int,
        grid: int,
        act: ScalarFunction = torch.nn.functional.silu,
        order: int | None = None,
        separable: bool = False,
    ) -> None:
        super().__init__()
        if grid < 2 * lmax or not 0 <= (0 if order is None else order) <= lmax:
            raise RepresentationError(
                "no such activation on a grid",
                got=f"lmax={lmax}, grid={grid}, order={order}",
                expected=f"grid >= {2 * lmax}, and order between 0 and {lmax}",
                remedy="a finer grid is more nearly equivariant, see equivariance_error",
            )
        self.channels, self.lmax, self.grid, self.order = channels, lmax, grid, order
        self.act, self.separable = act, separable
        self.moment = second_moment_scale(act)
        self.components = len(_columns(lmax, order))
        self.dim_out = channels * self.components
        # Without degrees above zero nothing is left for the grid.
        signal = self.dim_out if lmax or not separable else 0
        self.dim_in = signal + (channels if separable else 0)
        points = _grid(lmax, grid, order)
        self.points = points.rings * points.azimuths

    def forward(self, x: Float[Tensor, "rows dim_in"]) -> Float[Tensor, "rows dim_out"]:
        """Evaluate.

        Args:
            x: if `separable` the scalars, then the degrees in turn, components before channels;
                in a frame the components stand as in `SO2Product.into_frames`.

        Raises:
            ShapeError: rows of another length.
        """
        if x.ndim != 2 or x.shape[1] != self.dim_in:
            raise ShapeError(
                "the rows do not fit", got=tuple(x.shape), expected=("rows", self.dim_in)
            )
        if not self.separable:
            return self._on_sphere(x)
        scalars = self.moment * self.act(x[:, : self.channels])
        if self.dim_in == self.channels:
            return scalars
        return torch.cat([scalars, self._on_sphere(x[:, self.channels :])], 1)

    def _on_sphere(self, signal: Tensor) -> Tensor:
        """The pointwise function; without degree zero if `separable`.

        Channels and rows lie side by side, so that each transform is one matrix product.
        """
        there, back = _transforms(self.lmax, self.grid, self.order, signal.dtype, signal.device)
        back = self.moment * back[int(self.separable) :]
        rows, shape = len(signal), (self.components, self.channels)
        columns = signal.unflatten(1, shape).transpose(0, 1).flatten(1)
        if self.act is torch.nn.functional.silu:
            found = grid_silu(columns, there, back)
        else:
            found = back @ self.act(there @ columns)
        return found.unflatten(1, (rows, self.channels)).transpose(0, 1).flatten(1)

    def equivariance_error(self, samples: int = 8, seed: int = 0) -> float:
        """The largest |f(R x) - R f(x)| as a share of the largest |f(x)|, measured in float64.

        Args:
            samples: how many random rotations (in a frame: turns about its edge) are tried, each
                on standard normal features of 16 channels.
            seed: of the generator.
        """
        layer = SphereActivation(
            _CHANNELS, self.lmax, self.grid, self.act, self.order, self.separable
        )
        generator = np.random.default_rng(seed)
        worst = 0.0
        for _ in range(samples):
            x = torch.from_numpy(generator.standard_normal((4, layer.dim_in)))
            R = _turn(generator, about_edge=self.order is not None)
            before, after = layer(x), layer(layer._rotated(x, R))
            difference = (after - layer._rotated(before, R)).abs().max() / before.abs().max()
            worst = max(worst, float(difference))
        return worst

    def _rotated(self, x: Tensor, R: Float64[np.ndarray, "3 3"]) -> Tensor:
        """Rows that come in or go out, turned; in a frame R is a turn about the edge."""
        columns = torch.tensor(_columns(self.lmax, self.order))
        scalars, signal = x[:, : -self.dim_out], x[:, -self.dim_out :]
        full = x.new_zeros(len(x), (self.lmax + 1) ** 2, self.channels)
        full[:, columns] = signal.unflatten(1, (self.components, self.channels))
        harmonics = Irreps.spherical_harmonics(self.lmax)
        rep = Irreps([(self.channels, ir) for _, ir in harmonics])
        turned = rotate(full.flatten(1), rep, torch.from_numpy(R)).view_as(full)[:, columns]
        return torch.cat([scalars, turned.flatten(1)], 1)

    def extra_repr(self) -> str:
        frame = "" if self.order is None else f", orders up to {self.order} in a frame"
        return f"{self.channels} channels, l <= {self.lmax}{frame}, {self.points} points"


def _columns(lmax: int, order: int | None) -> list[int]:
    """For each component its place l² + l + m among all."""
    return [
        degree * degree + degree + m
        for degree in range(lmax + 1)
        for m in (range(-degree, degree + 1) if order is None else frame_orders(degree, order))
    ]


def _grid(lmax: int, degree: int, order: int | None) -> SphereGrid:
    if order is None:
        return SphereGrid.exact(degree)
    # The polar axis is the edge. Quadrature between the rings breaks no symmetry.
    around = ceil(degree * order / max(lmax, 1))
    return SphereGrid(lmax + 1, max(around, 2 * order) + 1)


@lru_cache(maxsize=64)
def _transforms(
    lmax: int, degree: int, order: int | None, dtype: torch.dtype, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Matrices (points, components) to values, and (components, points) back."""
    grid = _grid(lmax, degree, order)
    points = np.ascontiguousarray(grid.points.reshape(-1, 3))
    columns = _columns(lmax, order)
    values = harmonic_values(lmax, points, "component")[:, columns] / np.sqrt(len(columns))
    weights = np.repeat(grid.weights[:, 0], grid.azimuths) / (4 * np.pi)
    back = len(columns) * values.T * weights
    return tuple(torch.tensor(m, dtype=dtype, device=device) for m in (values, back))  # pyright: ignore[reportReturnType]


def _turn(generator: np.random.Generator, about_edge: bool) -> Float64[np.ndarray, "3 3"]:
    if not about_edge:
        matrix = np.linalg.qr(generator.standard_normal((3, 3)))[0]
        return matrix * np.sign(np.linalg.det(matrix))
    angle = generator.uniform(0, 2 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
