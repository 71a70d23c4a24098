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


def test_frames_start_at_pixels_with_a_share_of_the_extent() -> None:
    model = layer(True)
    field = model.drawn(200, GRID)
    apart = (field.origin[:, :, None] - GRID).norm(dim=-1).amin(-1)
    assert float(apart.max()) == 0
    assert len(field.origin.flatten(0, 1).unique(dim=0)) == len(GRID)
    extent = GRID.var(0, correction=0).mean().sqrt()
    assert float((field.scale.detach() / extent - 0.5).abs().mean()) < 0.05
    torch.testing.assert_close(
        field.axes.mT @ field.axes, torch.eye(2).double().expand(200, 3, 2, 2)
    )


@pytest.mark.parametrize("orientation", [True, False])
def test_a_map_on_one_pixel_has_an_extent(orientation: bool) -> None:
    maps = torch.zeros(1, 1, 49).double()
    maps[..., 10] = 1.0
    maps.requires_grad_()
    field = slot_frames(maps, GRID, orientation)
    torch.testing.assert_close(field.scale[0, 0], 0.01 * GRID.var(0, correction=0).mean().sqrt())
    torch.testing.assert_close(field.origin[0, 0], GRID[10])
    (grad,) = torch.autograd.grad(field.origin.sum() + field.scale.sum(), maps)
    assert bool(grad.isfinite().all())


def test_both_kinds_of_frames_agree_on_place_and_extent() -> None:
    maps = normal(2, 3, 49, seed=2).mul(2).softmax(-1)
    one, other = slot_frames(maps, GRID, True), slot_frames(maps, GRID, False)
    torch.testing.assert_close(one.origin, other.origin)
    torch.testing.assert_close(one.scale, other.scale)


def test_keys_are_those_of_the_paper() -> None:
    """f(K x + P r) with a perceptron f, whose first map joins K and P, and its last the query."""
    model, x, state = layer(False), normal(2, 49, 4), normal(2, 3, 8, seed=1)
    field = model.drawn(2, GRID)
    K, P, first, last, query = (
        normal(*shape, seed=seed)
        for seed, shape in enumerate([(8, 4), (8, 2), (8, 8), (8, 8), (8, 8)])
    )
    seen = (GRID - field.origin[..., None, :]) / field.scale[..., None, None]
    inner = (model.read(x) @ K.mT)[:, None] + seen @ P.mT
    keys = (inner @ first.mT).relu() @ last.mT
    logits = torch.einsum("bkw,bknw->bkn", model.norm(state) @ query.mT, keys) / 8**0.5
    with torch.no_grad():
        assert model.place is not None
        model.key.weight.copy_(first @ K)
        model.place.weight.copy_(first @ P)
        model.query.weight.copy_(last.mT @ query)
        model.key.bias.zero_()
        model.place.bias.zero_()
    maps = model.attention(state, x, GRID, field)
    torch.testing.assert_close(maps, logits.softmax(1) + 1e-8)


def test_without_frames_places_are_not_seen() -> None:
    torch.manual_seed(0)
    plain = InvariantSlotAttention(4, slots=3, width=8, framed=False).double()
    x, shuffle = normal(2, 49, 4), torch.randperm(49)
    slots, field, maps = plain(x, GRID)
    _, there = turned()
    assert torch.equal(plain(x, there)[0], slots)
    again, moved, permuted = plain(x[:, shuffle], GRID[shuffle])
    torch.testing.assert_close(again, slots)
    torch.testing.assert_close(permuted, maps[..., shuffle])
    torch.testing.assert_close(moved.origin, field.origin)
