"""Rigid registration in closed form by the universal manifold embedding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from schur.errors import NumberError, ShapeError


@dataclass(frozen=True)
class Registration:
    """The motion x -> R x + t that brings a source onto a target.

    Args:
        rotation: R, of determinant one.
        translation: t.
        margin: the ratio of the smallest to the largest singular value of the source's moments,
            0 to 1; where it vanishes the motion is not determined.
        defect: the largest difference of the solved matrix from the rotation nearest to it; of
            the order of rounding for a rigid copy, and else a measure of how little it is one.
    """

    rotation: Float[Tensor, "*batch d d"]
    translation: Float[Tensor, "*batch d"]
    margin: Float[Tensor, "*batch"]
    defect: Float[Tensor, "*batch"]


def register(
    source: Float[Tensor, "*batch n d"],
    target: Float[Tensor, "*batch m d"],
    source_features: Float[Tensor, "*batch n k"] | None = None,
    target_features: Float[Tensor, "*batch m k"] | None = None,
    least_margin: float = 1e-6,
) -> Registration:
    """The motion between two clouds from moments that invariant features weight.

    With features W whose columns are invariant functions of the points, the moments

        M = Wᵀ [1, X] / n,    N = Wᵀ [1, Y] / m,    N = M [[1, tᵀ], [0, Rᵀ]],

    determine R and t by least squares wherever M has rank d + 1, without correspondences; R is then
    replaced by the rotation nearest to it. Exact for a rigid copy, in any order of the points. For
    clouds that sample one surface independently the error falls as n^(-1/2). The densities must be
    alike: a target of which a part is missing has other moments, and the result is wrong.

    Args:
        source, target: points, one a row.
        source_features, target_features: W; `radial_features` of each cloud if not given. At least
            d + 1 independent columns; one of them may be constant.
        least_margin: below it the motion counts as undetermined.

    Raises:
        ShapeError: one of the features is given without the other, or they are fewer than d + 1.
        NumberError: the moments do not determine the motion, as for symmetric shapes.

    Source: Efraim and Francos, universal manifold embedding; as used by Haitman, Efraim, Francos,
    "UMERegRobust" (2024), https://arxiv.org/abs/2408.12380.

    Example:
        >>> x = torch.randn(50, 3, dtype=torch.float64)
        >>> found = register(x, x + 1.0)
        >>> found.translation.round(decimals=6)
        tensor([1., 1., 1.], dtype=torch.float64)
    """
    d = source.shape[-1]
    if (source_features is None) != (target_features is None):
        raise ShapeError("features of both clouds, or of none", got="of one", expected="both")
    first = radial_features(source) if source_features is None else source_features
    second = radial_features(target) if target_features is None else target_features
    if first.shape[-1] <= d:
        raise ShapeError(
            "too few features", got=first.shape[-1], expected=f"at least {d + 1} columns"
        )
    start, end = source.mean(-2, keepdim=True), target.mean(-2, keepdim=True)
    size = (source - start).pow(2).sum(-1).mean(-1).sqrt()[..., None, None]
    if not bool((size > 0).all()):
        raise NumberError("the points of the source coincide", got="extent 0")
    M = _moments((source - start) / size, first)
    N = _moments((target - end) / size, second)
    singular = torch.linalg.svdvals(M)
    margin = singular[..., d] / singular[..., 0]
    if not bool((margin >= least_margin).all()):
        raise NumberError(
            "the moments do not determine the motion",
            got=f"singular values in the ratio {float(margin.min()):.1e}",
            expected=f"at least {least_margin:.0e}",
            remedy="give features that tell the points of a symmetric shape apart",
        )
    solved = torch.linalg.lstsq(M, N).solution
    raw = solved[..., 1:, 1:].mT
    U, _, Vh = torch.linalg.svd(raw)
    flip = torch.ones_like(raw[..., 0])
    flip[..., -1] = torch.linalg.det(U @ Vh).sign()
    rotation = U * flip[..., None, :] @ Vh
    shift = solved[..., 0, 1:] * size[..., 0]
    translation = end[..., 0, :] + shift - (rotation @ start.mT)[..., 0]
    defect = (raw - rotation).abs().amax((-2, -1))
    return Registration(rotation, translation, margin, defect)


def radial_features(
    points: Float[Tensor, "*batch n d"], count: int = 8
) -> Float[Tensor, "*batch n k"]:
    """Invariant functions of each point: Gaussian shells in its distance r from the centre.

        w_k = exp(-(r / ρ - k / 4)² / (2 · 0.25²)),  k = 0 … count - 1,  ρ² the mean of r².

    Example:
        >>> radial_features(torch.randn(50, 3)).shape
        torch.Size([50, 8])
    """
    x = points - points.mean(-2, keepdim=True)
    square = (x * x).sum(-1)
    size = square.mean(-1, keepdim=True)
    r = (square / torch.where(size > 0, size, 1.0)).sqrt()[..., None]
    shells = torch.arange(count, dtype=points.dtype, device=points.device) / 4
    return torch.exp(-(((r - shells) / 0.25) ** 2) / 2)


def _moments(x: Tensor, features: Tensor) -> Tensor:
    return features.mT @ torch.cat([torch.ones_like(x[..., :1]), x], -1) / x.shape[-2]
