"""Group elements as tensors, and weighted sets of them for each cloud of a batch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Pose:
    """Elements x -> M (x - before) + after of an affine group, one a line.

    Two shifts, not one, so that neither direction subtracts large numbers after the product.

    Args:
        matrix, inverse: M and M⁻¹.
        before, after: the shifts.
    """

    matrix: Float[Tensor, "frames d d"]
    inverse: Float[Tensor, "frames d d"]
    before: Float[Tensor, "frames d"]
    after: Float[Tensor, "frames d"]

    @classmethod
    def linear(cls, matrix: Float[Tensor, "frames d d"]) -> Pose:
        """Orthogonal matrices as elements that fix the origin."""
        zero = torch.zeros_like(matrix[..., 0])
        return cls(matrix, matrix.mT, zero, zero)

    def inverted(self) -> Pose:
        """The inverse elements."""
        return Pose(self.inverse, self.matrix, self.after, self.before)

    def __getitem__(self, index: Tensor | slice) -> Pose:
        return Pose(self.matrix[index], self.inverse[index], self.before[index], self.after[index])

    @property
    def sign(self) -> Float[Tensor, "frames"]:
        """The sign of the determinant."""
        return torch.linalg.det(self.matrix.detach()).sign()


@dataclass(frozen=True)
class Frames:
    """A weighted set of group elements for each cloud of a batch.

    A function φ becomes x -> Σ_f w_f ρ_out(g_f) φ(ρ_in(g_f)⁻¹ x). It is equivariant where the set
    of a moved cloud is the moved set: (w_f, h g_f) for h x.

    Args:
        cloud: to which cloud each frame belongs, in ascending order.
        pose: the elements g_f.
        weight: w_f; those of one cloud have sum 1.
        margin: for each cloud, a number in [0, 1] that says how far it is from those whose frames
            are not unique; 0 means that they are not. Each method states its definition.
    """

    cloud: Int[Tensor, "frames"]
    pose: Pose
    weight: Float[Tensor, "frames"]
    margin: Float[Tensor, "clouds"]

    @property
    def clouds(self) -> int:
        """The number of clouds."""
        return len(self.margin)

    def drawn(self) -> Frames:
        """One frame of each cloud, drawn by weight from torch's generator."""
        ends = torch.cumsum(self.weight.detach().double(), 0)
        counts = torch.bincount(self.cloud, minlength=self.clouds)
        last = torch.cumsum(counts, 0) - 1
        totals = torch.cat([torch.zeros_like(ends[:1]), ends[last]])
        draws = torch.rand(self.clouds, dtype=torch.float64, device=ends.device)
        wanted = totals[:-1] + draws * (totals[1:] - totals[:-1])
        chosen = torch.minimum(torch.searchsorted(ends, wanted, right=True), last)
        return replace(
            self,
            cloud=self.cloud[chosen],
            pose=self.pose[chosen],
            weight=torch.ones_like(self.weight[chosen]),
        )


def joined(first: Frames, second: Frames, share: Float[Tensor, "clouds"]) -> Frames:
    """The mixture share · first + (1 - share) · second; frames of weight zero are left out."""
    weight = torch.cat(
        [first.weight * share[first.cloud], second.weight * (1 - share)[second.cloud]]
    )
    cloud = torch.cat([first.cloud, second.cloud])
    order = torch.argsort(cloud, stable=True)
    order = order[weight[order] > 0]
    one, other = first.pose, second.pose
    pose = Pose(
        torch.cat([one.matrix, other.matrix]),
        torch.cat([one.inverse, other.inverse]),
        torch.cat([one.before, other.before]),
        torch.cat([one.after, other.after]),
    )
    return Frames(cloud[order], pose[order], weight[order], first.margin)
