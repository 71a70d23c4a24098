"""Tensor products with any connections, against e3nn and against the laws."""

from __future__ import annotations

import pickle
from typing import Any

import e3nn.o3
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from schur.errors import DtypeError, RepresentationError, ShapeError
from schur.nn import (
    ElementwiseTensorProduct,
    FullTensorProduct,
    FullyConnectedTensorProduct,
    TensorProduct,
)
from schur.reps import Irreps
from schur.tensors import GeometricTensor
from schur.testing import assert_derivatives, assert_equivariant

from .laws import EPS, assert_close, assert_same_function, in_double, normal, reference

o3: Any = e3nn.o3  # whose annotations do not allow strings, as its functions do

A, B = Irreps("4x0e+3x1o+2x2e+1x1e"), Irreps("2x0e+3x1o+1x2e")
OUT = Irreps("6x0e+3x1o+3x1o+5x2e+3x1e+4x2e+3x1e+7x2e+12x1o+1x0e")
PATHS: dict[str, list[tuple[Any, ...]]] = {
    "uvw": [(0, 0, 0, "uvw", True), (1, 1, 0, "uvw", True), (2, 2, 3, "uvw", True)],
    "uvu": [(1, 2, 1, "uvu", True), (1, 0, 1, "uvu", True), (1, 2, 2, "uvu", False)],
    "uvv": [(2, 1, 2, "uvv", True, 2.0), (0, 1, 1, "uvv", False)],
    "uuw": [(1, 1, 3, "uuw", True), (1, 1, 9, "uuw", False)],
    "uuu": [(1, 1, 4, "uuu", False), (1, 1, 6, "uuu", True)],
    "uvuv": [(0, 2, 5, "uvuv", True), (0, 1, 8, "uvuv", False), (3, 2, 6, "uvw", True)],
    "uvu<v": [(1, 1, 6, "uvu<v", True), (1, 1, 4, "uvu<v", False)],
    "u<vw": [(1, 1, 7, "u<vw", True), (1, 1, 0, "u<vw", True)],
}
PATHS["all"] = [line for lines in PATHS.values() for line in lines] + [(0, 1, 8, "uvw", True)]


@pytest.mark.parametrize("mode", PATHS)
def test_every_mode_is_that_of_e3nn(mode: str) -> None:
    layer = TensorProduct(A, B, OUT, PATHS[mode], internal_weights=False, backend="torch")
    theirs = reference(
        o3.TensorProduct, str(A), str(B), str(OUT), PATHS[mode], internal_weights=False
    )
    weights = [normal(layer.weight_numel, seed=3)] if layer.weight_numel else []
    arguments = [normal(5, A.dim, seed=1), normal(5, B.dim, seed=2), *weights]
    reps = [A, B, *[None for _ in weights]]
    assert_same_function(layer, theirs, arguments, reps, OUT)


@pytest.mark.parametrize("irrep", ["component", "norm"])
@pytest.mark.parametrize("path", ["element", "path"])
def test_normalisations_and_weights_by_row(irrep: str, path: str) -> None:
    options: dict[str, Any] = {
        "irrep_normalization": irrep,
        "path_normalization": path,
        "shared_weights": False,
    }
    layer = TensorProduct(A, B, OUT, PATHS["all"], **options, backend="torch")
    theirs = reference(o3.TensorProduct, str(A), str(B), str(OUT), PATHS["all"], **options)
    weight = normal(5, layer.weight_numel, seed=3)
    arguments = [normal(5, A.dim, seed=1), normal(5, B.dim, seed=2), weight]
    assert_same_function(layer, theirs, arguments, [A, B, None], OUT)


def test_a_wrong_coefficient_is_noticed() -> None:
    """The companion: the comparison with e3nn can fail."""
    layer = in_double(TensorProduct(A, B, OUT, PATHS["uvw"]))
    theirs = reference(o3.TensorProduct, str(A), str(B), str(OUT), [(0, 0, 0, "uvw", True)])
    with pytest.raises(AssertionError, match="relative error"):
        assert_same_function(layer, theirs, [normal(5, A.dim), normal(5, B.dim)], [A, B], OUT)


@pytest.mark.parametrize("mode", PATHS)
def test_equivariance(mode: str) -> None:
    layer = in_double(TensorProduct(A, B, OUT, PATHS[mode], backend="torch"))
    assert_equivariant(layer, [A, B], OUT, [normal(4, A.dim), normal(4, B.dim, seed=1)])


@pytest.mark.parametrize("shared", [True, False])
def test_derivatives(shared: bool) -> None:
    a, b, out = Irreps("2x0e+2x1o"), Irreps("0e+2x1o"), Irreps("2x0e+2x1o+1x1e")
    paths = [(0, 1, 1, "uvu", True), (1, 1, 0, "uvw", True), (1, 1, 2, "uvu<v", True)]
    layer = TensorProduct(
        a, b, out, paths, shared_weights=shared, internal_weights=False, backend="torch"
    )
    weight = normal(layer.weight_numel) if shared else normal(2, layer.weight_numel)
    assert_derivatives(layer, [normal(2, a.dim), normal(2, b.dim), weight], fast=True)
    one = [normal(1, a.dim), normal(1, b.dim), weight if shared else weight[:1]]
    assert_derivatives(layer, one, order=2)


@pytest.mark.parametrize("chosen", [(0,), (1,), (2,), (0, 2), (1, 2)])
def test_subsets_of_gradients(chosen: tuple[int, ...]) -> None:
    layer = TensorProduct(A, B, OUT, PATHS["all"], shared_weights=False)
    numbers = [normal(3, n, seed=n) for n in (A.dim, B.dim, layer.weight_numel)]
    full = [tensor.clone().requires_grad_() for tensor in numbers]
    some = [tensor.clone().requires_grad_(k in chosen) for k, tensor in enumerate(numbers)]
    layer(*full).square().sum().backward()
    layer(*some).square().sum().backward()
    for k in range(3):
        if k in chosen:
            expected = full[k].grad
            assert expected is not None
            assert_close(some[k].grad, expected, 64 * EPS)  # type: ignore[arg-type]
        else:
            assert some[k].grad is None


def test_leading_axes_broadcast() -> None:
    layer = in_double(TensorProduct(A, B, OUT, PATHS["all"]))
    x, y = normal(3, 1, A.dim), normal(4, B.dim, seed=1)
    found = layer(x, y)
    assert found.shape == (3, 4, OUT.dim)
    for k in range(3):
        for j in range(4):
            assert_close(found[k, j], layer(x[k, 0], y[j]), 64 * EPS)
    with pytest.raises(ShapeError, match="broadcast"):
        layer(normal(3, A.dim), y)


def test_strides_do_not_matter() -> None:
    layer = in_double(TensorProduct(A, B, OUT, PATHS["all"]))
    x, y = normal(6, A.dim), normal(6, B.dim, seed=1)
    expected = layer(x, y)
    transposed = x.T.contiguous().T
    spread = torch.stack([x, x], -1)[..., 0]
    for other in (transposed, spread):
        assert not other.is_contiguous()
        assert_close(layer(other, y), expected, 8 * EPS)
    assert_close(layer(x[:1].expand(6, -1), y), layer(x[:1].repeat(6, 1), y), 8 * EPS)


def test_empty_batches_and_representations() -> None:
    layer = in_double(TensorProduct(A, B, OUT, PATHS["all"]))
    assert layer(normal(0, A.dim), normal(0, B.dim)).shape == (0, OUT.dim)
    nothing = TensorProduct(A, B, "2x0e", [])
    assert nothing(normal(3, A.dim), normal(3, B.dim)).eq(0).all()
    hollow = TensorProduct("0x0e", "2x1o", "3x1o", [(0, 0, 0, "uvw", True)])
    assert hollow.weight_numel == 0
    assert hollow(normal(3, 0), normal(3, 6)).shape == (3, 9)


def test_geometric_arguments_give_a_geometric_result() -> None:
    layer = in_double(TensorProduct(A, B, OUT, PATHS["uvw"]))
    x, y = normal(3, A.dim), normal(3, B.dim, seed=1)
    found = layer(GeometricTensor(x, A), y)
    assert isinstance(found, GeometricTensor) and found.rep == OUT
    assert torch.equal(found.data, layer(x, y))


def test_pickling() -> None:
    layer = in_double(TensorProduct(A, B, OUT, PATHS["all"]))
    again = pickle.loads(pickle.dumps(layer))
    x, y = normal(3, A.dim), normal(3, B.dim, seed=1)
    assert torch.equal(again(x, y), layer(x, y))


terms = st.lists(
    st.tuples(st.integers(1, 3), st.tuples(st.integers(0, 2), st.sampled_from([1, -1]))),
    min_size=1,
    max_size=3,
)
Terms = list[tuple[int, tuple[int, int]]]


@settings(max_examples=6)
@given(terms, terms, terms, st.booleans())
def test_fully_connected(a: Terms, b: Terms, c: Terms, shared: bool) -> None:
    first, second, out = Irreps(a), Irreps(b), Irreps(c)
    options: dict[str, Any] = {"shared_weights": shared, "internal_weights": False}
    layer = FullyConnectedTensorProduct(first, second, out, **options, backend="torch")
    theirs = reference(o3.FullyConnectedTensorProduct, str(first), str(second), str(out), **options)
    numel = layer.weight_numel
    weights = [normal(numel) if shared else normal(3, numel)] if numel else []
    arguments = [normal(3, first.dim, seed=1), normal(3, second.dim, seed=2), *weights]
    assert_same_function(layer, theirs, arguments, [first, second, *[None for _ in weights]], out)


def test_fully_connected_both_ways() -> None:
    """The matrix products give what the program with every term gives."""
    layer = in_double(FullyConnectedTensorProduct(A, B, "4x0e+5x1o+2x2e", backend="torch"))
    plain = in_double(
        TensorProduct(A, B, "4x0e+5x1o+2x2e", [line[:5] for line in layer.instructions])
    )
    x, y = normal(6, A.dim), normal(6, B.dim, seed=1)
    assert_close(layer(x, y), plain(x, y), 64 * EPS)
    assert_derivatives(layer, [x[:2], y[:2]], fast=True)
    assert_equivariant(layer, [A, B], layer.rep_out, [x, y])


@settings(max_examples=4)
@given(terms, terms)
def test_full(a: Terms, b: Terms) -> None:
    first, second = Irreps(a).simplify(), Irreps(b).simplify()
    layer = FullTensorProduct(first, second, backend="torch")
    theirs = reference(o3.FullTensorProduct, str(first), str(second))
    arguments = [normal(3, first.dim, seed=1), normal(3, second.dim, seed=2)]
    assert_same_function(layer, theirs, arguments, [first, second], layer.rep_out)


@pytest.mark.parametrize(
    ("first", "second"), [("5x1o+5x1e", "10x1e"), ("4x0e", "4x2o"), ("2x1o+3x0e", "1x0e+4x1e")]
)
def test_elementwise(first: str, second: str) -> None:
    layer = ElementwiseTensorProduct(first, second, backend="torch")
    theirs = reference(o3.ElementwiseTensorProduct, first, second)
    assert str(layer.rep_out) == str(theirs.irreps_out)
    arguments = [normal(3, layer.rep_in1.dim, seed=1), normal(3, layer.rep_in2.dim, seed=2)]
    reps = [layer.rep_in1, layer.rep_in2]
    assert_same_function(layer, theirs, arguments, reps, layer.rep_out)


def test_errors() -> None:
    layer = TensorProduct(A, B, OUT, PATHS["uvw"], internal_weights=False).double()
    x, y, w = normal(3, A.dim), normal(3, B.dim), normal(layer.weight_numel)
    with pytest.raises(ShapeError, match="last axis of x"):
        layer(x[:, 1:], y, w)
    with pytest.raises(RepresentationError, match="y has another"):
        layer(x, GeometricTensor(y, f"{B.dim}x0e"), w)
    with pytest.raises(ShapeError, match="weights are missing"):
        layer(x, y)
    with pytest.raises(ShapeError, match="wrong shape"):
        layer(x, y, w[1:])
    with pytest.raises(ShapeError, match="wrong shape"):
        layer(x, y, w.expand(3, -1))
    with pytest.raises(DtypeError, match="number type"):
        layer(x.float(), y, w)
    with pytest.raises(DtypeError, match="floating"):
        layer(x.long(), y, w)
    with pytest.raises(ShapeError, match="the same for all rows"):
        TensorProduct(A, B, OUT, PATHS["uvw"], internal_weights=True, shared_weights=False)
