"""The symmetric contraction: equivariance, definition, species, derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from schur.errors import DtypeError, IndexRangeError, RepresentationError, ShapeError
from schur.nn import SymmetricContraction
from schur.products import symmetric_basis
from schur.reps import Irrep, Irreps
from schur.tensors import GeometricTensor
from schur.testing import assert_agrees_with_oracle, assert_derivatives, assert_equivariant

from .laws import EPS, assert_close, in_double, normal

A, B = Irreps("3x0e+3x1o+3x2e"), Irreps("3x0e+3x1o")
SPECIES = torch.tensor([0, 2, 2, 1, 0])


@pytest.mark.parametrize("species", [None, 3])
def test_equivariance(species: int | None) -> None:
    layer = in_double(SymmetricContraction(A, B, 3, species))
    chosen = [] if species is None else [SPECIES]
    reps = [A, *[None for _ in chosen]]
    assert_equivariant(layer, reps, B, [normal(5, A.dim), *chosen])


def test_against_dense_tensors() -> None:
    """Σ w U x x x, dense and symmetric, as MACE writes it."""
    layer = in_double(SymmetricContraction(A, B, 3, 3))
    x = normal(5, A.dim)
    expected = torch.zeros(5, 4, 3, dtype=torch.float64)
    weight, rows = layer.weight[SPECIES], x.reshape(5, 9, 3)
    taken = 0
    for irrep, place in (("0e", slice(0, 1)), ("1o", slice(1, 4))):
        for degree in (1, 2, 3):
            U = torch.from_numpy(symmetric_basis(Irreps("0e+1o+2e"), Irrep(irrep), degree).dense())
            count = U.shape[-1]
            w = weight[:, taken : taken + 3 * count].reshape(5, count, 3)
            taken += 3 * count
            letters = "ijk"[:degree]
            read = ",".join(f"n{letter}u" for letter in letters)
            term = torch.einsum(f"m{letters}p,npu,{read}->nmu", U, w, *[rows] * degree)
            expected[:, place] += term
    assert taken == layer.weight_numel
    assert_close(layer(x, SPECIES), expected.reshape(5, -1), 64 * EPS)


def test_each_degree_is_homogeneous() -> None:
    layer = in_double(SymmetricContraction(A, B, 3))
    x = normal(4, A.dim)
    values = torch.stack([layer(t * x) for t in (1.0, 2.0, 3.0, 4.0)])
    t = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    powers = torch.stack([t, t**2, t**3, t**4], 1)
    by_degree = torch.linalg.solve(powers, values.detach().flatten(1))
    # A polynomial of degree 3 without a constant has no fourth power.
    assert float(by_degree[3].abs().max()) < 1e4 * EPS * float(by_degree[:3].abs().max())


@pytest.mark.parametrize("backend", ["torch", "auto"])
def test_derivatives(backend: Any) -> None:
    a, b = Irreps("1x0e+1x1o"), Irreps("1x0e+1x1o")
    layer = SymmetricContraction(a, b, 3, 2, backend=backend)
    weight = normal(2, layer.weight_numel)
    species = torch.tensor([1, 0, 1])

    def function(x: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, {"weight": w}, (x, species))

    assert_derivatives(function, [normal(3, a.dim), weight], fast=True)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_backends(dtype: torch.dtype) -> None:
    program = SymmetricContraction("2x0e+2x1o", "2x0e+2x1o", 3, 2).routine.program
    for order in (0, 1):
        assert_agrees_with_oracle(program, "auto", dtype, order=order)


def test_variance_of_a_polynomial_is_one_to_leading_order() -> None:
    """Between distinct irreps, which have no contractions among each other, it is exact."""
    basis = symmetric_basis(Irreps("0e+1o+2e"), Irrep("1o"), 3)
    (mixed,) = [p for p in basis.polynomials if p.label == "0e 1o 2e -> 1o"]
    x = np.random.default_rng(0).standard_normal((200_000, 9))
    terms = mixed.coefficients * x[:, mixed.monomials].prod(-1)
    value = terms[:, mixed.components == 0].sum(1)
    assert value.var() == pytest.approx(1, abs=0.05)


def test_leading_axes_and_empty_batches() -> None:
    layer = in_double(SymmetricContraction(A, B, 2, 3))
    x = normal(5, 2, A.dim)
    found = layer(x, SPECIES[:, None].expand(5, 2))
    assert_close(found[:, 1], layer(x[:, 1], SPECIES), 8 * EPS)
    assert layer(normal(0, A.dim), SPECIES[:0]).shape == (0, B.dim)
    geometric = layer(GeometricTensor(x[:, 0], A), SPECIES)
    assert isinstance(geometric, GeometricTensor) and geometric.rep == B


def test_errors() -> None:
    layer = in_double(SymmetricContraction(A, B, 2, 3))
    x = normal(5, A.dim)
    with pytest.raises(ShapeError, match="species are for"):
        layer(x)
    with pytest.raises(ShapeError, match="species has"):
        layer(x, SPECIES[1:])
    for wrong in (SPECIES - 1, SPECIES + 1):
        with pytest.raises(IndexRangeError, match="outside"):
            layer(x, wrong)
    with pytest.raises(ShapeError, match="last axis"):
        layer(x[:, 1:], SPECIES)
    with pytest.raises(DtypeError, match="number type"):
        layer(x.float(), SPECIES)
    with pytest.raises(RepresentationError, match="count from one"):
        SymmetricContraction(A, B, 0)
    with pytest.raises(RepresentationError, match="channel by channel"):
        SymmetricContraction("2x0e+3x1o", B, 2)
