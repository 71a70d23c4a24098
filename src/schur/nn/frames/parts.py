"""Piecewise symmetry: every part of a cloud may move on its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from schur.errors import NumberError
from schur.groups import Group
from schur.nn.frames.arguments import function
from schur.nn.frames.equivariant import Equivariant
from schur.nn.frames.report import FrameReport, Trial
from schur.nn.frames.symmetry import Symmetry


class PartwiseEquivariant(torch.nn.Module):
    """A module on points, applied to each part in frames of the part's own.

    The result turns with a part when that part alone moves, exactly, for every partition that is
    at least as fine as the true one: no part holds points of two bodies. A partition that mixes
    bodies breaks it; `failure_bound` bounds what that costs on the mean over drawn partitions. A
    finer partition also hides how parts lie to each other: single points know nothing but
    themselves. Equivariance is then easy, and information is what is lost.

    Args:
        backbone: from points (parts, n, d) and a mask (parts, n) to a result for each point,
            (parts, n, …).
        group: of the motions of one part.
        outputs: how the result of a point transforms; see `Equivariant`.
        method, options: how frames are chosen; see `Equivariant`. "weighted" serves small and
            symmetric parts too.

    Source: Atzmon, Huang, Williams, Litany, "Approximately piecewise E(3) equivariant point
    networks" (2024), https://arxiv.org/abs/2402.08529.

    Example:
        >>> def offsets(x, mask):
        ...     return x - x.sum(1, keepdim=True)
        >>> layer = PartwiseEquivariant(offsets, "E(3)", outputs="vectors")
        >>> layer(torch.randn(6, 3), torch.tensor([0, 0, 1, 1, 1, 0])).shape
        torch.Size([6, 3])
    """

    def __init__(
        self,
        backbone: Callable[..., Any],
        group: Group | Symmetry | str,
        outputs: str = "vectors",
        method: str = "weighted",
        **options: Any,
    ) -> None:
        super().__init__()
        self.each = Equivariant(
            _Shown(backbone), group, method, inputs=["points", "mask"], outputs=outputs, **options
        )

    def forward(
        self, points: Float[Tensor, "n d"], part: Int[Tensor, "n"]
    ) -> Float[Tensor, "n ..."]:
        """The result for each point.

        Args:
            points: of one cloud.
            part: to which part each point belongs, any integers.
        """
        padded, mask, owner, place = _parts(points, part)
        return self.each(padded, mask)[owner, place]

    def report(
        self,
        points: Float[Tensor, "n d"],
        part: Int[Tensor, "n"],
        bodies: Int[Tensor, "n"] | None = None,
        samples: int = 8,
        seed: int = 0,
    ) -> FrameReport:
        """The report of the parts' frames, the errors under motions of whole bodies.

        Args:
            points, part: as in a call.
            bodies: what moves as one, each body by an element of its own; the parts if not given.
            samples: random elements that are tried.
            seed: of the generator that draws them.
        """
        padded, mask, owner, place = _parts(points, part)
        found = self.each.report(padded, mask, samples=samples, seed=seed)
        if bodies is None:
            return found
        rng = np.random.default_rng(seed)
        body = bodies.unique(return_inverse=True)[1]
        errors = []
        with torch.no_grad():
            (size,) = Trial(self.each, (padded, mask)).sizes
            result = self.each(padded, mask)[owner, place]
            for _ in range(samples):
                pose = self.each.symmetry.sample(int(body.max()) + 1, rng, points)[body]
                there = self(self.each.inputs[0].act(points, pose), part)
                expected = self.each.outputs[0].act(result, pose)
                errors.append(float((there - expected).abs().max()) / size)
        return replace(found, errors=tuple(errors))


class _Shown(torch.nn.Module):
    """A module whose results are zero where the mask says that there is no point."""

    def __init__(self, backbone: Callable[..., Any]) -> None:
        super().__init__()
        self.backbone = function("a backbone", backbone)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        y = self.backbone(x, mask)
        return torch.where(mask.reshape(*mask.shape, *[1] * (y.ndim - 2)), y, 0.0)


def _parts(points: Tensor, part: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The points of each part, padded; the mask; and where each point is among them."""
    _, owner, sizes = part.unique(return_inverse=True, return_counts=True)
    order = torch.argsort(owner, stable=True)
    starts = sizes.cumsum(0) - sizes
    place = torch.empty_like(owner)
    place[order] = torch.arange(len(part), device=part.device) - starts[owner[order]]
    width = int(sizes.max())
    padded = points.new_zeros(len(sizes), width, points.shape[-1])
    padded = padded.index_put((owner, place), points)
    mask = torch.arange(width, device=part.device) < sizes[:, None]
    return padded, mask, owner, place


def is_finer(part: Int[Tensor, "n"], bodies: Int[Tensor, "n"]) -> bool:
    """Whether no part holds points of two bodies.

    Example:
        >>> is_finer(torch.tensor([0, 1, 2, 2]), torch.tensor([5, 5, 7, 7]))
        True
    """
    pairs = torch.stack([part, bodies], -1).unique(dim=0)
    return len(pairs) == len(part.unique())


def draw_partition(probabilities: Float[Tensor, "n parts"]) -> Int[Tensor, "n"]:
    """A partition drawn from predicted probabilities, point by point, from torch's generator."""
    return torch.multinomial(probabilities, 1)[:, 0]


def failure_probability(
    probabilities: Float[Tensor, "n parts"], bodies: Int[Tensor, "n"], samples: int = 1000
) -> float:
    """How often a drawn partition is not finer than the bodies.

    Args:
        probabilities: of the parts, for each point.
        bodies: the true partition.
        samples: partitions that are drawn; the standard error is at most 0.5 / √samples.
    """
    failed = sum(not is_finer(draw_partition(probabilities), bodies) for _ in range(samples))
    return failed / samples


def failure_bound(failure: float, largest: float) -> float:
    """A bound on the mean equivariance error, 2 M p, over drawn partitions.

    With probability 1 - p the partition is finer than the bodies and the error zero; otherwise
    |f(g X) - g f(X)| <= |f(g X)| + |f(X)| <= 2 M, as g turns results without changing their length.
    The drawn partitions have the same distribution for X and for g X. The bound is one on the mean:
    for one partition that fails the error may be all of 2 M.

    Args:
        failure: p.
        largest: M, a bound on the length of f's results.

    Raises:
        NumberError: p is no probability, or M is negative.

    Example:
        >>> failure_bound(0.25, 3.0)
        1.5
    """
    if not 0 <= failure <= 1 or largest < 0:
        raise NumberError(
            "a probability and a length", got=(failure, largest), expected="0 <= p <= 1, M >= 0"
        )
    return 2 * failure * largest
