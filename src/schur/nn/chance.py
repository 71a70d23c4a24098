"""What is left to chance in training: numbers as good as random, from the parameters themselves."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

# Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (2014): step and factors of
# splitmix64, as signed numbers.
_STEP = -0x61C8864680B583EB
_MIXING = ((-0x40A7B892E31B1A47, 30), (-0x6B2FB644ECCEEE15, 27))
_BITS = 24  # few enough that a float32 holds them


def drawn_integers(
    parameter: Float[Tensor, "..."], draws: Int64[Tensor, "..."]
) -> Int64[Tensor, "..."]:
    """Integers in [0, 2²⁴), one for each number of a draw, anew whenever the parameter changes.

    A hash needs no generator and no state, so that a run which was stopped goes on as it would
    have, and every evaluation within a step finds the same.

    Args:
        parameter: one that every step of training changes.
        draws: which draw; equal ones have equal results.

    Source: Steele, Lea, Flood (2014), the generator splitmix64.

    Example:
        >>> weight = torch.ones(3)
        >>> one, other = drawn_integers(weight, torch.arange(2)).tolist()
        >>> one != other, one == int(drawn_integers(weight, torch.tensor(0)))
        (True, True)
    """
    key = parameter.detach().double().sum().view(torch.int64) + _STEP * draws
    for factor, shift in _MIXING:
        key = (key ^ (key >> shift)) * factor
    return (key >> (64 - _BITS)) & ((1 << _BITS) - 1)


def drawn_rotation(parameter: Float[Tensor, "..."]) -> Float[Tensor, "3 3"]:
    """A rotation, uniform by Haar's measure as the parameter changes, in its number type.

    Args:
        parameter: as for `drawn_integers`.

    Source: Shoemake, "Uniform random rotations", Graphics Gems III (1992).

    Example:
        >>> R = drawn_rotation(torch.ones(3, dtype=torch.float64))
        >>> bool(torch.allclose(R @ R.T, torch.eye(3, dtype=torch.float64)))
        True
    """
    draws = torch.arange(3, device=parameter.device)
    share, one, other = drawn_integers(parameter, draws).to(parameter.dtype).div(1 << _BITS)
    first, second = (2 * torch.pi * angle for angle in (one, other))
    sines, cosines = (1 - share).sqrt(), share.sqrt()
    axis = torch.stack([sines * first.sin(), sines * first.cos(), cosines * second.sin()])
    unit = torch.eye(3, dtype=axis.dtype, device=axis.device)
    cross = torch.linalg.cross(axis.expand(3, 3), unit)
    return unit + 2 * cosines * second.cos() * cross + 2 * cross @ cross
