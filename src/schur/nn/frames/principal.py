"""Frames from principal axes: frame averaging, one frame at random, and a way out at ties."""

from __future__ import annotations

from itertools import product
from math import prod

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from schur.groups import Group
from schur.nn.frames.arguments import between, one_of
from schur.nn.frames.eigh import safe_eigh
from schur.nn.frames.framing import DRAWN, Framing, centred
from schur.nn.frames.pose import Frames, Pose, joined
from schur.nn.frames.symmetry import Symmetry
from schur.nn.frames.weighted import WeightedFrames


class PrincipalFrames(Framing):
    """The principal axes of a cloud with every choice of signs, all of equal weight.

    The columns of U are eigenvectors of C = Σ_i (x_i - t)(x_i - t)ᵀ / n, t the centre (the origin
    for O(d) and SO(d)). O(d) takes U diag(s) for all 2^d signs s, SO(d) the 2^(d-1) of determinant
    one: 8 and 4 frames in space. The wrapped function is exactly equivariant, and discontinuous
    where two eigenvalues meet (cubes, symmetric molecules, crystals): a displacement of 1e-9 can
    change it by ten per cent.

    Args:
        group: O(d), SO(d), E(d) or SE(d).
        drawn: take one of the frames at random: in "training" alone, "always", or "never". One
            frame is right in expectation only; its spread is in the report.
        tie: where the margin is below this number, `WeightedFrames` take over, with a share that
            is continuous in the cloud; at zero they never do.
        sharpness, degree: of those; see `WeightedFrames`.

    The margin is the smallest gap between neighbouring eigenvalues, as a share of the largest.

    Source: Puny et al., "Frame averaging for invariant and equivariant network design" (2022),
    https://arxiv.org/abs/2110.03336; one frame at random: Duval et al., "FAENet" (2023),
    https://arxiv.org/abs/2305.05577.

    Example:
        >>> frames = PrincipalFrames("SO(3)")(torch.randn(5, 10, 3))
        >>> len(frames.weight), frames.pose.matrix.shape
        (20, torch.Size([20, 3, 3]))
    """

    def __init__(
        self,
        group: Group | Symmetry | str,
        drawn: str = "never",
        tie: float = 0.0,
        sharpness: float = 0.5,
        degree: int = 2,
    ) -> None:
        super().__init__(group)
        self.drawn = one_of("when frames are drawn", drawn, DRAWN)
        self.tie = between("where weighted frames begin", tie, 0.0)
        self.weighted = WeightedFrames(group, sharpness, degree) if tie > 0 else None
        signs = list(product((1.0, -1.0), repeat=self.symmetry.d))
        self.signs = [s for s in signs if prod(s) > 0] if self.symmetry.is_proper else signs

    def forward(
        self,
        cloud: Float[Tensor, "clouds points d"],
        mask: Bool[Tensor, "clouds points"] | None = None,
    ) -> Frames:
        frames = self._all(cloud, mask)
        if self.weighted is not None:
            share = (frames.margin / self.tie).clamp(max=1)
            share = share**2 * (3 - 2 * share)
            if bool((share < 1).any()):
                frames = joined(frames, self.weighted(cloud, mask), share)
        if self.drawn == "always" or (self.drawn == "training" and self.training):
            return frames.drawn()
        return frames

    def _all(self, cloud: Tensor, mask: Tensor | None) -> Frames:
        x, centre = centred(cloud, mask, self.symmetry.translations)
        size = (x.detach() ** 2).sum(-1).amax(-1).sqrt()[:, None, None]
        unit = x / torch.where(size > 0, size, 1.0)  # no squares that vanish or overflow
        count = x.shape[1] if mask is None else mask.sum(-1).clamp(min=1)[:, None, None]
        return self.of_moments(unit.mT @ unit / count, centre)

    def of_moments(
        self, moments: Float[Tensor, "clouds d d"], centre: Float[Tensor, "clouds d"] | None = None
    ) -> Frames:
        """All frames of clouds that are known by their second moments C alone.

        Args:
            moments: C, or any multiple of it.
            centre: t; the origin by default.
        """
        values, axes = safe_eigh(moments)
        gaps = values[..., 1:] - values[..., :-1]
        largest = values[..., -1:]
        margin = (gaps / torch.where(largest > 0, largest, 1.0)).amin(-1).clamp(min=0)
        if self.symmetry.is_proper:
            sign = torch.linalg.det(axes.detach()).sign()
            axes = torch.cat([axes[..., :1] * sign[:, None, None], axes[..., 1:]], -1)
        signs = torch.tensor(self.signs, dtype=axes.dtype, device=axes.device)
        matrix = (axes[:, None] * signs[:, None, :]).flatten(0, 1)
        clouds = torch.arange(len(axes), device=axes.device).repeat_interleave(len(signs))
        origin = torch.zeros_like(matrix[:, 0]) if centre is None else centre[clouds]
        pose = Pose(matrix, matrix.mT, torch.zeros_like(origin), origin)
        weight = torch.full_like(matrix[:, 0, 0], 1 / len(signs))
        return Frames(
            clouds, pose, weight, margin if values.shape[-1] > 1 else torch.ones_like(margin)
        )
