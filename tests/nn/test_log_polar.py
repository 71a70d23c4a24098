"""Turns and scalings are shifts of log-polar images, and the pose moves by just so much."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.errors import NumberError, ShapeError
from schur.nn import LogPolar, PoseTransformer, turned_and_scaled

from .frames.glyphs import digits

GRID = LogPolar(rings=48, angles=40, inner=0.04, outer=1.3)
EPS = float(np.finfo(np.float64).eps)


def picture(x: Tensor, theta: float = 0.0, scale: float = 1.0, width: float = 0.0015) -> Tensor:
    """Blobs around a ring, turned by theta and scaled, at points x."""
    c, s = np.cos(theta), np.sin(theta)
    turn = torch.tensor([[c, -s], [s, c]], dtype=x.dtype)
    x = (x @ turn) / scale  # R(-θ) x, row by row
    centres = torch.tensor([[0.25, 0.05], [0.1, 0.22], [-0.12, 0.2]], dtype=x.dtype)
    square = (x[..., None, :] - centres).square().sum(-1)
    return torch.exp(-square / width) @ torch.tensor([1.0, 0.8, 0.6], dtype=x.dtype)


def image(pixels: int, theta: float = 0.0, scale: float = 1.0) -> Tensor:
    line = torch.linspace(-1, 1, pixels, dtype=torch.float64)
    y, x = torch.meshgrid(line.flip(0), line, indexing="ij")
    return picture(torch.stack([x, y], -1), theta, scale, 0.006)[None, None]


def test_turns_and_scalings_are_shifts() -> None:
    points = GRID.points()
    before = picture(points)
    turned = picture(points, theta=3 * 2 * np.pi / 40)
    assert torch.allclose(turned, before.roll(3, 1), rtol=0, atol=1e-12)
    scaled = picture(points, scale=np.exp(4 * GRID.step))
    assert torch.allclose(scaled[4:], before[:-4], rtol=0, atol=1e-12)


def test_the_pose_moves_by_the_shift() -> None:
    torch.manual_seed(0)
    module = PoseTransformer(1, GRID).double().requires_grad_(False)
    points = GRID.points()
    before = module.pose_on_grid(picture(points)[None, None])
    for turns, rings in ((5, 0), (0, 4), (-7, 3), (11, -2)):
        theta, log_scale = turns * 2 * np.pi / 40, rings * GRID.step
        seen = picture(points, theta, np.exp(log_scale))[None, None]
        change = (module.pose_on_grid(seen) - before)[0]
        around = torch.exp(1j * (change[0] - theta))
        assert abs(complex(around) - 1) < 1e-9
        # What lies beyond the window is next to nothing.
        assert abs(float(change[1]) - log_scale) < 1e-6


def test_what_leaves_the_window_changes_the_scale() -> None:
    torch.manual_seed(0)
    module = PoseTransformer(1, GRID).double().requires_grad_(False)
    points = GRID.points()
    before, after = (
        module.pose_on_grid(picture(points, scale=s)[None, None]) for s in (1.0, np.exp(1.6))
    )
    assert abs(float((after - before)[0, 1]) - 1.6) > 0.05


def test_images_are_put_back() -> None:
    torch.manual_seed(0)
    module = PoseTransformer(1, GRID).double().requires_grad_(False)
    with torch.no_grad():
        expected = module(image(161))
        for theta, scale in ((0.7, 1.0), (2.9, 1.25), (-1.3, 0.85)):
            found = module(image(161, theta, scale))
            assert float((found - expected).norm() / expected.norm()) < 0.02
            plain = image(161, theta, scale)
            assert float((plain - image(161)).norm() / image(161).norm()) > 0.2


def test_turning_an_image_is_turning_the_picture() -> None:
    found = turned_and_scaled(
        image(161), torch.tensor([0.5]).double(), torch.tensor([1.2]).double()
    )
    assert float((found - image(161, 0.5, 1.2)).norm() / found.norm()) < 0.01


def test_derivatives_reach_the_network() -> None:
    module = PoseTransformer(2, LogPolar(8, 12))
    module(torch.randn(3, 2, 16, 16)).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in module.parameters())
    empty = module.pose(torch.zeros(1, 2, 16, 16))
    assert bool(torch.isfinite(empty).all())


NAMES = [1, 2, 4, 5, 6, 7]


def posed(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Digits at any angle, scaled by 0.67 to 1.5."""
    images, labels = digits(count, NAMES, seed, noise=0.05, smooth=True)
    generator = torch.Generator().manual_seed(seed)
    theta = 2 * torch.pi * torch.rand(count, generator=generator)
    scale = (0.8 * torch.rand(count, generator=generator) - 0.4).exp()
    return turned_and_scaled(images, theta, scale), labels


def error_on_digits(transformer: bool, seed: int, steps: int) -> float:
    """Share of mistakes after training on 100 labels per digit."""
    torch.manual_seed(seed)
    layers = [
        torch.nn.Conv2d(1, 8, 5),
        torch.nn.ReLU(),
        torch.nn.Conv2d(8, 8, 5),
        torch.nn.ReLU(),
        torch.nn.Flatten(),
        torch.nn.Linear(200, len(NAMES)),
    ]
    first = [PoseTransformer(1, LogPolar(12, 24))] if transformer else []
    model = torch.nn.Sequential(*first, *layers)
    images, labels = posed(100 * len(NAMES), 1 + seed)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        batch = torch.randint(len(images), (32,), generator=generator)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(model(images[batch]), labels[batch]).backward()
        optimiser.step()
    held, truth = posed(400, 100 + seed)
    with torch.no_grad():
        return float((model(held).argmax(-1) != truth).double().mean())


def test_digits_at_any_angle_and_scale() -> None:
    """Tai et al.: fewer mistakes than the same network alone, for all of five seeds."""
    for seed in range(5):
        with_poses = error_on_digits(True, seed, 150)
        assert with_poses < 0.2
        # The network alone gets twice the steps, which take it as long.
        assert with_poses < 0.75 * error_on_digits(False, seed, 300)


def test_misuse() -> None:
    with pytest.raises(NumberError, match="log-polar"):
        LogPolar(8, 12, inner=0.0)
    with pytest.raises(ShapeError, match="images"):
        PoseTransformer(2, LogPolar(8, 12)).pose(torch.zeros(1, 1, 16, 16))
