"""A frame for each node, part or slot, and coordinates seen from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.nn.frames.eigh import safe_eigh
from schur.nn.frames.learned import gram_schmidt


@dataclass(frozen=True)
class FrameField:
    """Frames x -> s R x + o, one for each owner: a node, a part, a slot.

    What is seen from a frame does not change when all coordinates are moved, and a result that is
    put back moves along. Frames of different owners may move independently.

    Args:
        origin: o.
        axes: R, the axes in columns.
        scale: s; lengths are seen in units of it.
        margin: 0 where a frame is not unique, up to 1; each maker states its definition.

    Example:
        >>> field = velocity_frames(torch.zeros(1, 2), torch.tensor([[0.0, 2.0]]))
        >>> field.seen(torch.tensor([[0.0, 3.0]]))
        tensor([[3., 0.]])
    """

    origin: Float[Tensor, "*owners d"]
    axes: Float[Tensor, "*owners d d"]
    scale: Float[Tensor, "*owners"]
    margin: Float[Tensor, "*owners"]

    def __getitem__(self, index: Tensor) -> FrameField:
        """The frames of some owners, for fields with one axis of owners."""
        return FrameField(
            self.origin[index], self.axes[index], self.scale[index], self.margin[index]
        )

    def seen(self, points: Float[Tensor, "*owners d"]) -> Float[Tensor, "*owners d"]:
        """Coordinates R⁻¹ (x - o) / s of one point for each owner."""
        return self.vectors_seen(points - self.origin)

    def vectors_seen(self, vectors: Float[Tensor, "*owners d"]) -> Float[Tensor, "*owners d"]:
        """Components R⁻¹ v / s of one vector for each owner."""
        return (vectors[..., None, :] @ self.axes)[..., 0, :] / self.scale[..., None]

    def placed(self, points: Float[Tensor, "*owners d"]) -> Float[Tensor, "*owners d"]:
        """The inverse of `seen`: s R y + o."""
        return self.vectors_placed(points) + self.origin

    def vectors_placed(self, vectors: Float[Tensor, "*owners d"]) -> Float[Tensor, "*owners d"]:
        """The inverse of `vectors_seen`: s R y."""
        return (self.axes @ vectors[..., None])[..., 0] * self.scale[..., None]

    def relative(self, edges: Int[Tensor, "2 edges"]) -> Float[Tensor, "edges features"]:
        """How the frame of each sender looks from that of its receiver: invariants of the pair.

        R_i⁻¹ (o_j - o_i) / s_i, the entries of R_i⁻¹ R_j, and log s_j / s_i, for edges j -> i given
        as rows of senders and receivers.
        """
        sender, receiver = self[edges[0]], self[edges[1]]
        turn = (receiver.axes.mT @ sender.axes).flatten(-2)
        ratio = (sender.scale / receiver.scale).log()[..., None]
        return torch.cat([receiver.seen(sender.origin), turn, ratio], -1)


def velocity_frames(
    position: Float[Tensor, "nodes d"],
    velocity: Float[Tensor, "nodes d"],
    second: Float[Tensor, "nodes d"] | None = None,
) -> FrameField:
    """Frames at moving nodes whose first axis points along the velocity.

    In space one vector leaves the roll about it open. Setting the roll to zero with respect to a
    fixed axis would not be equivariant under rotations, so a second vector of the node is asked
    for: its acceleration, or the direction to the centre of its neighbours.

    A node at rest has no frame: an arbitrary axis is taken, the margin is zero, and near it the
    frame is not continuous. Velocities change under Galilean boosts, and so do these frames.

    Args:
        position, velocity: of the nodes, in the plane or in space.
        second: in space, a vector that is not parallel to the velocity.

    The margin is the speed as a share of the largest one, in space times the share of the second
    vector that is at right angles to the first.

    Raises:
        RepresentationError: in space no second vector is given.

    Source: Kofinas, Nagaraja, Gavves, "Roto-translated local coordinate frames for interacting
    dynamical systems" (2021), https://arxiv.org/abs/2110.14961.
    """
    d = position.shape[-1]
    if d not in (2, 3) or (d == 3 and second is None):
        raise RepresentationError(
            "a velocity fixes a frame in the plane; in space its roll is open",
            got=f"{d} dimensions, {'no' if second is None else 'a'} second vector",
            expected="2 dimensions, or 3 and a second vector",
            remedy="give second=, a vector of each node that turns with it",
        )
    speed = torch.linalg.vector_norm(velocity.detach(), dim=-1)
    largest = speed.amax().clamp(min=torch.finfo(speed.dtype).tiny)
    vectors = [velocity] if d == 2 or second is None else [velocity, second]
    rows, share = gram_schmidt(torch.stack(vectors, -2))
    if d == 2:
        x, y = rows[..., 0, :].unbind(-1)
        last = torch.stack([-y, x], -1)
    else:
        last = torch.linalg.cross(rows[..., 0, :], rows[..., 1, :])
    axes = torch.cat([rows, last[..., None, :]], -2).mT
    return FrameField(position, axes, torch.ones_like(speed), share * speed / largest)


def moment_frames(
    points: Float[Tensor, "*owners n d"],
    weight: Float[Tensor, "*owners n"],
    scaled: bool = False,
) -> FrameField:
    """Frames of weighted points: their centre, principal axes and, if asked, extent.

    For neighbourhoods of nodes, parts, and attention maps of slots alike. Axes are in descending
    order of the variance along them; the sign of all but the last makes Σ w z³ positive, the last
    makes the determinant one. Axes jump where variances meet (round sets) and where Σ w z³
    vanishes (sets that are symmetric under a half turn).

    Args:
        points: seen by each owner, in the plane or in space.
        weight: not negative, not all zero.
        scaled: whether s is the root of the mean variance, or one.

    The margin is the smaller of the gap between neighbouring variances as a share of the largest,
    and |Σ w z³| as a share of Σ w |z|³ over the axes whose sign it sets.

    Source: principal axes of parts, Atzmon et al. (2024), https://arxiv.org/abs/2402.08529, and of
    slots, Biza et al. (2023), https://arxiv.org/abs/2302.04973; the rule for signs is Schur's.

    Example:
        >>> grid = torch.cartesian_prod(torch.arange(4.0), torch.arange(2.0))
        >>> moment_frames(grid, torch.ones(8)).origin
        tensor([1.5000, 0.5000])
    """
    if points.shape[-1] not in (2, 3):
        raise ShapeError("points of the plane or of space", got=tuple(points.shape))
    w = weight / weight.sum(-1, keepdim=True)
    origin = (w[..., None] * points).sum(-2)
    x = points - origin[..., None, :]
    values, axes = safe_eigh((w[..., None] * x).mT @ x)
    values, axes = values.flip(-1), axes.flip(-1)
    z = (x @ axes).detach()
    third = (w[..., None].detach() * z**3).sum(-2)
    extent = (w[..., None].detach() * z.abs() ** 3).sum(-2)
    signs = torch.where(third < 0, -1.0, 1.0).to(axes)
    sign = torch.linalg.det(axes.detach() * signs[..., None, :]).sign()
    signs = torch.cat([signs[..., :-1], signs[..., -1:] * sign[..., None]], -1)
    tiny = torch.finfo(values.dtype).tiny
    gaps = (values[..., :-1] - values[..., 1:]) / values[..., :1].clamp(min=tiny)
    skew = (third.abs() / extent.clamp(min=tiny))[..., :-1]
    margin = torch.minimum(gaps.amin(-1), skew.amin(-1)).detach().clamp(min=0)
    variance = values.mean(-1).clamp(min=tiny)
    scale = variance.sqrt() if scaled else torch.ones_like(variance)
    return FrameField(origin, axes * signs[..., None, :], scale, margin)
