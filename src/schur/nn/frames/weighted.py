"""Weighted frames from the points of a cloud, continuous where principal axes are not."""

from __future__ import annotations

from itertools import product

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from schur.groups import Group
from schur.nn.frames.arguments import between, whole
from schur.nn.frames.framing import Framing, centred
from schur.nn.frames.pose import Frames, Pose
from schur.nn.frames.symmetry import Symmetry

# Distance from the axis, as a share of the cloud's radius, below which a cloud counts as nearly
# collinear, and its frames begin to be averaged over turns about the axis.
_THIN = 0.1


class WeightedFrames(Framing):
    """Frames spanned by points, with weights that vanish before a frame becomes degenerate.

    In space the first axis points from the centre to point i, the second towards point j, at right
    angles to the first; the third is their cross product, for O(3) of both signs. With r_i the
    distance from the centre, s_ij that of point j from the axis, and τ the sharpness,

        w_ij = a_i / Σ_k a_k · b_ij / Σ_k b_ik,
        a_i = max(0, r_i / max_k r_k - τ),   b_ij = max(0, s_ij / max_k s_ik - τ).

    The weights of j are normalised for each i apart, so that they may jump only where all s_ij
    vanish: on a line, where no turn about the axis changes the cloud. There each frame is replaced,
    by a continuous share, with its `degree` + 1 turns about the axis, whose average of any result
    is that over all turns, for results of degree ≤ `degree` (1 for vectors, 2 for matrices). In the
    plane point i alone makes the frame. A cloud of coincident points has the frames of the
    tetrahedral group (those of C_(degree + 1) in the plane).

    The wrapped function is exactly equivariant and, where the backbone is continuous, continuous
    in the cloud, but for results that are not invariant where all points meet. Frames of weight
    zero are not evaluated: their number is 1 to 2 n (n - 1) per cloud, less for a larger τ.

    Args:
        group: O(d), SO(d), E(d) or SE(d) with d = 2 or 3.
        sharpness: τ in [0, 1); changes grow as 1 / (1 - τ).
        degree: the highest degree of results, as above.

    The margin is the mean over first axes of max_j s_ij / max_k r_k: 0 on a line; in the plane it
    is 1. For d = 3 and a cloud of coincident points it is 0.

    Source: Dym, Lawrence, Siegel, "Equivariant frames and the impossibility of continuous
    canonicalization" (2024), https://arxiv.org/abs/2402.16077: weighted frames, their continuity up
    to stabilisers, and frames from pairs of points. The form of the weights and the average over
    turns are Schur's.

    Example:
        >>> corners = torch.cartesian_prod(*3 * [torch.tensor([-1.0, 1.0])])
        >>> len(WeightedFrames("SO(3)", sharpness=0.9)(corners[None]).weight)
        48
    """

    def __init__(
        self, group: Group | Symmetry | str, sharpness: float = 0.5, degree: int = 2
    ) -> None:
        super().__init__(group)
        self.sharpness = between("the sharpness of weights", sharpness, 0.0, 1.0)
        self.degree = whole("the highest degree of results", degree, 0)

    def refusal(self, symmetry: Symmetry) -> str | None:
        fits = symmetry.is_orthogonal and symmetry.d in (2, 3)
        return None if fits else "O(d), SO(d), E(d) or SE(d) with d = 2 or 3"

    def forward(
        self,
        cloud: Float[Tensor, "clouds points d"],
        mask: Bool[Tensor, "clouds points"] | None = None,
    ) -> Frames:
        x, centre = centred(cloud, mask, self.symmetry.translations)
        radius = _length(x)
        largest = radius.amax(-1)
        # A spread within rounding of the coordinates is none: all points coincide.
        reach = x.detach().abs().amax((-2, -1)) + centre.detach().abs().amax(-1)
        noise = 8 * torch.finfo(x.dtype).eps * reach
        spread = largest > noise
        share = radius / torch.where(spread, largest, 1.0)[:, None]
        first = (share - self.sharpness).clamp(min=0) * spread[:, None]
        cloud_of, i = first.nonzero(as_tuple=True)
        first = (first / first.sum(-1, keepdim=True).clamp(min=1e-30))[cloud_of, i]
        axis = x[cloud_of, i] / radius[cloud_of, i, None]
        size = largest[cloud_of, None]
        if self.symmetry.d == 2:
            parts = [(cloud_of, _both_plane(axis), first)]
            margin = spread.to(x.dtype)
        else:
            owner, frame, weight, thin = self._pairs(x[cloud_of] / size[..., None], axis)
            weight = weight * first[owner]
            margin = torch.zeros_like(largest).index_add(0, cloud_of, first * thin)
            parts = self._with_turns(cloud_of[owner], frame, weight, thin[owner])
        if not bool(spread.all()):
            lone = (~spread).nonzero()[:, 0]
            still = _finite_group(self.symmetry.d, self.degree, x)
            parts.append(
                (
                    lone.repeat_interleave(len(still)),
                    still.repeat(len(lone), 1, 1),
                    torch.full_like(still[:1, 0, 0], 1 / len(still)).expand(len(lone) * len(still)),
                )
            )
        if not self.symmetry.is_proper:
            parts = [part for one in parts for part in _mirrored(*one)]
        return _assembled(parts, centre, margin)

    def _pairs(self, x: Tensor, axis: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Frames of each first axis: whose they are, the axes, weights; distances from the axis."""
        across = x - (x @ axis[..., None]) * axis[:, None]
        # Twice, so that what is left is at right angles to rounding, small as it may be.
        across = across - (across @ axis[..., None]) * axis[:, None]
        away = _length(across)
        widest = away.amax(-1)
        line = widest <= 16 * torch.finfo(x.dtype).eps
        share = away / torch.where(line, 1.0, widest)[:, None]
        second = (share - self.sharpness).clamp(min=0)
        # On a line any direction serves, since its turns are averaged.
        some = _any_normal(axis)
        across = torch.where(line[:, None, None], some[:, None], across)
        only = torch.zeros_like(second)
        only[:, 0] = 1
        second = torch.where(line[:, None], only, second)
        owner, j = second.nonzero(as_tuple=True)
        weight = (second / second.sum(-1, keepdim=True))[owner, j]
        one, two = axis[owner], across[owner, j]
        two = two / _length(two)[..., None]
        frame = torch.stack([one, two, torch.linalg.cross(one, two)], -1)
        return owner, frame, weight, torch.where(line, 0.0, widest)

    def _with_turns(
        self, cloud: Tensor, frame: Tensor, weight: Tensor, thin: Tensor
    ) -> list[tuple[Tensor, Tensor, Tensor]]:
        """The frames, and for nearly collinear clouds a share of their turns about the axis."""
        share = (thin / _THIN).clamp(max=1)
        share = share**2 * (3 - 2 * share)
        keep, turn = (share > 0).nonzero()[:, 0], (share < 1).nonzero()[:, 0]
        parts = [(cloud[keep], frame[keep], (weight * share)[keep])]
        count = self.degree + 1
        for k in range(count if len(turn) else 0):
            angle = torch.tensor(2 * torch.pi * k / count, dtype=frame.dtype, device=frame.device)
            one, two, three = frame[turn].unbind(-1)
            turned = [one, two * angle.cos() + three * angle.sin()]
            turned.append(three * angle.cos() - two * angle.sin())
            part = (weight * (1 - share))[turn] / count
            parts.append((cloud[turn], torch.stack(turned, -1), part))
        return parts


def _assembled(
    parts: list[tuple[Tensor, Tensor, Tensor]], centre: Tensor, margin: Tensor
) -> Frames:
    cloud, matrix, weight = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
    order = torch.argsort(cloud, stable=True)
    cloud, matrix, weight = cloud[order], matrix[order], weight[order]
    origin = centre[cloud]
    return Frames(cloud, Pose(matrix, matrix.mT, torch.zeros_like(origin), origin), weight, margin)


def _length(x: Tensor) -> Tensor:
    """Lengths on the last axis, whose derivative at zero is zero."""
    square = (x * x).sum(-1)
    none = square == 0
    return torch.where(none, 0.0, torch.where(none, 1.0, square).sqrt())


def _both_plane(axis: Tensor) -> Tensor:
    x, y = axis.unbind(-1)
    return torch.stack([axis, torch.stack([-y, x], -1)], -1)


def _any_normal(axis: Tensor) -> Tensor:
    """A direction at right angles to each axis."""
    least = torch.nn.functional.one_hot(axis.abs().argmin(-1), 3).to(axis)
    normal = torch.linalg.cross(axis, least)
    return normal / _length(normal)[..., None]


def _mirrored(cloud: Tensor, frame: Tensor, weight: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
    """The frames with both signs of the last axis."""
    other = torch.cat([frame[..., :-1], -frame[..., -1:]], -1)
    return [(cloud, frame, weight / 2), (cloud, other, weight / 2)]


def _finite_group(d: int, degree: int, like: Tensor) -> Tensor:
    """Turns whose average is that over all turns, for degrees up to 2 in space."""
    if d == 2:
        angle = 2 * torch.pi * torch.arange(degree + 1, dtype=like.dtype) / (degree + 1)
        return _both_plane(torch.stack([angle.cos(), angle.sin()], -1)).to(like)
    cycles = [torch.eye(3).roll(k, 0) for k in range(3)]
    halves = [torch.diag(torch.tensor(s)) for s in product((1.0, -1.0), repeat=3)]
    proper = [half for half in halves if torch.linalg.det(half) > 0]
    return torch.stack([half @ cycle for half in proper for cycle in cycles]).to(like)
