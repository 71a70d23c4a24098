"""Linear maps: e3nn's numbers, Schur's lemma, species, derivatives to third order."""

from __future__ import annotations

from typing import Any

import e3nn.o3
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from schur.errors import DtypeError, IndexRangeError, RepresentationError, ShapeError
from schur.nn import Linear
from schur.reps import Irreps
from schur.tensors import GeometricTensor
from schur.testing import assert_derivatives, assert_equivariant

from .laws import EPS, assert_close, assert_same_function, in_double, normal, reference

o3: Any = e3nn.o3

A, B = Irreps("4x0e+3x1o+2x1o+2x2e+1x0o"), Irreps("5x0e+2x1o+3x2e+2x3o+2x0e")
SPECIES = torch.tensor([0, 2, 0, 2, 2, 1, 0])

Terms = list[tuple[int, tuple[int, int]]]
terms = st.lists(
    st.tuples(st.integers(1, 4), st.tuples(st.integers(0, 2), st.sampled_from([1, -1]))),
    min_size=1,
    max_size=5,
)


@settings(max_examples=8)
@given(terms, terms, st.sampled_from(["element", "path"]))
def test_as_e3nn(a: Terms, b: Terms, path: str) -> None:
    first, second = Irreps(a), Irreps(b)
    options: dict[str, Any] = {"path_normalization": path, "internal_weights": False}
    layer = Linear(first, second, **options)
    theirs = reference(o3.Linear, str(first), str(second), **options)
    numel = layer.weight_numel
    assert numel == theirs.weight_numel
    weights = [normal(numel)] if numel else []
    arguments = [normal(3, first.dim, seed=1), *weights]
    assert_same_function(layer, theirs, arguments, [first, *[None for _ in weights]], second)


def test_biases_instructions_and_rows_as_e3nn() -> None:
    options: dict[str, Any] = {
        "instructions": [(0, 0), (0, 4), (2, 1), (1, 1)],
        "biases": [True, False, False, False, False],
        "internal_weights": False,
    }
    layer, theirs = Linear(A, B, **options), reference(o3.Linear, str(A), str(B), **options)
    arguments = [normal(3, A.dim), normal(layer.weight_numel, seed=1), normal(5, seed=2)]
    assert_same_function(layer, theirs, arguments, [A, None, None], B)
    options |= {"shared_weights": False, "biases": False}  # e3nn has no biases by row
    layer, theirs = Linear(A, B, **options), reference(o3.Linear, str(A), str(B), **options)
    arguments[1:] = [normal(3, layer.weight_numel, seed=1)]
    assert_same_function(layer, theirs, arguments, [A, None], B)
    shifted = Linear(A, B, biases=True, shared_weights=False)
    bias = normal(3, shifted.bias_numel)
    x, weight = arguments[0], normal(3, shifted.weight_numel, seed=1)
    difference = shifted(x, weight, bias) - shifted(x, weight, 0 * bias)
    assert_close(difference[:, :5], bias[:, :5], 64 * EPS)


def test_weights_carry_over() -> None:
    layer, theirs = (
        in_double(Linear(A, B, biases=True)),
        reference(o3.Linear, str(A), str(B), biases=True),
    )
    theirs.load_state_dict(layer.state_dict(), strict=False)
    x = normal(3, A.dim)
    assert_close(B.to_e3nn(layer(x)), theirs(A.to_e3nn(x)), 32 * EPS)


@pytest.mark.parametrize("species", [None, 3])
def test_equivariance(species: int | None) -> None:
    layer = in_double(Linear(A, B, biases=True, species=species))
    chosen = {} if species is None else {"species": SPECIES}
    assert_equivariant(lambda x: layer(x, **chosen), [A], B, [normal(7, A.dim)])


@pytest.mark.parametrize("order", ["scattered", "sorted"])
def test_each_species_has_its_own_map(order: str) -> None:
    species = SPECIES if order == "scattered" else SPECIES.sort().values
    layer, plain = in_double(Linear(A, B, species=4)), Linear(A, B, internal_weights=False)
    x = normal(7, A.dim)
    found = layer(x, species=species)
    for k in range(7):
        assert_close(found[k], plain(x[k], layer.weight[species[k]]), 32 * EPS)
    wide = layer(x.reshape(7, 1, -1).expand(-1, 2, -1), species=species[:, None].expand(-1, 2))
    assert_close(wide[:, 1], found, 32 * EPS)


@pytest.mark.parametrize("order", ["none", "scattered", "sorted"])
def test_derivatives(order: str) -> None:
    a, b = Irreps("2x0e+2x1o+1x1o"), Irreps("1x1o+2x0e")
    count = None if order == "none" else 3
    layer = Linear(a, b, biases=True, internal_weights=False, species=count)
    species = torch.tensor([2, 0, 2]) if order == "scattered" else torch.tensor([0, 2, 2])
    chosen = {} if count is None else {"species": species}
    weight = normal(*([] if count is None else [count]), layer.weight_numel)

    def function(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return layer(x, w, b, **chosen).square()  # so that higher orders are not zero

    assert_derivatives(function, [normal(3, a.dim), weight, normal(2, seed=1)], order=2)
    assert_derivatives(function, [normal(3, a.dim), weight, normal(2, seed=1)], fast=True)


@pytest.mark.parametrize("species", [None, 3])
def test_function_transforms_see_the_same_map(species: int | None) -> None:
    layer = in_double(Linear(A, B, biases=True, species=species))
    chosen = {} if species is None else {"species": SPECIES}
    x = normal(7, A.dim)

    def total(x: torch.Tensor) -> torch.Tensor:
        return layer(x, **chosen).pow(3).sum()

    leaf = x.clone().requires_grad_()
    (eager,) = torch.autograd.grad(total(leaf), leaf)
    assert_close(torch.func.grad(total)(x), eager, 64 * EPS)
    batch = torch.stack([x, 2 * x])
    mapped = torch.func.vmap(lambda x: layer(x, **chosen))(batch)
    assert_close(mapped[1], layer(2 * x, **chosen), 64 * EPS)
    tangent = normal(7, A.dim, seed=5)
    moved = torch.func.jvp(total, (x,), (tangent,))[1]
    assert_close(moved, (eager * tangent).sum(), 256 * EPS)


def test_strides_do_not_matter() -> None:
    layer = in_double(Linear(A, B, biases=True))
    x = normal(6, A.dim)
    expected = layer(x)
    assert_close(layer(x.T.contiguous().T), expected, 8 * EPS)
    assert_close(layer(torch.stack([x, x], -1)[..., 1]), expected, 8 * EPS)
    assert_close(layer(x[:1].expand(6, -1)), layer(x[:1].repeat(6, 1)), 8 * EPS)


def test_what_nothing_leads_to_is_zero() -> None:
    layer = in_double(Linear("2x0e", "2x0e+2x1o+1x0e", instructions=[(0, 0)]))
    out = layer(normal(4, 2))
    assert out[:, 2:].eq(0).all() and out[:, :2].ne(0).all()
    none = Linear("2x0e", "2x1o")
    assert none(torch.ones(4, 2)).eq(0).all()
    assert layer(normal(0, 2)).shape == (0, 9)
    hollow = in_double(Linear("0x0e+2x1o", "3x0e+0x1o+1x1o", biases=True))
    assert hollow(normal(4, 6))[:, :3].eq(hollow.bias).all()


def test_autocast() -> None:
    layer = Linear(A, B)
    x = normal(3, A.dim, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert_close(layer(x.bfloat16()), layer(x.bfloat16().float()), 1e-6)


def test_geometric_arguments_give_a_geometric_result() -> None:
    found = in_double(Linear(A, B))(GeometricTensor(normal(3, A.dim), A))
    assert isinstance(found, GeometricTensor) and found.rep == B


def test_errors() -> None:
    layer, by_species = Linear(A, B).double(), Linear(A, B, species=3).double()
    x = normal(7, A.dim)
    with pytest.raises(ShapeError, match="last axis of x"):
        layer(x[:, 1:])
    with pytest.raises(DtypeError, match="number type"):
        layer(x.float())
    with pytest.raises(ShapeError, match="weight is missing"):
        Linear(A, B, internal_weights=False)(x)
    with pytest.raises(ShapeError, match="weight has the wrong"):
        layer(x, normal(3))
    for given_species in (SPECIES, None):
        with pytest.raises(ShapeError, match="species are for"):
            (by_species if given_species is None else layer)(x, species=given_species)
    with pytest.raises(ShapeError, match="species has the wrong"):
        by_species(x, species=SPECIES[1:])
    for wrong in (SPECIES - 1, SPECIES + 1):
        with pytest.raises(IndexRangeError, match="species"):
            by_species(x, species=wrong)
    with pytest.raises(RepresentationError, match="different irreps"):
        Linear(A, B, instructions=[(0, 1)])
    with pytest.raises(RepresentationError, match="not there"):
        Linear(A, B, instructions=[(9, 0)])
    with pytest.raises(RepresentationError, match="even scalars"):
        Linear(A, B, biases=[False, True, False, False, False])
    with pytest.raises(RepresentationError, match="path_normalization"):
        Linear(A, B, path_normalization="none")
    with pytest.raises(ShapeError, match="exclude"):
        Linear(A, B, species=2, shared_weights=False)
    with pytest.raises(ShapeError, match="at least one"):
        Linear(A, B, species=0)
