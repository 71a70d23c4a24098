"""Finite groups: all elements of C_n and D_n; sorting for S_n."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from schur.errors import NumberError
from schur.groups import Group, Sym
from schur.nn.frames.arguments import one_of
from schur.nn.frames.framing import DRAWN, Framing
from schur.nn.frames.pose import Frames, Pose
from schur.nn.frames.symmetry import Symmetry


class AllElements(Framing):
    """All elements of C_n or D_n with equal weights: the average over the group.

    On images it is exact for quarter turns and mirrors alone; other turns interpolate. The margin
    is 1: nothing is chosen.

    Args:
        group: C_n or D_n.
        drawn: as for `PrincipalFrames`.

    Example:
        >>> len(AllElements("D4")(torch.randn(2, 1, 8, 8)).weight)
        16
    """

    def __init__(self, group: Group | Symmetry | str, drawn: str = "never") -> None:
        super().__init__(group)
        self.drawn = one_of("when frames are drawn", drawn, DRAWN)

    def refusal(self, symmetry: Symmetry) -> str | None:
        return None if symmetry.elements is not None else "Cn or Dn"

    def forward(
        self,
        cloud: Float[Tensor, "clouds ..."],
        mask: Bool[Tensor, "clouds points"] | None = None,
    ) -> Frames:
        elements = torch.from_numpy(self.symmetry.elements).to(cloud)
        count = len(elements)
        clouds = torch.arange(len(cloud), device=cloud.device).repeat_interleave(count)
        pose = Pose.linear(elements.repeat(len(cloud), 1, 1))
        weight = torch.full_like(pose.matrix[:, 0, 0], 1 / count)
        frames = Frames(clouds, pose, weight, torch.ones_like(weight[::count]))
        if self.drawn == "always" or (self.drawn == "training" and self.training):
            return frames.drawn()
        return frames


class SortedRows(Framing):
    """Rows in ascending order, by the first entry, then the second, …: one frame for S_n.

    Rows that are equal could be exchanged, which would give a frame for each of the k! orders. All
    of them show the same to the backbone, so one evaluation is enough: its rows are averaged over
    equal rows on the way back, which is the average over all orders. Exact, and discontinuous
    where the first entries of two rows meet.

    The kinds are "rows", (batch, n, channels), and "scalars".

    Args:
        group: Sym(n).

    The margin is the smallest difference between first entries that follow each other, as a share
    of their range.

    Source: Puny et al. (2022), https://arxiv.org/abs/2110.03336.

    Example:
        >>> frames = SortedRows(Sym(3))(torch.tensor([[[2.0], [1.0], [2.0]]]))
        >>> frames.pose.matrix[0]
        tensor([[0.0000, 0.5000, 0.5000],
                [1.0000, 0.0000, 0.0000],
                [0.0000, 0.5000, 0.5000]])
    """

    def refusal(self, symmetry: Symmetry) -> str | None:
        return None if isinstance(symmetry.linear, Sym) else "Sym(n)"

    def forward(
        self,
        cloud: Float[Tensor, "clouds n channels"],
        mask: Bool[Tensor, "clouds n"] | None = None,
    ) -> Frames:
        if mask is not None:
            raise NumberError("sorting knows no mask", remedy="fill up with equal rows")
        rows = cloud.detach()
        order = torch.arange(rows.shape[1], device=rows.device).expand(rows.shape[:2])
        for channel in reversed(range(rows.shape[2])):
            keys = rows[..., channel].gather(1, order)
            order = order.gather(1, torch.argsort(keys, dim=1, stable=True))
        sort = torch.nn.functional.one_hot(order, rows.shape[1]).to(rows.dtype)
        same = (rows[:, :, None] == rows[:, None]).all(-1).to(rows.dtype)
        back = same / same.sum(-1, keepdim=True) @ sort.mT
        zero = torch.zeros_like(rows[..., 0])
        first = rows[..., 0].sort(1).values
        gap = (first[:, 1:] - first[:, :-1]).amin(1) if rows.shape[1] > 1 else first[:, 0] * 0 + 1
        spread = first[:, -1] - first[:, 0]
        margin = torch.where(spread > 0, gap / torch.where(spread > 0, spread, 1.0), 0.0)
        clouds = torch.arange(len(rows), device=rows.device)
        return Frames(clouds, Pose(back, sort, zero, zero), torch.ones_like(zero[:, 0]), margin)
