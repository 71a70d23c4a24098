"""Known algebras are found in functions and in labelled data, by the angle between subspaces."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from schur import discover
from schur.errors import NumberError, RepresentationError, ShapeError
from schur.groups import SO2, SO3, Group, Lorentz, SpecialLinear, SpecialOrthogonal
from schur.nn import EquivariantLinear
from schur.reps import Defining, Trivial
from schur.train.discover import Discovery, angle_between
from tests.nn.laws import normal

ETA = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))


def minkowski(x: Tensor) -> Tensor:
    return torch.einsum("zi,ij,zj->z", x, ETA.to(x.dtype), x)


def noisy(generators: np.ndarray, size: float, seed: int = 0) -> Discovery:
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(generators.reshape(len(generators), -1).T)
    q, _ = np.linalg.qr(q + size * rng.standard_normal(q.shape))
    return Discovery(q.T.reshape(generators.shape), np.zeros(1), 1.0)


@pytest.mark.parametrize("n", [2, 3, 5])
def test_rotations_of_a_radial_function(n: int) -> None:
    found = discover(lambda x: torch.sin(x.square().sum(1)), normal(300, n))
    assert len(found.generators) == n * (n - 1) // 2
    assert found.angle_to(SpecialOrthogonal(n).generators()) < 1e-5 and found.bracket < 1e-9


def test_lorentz_and_special_linear_functions() -> None:
    found = discover(lambda x: torch.tanh(0.3 * minkowski(x)), normal(300, 4))
    assert len(found.generators) == 6 and found.angle_to(Lorentz().generators()) < 1e-5
    # A determinant of two vectors: SL(2) acts on both, as 1 ⊗ X on four numbers; GL+(2) on the
    # other index keeps it up to SL(2) too: so(2, 2) in all, of dimension 6.
    found = discover(lambda x: x[:, 0] * x[:, 3] - x[:, 1] * x[:, 2], normal(300, 4))
    both = [np.kron(x, np.eye(2)) for x in SpecialLinear(2).generators()]
    both += [np.kron(np.eye(2), x) for x in SpecialLinear(2).generators()]
    assert len(found.generators) == 6 and found.angle_to(np.array(both)) < 1e-5


def test_the_subspace_counts_and_not_its_basis() -> None:
    found = discover(lambda x: x.square().sum(1), normal(100, 3))
    rng = np.random.default_rng(0)
    mixed = np.tensordot(rng.standard_normal((3, 3)), SO3().generators(), axes=1)
    assert found.angle_to(mixed) < 1e-5
    assert found.angle_to(mixed[:2]) == 90.0
    assert found.angle_to(rng.standard_normal((3, 3, 3))) > 20.0


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_labelled_data(seed: int) -> None:
    # A radial law that is not trivial, and the Minkowski norm, with labels and no formula.
    x = normal(2000, 2, seed=seed, dtype=torch.float32)
    found = discover((x, torch.sin(x.square().sum(1))), epochs=60, seed=seed)
    assert len(found.generators) == 1 and found.angle_to(SO2().generators()) < 5.0
    x = normal(2000, 4, seed=seed, dtype=torch.float32)
    found = discover((x, minkowski(x)), dimension=6, epochs=60, seed=seed)
    assert found.angle_to(Lorentz().generators()) < 5.0
    # A Lie algebra is nearer to the truth than what was measured, and it leaves held-out labels as
    # they are.
    group = found.group()
    exact = Lorentz().generators()
    assert found.angle_to(group.generators()) < 5.0
    assert angle_between(group.generators(), exact) < 0.7 * found.angle_to(exact)
    held_out = normal(500, 4, seed=100 + seed)
    moved = minkowski(held_out @ torch.from_numpy(group.exp(0.3 * np.ones(6))).T)
    spread = minkowski(held_out).std()
    assert float((moved - minkowski(held_out)).square().mean().sqrt() / spread) < 0.02


def test_a_function_without_symmetry_and_one_with_a_broken_one() -> None:
    x = normal(500, 3)
    broken = discover(
        lambda x: x[:, :2].square().sum(1) + x[:, 2] ** 3 + 0.01 * x[:, 0], x, dimension=1
    )
    assert 1e-4 < broken.defects[0] < 0.05 < broken.defects[1]
    with pytest.raises(NumberError, match="no gap"):
        discover(lambda x: torch.sin(x @ torch.diag(torch.arange(1.0, 4).double())).sum(1), x)
    with pytest.raises(NumberError, match="say nothing"):
        discover(lambda x: 0.0 * x.sum(1), x)
    with pytest.raises(ShapeError):
        discover(lambda x: x.sum(1))
    with pytest.raises(ShapeError, match="one sample or more"):
        discover(lambda x: x.sum(1), x[:0])
    with pytest.raises(ShapeError, match="a label for each"):
        discover((x, torch.zeros(2 * len(x))))
    with pytest.raises(NumberError, match="no gap"):
        discover(lambda x: x.square().sum(1), x[:, :1])


def test_an_equivariant_layer_of_the_discovered_group() -> None:
    found = discover(lambda x: minkowski(x), normal(200, 4))
    group = found.group()
    v = Defining(group)
    layer = EquivariantLinear(v * v, Trivial(group), bias=False, backend="torch").double()
    assert layer.dimension == 1  # the metric itself
    form = layer(torch.eye(16, dtype=torch.float64)).detach().reshape(4, 4)
    np.testing.assert_allclose(form / form[0, 0], ETA, rtol=0, atol=1e-7)


@pytest.mark.parametrize(
    "group", [SO3(), SpecialOrthogonal(5), Lorentz(), SpecialLinear(3)], ids=str
)
def test_the_nearest_lie_algebra_is_nearer_to_the_truth(group: Group) -> None:
    exact = group.generators()
    found = noisy(exact, 0.01)
    nearest = found.group().generators()
    assert found.angle_to(nearest) < 1.1 * found.angle_to(exact)
    assert angle_between(nearest, exact) < 0.6 * found.angle_to(exact)
    # What holds its brackets stays where it is.
    clean = noisy(exact, 0.0)
    assert clean.angle_to(clean.group().generators()) < 1e-6


def test_no_lie_algebra_nearby() -> None:
    # Of 4 x 4 matrices: sl(4) has dimension 15, and of the rest the largest, parabolic, 13.
    group = Discovery(np.eye(16)[2:].reshape(14, 4, 4), np.zeros(16), 1.0).group
    with pytest.raises(RepresentationError, match="no Lie algebra"):
        group()


def invariant_of_two(x: Tensor) -> Tensor:
    """A function of the three products of two vectors of space and time."""
    eta = ETA.to(x.dtype)
    p, q = x[:, :4], x[:, 4:]
    cross = torch.einsum("zi,ij,zj->z", p, eta, q)
    return torch.sin(cross) + 0.2 * torch.einsum("zi,ij,zj->z", p, eta, p)


def test_a_network_of_the_discovered_group_needs_less_data() -> None:
    x = normal(2000, 4, dtype=torch.float32)
    group = discover((x, minkowski(x)), dimension=6, epochs=40).group()
    v = Defining(group)

    class Invariants(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            pairs = (v + v) * (v + v)
            self.products = EquivariantLinear(pairs, 4 * Trivial(group), backend="torch")

        def forward(self, x: Tensor) -> Tensor:
            return self.products((x[:, :, None] * x[:, None]).flatten(1))

    def error(first: torch.nn.Module, width: int, seed: int) -> float:
        rest = [torch.nn.Linear(width, 64), torch.nn.SiLU(), torch.nn.Linear(64, 64)]
        rest += [torch.nn.SiLU(), torch.nn.Linear(64, 1)]
        model = torch.nn.Sequential(first, *rest)
        optimiser = torch.optim.Adam(model.parameters(), 1e-2)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 300)
        x = 0.7 * normal(200, 8, seed=seed, dtype=torch.float32)
        for _ in range(300):
            optimiser.zero_grad()
            loss = (model(x)[:, 0] - invariant_of_two(x)).square().mean()
            loss.backward()
            optimiser.step()
            schedule.step()
        held_out = 0.7 * normal(1000, 8, seed=100 + seed, dtype=torch.float32)
        with torch.no_grad():
            return float((model(held_out)[:, 0] - invariant_of_two(held_out)).square().mean())

    torch.manual_seed(0)
    assert error(Invariants(), 4, 1) < 0.5 * error(torch.nn.Identity(), 8, 1)


def test_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    x = normal(64, 2, dtype=torch.float32)
    discover((x, x.square().sum(1)), dimension=1, epochs=2)
    assert torch.equal(before, torch.get_rng_state())
