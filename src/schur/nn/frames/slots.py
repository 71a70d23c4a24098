"""Slot attention with a frame for each slot: objects are described where and as they lie."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from schur.nn.frames.arguments import between, whole
from schur.nn.frames.field import FrameField, moment_frames

SMALLEST = 0.01  # of a slot's extent, as a share of the grid's: a map on one pixel has none


def slot_frames(
    attention: Float[Tensor, "batch slots pixels"],
    grid: Float[Tensor, "pixels d"],
    turned: bool = True,
) -> FrameField:
    """Position, extent and, if asked, orientation of each slot from its attention map.

    The origin is the mean of the grid under the map, s the root of the mean variance, at least a
    hundredth of that of the whole grid, R the principal axes; see `moment_frames` for their signs
    and margin. Round maps have no orientation, and maps that a half turn leaves alone have no sign.

    Source: Biza et al., "Invariant slot attention" (2023), https://arxiv.org/abs/2302.04973,
    section 3; the sign by third moments is Schur's.
    """
    smallest = SMALLEST * grid.var(0, correction=0).mean().sqrt()
    if turned:
        points = grid.expand(*attention.shape[:2], *grid.shape)
        field = moment_frames(points, attention, scaled=True)
        scale = torch.maximum(field.scale, smallest)
        return FrameField(field.origin, field.axes, scale, field.margin)
    w = attention / attention.sum(-1, keepdim=True)
    origin = w @ grid
    square = (grid - origin[..., None, :]).square().mean(-1)
    scale = (w * square).sum(-1).clamp(min=smallest**2).sqrt()
    axes = torch.eye(grid.shape[-1], dtype=grid.dtype, device=grid.device)
    return FrameField(origin, axes.expand(*scale.shape, -1, -1), scale, torch.ones_like(scale))


class InvariantSlotAttention(torch.nn.Module):
    """Slots that compete for pixels and read them in coordinates of their own.

    In each round the query q_k of a slot meets keys relu(K x_n + P r_kn), with r_kn the coordinates
    of pixel n in the frame of slot k; attention is a softmax over slots of the products, divided by
    the root of the width; values relu(V x_n + P r_kn) are averaged over pixels and update the slot
    by a gated recurrent unit and a perceptron; the new map gives the new frame. After the last
    round maps and frames are made once more, of the final slots.

    The paper's keys are f(K x_n + P r_kn) with a perceptron f of one hidden layer. Its first map is
    part of K, V and P here, its last one of the query and of the recurrent unit: the same
    functions, but for a normalisation within f and its last bias, without a product of matrices for
    each slot and pixel. The paper's frames have an extent along each axis, these have one.

    Slots start as learnt vectors, one for each, at pixels that are drawn at random.

    For given attention maps slots do not change, and frames move along, when the coordinates of the
    grid are shifted, scaled or (`turned`) rotated. The features x, from a convolution with a
    border, are outside the statement, and frames start at random, so that for the whole it holds
    for the distribution of results.

    Args:
        features: width of x.
        slots: how many.
        width: of a slot.
        rounds: how often slots are updated.
        turned: whether frames have an orientation.
        framed: without frames keys are K x_n and values V x_n, which is plain slot attention
            (Locatello et al.); it sees of positions what is in x. Frames are still given back.
        start: extent of the frames at first, as a share of that of the grid.
        d: dimension of the grid.

    Source: Biza et al., "Invariant slot attention" (2023), https://arxiv.org/abs/2302.04973, after
    Locatello et al., "Object-centric learning with slot attention" (2020),
    https://arxiv.org/abs/2006.15055.

    Example:
        >>> grid = torch.cartesian_prod(*2 * [torch.linspace(-1, 1, 5)])
        >>> layer = InvariantSlotAttention(8, slots=3, width=16)
        >>> slots, field, attention = layer(torch.randn(2, 25, 8), grid)
        >>> slots.shape, field.origin.shape, attention.shape
        (torch.Size([2, 3, 16]), torch.Size([2, 3, 2]), torch.Size([2, 3, 25]))
    """

    def __init__(
        self,
        features: int,
        slots: int,
        width: int,
        rounds: int = 3,
        turned: bool = True,
        framed: bool = True,
        start: float = 0.5,
        d: int = 2,
    ) -> None:
        super().__init__()
        features, slots = whole("features of a pixel", features), whole("how many slots", slots)
        width, d = whole("the width of a slot", width), whole("dimensions of the grid", d)
        self.rounds, self.turned = whole("rounds", rounds, 0), turned
        self.start = between("the extent of frames at first", start, SMALLEST)
        self.state = torch.nn.Parameter(torch.randn(slots, width))
        self.read = torch.nn.LayerNorm(features)
        self.key = torch.nn.Linear(features, width)
        self.value = torch.nn.Linear(features, width)
        self.query = torch.nn.Linear(width, width, bias=False)
        self.place = torch.nn.Linear(d, width) if framed else None
        self.memory = torch.nn.GRUCell(width, width)
        self.norm = torch.nn.LayerNorm(width)
        self.further = torch.nn.Sequential(
            torch.nn.LayerNorm(width),
            torch.nn.Linear(width, 2 * width),
            torch.nn.ReLU(),
            torch.nn.Linear(2 * width, width),
        )

    def forward(
        self, x: Float[Tensor, "batch pixels features"], grid: Float[Tensor, "pixels d"]
    ) -> tuple[Float[Tensor, "batch slots width"], FrameField, Float[Tensor, "batch slots pixels"]]:
        """The slots, their frames and their maps, from frames that are drawn at random."""
        state, field = self.state.expand(len(x), -1, -1), self.drawn(len(x), grid)
        for _ in range(self.rounds):
            attention = self.attention(state, x, grid, field)
            state = self.update(state, x, grid, field, attention)
            field = slot_frames(attention, grid, self.turned)
        attention = self.attention(state, x, grid, field)
        return state, slot_frames(attention, grid, self.turned), attention

    def drawn(self, batch: int, grid: Float[Tensor, "pixels d"]) -> FrameField:
        """Frames at random pixels, with the axes of random maps: they move with the grid."""
        noise = torch.randn(batch, len(self.state), len(grid), dtype=grid.dtype, device=grid.device)
        whole = slot_frames(noise.softmax(-1), grid, self.turned)
        pixel = torch.randint(len(grid), noise.shape[:2], device=grid.device)
        return FrameField(grid[pixel], whole.axes, self.start * whole.scale, whole.margin)

    def attention(
        self, state: Tensor, x: Tensor, grid: Tensor, field: FrameField
    ) -> Float[Tensor, "batch slots pixels"]:
        """What share of each pixel every slot takes."""
        keys = self._read(self.key, x, grid, field)
        query = self.query(self.norm(state))
        logits = (keys @ query[..., None])[..., 0] / query.shape[-1] ** 0.5
        return logits.softmax(1) + 1e-8

    def update(
        self, state: Tensor, x: Tensor, grid: Tensor, field: FrameField, attention: Tensor
    ) -> Float[Tensor, "batch slots width"]:
        """The slots after they have read the pixels that are theirs."""
        values = self._read(self.value, x, grid, field)
        share = attention / attention.sum(-1, keepdim=True)
        read = (share[..., None, :] @ values)[..., 0, :]
        new = self.memory(read.flatten(0, 1), state.flatten(0, 1)).view_as(state)
        return new + self.further(new)

    def _read(
        self, layer: torch.nn.Module, x: Tensor, grid: Tensor, field: FrameField
    ) -> Float[Tensor, "batch #slots pixels width"]:
        features = layer(self.read(x))[:, None]
        if self.place is None:
            return features
        here = (grid - field.origin[..., None, :]) @ field.axes / field.scale[..., None, None]
        return (features + self.place(here)).relu()
