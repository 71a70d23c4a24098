"""Piecewise symmetry: exact for finer partitions, bounded on the mean for uncertain ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.errors import NumberError
from schur.nn.frames import (
    PartwiseEquivariant,
    Symmetry,
    draw_partition,
    failure_bound,
    failure_probability,
    is_finer,
)

from .clouds import normal, plain

BODIES = torch.tensor([0] * 6 + [1] * 6)
FINER = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 3, 3])


def layer(method: str = "weighted") -> PartwiseEquivariant:
    net = plain(2, 3, 3)

    def backbone(x: Tensor, mask: Tensor) -> Tensor:
        total = (x.sin() * mask[..., None]).sum(1, keepdim=True).expand_as(x)
        return net(torch.cat([x, total], -1).flatten(0, 1)).view_as(x).tanh()

    return PartwiseEquivariant(backbone, "E(3)", method=method)


def moved(x: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Each body moved by a motion of its own; the turns, point by point."""
    pose = Symmetry.of("E(3)").sample(2, np.random.default_rng(seed), x)[BODIES]
    return (pose.matrix @ x[..., None])[..., 0] + pose.after, pose.matrix


def error(model: PartwiseEquivariant, x: Tensor, part: Tensor, seed: int = 0) -> float:
    """The largest length of f(g x) - g f(x) over points."""
    y, turns = moved(x, seed)
    expected = (turns @ model(x, part)[..., None])[..., 0]
    return float(torch.linalg.vector_norm(model(y, part) - expected, dim=-1).detach().max())


@pytest.mark.parametrize("method", ["weighted", "average"])
def test_exact_for_every_finer_partition(method: str) -> None:
    x = normal(12, 3)
    assert is_finer(FINER, BODIES) and is_finer(BODIES, BODIES)
    for part in (BODIES, FINER, torch.arange(12)):
        assert error(layer(method), x, part) < 1e-10
    mixed = FINER.clone()
    mixed[6] = 0
    assert not is_finer(mixed, BODIES)
    assert error(layer(method), x, mixed) > 0.02


def test_order_of_points_and_names_of_parts_do_not_matter() -> None:
    model, x, order = layer(), normal(12, 3), torch.randperm(12)
    there = model(x[order], 7 - 3 * FINER[order])
    torch.testing.assert_close(there, model(x, FINER)[order], rtol=0, atol=1e-12)


def test_finer_parts_know_less() -> None:
    """Single points see only themselves: nothing is left but zero."""
    model, x = layer(), normal(12, 3)
    single = model(x, torch.arange(12))
    assert float(single.detach().abs().max()) < 1e-12
    frames = model.each.frames(x[:, None], torch.ones(12, 1, dtype=torch.bool))
    assert float(frames.margin.max()) == 0


def straying(probability: float) -> Tensor:
    """Probabilities of `FINER`, but that point 0 strays to a part of the other body."""
    probabilities = torch.nn.functional.one_hot(FINER).double()
    probabilities[0] = torch.tensor([1 - probability, 0, probability, 0])
    return probabilities


def test_the_bound_over_drawn_partitions() -> None:
    """Mean error for p = 0, 0.05, 0.1, 0.2: zero at zero, growing, below 2 M p."""
    torch.manual_seed(0)
    model, x = layer(), normal(12, 3)
    known: dict[tuple[int, ...], tuple[float, float]] = {}

    def measured(part: Tensor) -> tuple[float, float]:
        """The error, and the largest length of the results."""
        key = tuple(part.tolist())
        if key not in known:
            results = torch.cat([model(y, part) for y in (x, moved(x)[0])]).detach()
            known[key] = error(model, x, part), float(results.norm(dim=-1).max())
        return known[key]

    means = []
    for p in (0.0, 0.05, 0.1, 0.2):
        drawn = [measured(draw_partition(straying(p))) for _ in range(2000)]
        means.append(sum(one for one, _ in drawn) / len(drawn))
        largest = max(length for _, length in known.values())
        assert means[-1] <= failure_bound(p, largest) + 1e-10
    assert means[0] < 1e-10 and means == sorted(means) and means[1] > 1e-3
    # On the mean: the partition that fails is far above the bound for p = 0.05.
    assert max(one for one, _ in known.values()) > failure_bound(0.05, largest)


def test_the_report_of_mixed_parts() -> None:
    model, x = layer(), normal(12, 3)
    right = model.report(x, FINER, BODIES)
    assert max(right.errors) < 1e-10 and len(right.margins) == 4
    assert right.degenerate == 1  # the part of two points, a line
    mixed = FINER.clone()
    mixed[6] = 0
    wrong = model.report(x, mixed, BODIES)
    assert min(wrong.errors) > 1e-3
    assert max(model.report(x, mixed).errors) < 1e-10  # each part by itself is still exact
    assert model.report(x, torch.arange(12), BODIES).degenerate == 12


def test_partitions_from_probabilities() -> None:
    torch.manual_seed(0)
    sure, q = straying(0.0), 0.3
    assert failure_probability(sure, BODIES, 50) == 0
    # One point strays to the other body with probability q: the partition fails as often.
    found = failure_probability(straying(q), BODIES, 2000)
    assert abs(found - q) < 4 * (q * (1 - q) / 2000) ** 0.5
    assert draw_partition(sure).tolist() == FINER.tolist()
    with pytest.raises(NumberError, match="probability"):
        failure_bound(1.5, 1.0)
