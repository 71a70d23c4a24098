"""Universal manifold embedding: exact for copies, and its error, limits and failures measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.errors import NumberError, ShapeError
from schur.groups import SO3
from schur.nn.frames import radial_features, register

from .clouds import cube, normal


def motion(degrees: float, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = np.random.default_rng(seed)
    axis = rng.standard_normal(3)
    axis *= np.deg2rad(degrees) / np.linalg.norm(axis)
    return torch.from_numpy(SO3().exp(axis)), torch.from_numpy(rng.standard_normal(3))


def surface(count: int, seed: int) -> Tensor:
    """Points drawn from a bent, lopsided surface: a scan."""
    generator = torch.Generator().manual_seed(seed)
    u, v = torch.rand(2, count, dtype=torch.float64, generator=generator)
    radius = 1 + 0.6 * v + 0.5 * torch.cos(2 * torch.pi * u)
    angle = 4 * u
    x = torch.stack([radius * angle.cos(), radius * angle.sin() + v**2, 1.5 * v - u + u * v], -1)
    return x


def angle(found: Tensor, true: Tensor) -> float:
    """Degrees between two rotations."""
    cosine = ((found * true).sum() - 1) / 2
    return float(torch.rad2deg(torch.arccos(cosine.clamp(-1, 1))))


@pytest.mark.parametrize("degrees", [10, 90, 135, 180])
def test_exact_for_a_rigid_copy_in_any_order(degrees: float) -> None:
    R, t = motion(degrees)
    x = surface(200, 0)
    y = (x @ R.mT + t)[torch.randperm(200, generator=torch.Generator().manual_seed(0))]
    found = register(x, y)
    torch.testing.assert_close(found.rotation, R, rtol=0, atol=1e-12)
    torch.testing.assert_close(found.translation, t, rtol=0, atol=1e-12)
    assert float(found.defect) < 1e-11 and float(found.margin) > 1e-3


def test_batches_and_own_features() -> None:
    R, t = motion(120)
    x = normal(4, 50, 3)
    weights = normal(4, 50, 6, seed=3)
    found = register(x, x @ R.mT + t, weights, weights)
    torch.testing.assert_close(found.rotation, R.expand(4, 3, 3), rtol=0, atol=1e-12)


def test_features_that_turn_along_do_not_register() -> None:
    """Planted: coordinates as features, which are no invariants."""
    R, t = motion(120)
    x = surface(200, 0)
    y = x @ R.mT + t
    first, second = (torch.cat([radial_features(c, 4), c], -1) for c in (x, y))
    found = register(x, y, first, second)
    assert angle(found.rotation, R) > 1 and float(found.defect) > 0.01


def nearest_points(x: Tensor, y: Tensor, rounds: int = 40) -> Tensor:
    """The rotation of iterated closest points, from the centres: the reference."""
    R, x0, y0 = torch.eye(3).double(), x - x.mean(0), y - y.mean(0)
    for _ in range(rounds):
        match = y0[torch.cdist(x0 @ R.mT, y0).argmin(1)]
        U, _, Vh = torch.linalg.svd(match.mT @ x0)
        sign = torch.tensor([1.0, 1.0, float(torch.linalg.det(U @ Vh))]).double()
        R = U * sign @ Vh
    return R


def test_resampled_scans_against_closest_points() -> None:
    """The error falls as n^(-1/2), at any angle; closest points stop at a wrong one."""
    sizes = (200, 800, 3200)
    means = []
    for count in sizes:
        errors = []
        for seed in range(12):
            R, t = motion(90 + 7.5 * seed, seed)
            found = register(surface(count, 2 * seed), surface(count, 2 * seed + 1) @ R.mT + t)
            errors.append(angle(found.rotation, R))
        means.append(np.sqrt(np.mean(np.square(errors))))
    exponent = np.polyfit(np.log(sizes), np.log(means), 1)[0]
    assert -0.75 < exponent < -0.3
    assert means[-1] < 8
    closest = []
    for seed in range(4):
        R, t = motion(120 + 20 * seed, seed)
        x, y = surface(300, 2 * seed), surface(300, 2 * seed + 1) @ R.mT + t
        closest.append(angle(nearest_points(x, y), R))
    assert np.median(closest) > 3 * means[-1]


def test_a_missing_part_biases_the_result() -> None:
    R, t = motion(90)
    x = surface(2000, 0)
    part = x[x[:, 2] < x[:, 2].median()]
    assert angle(register(x, part @ R.mT + t).rotation, R) > 10


def test_symmetric_shapes_are_refused() -> None:
    with pytest.raises(NumberError, match="do not determine"):
        register(cube(), cube())
    marked = torch.eye(8).double()[:, :5]  # features that tell the corners apart
    assert (
        angle(register(cube(), cube() @ motion(90)[0].mT, marked, marked).rotation, motion(90)[0])
        < 1e-5
    )


def test_features_are_invariant() -> None:
    x = normal(50, 3)
    R, t = motion(77)
    torch.testing.assert_close(radial_features(3 * x @ R.mT + t), radial_features(x))


def test_errors() -> None:
    x = normal(20, 3)
    with pytest.raises(ShapeError, match="of both"):
        register(x, x, radial_features(x))
    with pytest.raises(ShapeError, match="too few"):
        register(x, x, x, x)
    with pytest.raises(NumberError, match="coincide"):
        register(torch.ones(5, 3), torch.ones(5, 3))
