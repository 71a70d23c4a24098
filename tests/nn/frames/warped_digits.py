"""Scikit-learn's handwritten digits, as they are and under random affine maps."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

SIDE = 24
# A = R exp(S): the angle is uniform, the three coordinates of S are normal, the shift is uniform.
ANGLE, STRETCH, SHIFT = torch.pi / 6, 0.2, 1.5


@dataclass(frozen=True)
class Digits:
    """Images (count, 1, 24, 24) to train on and to test on, the latter upright and warped."""

    images: Tensor
    labels: Tensor
    upright: Tensor
    warped: Tensor
    truth: Tensor


def split(seed: int, train: int = 1000, test: int = 600) -> Digits:
    """Distinct digits for training and for the test, maps of their own for each seed."""
    pixels, names = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(names), generator=generator)
    seen, unseen = order[:train], order[-test:]
    labels = torch.from_numpy(names)
    images = torch.from_numpy(pixels).float().unflatten(1, (1, 8, 8)) / 16
    still = torch.eye(2).expand(len(images), 2, 2), torch.zeros(len(images), 2)
    upright, warped = drawn(images, *still), drawn(images, *random_maps(len(images), generator))
    return Digits(upright[seen], labels[seen], upright[unseen], warped[unseen], labels[unseen])


def random_maps(count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A = R exp(S), and shifts in pixels."""
    angle = ANGLE * (2 * torch.rand(count, generator=generator) - 1)
    rows = [angle.cos(), -angle.sin(), angle.sin(), angle.cos()]
    s = STRETCH * torch.randn(count, 3, generator=generator)
    mixed = s[:, 2] / 2**0.5
    hermitian = torch.stack([s[:, 0], mixed, mixed, s[:, 1]], -1)
    a = torch.stack(rows, -1).view(-1, 2, 2) @ torch.linalg.matrix_exp(hermitian.view(-1, 2, 2))
    return a, SHIFT * (2 * torch.rand(count, 2, generator=generator) - 1)


def drawn(images: Tensor, a: Tensor, t: Tensor) -> Tensor:
    """f(A⁻¹ (x - t)) about the centre, f the cubic through 8 x 8 pixels at twice their size."""
    line = torch.arange(SIDE) - (SIDE - 1) / 2
    x = torch.stack(torch.meshgrid(line, line, indexing="ij"), -1)
    source = torch.einsum("zij,zabj->zabi", torch.linalg.inv(a), x - t[:, None, None])
    # Places run from -1 to 1 over an image with its margin, and columns come first.
    margin = 4
    padded = torch.nn.functional.pad(images, (margin,) * 4)
    places = source.flip(-1) / padded.shape[-1]
    return torch.nn.functional.grid_sample(padded, places, "bicubic", "zeros", align_corners=False)
