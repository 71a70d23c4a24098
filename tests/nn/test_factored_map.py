"""Contract, mix and copy by tables: the sum of dense maps, for any number of rows and threads."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.engine import c_backend
from schur.engine.factored_product import FactoredMaps
from schur.groups import (
    O3,
    Alt,
    Group,
    Orthogonal,
    SpecialOrthogonal,
    Sym,
    Symplectic,
    graph_automorphisms,
)
from schur.nn import DiagramLinear
from schur.nn.factored_map import apply_factored, factored_maps
from schur.products.diagrams import equivariant_maps
from schur.testing import assert_derivatives

from .laws import EPS, assert_close, normal

pytestmark = pytest.mark.skipif(c_backend.missing() is not None, reason=str(c_backend.missing()))

P3 = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
CASES: list[tuple[Group, int, int]] = [
    (Sym(4), 2, 2),
    (Sym(3), 3, 1),
    (Sym(2), 1, 3),
    (Alt(3), 1, 2),
    (Orthogonal(2), 3, 3),
    (SpecialOrthogonal(3), 2, 1),
    (Symplectic(2), 2, 2),
    (Alt(3) * O3(), 1, 2),
    (Sym(2) * graph_automorphisms(P3), 1, 1),
]
IDS = [f"{group}:{k}->{l}" for group, k, l in CASES]
# Below, at and above whole vectors of 16, 32 and 64 bytes of either number type, and of pieces.
ROWS = [0, 1, 2, 3, 4, 5, 8, 17, 64, 150]
# Pieces of eight, four and one, and what is left of them.
CHANNELS = [(1, 1), (4, 8), (9, 13)]


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def dense(group: Group, k: int, l: int, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Σ_d D_d x weight_d + Σ_b B_b bias_b by the matrices."""
    maps = torch.from_numpy(equivariant_maps(group, k, l).matrices()).to(x)
    shifts = torch.from_numpy(equivariant_maps(group, 0, l).matrices()[..., 0]).to(x)
    rows = x.reshape(len(x), maps.shape[2], weight.shape[1])
    out = torch.einsum("dij,duw,zju->ziw", maps, weight, rows)
    return (out + torch.einsum("bi,bw->iw", shifts, bias)).flatten(1)


def tables(
    group: Group, k: int, l: int, channels: tuple[int, int], bias: bool = True
) -> FactoredMaps:
    shifts = equivariant_maps(group, 0, l) if bias else None
    found = factored_maps(equivariant_maps(group, k, l), shifts, channels)
    assert found is not None
    return found


def problem(
    group: Group, k: int, l: int, rows: int, channels: tuple[int, int], dtype: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    maps, shifts = equivariant_maps(group, k, l), equivariant_maps(group, 0, l)
    x = normal(rows, group.n**k * channels[0], dtype=dtype)
    weight = normal(maps.dimension, *channels, seed=1, dtype=dtype)
    return x, weight, normal(shifts.dimension, channels[1], seed=2, dtype=dtype)


@pytest.mark.parametrize(("group", "k", "l"), CASES, ids=IDS)
@pytest.mark.parametrize("channels", CHANNELS, ids=str)
def test_values_and_gradients_are_those_of_dense_maps(
    group: Group, k: int, l: int, channels: tuple[int, int]
) -> None:
    maps = tables(group, k, l, channels)
    for rows in ROWS:
        for dtype in (torch.float32, torch.float64):
            given = [t.requires_grad_() for t in problem(group, k, l, rows, channels, dtype)]
            x, weight, bias = given
            out = apply_factored(x, weight, bias, maps)
            expected = dense(group, k, l, x, weight, bias)
            g = normal(*out.shape, seed=3, dtype=dtype)
            mine = torch.autograd.grad(out, given, g)
            theirs = torch.autograd.grad(expected, given, g)
            eps = torch.finfo(dtype).eps
            for one, other in zip((out, *mine), (expected, *theirs), strict=True):
                assert_close(one, other, 100 * eps * (1 + rows) ** 0.5 * group.n**k)


@pytest.mark.parametrize("group", [Sym(2), SpecialOrthogonal(2)], ids=str)
def test_derivatives_to_second_order(group: Group) -> None:
    maps = tables(group, 2, 2, (1, 2))
    given = problem(group, 2, 2, 3, (1, 2), torch.float64)
    assert_derivatives(lambda x, w, b: apply_factored(x, w, b, maps), given, fast=True)
    x, weight, bias = (t.requires_grad_() for t in given)
    out = apply_factored(x, weight, bias, maps)
    (by_x,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
    for asked in (weight, bias):  # one gradient alone, through another
        mine = torch.autograd.grad(by_x.square().sum(), asked, retain_graph=True)[0]
        full = dense(group, 2, 2, x, weight, bias)
        (other,) = torch.autograd.grad(full.square().sum(), x, create_graph=True)
        expected = torch.autograd.grad(other.square().sum(), asked)[0]
        assert_close(mine, expected, 1e4 * EPS)


def test_a_wrong_table_is_caught() -> None:
    maps = tables(Sym(3), 2, 1, (2, 2))
    x, weight, bias = problem(Sym(3), 2, 1, 5, (2, 2), torch.float64)
    expected = dense(Sym(3), 2, 1, x, weight, bias)
    assert_close(maps.apply(x, weight, bias), expected, 1000 * EPS)
    source = maps.couplings.source.copy()
    source[[0, -1]] = source[[-1, 0]]
    wrong = replace(maps, couplings=replace(maps.couplings, source=source))
    with pytest.raises(AssertionError):
        assert_close(wrong.apply(x, weight, bias), expected, 1000 * EPS)


@pytest.mark.usefixtures("threads")
def test_bit_for_bit_for_any_number_of_threads() -> None:
    group, channels = Sym(6), (8, 8)
    maps = tables(group, 2, 2, channels)
    x, weight, bias = problem(group, 2, 2, 5000, channels, torch.float32)
    found = []
    for count in (1, 2, 5):
        torch.set_num_threads(count)
        out = maps.apply(x, weight, bias)
        found.append((out, *maps.outer(x, out)))
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_rows_do_not_touch_each_other() -> None:
    maps = tables(Sym(4), 2, 2, (4, 4), bias=False)
    x, weight, _ = problem(Sym(4), 2, 2, 33, (4, 4), torch.float32)
    clean = maps.apply(x, weight, None)
    x[7] = float("nan")
    x[20, 3] = float("inf")
    out = maps.apply(x, weight, None)
    others = [row for row in range(33) if row not in (7, 20)]
    assert torch.equal(out[others], clean[others])
    assert bool(out[7].isnan().all()) and not bool(out[20].isfinite().all())


def test_layouts_and_copies() -> None:
    layer = DiagramLinear(Sym(7), 2, 2, 4, 4).double()
    assert layer.factored is not None and layer.matrix is None
    assert layer.weight is not None and layer.bias is not None
    x = normal(4, 7, 7, 3).permute(3, 1, 2, 0).requires_grad_()  # not contiguous
    out = layer(x)
    expected = dense(Sym(7), 2, 2, x.flatten(1), layer.weight, layer.bias)
    assert_close(out.flatten(1), expected, 1e4 * EPS)
    g = normal(1, 1, 1, 4, seed=1).expand(out.shape)
    inputs = [x, *layer.parameters()]
    mine = torch.autograd.grad(out, inputs, g)
    theirs = torch.autograd.grad(expected, inputs, g.flatten(1))
    for one, other in zip(mine, theirs, strict=True):
        assert_close(one, other, 1e4 * EPS)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert torch.equal(other(x), out)
    negated = torch.complex(0 * x, x).conj().imag.detach()
    assert negated.is_neg()  # minus x in memory
    assert_close(layer(negated), layer(-x), 1e4 * EPS)


def test_tracers_and_transforms_take_the_program() -> None:
    layer = DiagramLinear(Sym(7), 2, 2, 4, 4).double()
    assert layer.matrix is None
    x = normal(3, 7, 7, 4)
    mapped = torch.vmap(layer)(x[:, None])
    assert_close(mapped[:, 0], layer(x), 1e4 * EPS)
    tangent = torch.func.jvp(layer, (x,), (x,))[1]
    assert_close(tangent, layer(x) - layer(0 * x), 1e4 * EPS)
    program = torch.export.export(layer, (x,))
    assert_close(program.module()(x), layer(x), 1e4 * EPS)


def test_layers_that_no_compiler_would_take() -> None:
    """S(40) of order 2 to 2: a program of seven thousand terms, at once and exact."""
    layer = DiagramLinear(Sym(40), 2, 2, 1, 2).double()
    assert layer.routine.backend == "torch" and layer.factored is not None
    x = normal(3, 40, 40, 1)
    expected = layer.routine(x.flatten(1), *(p.reshape(-1) for p in layer.parameters()))
    assert_close(layer(x).flatten(1), expected, 1e4 * EPS)
