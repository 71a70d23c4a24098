"""Sets as sums of powers: separation, inverse, and the collisions of narrower embeddings."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
import torch
from scipy.optimize import least_squares
from torch import Tensor

from schur.errors import NumberError, ShapeError
from schur.nn import SetEmbedding

from .laws import EPS, assert_close, normal

SIZES = [(1, 1), (2, 2), (3, 2), (4, 3), (6, 2), (6, 4)]


def cubes(*shape: int, seed: int = 0) -> Tensor:
    """Points in a cube within the unit ball."""
    drawn = torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return (2 * drawn - 1) / shape[-1] ** 0.5


def set_distance(one: Tensor, other: Tensor) -> float:
    """The largest coordinate difference under the best pairing."""
    pairings = (other[list(p)] for p in permutations(range(len(other))))
    return min(float((one - found).abs().max()) for found in pairings)


@pytest.mark.parametrize(("points", "dimension"), SIZES)
def test_definition_width_and_order(points: int, dimension: int) -> None:
    embed = SetEmbedding(points, dimension)
    x = cubes(5, points, dimension)
    w = embed.directions.double()
    expected = torch.stack([((x @ w.T) ** p).sum(1) for p in range(1, points + 1)], -1)
    assert_close(embed(x).reshape(5, -1, points), expected, 100 * EPS)
    assert embed.width == points * (points * (dimension - 1) + 1) == embed(x).shape[-1]
    if points > 1 and dimension > 1:  # the bounds of the theorem
        assert points * (dimension + 1) <= embed.width <= points**5 * dimension**2
    assert_close(embed(x.flip(1)), embed(x), 100 * EPS)


def test_random_sets_are_apart() -> None:
    for points, dimension in SIZES:
        embed = SetEmbedding(points, dimension)
        one, other = cubes(20_000, points, dimension), cubes(20_000, points, dimension, seed=1)
        assert float((embed(one) - embed(other)).abs().amax(-1).min()) > 1e-4


def shuffled(x: Tensor, seed: int) -> Tensor:
    """Each coordinate's values handed out anew: what sums over channels apart cannot see."""
    keys = torch.rand(x.shape, generator=torch.Generator().manual_seed(seed))
    return torch.gather(x, -2, keys.argsort(-2))


def test_sets_with_equal_coordinates_are_apart() -> None:
    one = torch.tensor([[0.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    other = torch.tensor([[0.0, 1.0], [1.0, 0.0]], dtype=torch.float64)
    for p in (1, 2, 3):
        assert torch.equal((one**p).sum(0), (other**p).sum(0))  # channel by channel they collide
    embed = SetEmbedding(2, 2)
    assert float((embed(one) - embed(other)).abs().max()) > 0.1
    for points, dimension in ((2, 2), (4, 3), (6, 4)):
        embed = SetEmbedding(points, dimension)
        x = cubes(20_000, points, dimension)
        y = shuffled(x, 1)
        moved = (x[..., :, None, :] - y[..., None, :, :]).abs().amax(-1).amin(-1).amax(-1)
        different = moved > 1e-2  # not handed out as before
        assert int(different.sum()) > 5000
        gaps = (embed(x) - embed(y)).abs().amax(-1)
        assert float(gaps[different].min()) > 1e-7


@pytest.mark.parametrize(("points", "dimension"), SIZES)
def test_inverse(points: int, dimension: int) -> None:
    embed = SetEmbedding(points, dimension)
    for seed in range(3):
        x = cubes(points, dimension, seed=seed)
        assert set_distance(embed.inverse(embed(x)), x) < 1e-6


def test_inverse_of_sets_with_repeated_points_and_equal_coordinates() -> None:
    embed = SetEmbedding(4, 2)
    grid = torch.tensor([[0.0, 0.0], [0.5, 0.5], [0.0, 0.5], [0.5, 0.0]], dtype=torch.float64)
    assert set_distance(embed.inverse(embed(grid)), grid) < 1e-6
    twice = grid[[0, 0, 1, 2]]
    # A double root is lost to half the digits.
    assert set_distance(embed.inverse(embed(twice)), twice) < 1e-6


def test_inverse_refuses_what_is_no_embedding() -> None:
    embed = SetEmbedding(3, 2)
    with pytest.raises(NumberError, match="no set of points"):
        embed.inverse(embed(cubes(3, 2)) + normal(embed.width))


@pytest.mark.parametrize("points", [2, 3, 4])
def test_one_direction_less_collides(points: int) -> None:
    # Every other corner of a regular polygon of 2N corners, and the rest: along the N directions
    # of its sides' middles both have the same projections.
    angles = torch.arange(2 * points, dtype=torch.float64) * torch.pi / points
    corners = torch.stack([angles.cos(), angles.sin()], -1)
    one, other = corners[::2], corners[1::2]
    middles = (angles[:points] + torch.pi / (2 * points)).double()
    narrow = SetEmbedding(points, 2, directions=points)
    narrow.directions = torch.stack([middles.cos(), middles.sin()], -1)
    assert set_distance(one, other) > 0.3
    assert_close(narrow(one), narrow(other), 1000 * EPS)
    assert float((SetEmbedding(points, 2)(one) - SetEmbedding(points, 2)(other)).abs().max()) > 1e-3


def test_a_collision_of_a_narrow_embedding_is_found_by_solving() -> None:
    narrow, wide = SetEmbedding(3, 2, directions=2), SetEmbedding(3, 2)
    one = cubes(3, 2)
    target = narrow(one).numpy()

    def defect(flat: np.ndarray) -> np.ndarray:
        return narrow(torch.from_numpy(flat.reshape(3, 2))).numpy() - target

    rng = np.random.default_rng(0)
    found = []
    for _ in range(30):
        start = 0.5 * rng.standard_normal(6)
        solution = least_squares(defect, start, xtol=1e-15, ftol=1e-15, gtol=1e-15)
        other = torch.from_numpy(solution.x.reshape(3, 2))
        if np.abs(solution.fun).max() < 1e-10 and set_distance(one, other) > 1e-2:
            found.append(other)
    assert found
    assert all(float((wide(one) - wide(other)).abs().max()) > 1e-4 for other in found)


def test_misuse() -> None:
    for arguments in ((0, 2), (2, 0), (2, 2, 0)):
        with pytest.raises(ShapeError, match="all at least 1"):
            SetEmbedding(*arguments)
    with pytest.raises(ShapeError, match="sets of points"):
        SetEmbedding(3, 2)(torch.ones(2, 2))
