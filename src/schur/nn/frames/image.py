"""Turning and mirroring images about their centre."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample


def turn_images(
    x: Float[Tensor, "batch channels height width"], matrix: Float[Tensor, "batch 2 2"]
) -> Float[Tensor, "batch channels height width"]:
    """Each image moved by its orthogonal matrix: out(p) = x(M⁻¹ p).

    p is measured from the centre, its first coordinate to the right, its second upwards. Quarter
    turns and mirrors permute pixels: they are exact. All others interpolate bilinearly between
    pixels and read zero outside, so that turning back does not give the same image.

    Where the matrices ask for a gradient, they get that of the interpolated image.

    Example:
        >>> x = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
        >>> quarter = torch.tensor([[[0.0, -1.0], [1.0, 0.0]]])
        >>> turn_images(x, quarter)[0, 0]
        tensor([[2., 4.],
                [1., 3.]])
    """
    fixed = matrix.detach()
    whole = (fixed - fixed.round()).abs().amax((-2, -1)) == 0
    out = torch.zeros_like(x)
    for rows in torch.unique(fixed[whole].round().to(torch.int64), dim=0):
        chosen = (whole & (fixed == rows.to(fixed)).all(-1).all(-1)).nonzero()[:, 0]
        out = out.index_copy(0, chosen, _exact(x[chosen], rows.tolist()))
    if matrix.requires_grad:
        smooth = _interpolated(x, matrix)
        between = (~whole)[:, None, None, None]
        return torch.where(between, smooth, out + (smooth - smooth.detach()))
    rest = (~whole).nonzero()[:, 0]
    return out.index_copy(0, rest, _interpolated(x[rest], matrix[rest])) if len(rest) else out


def is_lattice(matrix: Float[Tensor, "*batch 2 2"]) -> Tensor:
    """Whether a matrix permutes the pixels of a square image."""
    return (matrix - matrix.round()).abs().amax((-2, -1)) == 0


def _exact(x: Tensor, rows: list[list[int]]) -> Tensor:
    """A signed permutation of the axes, the second of which points upwards: against the rows."""
    (a, b), (c, d) = rows
    if b == c == 0:
        flips = [axis for axis, sign in ((-1, a), (-2, d)) if sign < 0]
        return x.flip(flips) if flips else x
    # out(right, up) = x(c · up, b · right)
    swapped = x.mT  # swaps right and down
    flips = [axis for axis, sign in ((-2, -c), (-1, -b)) if sign < 0]
    return swapped.flip(flips) if flips else swapped


def _interpolated(x: Tensor, matrix: Tensor) -> Tensor:
    # grid_sample reads at M⁻¹ p = Mᵀ p, in coordinates whose second axis points down.
    down = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=x.dtype, device=x.device)
    theta = torch.cat([matrix.mT.to(x.dtype) * down, torch.zeros_like(x[:, 0, :2, :1])], -1)
    grid = affine_grid(theta, list(x.shape), align_corners=True)
    return grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=True)
