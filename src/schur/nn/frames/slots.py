"""Slot attention with a frame for each slot: objects are described where and as they lie."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from schur.nn.frames.field import FrameField, moment_frames


def slot_frames(
    attention: Float[Tensor, "batch slots pixels"],
    grid: Float[Tensor, "pixels d"],
    turned: bool = True,
) -> FrameField:
    """Position, extent and, if asked, orientation of each slot from its attention map.

    The origin is the mean of the grid under the map, s the root of the mean variance, R the
    principal axes; see `moment_frames` for their signs and margin. Round maps have no orientation,
    and maps that a half turn leaves alone have no sign.

    Source: Biza et al., "Invariant slot attention" (2023), https://arxiv.org/abs/2302.04973,
    section 3; the sign by third moments is Schur's.
    """
    batch, slots, _ = attention.shape
    points = grid.expand(batch, slots, *grid.shape)
    field = moment_frames(points, attention, scaled=True)
    if turned:
        return field
    unit = torch.eye(grid.shape[-1], dtype=grid.dtype, device=grid.device)
    axes = unit.expand_as(field.axes)
    return FrameField(field.origin, axes, field.scale, torch.ones_like(field.margin))


class InvariantSlotAttention(torch.nn.Module):
    """Slots that compete for pixels and read them in coordinates of their own.

    In each round a slot's query meets keys f(K x_n + P r_kn), with r_kn the coordinates of pixel n
    in the frame of slot k; attention is a softmax over slots; values, read in the same way, are
    averaged over pixels and update the slot by a gated recurrent unit and a perceptron; the new map
    gives the new frame.

    For given attention maps slots do not change, and frames move along, when the coordinates of the
    grid are shifted, scaled or (`turned`) rotated. The features x, from a convolution with a
    border, are outside the statement, and slots start at random, so that for the whole it holds for
    their distribution.

    Args:
        features: width of x.
        slots: how many.
        width: of a slot.
        rounds: how often pixels are read.
        turned: whether frames have an orientation.
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
        d: int = 2,
    ) -> None:
        super().__init__()
        self.slots, self.rounds, self.turned = slots, rounds, turned
        self.mean = torch.nn.Parameter(torch.randn(width) / width**0.5)
        self.log_width = torch.nn.Parameter(torch.zeros(width))
        self.read = torch.nn.LayerNorm(features)
        self.key = torch.nn.Linear(features, width, bias=False)
        self.value = torch.nn.Linear(features, width, bias=False)
        self.query = torch.nn.Linear(width, width, bias=False)
        self.place = torch.nn.Linear(d, width)
        self.shared = torch.nn.Sequential(
            torch.nn.Linear(width, width), torch.nn.ReLU(), torch.nn.Linear(width, width)
        )
        self.memory = torch.nn.GRUCell(width, width)
        self.norm = torch.nn.LayerNorm(width)
        self.further = torch.nn.Sequential(
            torch.nn.LayerNorm(width),
            torch.nn.Linear(width, width),
            torch.nn.ReLU(),
            torch.nn.Linear(width, width),
        )

    def forward(
        self, x: Float[Tensor, "batch pixels features"], grid: Float[Tensor, "pixels d"]
    ) -> tuple[Float[Tensor, "batch slots width"], FrameField, Float[Tensor, "batch slots pixels"]]:
        """The slots, their frames and their maps, from slots and maps that are drawn at random."""
        noise = torch.randn(len(x), self.slots, len(self.mean), dtype=x.dtype, device=x.device)
        state = self.mean + noise * self.log_width.exp()
        start = torch.randn(len(x), self.slots, x.shape[1], dtype=x.dtype, device=x.device)
        attention = start.softmax(-1)
        field = slot_frames(attention, grid, self.turned)
        for _ in range(self.rounds):
            attention = self.attention(state, x, grid, field)
            state = self.update(state, x, grid, field, attention)
            field = slot_frames(attention, grid, self.turned)
        return state, field, attention

    def attention(
        self, state: Tensor, x: Tensor, grid: Tensor, field: FrameField
    ) -> Float[Tensor, "batch slots pixels"]:
        """What share of each pixel every slot takes."""
        keys = self._read(self.key, x, grid, field)
        query = self.query(self.norm(state))
        logits = torch.einsum("bkw,bknw->bkn", query, keys) / query.shape[-1] ** 0.5
        return logits.softmax(1) + 1e-8

    def update(
        self, state: Tensor, x: Tensor, grid: Tensor, field: FrameField, attention: Tensor
    ) -> Float[Tensor, "batch slots width"]:
        """The slots after they have read the pixels that are theirs."""
        values = self._read(self.value, x, grid, field)
        share = attention / attention.sum(-1, keepdim=True)
        read = torch.einsum("bkn,bknw->bkw", share, values)
        new = self.memory(read.flatten(0, 1), state.flatten(0, 1)).view_as(state)
        return new + self.further(new)

    def _read(
        self, layer: torch.nn.Module, x: Tensor, grid: Tensor, field: FrameField
    ) -> Float[Tensor, "batch slots pixels width"]:
        here = (grid - field.origin[..., None, :]) @ field.axes / field.scale[..., None, None]
        return self.shared(layer(self.read(x))[:, None] + self.place(here))
