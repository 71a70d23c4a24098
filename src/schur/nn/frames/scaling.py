"""Invariant coordinates by multidimensional scaling, of points or of distances."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from schur.errors import NumberError, ShapeError
from schur.groups import Group
from schur.nn.frames.eigh import safe_eigh
from schur.nn.frames.framing import Framing, centred
from schur.nn.frames.pose import Frames, Pose
from schur.nn.frames.symmetry import Symmetry


def multidimensional_scaling(
    distances: Float[Tensor, "*batch rows n"], dim: int, scaled: bool = True
) -> Float[Tensor, "*batch n dim"]:
    """Coordinates whose distances are the given ones, or in a fixed ratio to them.

    The eigenvectors of -½ J D² J, J = 1 - 1/n, for the `dim` largest eigenvalues, times the roots
    of these. Exact where the distances are those of points in at most `dim` dimensions. The sign of
    each column is that which makes Σ_i z_i³ positive.

    The result is invariant under all motions of the points. It is unique where the eigenvalues are
    simple and no Σ z³ vanishes; a mirrored cloud gives the same numbers (chirality is lost), one
    far point moves all, and the cost is n³.

    Args:
        distances: symmetric, zero on the diagonal.
        dim: how many columns; columns beyond the dimension of the points are zero.
        scaled: divide by the root mean square distance from the centre, which adds invariance
            under scaling.

    Raises:
        ShapeError: the matrix is not square, or `dim` is larger than it.

    Source: Torgerson, Psychometrika 17 (1952) 401; as the input of any network: Zhang et al.,
    "Revisiting transformation invariant geometric deep learning: are initial representations all
    you need?" (2021), https://arxiv.org/abs/2112.12345.

    Example:
        >>> x = torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]])
        >>> z = multidimensional_scaling(torch.cdist(x, x), 2, scaled=False)
        >>> torch.cdist(z, z)[0].round(decimals=4)
        tensor([0., 3., 4.])
    """
    n = distances.shape[-1]
    if distances.shape[-2] != n or dim > n:
        raise ShapeError(
            "a square matrix of distances, and no more columns than it has",
            got=f"{tuple(distances.shape)}, dim={dim}",
            expected="(..., n, n), dim <= n",
        )
    square = distances**2
    rows = square.mean(-1, keepdim=True)
    gram = -(square - rows - rows.mT + rows.mean(-2, keepdim=True)) / 2
    values, vectors = safe_eigh(gram)
    values, vectors = values[..., -dim:].flip(-1).clamp(min=0), vectors[..., -dim:].flip(-1)
    safe = torch.where(values > 0, values, 1.0).sqrt()
    z = vectors * torch.where(values > 0, safe, 0.0)[..., None, :]
    z = z * _signs(z)[..., None, :]
    if not scaled:
        return z
    size = (gram.diagonal(dim1=-2, dim2=-1).mean(-1)).sqrt()[..., None, None]
    return z / torch.where(size > 0, size, 1.0)


class ScalingFrames(Framing):
    """One frame for each cloud in which it has its multidimensional-scaling coordinates.

    Those are the coordinates along the principal axes, from the d x d matrix of moments and not
    from the n x n one of distances: n d² operations, not n³. The frame brings invariance under
    scaling along: points come to the backbone in units of their root mean square distance from the
    centre, and results are scaled back (vectors as lengths).

    Signs are chosen by Σ_i z_i³ > 0, so that there is one frame, not 2^d, and a mirrored cloud
    looks the same. The frame is unique where eigenvalues are simple and no Σ z³ vanishes; the
    choice is discontinuous there.

    Args:
        group: E(d) or O(d): mirrors cannot be left out.

    The margin is the smaller of the gap between eigenvalues, as for `PrincipalFrames`, and the
    smallest |Σ z³| as a share of Σ |z|³.

    Source: that of `multidimensional_scaling`; the way by moments and the signs are Schur's.

    Example:
        >>> x = torch.randn(4, 10, 3)
        >>> frames = ScalingFrames("E(3)")(x)
        >>> len(frames.weight)
        4
    """

    def refusal(self, symmetry: Symmetry) -> str | None:
        fits = symmetry.is_orthogonal and not symmetry.is_proper
        return None if fits else "O(d) or E(d): the coordinates do not tell mirror images apart"

    def __init__(self, group: Group | Symmetry | str) -> None:
        super().__init__(group)

    def forward(
        self,
        cloud: Float[Tensor, "clouds points d"],
        mask: Bool[Tensor, "clouds points"] | None = None,
    ) -> Frames:
        x, centre = centred(cloud, mask, self.symmetry.translations)
        count = x.shape[1] if mask is None else mask.sum(-1).clamp(min=1)
        size = ((x * x).sum((1, 2)) / count).sqrt()
        if not bool((size > 0).all()):
            raise NumberError("the points of a cloud coincide, and no scale is left", got="size 0")
        unit = x / size[:, None, None]
        values, axes = safe_eigh(unit.mT @ unit / torch.as_tensor(count).reshape(-1, 1, 1))
        axes, values = axes.flip(-1), values.flip(-1)
        z = (unit @ axes).detach()
        signs = _signs(z)
        axes = axes * signs[:, None]
        gap = ((values[..., :-1] - values[..., 1:]) / values[..., :1]).amin(-1)
        cube = (z**3).sum(-2).abs() / (z.abs() ** 3).sum(-2).clamp(min=1e-30)
        margin = torch.minimum(gap.clamp(min=0), cube.amin(-1)).detach()
        scale = size[:, None, None]
        pose = Pose(axes * scale, axes.mT / scale, torch.zeros_like(centre), centre)
        every = torch.arange(len(cloud), device=cloud.device)
        return Frames(every, pose, torch.ones_like(margin), margin)


def _signs(z: Tensor) -> Tensor:
    """The signs that make Σ z³ of each column positive; one where it vanishes."""
    return torch.where((z.detach() ** 3).sum(-2) < 0, -1.0, 1.0).to(z.dtype)
