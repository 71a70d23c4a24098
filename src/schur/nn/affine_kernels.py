"""Kernels of the convolutions on affine groups: functions of coordinates, laid out on pixels."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

_CONVOLVE: dict[int, Callable[..., Tensor]] = {
    1: torch.nn.functional.conv1d,
    2: torch.nn.functional.conv2d,
    3: torch.nn.functional.conv3d,
}
DIMENSIONS = tuple(_CONVOLVE)


class _Waves(torch.nn.Module):
    def forward(self, x: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return torch.sin(x)


def sum_of_waves(
    places: tuple[int, int], values: int, width: int, detail: float
) -> torch.nn.Module:
    """k(x) = b + Σ_i a_i sin(w_i · x + c_i) on the unit ball, of variance one to begin with.

    Frequencies, phases and amplitudes are learned.

    Args:
        places: how many coordinates of pixels there are, and how many of the group.
        values: how many kernels there are on the same waves.
        width: how many waves.
        detail: deviation of the frequencies along the pixels; those along the group have one.

    Source: waves as the first layer of a network: Sitzmann et al., "Implicit neural
    representations with periodic activation functions" (2020), https://arxiv.org/abs/2006.09661.
    """
    pixels, total = places[0], sum(places)
    first, last = torch.nn.Linear(total, width), torch.nn.Linear(width, values)
    waves = torch.nn.Sequential(first, _Waves(), last)
    with torch.no_grad():
        first.weight[:, :pixels].normal_(0, detail)
        first.weight[:, pixels:].normal_(0, 1)
        first.bias.uniform_(-torch.pi, torch.pi)
        size = waves(2 * torch.rand(256, total) - 1).square().mean().sqrt()
        last.weight /= size
        last.bias /= size
    return waves


def bump(y: Tensor) -> Tensor:
    """(1 - |y|²)² within the unit ball, zero outside."""
    return (1 - y.square().sum(-1)).clamp_min(0).square()


def bump_integral(n: int, radius: float, power: int) -> float:
    """∫ (1 - |y|²/r²)^(2 power) dy by the pixels that are summed over."""
    grid = np.stack(np.meshgrid(*[np.arange(-int(radius), int(radius) + 1)] * n), -1) / radius
    return float(np.sum(np.maximum(1 - np.sum(grid**2, -1), 0.0) ** (2 * power)))


def stencil(elements: Tensor, radius: float) -> Tensor:
    """h⁻¹ u / radius for each element h and the pixels u that any of the kernels reaches."""
    n = elements.shape[-1]
    most = int(radius * float(torch.linalg.matrix_norm(elements, 2).max()))
    steps = torch.tensor(list(product(range(-most, most + 1), repeat=n))).to(elements)
    return torch.einsum("mij,oj->moi", torch.linalg.inv(elements), steps) / radius


def like(module: torch.nn.Module, x: Tensor) -> Tensor:
    """In the precision and on the device of a module's parameters."""
    return x.to(next(module.parameters()))


def convolved(x: Tensor, filters: Tensor, n: int, groups: int = 1) -> Tensor:
    """Sums over pixels x' = x + u of filters[w, c, u] x[c, x']; each group of c has its own w."""
    side = round(filters.shape[-1] ** (1 / n))
    shaped = filters.reshape(*filters.shape[:2], *[side] * n).to(x)
    return _CONVOLVE[n](x, shaped, padding=side // 2, groups=groups)


def biased(out: Float[Tensor, "batch samples channels ..."], bias: Tensor) -> Tensor:
    return out + bias.to(out)[:, *[None] * (out.ndim - 3)]
