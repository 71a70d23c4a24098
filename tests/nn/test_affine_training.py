"""A network on the affine group learns, for which its kernels must begin with detail."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from schur.groups import Affine, GeneralLinear
from schur.nn import AffineLift, sampled_elements
from tests.nn.frames.glyphs import digits

NAMES = [1, 2, 4, 5, 6, 7]
GROUP = Affine(GeneralLinear(2, positive=True))


class OnTheGroup(torch.nn.Module):
    """The largest value over the group and the image of each channel."""

    def __init__(self, channels: int = 24, samples: int = 12) -> None:
        super().__init__()
        self.elements, _ = sampled_elements(GROUP, np.random.default_rng(0), samples, 0.3)
        self.lift = AffineLift(GROUP, 1, channels, radius=4.5)
        self.out = torch.nn.Linear(channels, len(NAMES))

    def forward(self, x: Tensor) -> Tensor:
        return self.out(torch.relu(self.lift(x, self.elements)).amax((1, 3, 4)))


def leading_share(detail: float) -> float:
    """The share of the first singular direction in what the channels see of some images."""
    torch.manual_seed(0)
    lift = AffineLift(GROUP, 1, 24, detail=detail).requires_grad_(False)
    x, _ = digits(20, NAMES, 1, 0.05, smooth=True)
    seen = lift(x, torch.eye(2, dtype=torch.float64)[None])
    squares = torch.linalg.svdvals(seen.movedim(2, 0).flatten(1)).square()
    return float(squares[0] / squares.sum())


def test_channels_begin_with_different_views() -> None:
    # Kernels without detail give 24 multiples of one blurred image.
    assert leading_share(1e-6) > 0.999
    assert leading_share(3.5) < 0.98


def test_digits_are_learned() -> None:
    x, labels = digits(600, NAMES, 1, 0.05, smooth=True)
    held, truth = digits(300, NAMES, 100, 0.05, smooth=True)
    torch.manual_seed(0)
    net = OnTheGroup()
    optimiser = torch.optim.Adam(net.parameters(), 0.02)
    generator = torch.Generator().manual_seed(0)
    for _ in range(300):
        batch = torch.randint(len(x), (16,), generator=generator)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x[batch]), labels[batch]).backward()
        optimiser.step()
    with torch.no_grad():
        right = (net(held).argmax(-1) == truth).double().mean()
    assert float(right) > 0.9
