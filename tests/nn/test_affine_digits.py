"""Trained on upright digits alone, a network on the affine group knows warped ones."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, cross_entropy

from schur.groups import Affine, GeneralLinear
from schur.nn import AffineLift, AffineShiftConvolution, nearby_elements
from tests.nn.frames.warped_digits import Digits, split

GROUP = Affine(GeneralLinear(2, positive=True))


class OnTheGroup(torch.nn.Module):
    """Two convolutions at each element h; e to the scores is averaged over the elements.

    Two elements, new for each batch, are enough to train with.
    """

    def __init__(self, elements: int = 2) -> None:
        super().__init__()
        self.elements, self.rng = elements, np.random.default_rng(0)
        self.lift = AffineLift(GROUP, 1, 8, radius=4.5, width=20)
        self.further = AffineShiftConvolution(GROUP, 8, 16, radius=4.0, width=20)
        self.norms = torch.nn.ModuleList(torch.nn.BatchNorm3d(c) for c in (8, 16))
        self.out = torch.nn.Linear(16, 10)
        self.held = nearby_elements(GROUP, np.random.default_rng(1), 32)

    def forward(self, x: Tensor) -> Tensor:
        h = nearby_elements(GROUP, self.rng, self.elements) if self.training else self.held
        x = self.normed(0, self.lift(x, h))
        x = avg_pool2d(x.flatten(0, 1), 2).unflatten(0, x.shape[:2])
        x = self.normed(1, self.further(x, h)).amax((-2, -1))
        return torch.logsumexp(self.out(x), 1) - np.log(len(h))

    def normed(self, layer: int, x: Tensor) -> Tensor:
        return torch.relu(self.norms[layer](x.movedim(2, 1)).movedim(1, 2))


class Plain(torch.nn.Sequential):
    """The same with filters of five by five pixels, and no fewer parameters."""

    def __init__(self) -> None:
        super().__init__(
            torch.nn.Conv2d(1, 8, 5, padding=2),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            torch.nn.MaxPool2d(2),
            torch.nn.Conv2d(8, 15, 5, padding=2),
            torch.nn.BatchNorm2d(15),
            torch.nn.ReLU(),
            torch.nn.AdaptiveMaxPool2d(1),
            torch.nn.Flatten(),
            torch.nn.Linear(15, 10),
        )


def trained(net: torch.nn.Module, digits: Digits, seed: int, steps: int = 1000) -> torch.nn.Module:
    optimiser = torch.optim.Adam(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 0.02, steps, pct_start=0.2)
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        batch = torch.randint(len(digits.images), (16,), generator=generator)
        optimiser.zero_grad()
        cross_entropy(net(digits.images[batch]), digits.labels[batch]).backward()
        optimiser.step()
        schedule.step()
    return net.eval()


def right(net: torch.nn.Module, images: Tensor, truth: Tensor) -> float:
    with torch.no_grad():
        scores = torch.cat([net(some) for some in images.split(50)])
    return float((scores.argmax(-1) == truth).double().mean())


def parameters(net: torch.nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


def test_warped_digits_are_known_from_upright_ones() -> None:
    # Seed 0 of the five in docs/groups.md.
    digits = split(0)
    nets: list[torch.nn.Module] = []
    for kind in (OnTheGroup, Plain):
        torch.manual_seed(0)
        nets.append(trained(kind(), digits, 0))
    assert parameters(nets[0]) <= parameters(nets[1])
    # Both have learned what they were shown.
    assert min(right(net, digits.upright, digits.truth) for net in nets) > 0.9
    group, plain = (right(net, digits.warped, digits.truth) for net in nets)
    assert group > plain + 0.03
