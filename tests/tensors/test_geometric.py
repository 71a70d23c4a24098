"""Geometric tensors: arithmetic that keeps the representation, and refuses what does not."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils import _pytree

from schur.errors import DtypeError, RepresentationError, ShapeError
from schur.reps import Irreps
from schur.tensors import GeometricTensor, checked, concatenate, direct_sum, wrapped
from schur.testing import random_orthogonal

REP = Irreps("2x0e + 3x1o + 0o")
EPS = torch.finfo(torch.float64).eps


@pytest.fixture
def x() -> GeometricTensor:
    generator = torch.Generator().manual_seed(0)
    return GeometricTensor(
        torch.randn(5, 4, REP.dim, dtype=torch.float64, generator=generator), REP
    )


def test_arithmetic_commutes_with_rotations(x: GeometricTensor) -> None:
    R = random_orthogonal(torch.Generator().manual_seed(1), proper=False)
    y = GeometricTensor(x.data.flip(0), REP)
    weights = torch.randn(5, 4, dtype=torch.float64)

    def combined(x: GeometricTensor, y: GeometricTensor) -> GeometricTensor:
        return 2 * (x - y / 3) * weights + (-x) * weights[..., None]

    error = combined(x, y).rotate(R).data - combined(x.rotate(R), y.rotate(R)).data
    assert float(error.abs().max()) < 64 * EPS * float(x.data.abs().max())


def test_norms_are_invariant(x: GeometricTensor) -> None:
    R = random_orthogonal(torch.Generator().manual_seed(2), proper=False)
    assert x.norm().shape == (5, 4, REP.num_irreps)
    assert torch.allclose(x.norm(), x.rotate(R).norm(), rtol=32 * EPS, atol=0)
    assert not torch.allclose(x.norm(), (1.001 * x).norm(), rtol=32 * EPS, atol=0)


def test_split_and_direct_sum_are_inverse(x: GeometricTensor) -> None:
    parts = x.split()
    assert [str(part.rep) for part in parts] == ["2x0e", "3x1o", "1x0o"]
    whole = direct_sum(parts)
    assert whole.rep == REP and torch.equal(whole.data, x.data)
    assert torch.equal(x["1o"].data, parts[1].data)
    assert torch.equal(x.block(1), x.data[..., 2:11].reshape(5, 4, 3, 3))


@pytest.mark.parametrize(
    "index", [0, slice(1, 3), (slice(None), 2), (..., 1), None, [0, 2], torch.tensor([4, 0])]
)
def test_indexing_touches_the_batch_only(x: GeometricTensor, index: Any) -> None:
    found = x[index]
    numbers = torch.arange(20).reshape(5, 4)
    expected = x.data.reshape(20, -1)[numbers[index].reshape(-1)]
    assert torch.equal(found.data.reshape(-1, REP.dim), expected)
    assert found.shape == (*numbers[index].shape, REP.dim)


def test_masks(x: GeometricTensor) -> None:
    mask = torch.tensor([True, False, True, False, False])
    assert x[mask].shape == (2, 4, REP.dim)
    assert x[torch.ones(5, 4, dtype=torch.bool)].shape == (20, REP.dim)
    with pytest.raises(ShapeError, match="reaches into"):
        x[torch.ones(5, 4, REP.dim, dtype=torch.bool)]


def test_concatenate(x: GeometricTensor) -> None:
    assert concatenate([x, x]).shape == (10, 4, REP.dim)
    assert concatenate([x, x], dim=1).shape == (5, 8, REP.dim)
    for wrong in (2, -1):
        with pytest.raises(ShapeError, match="axes of the batch"):
            concatenate([x, x], dim=wrong)
    with pytest.raises(ShapeError, match="nothing"):
        concatenate([])
    with pytest.raises(ShapeError, match="nothing"):
        direct_sum([])


def test_layouts() -> None:
    e3nn = torch.arange(6.0)
    x = GeometricTensor.from_e3nn(e3nn, "2x1o")
    assert x.data.tolist() == [0, 3, 1, 4, 2, 5]
    assert torch.equal(x.to_e3nn(), e3nn)


def test_pytree(x: GeometricTensor) -> None:
    leaves, spec = _pytree.tree_flatten({"x": x})
    assert len(leaves) == 1
    again = _pytree.tree_unflatten(leaves, spec)["x"]
    assert again.rep == REP and torch.equal(again.data, x.data)
    mapped = _pytree.tree_map(lambda leaf: 2 * leaf, x)
    assert torch.equal(mapped.data, 2 * x.data)


def test_moves_and_cuts(x: GeometricTensor) -> None:
    assert x.to(torch.float32).dtype == torch.float32
    data = x.data.clone().requires_grad_()
    assert not GeometricTensor(data, REP).detach().data.requires_grad
    assert len(x) == 5 and x.device == torch.device("cpu")
    assert "2x0e+3x1o+1x0o" in repr(x)


def test_errors(x: GeometricTensor) -> None:
    with pytest.raises(ShapeError, match="last axis"):
        GeometricTensor(torch.zeros(3, 4), REP)
    with pytest.raises(ShapeError, match="last axis"):
        GeometricTensor(torch.tensor(1.0), "0e")
    with pytest.raises(DtypeError, match="floating"):
        GeometricTensor(torch.zeros(3, 12, dtype=torch.int64), REP)
    with pytest.raises(RepresentationError, match="another way"):
        x + GeometricTensor(torch.zeros(12, dtype=torch.float64), "12x0e")
    with pytest.raises(RepresentationError, match="another way"):
        x - x.data
    with pytest.raises(RepresentationError, match="say which"):
        x * x
    with pytest.raises(ShapeError, match="invariant"):
        x * torch.ones(5)
    with pytest.raises(ShapeError, match="reaches into"):
        x[0, 0, 0]
    with pytest.raises(RepresentationError, match="no such irrep"):
        x["2e"]
    with pytest.raises(ShapeError, match="no length"):
        len(x[0, 0])
    with pytest.raises(RepresentationError, match="another representation"):
        checked(x, Irreps("12x0e"), "x")
    with pytest.raises(DtypeError, match="no tensor"):
        checked([1.0], Irreps("0e"), "x")


def test_wrapped_follows_the_arguments(x: GeometricTensor) -> None:
    assert isinstance(wrapped(x.data, REP, x), GeometricTensor)
    assert isinstance(wrapped(x.data, REP, x.data, None), torch.Tensor)
