"""Clouds whose frames are unique, or are not, and backbones that respect nothing."""

from __future__ import annotations

import torch
from torch import Tensor

EPS = torch.finfo(torch.float64).eps


def generator(seed: int = 0) -> torch.Generator:
    """A source of numbers that nothing else reads."""
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    """Standard normal numbers."""
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


def cube() -> Tensor:
    """The corners of a cube about (1, 2, 3)."""
    corners = torch.cartesian_prod(*3 * [torch.tensor([-1.0, 1.0], dtype=torch.float64)])
    return corners + torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)


def line() -> Tensor:
    """Eight points in a row."""
    along = torch.linspace(-1, 2, 8, dtype=torch.float64)[:, None]
    return along * torch.tensor([1.0, 2.0, -1.0], dtype=torch.float64)


DEGENERATE = {
    "cube": cube(),
    "line": line(),
    "plane": normal(8, 3, seed=5) * torch.tensor([1.0, 1.0, 0.0], dtype=torch.float64),
    "square": torch.tensor(
        [[1.0, 1, 0], [1, -1, 0], [-1, 1, 0], [-1, -1, 0]] * 2, dtype=torch.float64
    ),
    "one place": torch.full((8, 3), 2.0, dtype=torch.float64),
    "simple": normal(8, 3, seed=6),
}


def plain(points: int, d: int, width: int, seed: int = 1) -> torch.nn.Sequential:
    """A perceptron on coordinates, which no rotation or permutation leaves alone."""
    net = torch.nn.Sequential(
        torch.nn.Flatten(),
        torch.nn.Linear(points * d, 32, dtype=torch.float64),
        torch.nn.Tanh(),
        torch.nn.Linear(32, width, dtype=torch.float64),
    )
    with torch.no_grad():
        for k, parameter in enumerate(net.parameters()):
            size = 1 if parameter.ndim == 1 else parameter.shape[1]
            parameter.copy_(normal(*parameter.shape, seed=seed + 100 * k) / size**0.5)
    return net
