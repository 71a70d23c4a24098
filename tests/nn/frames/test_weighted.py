"""Weighted frames: exact and continuous, at the clouds where principal axes are neither."""

from __future__ import annotations

import pytest
import torch

from schur.errors import NumberError, RepresentationError
from schur.nn.frames import Equivariant, WeightedFrames
from schur.testing import assert_derivatives

from .clouds import DEGENERATE, cube, line, normal, plain

EXACT = 1e-10
METHODS = ["weighted", "blended"]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("group", ["SO(3)", "O(3)", "SE(3)", "E(3)"])
@pytest.mark.parametrize("cloud", DEGENERATE)
@pytest.mark.parametrize("outputs", ["scalars", "vectors", "matrices"])
def test_exact_at_every_cloud(method: str, group: str, cloud: str, outputs: str) -> None:
    net = plain(8, 3, 9 if outputs == "matrices" else 3)

    def backbone(x: torch.Tensor) -> torch.Tensor:
        return net(x).unflatten(1, (3, 3)) if outputs == "matrices" else net(x)

    model = Equivariant(backbone, group, method, outputs=outputs)
    assert max(model.report(DEGENERATE[cloud][None], samples=4).errors) < EXACT


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("group", ["SO(2)", "O(2)", "SE(2)", "E(2)"])
@pytest.mark.parametrize("outputs", ["scalars", "vectors"])
def test_the_plane(method: str, group: str, outputs: str) -> None:
    square = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    clouds = torch.stack([square, normal(4, 2), normal(4, 1) * normal(2, seed=1)])
    model = Equivariant(plain(4, 2, 2), group, method, outputs=outputs)
    coincident = torch.ones(1, 4, 2, dtype=torch.float64)
    assert max(model.report(torch.cat([clouds, coincident])).errors) < EXACT
    report = model.report(clouds)
    assert report.jump is not None and report.jump < 1e3 * 1e-9


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("outputs", ["scalars", "vectors"])
@pytest.mark.parametrize("cloud", ["cube", "line", "plane", "square", "simple"])
def test_continuous_where_averaging_jumps(method: str, outputs: str, cloud: str) -> None:
    """Changes shrink with the noise, in proportion."""
    model = Equivariant(plain(8, 3, 3), "SE(3)", method, outputs=outputs)
    x = DEGENERATE[cloud][None]
    reference = model(x).detach()
    for noise in (1e-5, 1e-7, 1e-9):
        moved = model(x + noise * normal(20, 8, 3)).detach()
        assert float((moved - reference).abs().max()) < 500 * noise


def test_the_cube_with_and_without_weights() -> None:
    """Noise of 1e-9 on a cube: principal frames give a range of values, weighted ones a number."""
    net, x = plain(8, 3, 1), cube()[None] + 1e-9 * normal(200, 8, 3)
    ranges = {}
    for method in ("average", *METHODS):
        values = Equivariant(net, "E(3)", method)(x).detach()
        ranges[method] = float((values.max() - values.min()) / values.abs().max())
    assert ranges["average"] > 0.1
    assert max(ranges["weighted"], ranges["blended"]) < 1e-7


def test_turns_about_a_line_are_needed() -> None:
    """With degree 0 a vector across a line depends on which way the noise points."""
    net, x = plain(8, 3, 3), line()[None]
    noise = 1e-9 * normal(50, 8, 3)
    ranges = []
    for degree in (0, 1):
        model = Equivariant(net, "SE(3)", "weighted", outputs="vectors", degree=degree)
        values = model(x + noise).detach()
        ranges.append(float((values - values[:1]).abs().max()))
    assert ranges[0] > 1e-3 and ranges[1] < 1e-6


def test_weights_and_margin() -> None:
    x = torch.stack([DEGENERATE[name] for name in DEGENERATE])
    frames = WeightedFrames("O(3)", sharpness=0.3)(x)
    sums = torch.zeros(len(x), dtype=torch.float64).index_add(0, frames.cloud, frames.weight)
    torch.testing.assert_close(sums, torch.ones_like(sums), rtol=0, atol=1e-14)
    assert bool((frames.weight > 0).all())
    gram = frames.pose.matrix.mT @ frames.pose.matrix
    torch.testing.assert_close(gram, torch.eye(3).expand_as(gram).double(), rtol=0, atol=1e-14)
    margin = dict(zip(DEGENERATE, frames.margin.tolist(), strict=True))
    assert margin["line"] < 1e-12 and margin["one place"] < 1e-12
    assert margin["cube"] > 0.3 and margin["simple"] > 0.3


def test_a_sharper_weight_needs_fewer_frames() -> None:
    x = normal(50, 8, 3)
    counts = [len(WeightedFrames("SE(3)", tau)(x).weight) / 50 for tau in (0.0, 0.5, 0.9)]
    assert counts[0] > 50 and counts[1] < 30 and counts[2] < 4


def test_masked_points_make_no_frames() -> None:
    x, mask = normal(2, 8, 3), torch.ones(2, 8, dtype=torch.bool)
    mask[1, 5:] = False
    x[1, 5:] = float("nan")
    frames, alone = WeightedFrames("E(3)")(x, mask), WeightedFrames("E(3)")(x[1:, :5])
    torch.testing.assert_close(frames.weight[frames.cloud == 1], alone.weight)


def test_derivatives() -> None:
    model = Equivariant(plain(5, 3, 3), "E(3)", "weighted", outputs="vectors")
    assert_derivatives(model, [normal(2, 5, 3)], order=2, fast=True)


def test_errors() -> None:
    with pytest.raises(NumberError, match="sharpness"):
        WeightedFrames("E(3)", sharpness=1.0)
    with pytest.raises(RepresentationError, match="d = 2 or 3"):
        WeightedFrames("E(4)")
