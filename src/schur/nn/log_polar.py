"""Images in log-polar coordinates, where turning and scaling are shifts; poses read off there."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, grid_sample, pad

from schur.errors import NumberError, ShapeError


@dataclass(frozen=True)
class LogPolar:
    """Points at radii that grow by one factor from ring to ring, and at even angles.

        x[i, j] = r_i (cos θ_j, sin θ_j)
        r_i = inner (outer/inner)^(i/(rings - 1)),  θ_j = 2πj/angles

    A turn by a multiple of 2π/angles moves what is seen at these points along j, around; scaling
    by a power of exp(step) moves it along i, in and out of the window. Coordinates of this kind
    exist for commuting groups only: there are none for all affine maps. The centre is left out.

    Args:
        rings, angles: how many.
        inner, outer: the radii, in units of half the shorter side of an image.

    Source: Tai, Bailis and Valiant, "Equivariant transformer networks",
    https://arxiv.org/abs/1901.11399, section 3.

    Example:
        >>> grid = LogPolar(rings=16, angles=32)
        >>> grid.sample(torch.randn(5, 3, 28, 28)).shape
        torch.Size([5, 3, 16, 32])
    """

    rings: int
    angles: int
    inner: float = 0.05
    outer: float = 1.0

    def __post_init__(self) -> None:
        if self.rings < 2 or self.angles < 2 or not 0 < self.inner < self.outer:
            raise NumberError(
                "a log-polar grid",
                got=(self.rings, self.angles, self.inner, self.outer),
                expected="two rings and angles or more, 0 < inner < outer",
            )

    @property
    def step(self) -> float:
        """The difference of log r between rings."""
        return float(torch.tensor(self.outer / self.inner).double().log()) / (self.rings - 1)

    def log_radii(self) -> Float[Tensor, "{self.rings}"]:
        """log r_i, in double precision."""
        first = torch.tensor(self.inner, dtype=torch.float64).log()
        return first + self.step * torch.arange(self.rings, dtype=torch.float64)

    def turns(self) -> Float[Tensor, "{self.angles}"]:
        """θ_j, in double precision."""
        return 2 * torch.pi * torch.arange(self.angles, dtype=torch.float64) / self.angles

    def points(self) -> Float[Tensor, "{self.rings} {self.angles} 2"]:
        """x[i, j], the first coordinate to the right and the second upwards."""
        r, t = self.log_radii().exp()[:, None], self.turns()[None]
        return torch.stack([r * t.cos(), r * t.sin()], -1)

    def sample(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels {self.rings} {self.angles}"]:
        """Images at the points, by cubic interpolation between pixels; zero outside."""
        return _read(images, self.points().to(images).expand(len(images), -1, -1, -1))


class PoseTransformer(torch.nn.Module):
    """Finds the turn and the scale of an image and undoes them; learned from what follows.

    A network on the log-polar image, with shared weights around and along, gives a weight w_ij ≥ 0
    to each point, and the pose is the centre of these weights:

        θ = arg Σ w_ij exp(i θ_j),   log s = Σ w_ij log r_i / Σ w_ij

    A turned and scaled image has a pose that is larger by just that turn and log scale, so that
    what is returned does not change: exactly for steps of the grid as long as nothing leaves the
    window, and otherwise up to interpolation. Weights are sums of squares without offsets, which
    vanish where there is nothing, so that empty rings do not pull.

    Args:
        channels: of the images.
        grid: the log-polar grid.
        width: channels within.

    Source: as for `LogPolar`. The centre around a circle replaces a maximum, which has no
    derivative, and a mean of angles, which has a jump.

    Example:
        >>> module = PoseTransformer(1, LogPolar(rings=16, angles=32))
        >>> images = torch.randn(5, 1, 28, 28)
        >>> module(images).shape, module.pose(images).shape
        (torch.Size([5, 1, 28, 28]), torch.Size([5, 2]))
    """

    def __init__(self, channels: int, grid: LogPolar, width: int = 8) -> None:
        super().__init__()
        self.channels, self.grid = channels, grid
        self.first = torch.nn.Parameter(torch.randn(width, channels, 5, 5) / (25 * channels) ** 0.5)
        self.second = torch.nn.Parameter(torch.randn(width, width, 5, 5) / (25 * width) ** 0.5)

    def pose(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch 2"]:
        """θ in radians, within (-π, π], and log s."""
        if images.shape[1] != self.channels:
            raise ShapeError(
                "images", got=tuple(images.shape), expected=f"(batch, {self.channels}, …)"
            )
        return self.pose_on_grid(self.grid.sample(images))

    def pose_on_grid(
        self, seen: Float[Tensor, "batch channels rings angles"]
    ) -> Float[Tensor, "batch 2"]:
        """As `pose`, of what is seen at the points of the grid."""
        h = torch.nn.functional.relu(_around(seen, self.first))
        w = _around(h, self.second).square().sum(1)
        turns, radii = self.grid.turns().to(w), self.grid.log_radii().to(w)
        around, total = w.sum(1), w.sum((1, 2)).clamp_min(torch.finfo(w.dtype).tiny)
        theta = torch.atan2(around @ turns.sin(), around @ turns.cos())
        return torch.stack([theta, (w.sum(2) @ radii) / total], -1)

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        """The images turned to θ = 0 and scaled to the middle ring."""
        theta, log_scale = self.pose(images).unbind(-1)
        scale = (log_scale - self.grid.log_radii().mean().to(log_scale)).exp()
        return turned_and_scaled(images, -theta, 1 / scale)


def turned_and_scaled(
    images: Float[Tensor, "batch channels height width"],
    theta: Float[Tensor, " batch"],
    scale: Float[Tensor, " batch"],
) -> Float[Tensor, "batch channels height width"]:
    """out(x) = image(R(-θ) x / s) about the centre, by cubic interpolation.

    Example:
        >>> x = torch.randn(1, 1, 5, 5)
        >>> quarter = turned_and_scaled(x, torch.tensor([torch.pi / 2]), torch.ones(1))
        >>> torch.allclose(quarter, x.rot90(dims=(2, 3)), atol=1e-5)
        True
    """
    height, width = images.shape[-2:]
    unit = max(min(height, width) - 1, 1)
    right = (2 * torch.arange(width).to(images) - (width - 1)) / unit
    up = ((height - 1) - 2 * torch.arange(height).to(images)) / unit
    x, y = right[None, None, :], up[None, :, None]
    c, s = ((f / scale)[:, None, None] for f in (theta.cos(), theta.sin()))
    return _read(images, torch.stack([c * x + s * y, c * y - s * x], -1))


def _read(images: Tensor, points: Tensor) -> Tensor:
    """Images at points in units of half the shorter side, the second coordinate upwards."""
    sides = torch.tensor([images.shape[-1] - 1, images.shape[-2] - 1]).to(points)
    units = sides.min() / sides * torch.tensor([1.0, -1.0]).to(points)
    return grid_sample(images, points * units, "bicubic", "zeros", align_corners=True)


def _around(x: Tensor, filters: Tensor) -> Tensor:
    """A convolution, periodic in the angle, with zeros beyond the first and last ring."""
    reach = filters.shape[-1] // 2
    return conv2d(pad(x, (reach, reach, 0, 0), "circular"), filters, padding=(reach, 0))
