"""A frame for each node: exact symmetry, forecasting at unseen headings, and where frames fail."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.nn.frames import FrameField, Symmetry, moment_frames, velocity_frames

from .clouds import generator, normal, plain

PAIRS = torch.tensor([[j, i] for i in range(4) for j in range(4) if i != j]).T


def turn(d: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    pose = Symmetry.of(f"SE({d})").sample(1, np.random.default_rng(seed), normal(1))
    return pose.matrix[0], pose.after[0]


def forecast(net: torch.nn.Module, x: Tensor, v: Tensor, local: bool) -> Tensor:
    """The next change of velocity of four particles each, (batch, 4, 2)."""
    position, velocity = x.flatten(0, 1), v.flatten(0, 1)
    if local:
        field = velocity_frames(position, velocity)
    else:
        unit = torch.eye(2, dtype=x.dtype).expand(len(position), 2, 2)
        one = torch.ones_like(position[:, 0])
        field = FrameField(position, unit, one, one)
    edges = (PAIRS[:, None] + 4 * torch.arange(len(x))[:, None]).flatten(1)
    sender, receiver = edges
    at = field[receiver]
    seen = [at.seen(position[sender]), at.vectors_seen(velocity[sender])]
    seen.append(at.vectors_seen(velocity[receiver]))
    message = net(torch.cat(seen, -1))
    total = torch.zeros_like(position).index_add(0, receiver, message)
    return field.vectors_placed(total).view_as(x)


def springs(count: int, seed: int, heading: float) -> tuple[Tensor, Tensor, Tensor]:
    """Four particles on springs that drift along a heading, and their accelerations."""
    source = generator(seed)
    x = torch.randn(count, 4, 2, dtype=torch.float64, generator=source)
    v = 0.3 * torch.randn(count, 4, 2, dtype=torch.float64, generator=source)
    v = v + torch.tensor([1.5, 0.0], dtype=torch.float64)
    gap = x[:, None] - x[:, :, None]
    distance = gap.norm(dim=-1, keepdim=True)
    force = gap - gap / (distance + 1e-9)  # rest length one
    drag = -0.2 * v * v.norm(dim=-1, keepdim=True)
    angle = torch.tensor(heading, dtype=torch.float64)
    g = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)
    return x @ g.mT, v @ g.mT, (force.sum(2) + drag) @ g.mT


def test_global_motions_of_the_plane() -> None:
    net = plain(3, 2, 2)
    x, v, _ = springs(5, 0, 0.3)
    R, t = turn(2)
    moved = forecast(net, x @ R.mT + t, v @ R.mT, local=True)
    expected = forecast(net, x, v, local=True) @ R.mT
    assert float((moved - expected).detach().abs().max()) < 1e-10
    plainly = forecast(net, x @ R.mT + t, v @ R.mT, local=False)
    assert float((plainly - forecast(net, x, v, local=False) @ R.mT).detach().abs().max()) > 0.1


def test_unseen_headings() -> None:
    """Train on headings within 15 degrees, test on all: local frames lose nothing."""
    ratios = {}
    for local in (True, False):
        net = plain(3, 2, 2)
        optimiser = torch.optim.Adam(net.parameters(), 1e-2)
        for step in range(250):
            heading = (step % 31 - 15) * np.pi / 180
            x, v, a = springs(32, step, heading)
            optimiser.zero_grad()
            (forecast(net, x, v, local) - a).square().mean().backward()
            optimiser.step()
        errors = []
        for headings in ([0.0], np.linspace(0, 2 * np.pi, 12, endpoint=False)):
            total = 0.0
            for heading in headings:
                x, v, a = springs(200, 10**6, float(heading))
                total += float((forecast(net, x, v, local) - a).detach().square().mean())
            errors.append(total / len(headings))
        ratios[local] = errors[1] / errors[0]
    assert ratios[True] < 1.1 and ratios[False] > 2


def test_rest_and_boosts_are_the_limits() -> None:
    x, v, _ = springs(1, 0, 0.0)
    field = velocity_frames(x[0], v[0] * torch.tensor([[0.0], [1], [1], [1]]).double())
    assert float(field.margin[0]) == 0 and float(field.margin[1:].min()) > 0.3
    net = plain(3, 2, 2)
    boosted = forecast(net, x, v + torch.tensor([0.0, 1.0]).double(), local=True)
    assert float((boosted - forecast(net, x, v, local=True)).detach().abs().max()) > 0.01


def test_space_needs_a_second_vector() -> None:
    x, v, w = normal(5, 3), normal(5, 3, seed=1), normal(5, 3, seed=2)
    with pytest.raises(RepresentationError, match="roll"):
        velocity_frames(x, v)
    R, t = turn(3)
    field, moved = velocity_frames(x, v, w), velocity_frames(x @ R.mT + t, v @ R.mT, w @ R.mT)
    edges = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]])
    torch.testing.assert_close(moved.relative(edges), field.relative(edges), rtol=0, atol=1e-12)
    torch.testing.assert_close(moved.axes, R @ field.axes, rtol=0, atol=1e-12)
    one = torch.ones(5).double()
    torch.testing.assert_close(torch.linalg.det(field.axes), one, rtol=0, atol=1e-12)
    # A roll that a fixed axis sets is no choice: it does not turn along.
    up = torch.tensor([0.0, 0.0, 1.0]).double().expand(5, 3)
    fixed = velocity_frames(x, v, up), velocity_frames(x @ R.mT + t, v @ R.mT, up)
    assert float((fixed[1].relative(edges) - fixed[0].relative(edges)).abs().max()) > 0.1


@pytest.mark.parametrize("d", [2, 3])
def test_frames_of_moments(d: int) -> None:
    x, w = normal(4, 30, d), normal(4, 30, seed=1).square()
    R, t = turn(d)
    field, moved = moment_frames(x, w, scaled=True), moment_frames(3 * x @ R.mT + t, w, scaled=True)
    torch.testing.assert_close(moved.axes, R @ field.axes, rtol=0, atol=1e-10)
    torch.testing.assert_close(moved.scale, 3 * field.scale, rtol=0, atol=1e-12)
    torch.testing.assert_close(moved.origin, 3 * field.origin @ R.mT + t, rtol=0, atol=1e-12)
    torch.testing.assert_close(moved.margin, field.margin, rtol=0, atol=1e-10)
    y = normal(4, d, seed=5)
    torch.testing.assert_close(field.placed(field.seen(y)), y, rtol=0, atol=1e-13)


def test_round_and_symmetric_sets_have_no_frame() -> None:
    angle = 2 * torch.pi * torch.arange(12).double() / 12
    ring = torch.stack([angle.cos(), angle.sin()], -1)
    half = normal(6, 2)
    assert float(moment_frames(ring, torch.ones(12).double()).margin) < 1e-12
    symmetric = torch.cat([half, -half])
    assert float(moment_frames(symmetric, torch.ones(12).double()).margin) < 1e-12
    with pytest.raises(ShapeError, match="plane or of space"):
        moment_frames(normal(6, 4), torch.ones(6).double())
