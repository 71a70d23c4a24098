"""Learned canonicalisation of clouds: a small equivariant network says where the axes point."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from schur.groups import Group
from schur.nn.frames.arguments import function, whole
from schur.nn.frames.framing import Framing, centred
from schur.nn.frames.pose import Frames, Pose
from schur.nn.frames.symmetry import Symmetry


class LearnedFrames(Framing):
    """One frame for each cloud: the Gram-Schmidt basis of vectors that a network gives.

    O(d) takes d vectors; SO(d) takes d - 1, the last axis is the one that makes the determinant
    one. One evaluation of the backbone, exactly equivariant wherever the vectors are independent.
    They cannot be so for every cloud: for no d >= 2 is there a continuous choice, and a cloud with
    symmetries of its own (a line, a cube) gives vectors that are dependent or zero. There the axes
    are arbitrary and the margin is zero.

    Args:
        group: O(d), SO(d), E(d) or SE(d).
        network: from centred clouds (clouds, n, d) and the mask, or None, to vectors
            (clouds, k, d), equivariant under O(d) (SO(d) for SO(d) and SE(d)); `VectorNetwork` if
            not given.
        hidden: its width.

    The margin is the smallest share of a vector's length that is at right angles to those before.

    Source: Kaba et al., "Equivariance with learned canonicalization functions" (2023),
    https://arxiv.org/abs/2211.06489.

    Example:
        >>> frames = LearnedFrames("SE(3)")(torch.randn(5, 10, 3))
        >>> len(frames.weight), frames.pose.matrix.shape
        (5, torch.Size([5, 3, 3]))
    """

    def __init__(
        self,
        group: Group | Symmetry | str,
        network: torch.nn.Module | None = None,
        hidden: int = 16,
    ) -> None:
        super().__init__(group)
        d = self.symmetry.d
        self.count = d - 1 if self.symmetry.is_proper else d
        network = VectorNetwork(self.count, hidden) if network is None else network
        self.network = function("a network", network)

    def forward(
        self,
        cloud: Float[Tensor, "clouds points d"],
        mask: Bool[Tensor, "clouds points"] | None = None,
    ) -> Frames:
        x, centre = centred(cloud, mask, self.symmetry.translations)
        axes, margin = gram_schmidt(self.network(x, mask))
        if self.symmetry.is_proper:
            axes = torch.cat([axes, _last_axis(axes)[:, None]], 1)
        matrix = axes.mT
        pose = Pose(matrix, matrix.mT, torch.zeros_like(centre), centre)
        every = torch.arange(len(cloud), device=cloud.device)
        return Frames(every, pose, torch.ones_like(margin), margin)

    def prior_loss(
        self,
        cloud: Float[Tensor, "clouds points d"],
        mask: Bool[Tensor, "clouds points"] | None = None,
    ) -> Float[Tensor, ""]:
        """The mean of ‖R - 1‖² / 2 = d - tr R: small where upright clouds are left alone.

        Source: Mondal et al., "Equivariant adaptation of large pretrained models" (2023),
        https://arxiv.org/abs/2310.01647.
        """
        matrix = self.forward(cloud, mask).pose.matrix
        return (self.symmetry.d - matrix.diagonal(dim1=-2, dim2=-1).sum(-1)).mean()


class VectorNetwork(torch.nn.Module):
    """Vectors v_k = mean_i b_k(…) x_i with weights that depend on invariants alone.

        u_c = mean_i a_c(|x_i|², s) x_i,    v_k = mean_i b_k(|x_i|², s, x_i·u_1, x_i·u_2, …) x_i

    with perceptrons a, b and s the mean of |x_i|². Equivariant under O(d), invariant under
    permutations. Lengths are measured in units of √s.

    Args:
        count: how many vectors.
        hidden: width of the perceptrons, and number of the u_c.

    Example:
        >>> VectorNetwork(2)(torch.randn(5, 10, 3)).shape
        torch.Size([5, 2, 3])
    """

    def __init__(self, count: int, hidden: int = 16) -> None:
        super().__init__()
        count, hidden = whole("how many vectors", count, 0), whole("hidden width", hidden)
        self.first = _perceptron(1, hidden, hidden)
        self.second = _perceptron(1 + hidden, hidden, count)

    def forward(
        self,
        x: Float[Tensor, "clouds points d"],
        mask: Bool[Tensor, "clouds points"] | None = None,
    ) -> Float[Tensor, "clouds count d"]:
        there = torch.ones_like(x[..., :1]) if mask is None else mask[..., None].to(x.dtype)
        total = there.sum(1, keepdim=True).clamp(min=1)
        size = ((x * x).sum((1, 2), keepdim=True) / total).sqrt()
        x = x / torch.where(size > 0, size, 1.0) * there
        square = (x * x).sum(-1, keepdim=True)
        between = (self.first(square) * there).mT @ x / total
        own = torch.cat([square, x @ between.mT], -1)
        return (self.second(own) * there).mT @ x / total


def _perceptron(size: int, hidden: int, out: int) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Linear(size, hidden),
        torch.nn.SiLU(),
        torch.nn.Linear(hidden, hidden),
        torch.nn.SiLU(),
        torch.nn.Linear(hidden, out),
    )


def gram_schmidt(
    vectors: Float[Tensor, "*batch count d"],
) -> tuple[Float[Tensor, "*batch count d"], Float[Tensor, "*batch"]]:
    """Orthonormal axes of vectors, one a row, and how independent these are.

    Where a vector depends on those before, an arbitrary axis stands for it.

    Returns:
        The axes, and the smallest share of a vector's length that is new, 0 to 1.
    """
    axes: list[Tensor] = []
    shares = []
    eps = torch.finfo(vectors.dtype).eps
    for vector in vectors.unbind(-2):
        length = torch.linalg.vector_norm(vector.detach(), dim=-1)
        rest = _rejected(vector / torch.where(length > 0, length, 1.0)[..., None], axes)
        share = torch.linalg.vector_norm(rest.detach(), dim=-1)
        lost = (share <= 64 * eps)[..., None]
        rest = torch.where(lost, _some_normal(vector, axes), rest)
        axes.append(rest / torch.linalg.vector_norm(rest, dim=-1, keepdim=True))
        shares.append(torch.where(lost[..., 0], 0.0, share))
    return torch.stack(axes, -2), torch.stack(shares, -1).amin(-1)


def _rejected(vector: Tensor, axes: list[Tensor]) -> Tensor:
    """What is at right angles to the axes; twice, for rounding."""
    for axis in [*axes, *axes]:
        vector = vector - (vector * axis).sum(-1, keepdim=True) * axis
    return vector


def _some_normal(like: Tensor, axes: list[Tensor]) -> Tensor:
    """The coordinate axis that is farthest from the span of the axes, made orthogonal to it."""
    candidates = torch.eye(like.shape[-1], dtype=like.dtype, device=like.device)
    fixed = [axis.detach()[..., None, :] for axis in axes]
    left = _rejected(candidates.expand(*like.shape[:-1], *candidates.shape), fixed)
    best = torch.linalg.vector_norm(left, dim=-1).argmax(-1)
    place = best[..., None, None].expand(*best.shape, 1, like.shape[-1])
    return left.gather(-2, place)[..., 0, :]


def _last_axis(axes: Float[Tensor, "clouds count d"]) -> Float[Tensor, "clouds d"]:
    """The axis that completes d - 1 others to determinant one: cofactors of the last row."""
    d = axes.shape[-1]
    columns = [axes[..., [j for j in range(d) if j != i]] for i in range(d)]
    signs = [(-1.0) ** (d - 1 + i) for i in range(d)]
    return torch.stack([s * torch.linalg.det(c) for s, c in zip(signs, columns, strict=True)], -1)
