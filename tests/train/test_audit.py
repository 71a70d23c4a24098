"""The audit says rounding where a law holds, the right number where it is broken, and where."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import schur
from schur.errors import DataError, RepresentationError, ShapeError
from schur.groups import SO2, Lorentz, Orthogonal, SpecialOrthogonal, Sym
from schur.nn import EquivariantLinear, Linear
from schur.reps import Defining, Irreps, Trivial
from schur.train.audit import audit_module, equivariance_penalty, relative_error
from tests.nn.laws import normal

SPACE = Orthogonal(3)
VECTOR = Defining(SPACE)


def test_an_equivariant_module_is_off_by_rounding_and_layers_are_known() -> None:
    v = Defining(Lorentz())
    stack = torch.nn.Sequential(
        EquivariantLinear(2 * v, 3 * v, backend="torch"),
        EquivariantLinear(3 * v, v, backend="torch"),
    ).double()
    found = schur.audit(stack, Lorentz(), rep_in=2 * v, rep_out=v)
    assert found.total.value < 1e-13
    assert list(found.layers) == ["0", "1"] and len(found.elements) == 6
    assert max(one.value for one in found.elements.values()) < 1e-13
    assert "by layer" in str(found) and "SO+(1,3)" in str(found)


def test_irreps_of_geometric_layers() -> None:
    layer = Linear("2x0e+3x1o", "1o").double()
    found = audit_module(layer, Irreps("1o").group)
    assert found.total.value < 1e-13


class Leaky(torch.nn.Module):
    """Equivariant but for a share of one axis in the second of three layers."""

    def __init__(self, leak: float) -> None:
        super().__init__()
        self.first, self.second, self.third = (
            EquivariantLinear(VECTOR, VECTOR, backend="torch").double() for _ in range(3)
        )
        self.leak = leak
        self.mark = torch.nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.first(x))
        x = x + self.leak * x[..., :1] * torch.tensor([1.0, 0.0, 0.0], dtype=x.dtype)
        return self.third(self.mark(x))


def test_the_broken_layer_is_found() -> None:
    found = audit_module(Leaky(0.1), SPACE, VECTOR, VECTOR, layers={"mark": VECTOR}, inputs=500)
    assert found.layers["second"].value < 1e-13 < 1e-3 < found.layers["mark"].value
    assert found.total.value > 1e-3
    with pytest.raises(RepresentationError, match="no such layer"):
        audit_module(Leaky(0.1), SPACE, VECTOR, VECTOR, layers={"fourth": VECTOR})


def test_the_error_of_a_linear_map_is_that_of_its_commutator() -> None:
    # f = diag(1 + a, 1, 1): mean |f(g x) - g f(x)|² over normal x is |[f, g]|² in the Frobenius
    # norm; a reflection commutes.
    matrix = torch.diag(torch.tensor([1.3, 1.0, 1.0], dtype=torch.float64))
    found = audit_module(lambda x: x @ matrix, SPACE, VECTOR, VECTOR, inputs=normal(20_000, 3))
    assert found.elements["discrete 0"].value < 1e-15
    rng = np.random.default_rng(0)
    c = np.array([rng.uniform(0.5, 1.0), 0.0, 0.0])
    # The same element as the first that the audit tries: it draws 16 random ones before.
    rng = np.random.default_rng(0)
    SPACE.sample(rng, 16)
    c[0] = rng.uniform(0.5, 1.0)
    g = SPACE.exp(c)
    m = matrix.numpy()
    expected = np.linalg.norm(m @ g - g @ m) / np.linalg.norm(m)
    one = found.elements["generator 0"]
    assert abs(one.value - expected) < 4 * one.error and one.error < 0.05 * expected


def test_error_bars_cover() -> None:
    # The standard error over samples is the spread of repeated measurements.
    values = []
    for seed in range(200):
        x = normal(60, 3, seed=seed)
        values.append(relative_error(x + 0.2 * normal(60, 3, seed=1000 + seed), x))
    spread = np.std([one.value for one in values])
    assert 0.8 < np.mean([one.error for one in values]) / spread < 1.25


def test_a_small_output_is_no_small_error() -> None:
    def function(x: Tensor) -> Tensor:
        return x.square()

    big = audit_module(function, SPACE, VECTOR, VECTOR)
    small = audit_module(lambda x: 1e-6 * function(x), SPACE, VECTOR, VECTOR)
    assert small.total.value == pytest.approx(big.total.value, rel=1e-5)
    rng = np.random.default_rng(0)
    g, x = SPACE.sample(rng, 2), normal(50, 3)
    one = equivariance_penalty(function, VECTOR, VECTOR, x, g)
    other = equivariance_penalty(lambda x: 1e-6 * function(x), VECTOR, VECTOR, x, g)
    assert float(other) == pytest.approx(float(one), rel=1e-12)


def test_inputs_that_do_not_transform_and_several_of_them() -> None:
    def scaled(x: Tensor, s: Tensor) -> Tensor:
        return x * s

    found = audit_module(scaled, SPACE, (VECTOR, None), VECTOR, inputs=(normal(9, 3), normal(9, 1)))
    assert found.total.value < 1e-13
    broken = audit_module(scaled, SPACE, (VECTOR, VECTOR), VECTOR, inputs=32)
    assert broken.total.value > 0.1
    group = Sym(4)
    pairs = audit_module(
        lambda x: x.sort(-1).values, group, Defining(group), Trivial(group, 4), inputs=16
    )
    assert pairs.total.value == 0.0


def test_misuse() -> None:
    with pytest.raises(RepresentationError, match="not known how"):
        audit_module(lambda x: x, SPACE)
    with pytest.raises(RepresentationError, match="another group"):
        audit_module(lambda x: x, SO2(), VECTOR, VECTOR)
    with pytest.raises(ShapeError, match="vectors"):
        audit_module(lambda x: x, SPACE, VECTOR, VECTOR, inputs=torch.zeros(3, 4))
    with pytest.raises(ShapeError, match="needs elements"):
        audit_module(lambda x: x, SPACE, VECTOR, VECTOR, samples=0)
    for none in (0, torch.zeros(0, VECTOR.dim)):
        with pytest.raises(ShapeError, match="needs inputs"):
            audit_module(lambda x: x, SPACE, VECTOR, VECTOR, inputs=none)
    with pytest.raises(DataError, match="under a group"):
        schur.audit(lambda x: x)


def distance_and_leak(eps: float, x: Tensor) -> Tensor:
    """|x_12|, an even function of x_3 and x_4, and a share of x_1 that breaks the rotations."""
    return x[:, :2].square().sum(1, keepdim=True).sqrt() + torch.cos(x[:, 2:3]) + eps * x[:, :1]


def test_the_measure_ranks_how_broken_a_symmetry_is() -> None:
    group = SpecialOrthogonal(2)
    rep_in = Defining(group) + Trivial(group, 2)
    errors = [
        audit_module(lambda x, e=eps: distance_and_leak(e, x), group, rep_in, Trivial(group)).total
        for eps in (0.0, 0.1, 0.3, 1.0)
    ]
    assert errors[0].value < 1e-6
    assert all(a.value + a.error < b.value - b.error for a, b in pairwise(errors))


def plain(width: int) -> torch.nn.Sequential:
    return torch.nn.Sequential(
        torch.nn.Linear(width, 64),
        torch.nn.Tanh(),
        torch.nn.Linear(64, 64),
        torch.nn.Tanh(),
        torch.nn.Linear(64, 1),
    )


class Hard(torch.nn.Module):
    """Invariant under turns of the first two components."""

    def __init__(self) -> None:
        super().__init__()
        self.network = plain(3)

    def forward(self, x: Tensor) -> Tensor:
        return self.network(torch.cat([x[:, :2].norm(dim=1, keepdim=True), x[:, 2:]], 1))


class Soft(torch.nn.Module):
    """An invariant network and a free one, which begins at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.hard, self.free = Hard(), plain(4)
        for parameter in list(self.free.parameters())[-2:]:
            torch.nn.init.zeros_(parameter)

    def forward(self, x: Tensor) -> Tensor:
        return self.hard(x) + self.free(x)


PLANE = SpecialOrthogonal(2)
MIXED = Defining(PLANE) + Trivial(PLANE, 2)


def broken(eps: float, x: Tensor) -> Tensor:
    r = x[:, :2].norm(dim=1, keepdim=True)
    return torch.sin(2 * r) * torch.cos(x[:, 2:3]) + 0.3 * x[:, 3:] + eps * x[:, :1]


def fitted(kind: Callable[[], torch.nn.Module], eps: float, weight: float, seed: int) -> Any:
    """Trained on 200 points: the test error, and the equivariance error of what was learned."""
    torch.manual_seed(seed)
    model, rng = kind(), np.random.default_rng(seed)
    optimiser = torch.optim.Adam(model.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 300)
    x = normal(200, 4, seed=seed, dtype=torch.float32)
    for _ in range(300):
        loss = (model(x) - broken(eps, x)).square().mean()
        if weight:
            g = PLANE.sample(rng, 1)
            loss = loss + weight * equivariance_penalty(model, MIXED, Trivial(PLANE), x, g)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    held_out = normal(2000, 4, seed=1000 + seed, dtype=torch.float32)
    with torch.no_grad():
        error = float((model(held_out) - broken(eps, held_out)).square().mean())
    return error, audit_module(model, PLANE, MIXED, Trivial(PLANE), seed=5).total.value


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_soft_equivariance_is_best_where_the_symmetry_is_broken_a_little(seed: int) -> None:
    curve = [fitted(Soft, eps, 0.03, seed) for eps in (0.0, 0.1, 0.3, 1.0)]
    measured = [found for _, found in curve]
    assert measured == sorted(measured)  # the fitted models rank as the truth does
    hard, free = fitted(Hard, 0.3, 0.0, seed)[0], fitted(lambda: plain(4), 0.3, 0.0, seed)[0]
    assert curve[2][0] < 0.9 * min(hard, free)
    # Where the symmetry holds, what obeys it is better still.
    assert fitted(Hard, 0.0, 0.0, seed)[0] < curve[0][0]
