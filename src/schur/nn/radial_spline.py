"""Functions of a distance by interpolation: what a radial network costs at inference, mostly saved.

Quintic Hermite interpolation on equal intervals: value, slope and curvature at the knots are those
of the function, so that the interpolant is twice continuously differentiable and errs by h⁶.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from schur.engine import Routine
from schur.errors import NumberError
from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement

_FEWEST, _MOST = 256, 4096
_SHORTEST = 0.02


class SplinePlace(NamedTuple):
    """Where distances lie among the knots.

    Args:
        basis: the six basis functions at each distance, those of the left knot first.
        left: number of the knot to the left.
    """

    basis: Float[Tensor, "edges 6"]
    left: Int[Tensor, " edges"]


class SplineKnots(torch.nn.Module):
    """Equal intervals from a fiftieth of a cutoff to the cutoff.

    Shorter distances, where Bessel functions lose their derivatives to rounding, have no place:
    their basis is not a number.

    Args:
        cutoff: distances beyond it count as it.
        intervals: how many.

    Example:
        >>> place = SplineKnots(5.0, 7)(torch.tensor([0.0, 0.75, 5.0, 9.0]))
        >>> place.left, place.basis[0, 0]
        (tensor([0, 0, 6, 6]), tensor(nan))
    """

    def __init__(self, cutoff: float, intervals: int) -> None:
        super().__init__()
        self.cutoff, self.intervals = cutoff, intervals
        self.first = _SHORTEST * cutoff
        self.step = (cutoff - self.first) / intervals
        self.routine = Routine(_basis_program())

    def forward(self, length: Float[Tensor, " edges"]) -> SplinePlace:
        """The place of each distance; differentiable through the basis functions."""
        steps = ((length - self.first) / self.step).clamp(max=self.intervals)
        steps = torch.where(length < self.first, torch.nan, steps)
        # What is no number shall stay none in the basis, and yet have a knot.
        whole = torch.nan_to_num(steps.detach()).floor().clamp(0, self.intervals - 1)
        t = steps - whole
        return SplinePlace(self.routine(torch.stack([1 - t, t], 1)), whole.long())


class RadialSpline(torch.nn.Module):
    """Functions of a distance, given by value, slope and curvature at knots.

        f(r) = Σ_k B_k(t) c[i, k],    r = (i + t) h,  0 <= t < 1,

    with c the values f, h f', h² f'' at the knots i and i + 1, and B the quintic Hermite basis.

    Args:
        table: shape (knots, 3, functions).

    Source: de Boor, "A Practical Guide to Splines" (2001), chapter IV.

    Example:
        >>> import math
        >>> spline, error = RadialSpline.of(lambda r: torch.sin(r)[:, None], 5.0, 1e-9)
        >>> r = torch.tensor([0.3, 4.9], dtype=torch.float64)
        >>> (spline(spline.knots(r))[:, 0] - r.sin()).abs().max() < 1e-9
        tensor(True)
    """

    table: Tensor

    def __init__(self, cutoff: float, table: Float[Tensor, "knots 3 functions"]) -> None:
        super().__init__()
        self.knots = SplineKnots(cutoff, len(table) - 1)
        self.register_buffer("table", table.flatten(1).contiguous())
        self.routine = Routine(_sum_program(table.shape[2]))

    def forward(self, place: SplinePlace) -> Float[Tensor, "edges functions"]:
        """The functions at distances that `knots` has placed."""
        indices = {"left": place.left, "right": place.left + 1}
        return self.routine(place.basis, self.table, self.table, indices=indices)

    @classmethod
    def of(
        cls,
        function: Callable[[Tensor], Tensor],
        cutoff: float,
        tolerance: float,
        fewest: int = _FEWEST,
    ) -> tuple[RadialSpline, float]:
        """The spline with the fewest knots that is good enough, by doubling.

        Args:
            function: (n,) distances in float64 to (n, functions), smooth up to `cutoff`.
            cutoff: largest distance; the smallest is a fiftieth of it.
            tolerance: largest error wanted, as `error_of` measures it.
            fewest: intervals to begin with.

        Returns:
            The spline in float64, and its error.

        Raises:
            NumberError: if thousands of knots do not reach the tolerance.
        """
        intervals, error = fewest, float("inf")
        while intervals <= _MOST:
            knots = SplineKnots(cutoff, intervals)
            r = torch.linspace(knots.first, cutoff, intervals + 1, dtype=torch.float64)
            jet = [part * knots.step**k for k, part in enumerate(_jet(function, r))]
            spline = cls(cutoff, torch.stack(jet, 1))
            error = error_of(spline, function)
            if error <= tolerance:
                return spline, error
            intervals *= 2
        raise NumberError(
            "this function is too rough for a table",
            got=f"relative error {error:.1e} with {_MOST} intervals",
            expected=f"at most {tolerance:.1e}",
            remedy="evaluate the function itself",
        )


def error_of(spline: RadialSpline, function: Callable[[Tensor], Tensor]) -> float:
    """Largest error between the knots of values and of slopes, each over its largest size."""
    knots = spline.knots
    inner = torch.tensor([0.15, 0.5, 0.85], dtype=torch.float64)
    steps = (torch.arange(knots.intervals)[:, None] + inner).reshape(-1)
    r = knots.first + steps * knots.step
    values, slopes, _ = _jet(function, r)
    place = r.clone().requires_grad_()
    tabulated = spline(knots(place))
    worst = float((tabulated.detach() - values).abs().max() / values.abs().max().clamp(min=1e-300))
    # One direction of cotangents at random sees the slopes of all functions together.
    weights = torch.linspace(1.0, 2.0, values.shape[1], dtype=torch.float64)
    (slope,) = torch.autograd.grad((tabulated * weights).sum(), place)
    wanted = (slopes * weights).sum(1)
    scale = (slopes.abs() * weights).sum(1).max().clamp(min=1e-300)
    return max(worst, float((slope - wanted).abs().max() / scale))


def _jet(function: Callable[[Tensor], Tensor], r: Tensor) -> list[Tensor]:
    """Value, first and second derivative of functions of each distance alone."""
    with torch.enable_grad():
        r = r.detach().requires_grad_()
        jet = [function(r)]
        for _ in range(2):
            jet.append(_slope(jet[-1], r))
    return [part.detach() for part in jet]


def _slope(values: Tensor, r: Tensor) -> Tensor:
    """d values[n, w] / d r[n] for all w at once: the pullback of v by r, differentiated by v."""
    if not values.requires_grad:
        return torch.zeros_like(values)
    v = torch.ones_like(values).requires_grad_()
    (pulled,) = torch.autograd.grad(values, r, v, create_graph=True, materialize_grads=True)
    if not pulled.requires_grad:
        return torch.zeros_like(values)
    return torch.autograd.grad(pulled.sum(), v, create_graph=True, materialize_grads=True)[0]


@lru_cache(maxsize=1)
def _basis_program() -> Program:
    """From (1 - t, t) to the Hermite basis, as Bernstein's polynomials of degree 5.

    With control points c, f(0) = c0, f'(0) = 5 (c1 - c0), f''(0) = 20 (c2 - 2 c1 + c0), and
    likewise from the other end.
    """
    first = np.array([[1, 1, 1, 0, 0, 0], [0, 1 / 5, 2 / 5, 0, 0, 0], [0, 0, 1 / 20, 0, 0, 0]])
    signs = np.array([[1.0], [-1.0], [1.0]])
    in_bernstein = np.concatenate([first, signs * first[:, ::-1]])
    binomials = np.array([1, 5, 10, 10, 5, 1])
    components, coefficients = [], []
    for target, row in enumerate(in_bernstein):
        for power, factor in enumerate(row):
            if factor:
                components.append([0] * (5 - power) + [1] * power + [target])
                coefficients.append(factor * binomials[power])
    t, basis = Operand("t", (Block(2),)), Operand("basis", (Block(6),))
    factors = (*[Factor("t")] * 5, Factor("basis"))
    form = Form((t, basis), (Path(factors, np.array(components), np.array(coefficients)),))
    return Program((t,), (Statement(form, "basis"),), ("basis",))


@lru_cache(maxsize=32)
def _sum_program(functions: int) -> Program:
    """Σ_k basis[k] table[left or right, k]."""
    basis, out = Operand("basis", (Block(6),)), Operand("out", (Block(1, (functions,)),))
    paths, tables = [], []
    for number, side in enumerate(("left", "right")):
        table = Operand(f"table_{side}", (Block(3, (functions,)),), "indexed", side)
        components = np.array([[3 * number + k, k, 0] for k in range(3)])
        factors = (Factor("basis"), Factor(table.name, 0, "u"), Factor("out", 0, "u"))
        paths.append(Path(factors, components, np.ones(3)))
        tables.append(table)
    return Form((basis, *tables, out), tuple(paths)).open("out")
