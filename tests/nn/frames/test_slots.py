"""Slots with frames: what moves with the grid, what does not, and what is undefined."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.nn.frames import InvariantSlotAttention, Symmetry, slot_frames

from .clouds import normal

GRID = torch.cartesian_prod(*2 * [torch.linspace(-1, 1, 7, dtype=torch.float64)])


def turned(scale: float = 1.7) -> tuple[Tensor, Tensor]:
    pose = Symmetry.of("SE(2)").sample(1, np.random.default_rng(0), GRID)
    return pose.matrix[0], scale * GRID @ pose.matrix[0].mT + pose.after[0]


def layer(orientation: bool) -> InvariantSlotAttention:
    torch.manual_seed(0)
    return InvariantSlotAttention(4, slots=3, width=8, turned=orientation).double()


@pytest.mark.parametrize("orientation", [True, False])
def test_slots_stay_and_frames_move_for_given_maps(orientation: bool) -> None:
    model, x, state = layer(orientation), normal(2, 49, 4), normal(2, 3, 8, seed=1)
    maps = normal(2, 3, 49, seed=2).mul(2).softmax(-1)
    R, there = turned()
    if not orientation:
        R, there = torch.eye(2).double(), 1.7 * GRID + 0.3
    field = slot_frames(maps, GRID, orientation)
    moved = slot_frames(maps, there, orientation)
    slots = model.update(state, x, GRID, field, maps)
    again = model.update(state, x, there, moved, maps)
    torch.testing.assert_close(again, slots, rtol=0, atol=1e-6)
    torch.testing.assert_close(
        model.attention(state, x, there, moved), model.attention(state, x, GRID, field)
    )
    shift = there[0] - 1.7 * GRID[0] @ R.mT
    torch.testing.assert_close(moved.origin, 1.7 * field.origin @ R.mT + shift, rtol=0, atol=1e-12)
    torch.testing.assert_close(moved.scale, 1.7 * field.scale, rtol=0, atol=1e-12)
    torch.testing.assert_close(moved.axes, R @ field.axes, rtol=0, atol=1e-10)


def test_without_orientation_a_turn_shows() -> None:
    model, x, state = layer(False), normal(2, 49, 4), normal(2, 3, 8, seed=1)
    maps = normal(2, 3, 49, seed=2).mul(2).softmax(-1)
    _, there = turned()
    slots = model.update(state, x, GRID, slot_frames(maps, GRID, False), maps)
    again = model.update(state, x, there, slot_frames(maps, there, False), maps)
    assert float((again - slots).detach().abs().max()) > 1e-3


def test_the_whole_layer_from_the_same_draw() -> None:
    model, x = layer(True), normal(2, 49, 4)
    _, there = turned()
    found = []
    for grid in (GRID, there):
        torch.manual_seed(3)
        found.append(model(x, grid)[0])
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=1e-6)
    torch.manual_seed(4)  # another draw, other slots: the statement is one on distributions
    assert float((model(x, GRID)[0] - found[0]).detach().abs().max()) > 1e-2


def test_round_maps_have_no_orientation() -> None:
    maps = torch.exp(-4 * GRID.square().sum(-1)).expand(1, 1, -1)
    assert float(slot_frames(maps, GRID).margin) < 1e-10


def test_gradients() -> None:
    model, x = layer(True), normal(2, 49, 4)
    model(x, GRID)[0].square().sum().backward()
    assert all(p.grad is None or bool(p.grad.isfinite().all()) for p in model.parameters())
