"""eSCN: edges at the poles of the charts, orders that are left out, paired edges."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from schur.models.escn import ESCN, ESCNConfig, ESCNLayer

SPECIES = torch.tensor([0, 1, 0, 1])
PAIRS = torch.tensor([[0, 0, 1, 2], [1, 2, 2, 3]])
EDGES = torch.cat([PAIRS, PAIRS.flip(0)], 1)
SMALL = {"layers": 3, "lmax": 2, "channels": 4, "radial_hidden": (8,), "type_features": 4}


def model(order: int | None = None, seed: int = 0) -> ESCN:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ESCN(ESCNConfig(order=order, **SMALL), 2, 2.0).double()  # type: ignore[arg-type]


def vectors_of(positions: torch.Tensor) -> torch.Tensor:
    return positions[EDGES[1]] - positions[EDGES[0]]


def energy(escn: ESCN, positions: torch.Tensor) -> torch.Tensor:
    return escn(vectors_of(positions), SPECIES, EDGES, paired=True).sum()


@pytest.mark.parametrize("pole", [1.0, -1.0])
@pytest.mark.parametrize("tilt", [0.0, 1e-9])
def test_forces_at_the_poles(pole: float, tilt: float) -> None:
    """Bonds along ±y, where angles have no derivative, and a billionth beside."""
    escn = model()
    positions = torch.tensor(
        [[0, 0, 0], [tilt, pole, 0], [0, 2.1 * pole, tilt], [1.0, 2 * pole, 0.3]],
        dtype=torch.float64,
        requires_grad=True,
    )
    (gradient,) = torch.autograd.grad(energy(escn, positions), positions)
    way = torch.from_numpy(np.random.default_rng(0).standard_normal((4, 3)))
    errors = []
    for step in (1e-3, 5e-4):
        up, down = (energy(escn, (positions + s * way).detach()) for s in (step, -step))
        errors.append(float(((up - down) / (2 * step) - (gradient * way).sum()).abs().detach()))
    assert gradient.isfinite().all() and float(gradient.abs().max()) > 1e-3
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.1)


def test_second_derivatives_where_the_charts_meet() -> None:
    """An edge in the plane between the two charts: the frame jumps by a roll, the energy not."""
    escn = model()
    flat = torch.tensor([[0, 0, 0], [1.2, 0, 0.1], [0.2, 0, 1.3], [1, 1, 1]], dtype=torch.float64)
    beside = flat.clone()
    beside[1, 1] = -1e-8  # in the other chart
    hessians = [
        cast(Tensor, torch.autograd.functional.hessian(lambda x: energy(escn, x), here))
        for here in (flat, beside)
    ]
    scale = float(hessians[0].abs().max())
    assert float((hessians[0] - hessians[1]).abs().max()) < 1e-6 * scale


def test_orders_that_are_left_out_take_their_weights_along() -> None:
    """Truncation keeps the symmetry (see the laws of all models) and expresses less."""
    layers = [cast(ESCNLayer, model(order).layers[1]) for order in (None, 1, 0)]
    products = [layer.convolution.product for layer in layers]
    assert [product.is_complete for product in products] == [True, False, False]
    # From 3 degrees to 3: 9 matrices of order 0, 4 of order 1, 1 of order 2.
    width = products[0].rep_out[0].mul  # scalars and the gates of degrees 1 and 2
    scalars = 3 * 4 * width
    assert [p.weight_numel - scalars for p in products] == [16 * n for n in (6 + 4 + 1, 6 + 4, 6)]


def test_every_parameter_is_used_and_pairs_change_nothing() -> None:
    escn = model()
    positions = torch.from_numpy(np.random.default_rng(1).uniform(0, 2, (4, 3)))
    arguments = vectors_of(positions), SPECIES, EDGES
    said = escn(*arguments, paired=True)
    assert torch.allclose(said, escn(*arguments), rtol=1e-13, atol=1e-13)
    said.sum().backward()
    idle = [key for key, p in escn.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


def test_shapes_that_are_none() -> None:
    with pytest.raises(ValidationError, match="at most lmax"):
        ESCNConfig(lmax=2, order=3)
