"""EquiformerV2: how equivariant it is, and what holds whatever the grid."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from schur.models.equiformer_v2 import EquiformerV2, EquiformerV2Config
from schur.models.equiformer_v2_layers import EquiformerBlock, FrameAttention, smooth_leaky
from schur.testing import random_orthogonal

SPECIES = torch.tensor([0, 1, 0, 1])
PAIRS = torch.tensor([[0, 0, 1, 2], [1, 2, 2, 3]])
EDGES = torch.cat([PAIRS, PAIRS.flip(0)], 1)
SMALL = EquiformerV2Config(
    layers=2, lmax=2, order=2, channels=4, heads=2, attention_channels=4, value_channels=2,
    hidden=4, feed_forward=4, grid=12, radial_hidden=(8,), type_features=4,
)  # fmt: skip
POSITIONS = torch.from_numpy(np.random.default_rng(1).uniform(0, 2, (4, 3)))


def model(grid: int, lmax: int = 2) -> EquiformerV2:
    shape = SMALL.model_copy(update={"grid": grid, "lmax": lmax, "order": min(2, lmax)})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return EquiformerV2(shape, 2, 2.0).double()


def energy(equiformer: EquiformerV2, positions: torch.Tensor) -> torch.Tensor:
    return equiformer(positions[EDGES[1]] - positions[EDGES[0]], SPECIES, EDGES, paired=True).sum()


def rotation_fault(grid: int) -> float:
    """Largest change of the energy under rotations, as a share of the atoms' energies."""
    equiformer = model(grid)
    generator = torch.Generator().manual_seed(0)
    energies = [
        energy(equiformer, POSITIONS @ random_orthogonal(generator, proper).T).detach()
        for proper in (True, True, False)
    ]
    atoms = equiformer(POSITIONS[EDGES[1]] - POSITIONS[EDGES[0]], SPECIES, EDGES, paired=True)
    return float(max(abs(e - energies[0]) for e in energies)) / float(atoms.detach().abs().sum())


def test_rotations_hold_as_far_as_the_grid_is_fine() -> None:
    """At least tenfold better for a doubled grid, and never far from what is reported."""
    faults = {grid: rotation_fault(grid) for grid in (4, 8, 16, 32)}
    assert faults[4] > 1e-3
    assert all(faults[2 * grid] < faults[grid] / 10 for grid in (4, 8, 16))
    for grid, fault in faults.items():
        assert fault < SMALL.model_copy(update={"grid": grid}).grid_error


def test_the_error_is_reported() -> None:
    errors = [SMALL.model_copy(update={"grid": grid}).grid_error for grid in (6, 12, 24)]
    assert errors[0] > 0.03 and errors[2] < errors[1] / 10 < errors[0] / 100
    assert f"equivariant to {errors[1]:.0e}" in SMALL.describe()
    assert EquiformerV2Config(lmax=0, order=0, grid=0).grid_error == 0.0


@pytest.mark.parametrize("grid", [4, 24])
def test_forces_are_the_gradient_on_any_grid(grid: int) -> None:
    """A coarse grid breaks rotations, not the conservation of energy."""
    equiformer = model(grid)
    positions = POSITIONS.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(equiformer, positions), positions)
    way = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 3)))
    errors = []
    for step in (1e-3, 5e-4):
        up, down = (energy(equiformer, POSITIONS + s * way).detach() for s in (step, -step))
        errors.append(float(((up - down) / (2 * step) - (gradient * way).sum()).abs()))
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


def test_where_the_charts_meet_the_energy_steps_by_the_error_of_the_grid() -> None:
    """An edge in the plane y = 0 and just beside it has frames that differ by a roll."""
    flat, beside = (
        torch.tensor([[0, 0, 0], [1.2, y, 0.1], [0.2, 0.9, 1.3], [1, 1, 1]], dtype=torch.float64)
        for y in (0.0, -1e-13)
    )
    steps = [
        abs(float((energy(m, flat) - energy(m, beside)).detach()) / float(energy(m, flat).detach()))
        for m in (model(5), model(48))
    ]
    assert steps[0] > 1e-6 and steps[1] < 1e-10


def test_attention_is_renormalised() -> None:
    """Logits do not grow with the scalars they are made from."""
    attention = cast(EquiformerBlock, model(12).layers[0]).attention
    assert isinstance(attention, FrameAttention)
    fits = torch.from_numpy(np.random.default_rng(0).normal(0, 5, (8, 2, 4)))
    weights = [smooth_leaky(attention.norm(scale * fits)) for scale in (1.0, 100.0)]
    assert torch.allclose(weights[0], weights[1], atol=1e-4)


@pytest.mark.parametrize("lmax", [0, 2])
def test_every_parameter_is_used_and_pairs_change_nothing(lmax: int) -> None:
    equiformer = model(12, lmax)
    arguments = POSITIONS[EDGES[1]] - POSITIONS[EDGES[0]], SPECIES, EDGES
    said = equiformer(*arguments, paired=True)
    assert torch.allclose(said, equiformer(*arguments), rtol=1e-13, atol=1e-13)
    said.sum().backward()
    idle = [k for k, p in equiformer.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


@pytest.mark.parametrize(("setting", "message"), [({"order": 4}, "lmax"), ({"grid": 5}, "grid")])
def test_shapes_that_are_none(setting: dict[str, int], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        EquiformerV2Config(lmax=3, **setting)  # type: ignore[arg-type]
