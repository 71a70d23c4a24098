"""Bases of functions of a distance."""

from __future__ import annotations

from collections.abc import Callable
from math import pi, sqrt

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from schur.errors import NumberError
from schur.nn.cutoffs import distances, positive


class RadialBasis(torch.nn.Module):
    """A distance as a vector of functions, times an envelope.

    - `"bessel"`: √(2/c) sin(n π r / c) / r, n = 1 … number; c is the cutoff.  The radial functions
      of a free particle in a sphere (Gasteiger et al. 2020, eq. 7), finite at r = 0.
    - `"gaussian"`: exp(-((r - μ_n) / step)²) / 1.12 with centres μ_n evenly from 0 to c, whose
      squares sum to about 1 (as e3nn's `soft_one_hot_linspace`).
    - `"chebyshev"`: T_n(2 r / c - 1), n = 0 … number - 1 (Drautz 2019, eq. 24).

    Args:
        cutoff: c, in the unit of r.
        number: how many functions.
        kind: which basis.
        envelope: a function of r that multiplies them all, for example `PolynomialCutoff(c)`.
        trainable: whether the frequencies (bessel) or centres (gaussian) are parameters.

    Raises:
        NumberError: if the cutoff is not positive, or there are no functions or no such basis.

    Example:
        >>> from schur.nn import PolynomialCutoff
        >>> basis = RadialBasis(5.0, 4, envelope=PolynomialCutoff(5.0))
        >>> basis(torch.tensor([1.0, 5.0])).shape
        torch.Size([2, 4])
    """

    nodes: Tensor | None

    def __init__(
        self,
        cutoff: float,
        number: int = 8,
        kind: str = "bessel",
        envelope: Callable[[Tensor], Tensor] | None = None,
        trainable: bool = False,
    ) -> None:
        super().__init__()
        self.cutoff, self.number, self.kind = positive("cutoff", cutoff), number, kind
        if kind not in ("bessel", "gaussian", "chebyshev"):
            raise NumberError(
                "no such radial basis", got=repr(kind), expected="bessel, gaussian, chebyshev"
            )
        if number < (2 if kind == "gaussian" else 1):
            raise NumberError("too few radial functions", got=number)
        if trainable and kind == "chebyshev":
            raise NumberError("Chebyshev polynomials have nothing to train", got="trainable=True")
        self.envelope = envelope
        # Constants are made in the number type of the distances, so that float64 stays exact.
        self.nodes = torch.nn.Parameter(self._nodes(torch.empty(0))) if trainable else None

    def _nodes(self, like: Tensor) -> Tensor:
        """Frequencies in units of π / c, or centres in units of the step."""
        first = 1 if self.kind == "bessel" else 0
        return torch.arange(first, first + self.number, dtype=like.dtype, device=like.device)

    def forward(self, r: Shaped[Tensor, "*batch"]) -> Float[Tensor, "*batch functions"]:
        """The functions at distances of any shape, along a new last axis."""
        r = distances(r)
        if self.kind == "chebyshev":
            values = self._chebyshev(2 * r / self.cutoff - 1)
        else:
            nodes = self._nodes(r) if self.nodes is None else self.nodes
            if self.kind == "bessel":
                angle = nodes * (r / self.cutoff)[..., None]
                values = sqrt(2 / self.cutoff) * pi / self.cutoff * nodes * torch.sinc(angle)
            else:
                step = self.cutoff / (self.number - 1)
                values = torch.exp(-((r[..., None] / step - nodes) ** 2)) / 1.12
        return values if self.envelope is None else values * self.envelope(r)[..., None]

    def _chebyshev(self, x: Tensor) -> Tensor:
        found = [torch.ones_like(x), x]
        for _ in range(2, self.number):
            found.append(2 * x * found[-1] - found[-2])
        return torch.stack(found[: self.number], -1)

    def extra_repr(self) -> str:
        return f"{self.kind}, cutoff={self.cutoff}, number={self.number}"
