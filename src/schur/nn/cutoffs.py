"""Functions that go to zero smoothly at a cutoff."""

from __future__ import annotations

from math import pi

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from schur.errors import DtypeError, NumberError


class PolynomialCutoff(torch.nn.Module):
    """The polynomial envelope, with value and p - 1 derivatives of 1 at zero and 0 at the cutoff.

        f(x) = 1 - (p+1)(p+2)/2 x^p + p(p+2) x^(p+1) - p(p+1)/2 x^(p+2),  x = r / cutoff

    and zero beyond; value, slope and curvature vanish at the cutoff.

    Args:
        cutoff: the distance at which the function reaches zero, in the unit of r.
        p: the order, at least 2.

    Raises:
        NumberError: if the cutoff is not positive or the order less than 2.

    Source: Gasteiger et al., "Directional message passing for molecular graphs" (2020), eq. 8.

    Example:
        >>> PolynomialCutoff(5.0)(torch.tensor([0.0, 2.5, 5.0, 7.0]))
        tensor([1.0000, 0.8555, 0.0000, 0.0000])
    """

    def __init__(self, cutoff: float, p: int = 6) -> None:
        super().__init__()
        self.cutoff = positive("cutoff", cutoff)
        if p < 2:
            raise NumberError("the order of the envelope is too low", got=p, expected="2 or more")
        self.p = p

    def forward(self, r: Shaped[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The envelope at distances of any shape."""
        x, p = distances(r) / self.cutoff, self.p
        inside = x < 1
        x = torch.where(inside, x, 1)  # far away, powers would overflow
        tail = (p + 1) * (p + 2) / 2 - p * (p + 2) * x + p * (p + 1) / 2 * x**2
        return torch.where(inside, 1 - x**p * tail, 0)

    def extra_repr(self) -> str:
        return f"cutoff={self.cutoff}, p={self.p}"


class CosineCutoff(torch.nn.Module):
    """Behler's cutoff, (1 + cos(π r / cutoff)) / 2, and zero beyond.

    Value and slope vanish at the cutoff; the curvature does not.

    Args:
        cutoff: the distance at which the function reaches zero, in the unit of r.

    Raises:
        NumberError: if the cutoff is not positive.

    Source: Behler and Parrinello, "Generalized neural-network representation ..." (2007), eq. 4.

    Example:
        >>> CosineCutoff(5.0)(torch.tensor([0.0, 2.5, 5.0]))
        tensor([1.0000, 0.5000, 0.0000])
    """

    def __init__(self, cutoff: float) -> None:
        super().__init__()
        self.cutoff = positive("cutoff", cutoff)

    def forward(self, r: Shaped[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        """The cutoff function at distances of any shape."""
        x = distances(r) / self.cutoff
        return torch.where(x < 1, 0.5 * (1 + torch.cos(pi * x)), 0)

    def extra_repr(self) -> str:
        return f"cutoff={self.cutoff}"


def positive(name: str, value: float) -> float:
    """The number, if it is positive and finite.

    Raises:
        NumberError: if it is not.
    """
    if not 0 < value < float("inf"):
        raise NumberError(f"{name} has to be positive and finite", got=value)
    return float(value)


def distances(r: Tensor) -> Tensor:
    """The distances, if they are floating-point numbers.

    Raises:
        DtypeError: if they are not.
    """
    if not r.is_floating_point():
        raise DtypeError(
            "distances have to be floating-point numbers",
            got=r.dtype,
            expected="float32 or float64",
            remedy="convert with .to(torch.float64)",
        )
    return r
