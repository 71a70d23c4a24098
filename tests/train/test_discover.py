"""Known algebras are found in functions and in labelled data, by the angle between subspaces."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from schur import discover
from schur.errors import NumberError, ShapeError
from schur.groups import SO2, SO3, Lorentz, SpecialLinear, SpecialOrthogonal, matrix_exponential
from schur.nn import EquivariantLinear
from schur.reps import Defining, Trivial
from tests.nn.laws import normal

ETA = torch.diag(torch.tensor([1.0, -1.0, -1.0, -1.0], dtype=torch.float64))


def minkowski(x: Tensor) -> Tensor:
    return torch.einsum("zi,ij,zj->z", x, ETA.to(x.dtype), x)


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
    # What was learned leaves held-out labels as they are.
    held_out = normal(500, 4, seed=100 + seed)
    step = matrix_exponential(0.3 * found.generators[0] / np.abs(found.generators[0]).max())
    moved = minkowski(held_out @ torch.from_numpy(step).T)
    spread = minkowski(held_out).std()
    assert float((moved - minkowski(held_out)).square().mean().sqrt() / spread) < 0.05


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


def test_an_equivariant_layer_of_the_discovered_group() -> None:
    found = discover(lambda x: minkowski(x), normal(200, 4))
    group = found.group()
    v = Defining(group)
    layer = EquivariantLinear(v * v, Trivial(group), bias=False, backend="torch").double()
    assert layer.dimension == 1  # the metric itself
    form = layer(torch.eye(16, dtype=torch.float64)).detach().reshape(4, 4)
    np.testing.assert_allclose(form / form[0, 0], ETA, rtol=0, atol=1e-7)


def test_random_state_is_left_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    x = normal(64, 2, dtype=torch.float32)
    discover((x, x.square().sum(1)), dimension=1, epochs=2)
    assert torch.equal(before, torch.get_rng_state())
