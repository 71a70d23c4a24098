"""One matrix for a layer: the same numbers as the program, and never those of former weights."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch

from schur.engine import c_backend
from schur.errors import DtypeError
from schur.groups import Alt, Group, Orthogonal, SpecialOrthogonal, Sym, graph_automorphisms
from schur.nn import DiagramLinear
from schur.nn.assembled_map import AssembledMap
from schur.products.diagrams import equivariant_maps
from schur.testing import assert_derivatives

from .laws import EPS, assert_close, in_double, normal

P3 = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
GROUPS: list[Group] = [
    Sym(3),
    Alt(3),
    SpecialOrthogonal(3),
    graph_automorphisms(P3),
    Sym(2) * Orthogonal(2),
]


def layer_of(group: Group, order_in: int = 2, order_out: int = 2) -> DiagramLinear:
    layer = in_double(DiagramLinear(group, order_in, order_out, 2, 3))
    assert layer.matrix is not None
    return layer


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_entries_of_a_class_agree_in_all_maps(group: Group) -> None:
    maps = equivariant_maps(group, 2, 1)
    patterns, classes = maps.classes()
    assert np.array_equal(np.moveaxis(patterns[classes], -1, 0), maps.matrices())
    assert len(np.unique(patterns, axis=0)) == len(patterns) == len(np.unique(classes))


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_it_agrees_with_the_program(group: Group) -> None:
    layer = layer_of(group)
    n = group.n
    x = normal(4, n, n, 2).requires_grad_()
    given = [p.reshape(-1) for p in (layer.weight, layer.bias) if p is not None]
    expected = layer.routine(x.reshape(4, -1), *given)
    cotangent = normal(*expected.shape, seed=1)
    inputs = [x, *layer.parameters()]
    out = layer(x).reshape(expected.shape)
    assert_close(out, expected, 100 * EPS * n**2)
    mine = torch.autograd.grad(out, inputs, cotangent)
    theirs = torch.autograd.grad(expected, inputs, cotangent)
    for one, other in zip(mine, theirs, strict=True):
        assert_close(one, other, 1000 * EPS * n**2)


def test_derivatives() -> None:
    layer = layer_of(Sym(2))
    assert layer.weight is not None and layer.bias is not None
    arguments = [normal(2, 2, 2, 2), normal(*layer.weight.shape), normal(*layer.bias.shape)]

    def function(*values: torch.Tensor) -> torch.Tensor:
        weights: dict[str, torch.Tensor] = dict(zip(("weight", "bias"), values[1:], strict=True))
        return torch.func.functional_call(layer, weights, values[:1])

    assert_derivatives(function, arguments, fast=True)


def test_changed_weights_are_seen_however_they_change() -> None:
    layer = layer_of(graph_automorphisms(P3), 1, 1)
    assert layer.weight is not None and layer.bias is not None
    x = normal(4, 3, 2)

    def expected() -> torch.Tensor:
        return layer(x).detach()  # with gradients by the weights nothing is kept

    def seen() -> torch.Tensor:
        with torch.no_grad():
            return layer(x)

    before = seen()
    assert torch.equal(seen(), before)
    layer.weight.data.mul_(2)  # leaves no trace in the parameter's version
    assert_close(seen(), expected(), 100 * EPS)
    layer.bias.data.add_(1)
    assert_close(seen(), expected(), 100 * EPS)
    layer.weight.data = torch.randn_like(layer.weight)
    assert_close(seen(), expected(), 100 * EPS)
    with torch.no_grad():
        layer.weight[0, 0, 0] = float("nan")
    assert bool(seen().isnan().any())
    layer.weight.data.zero_()
    assert bool(seen().isfinite().all())
    layer.float()
    with torch.no_grad():
        assert layer(x.float()).dtype == torch.float32


def test_what_is_kept_in_inference_serves_gradients_by_the_input() -> None:
    layer = layer_of(graph_automorphisms(P3), 1, 1).requires_grad_(False)
    x = normal(4, 3, 2)
    with torch.inference_mode():
        quick = layer(x)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(layer(x).sum(), x)
    assert_close(layer(x), quick.clone(), 10 * EPS)
    again = copy.deepcopy(layer).requires_grad_(True)
    (other,) = torch.autograd.grad(again(x).sum(), x)
    assert_close(gradient, other, 10 * EPS)


def test_copies_do_not_carry_what_is_kept() -> None:
    layer = layer_of(graph_automorphisms(P3), 1, 1)
    x = normal(4, 3, 2)
    with torch.no_grad():
        expected = layer(x)
        loaded = pickle.loads(pickle.dumps(layer))
        assert loaded.matrix._kept is None
        assert torch.equal(loaded(x), expected)


def test_transforms_and_tracers_see_the_weights() -> None:
    layer = layer_of(Sym(3), 1, 1)
    assert layer.weight is not None
    x, others = normal(4, 3, 2), normal(5, *layer.weight.shape, seed=1)

    def applied(weight: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, (x,))

    with torch.no_grad():
        layer(x)
        mapped = torch.vmap(applied)(others)
        for one, weight in zip(mapped, others, strict=True):
            assert_close(one, applied(weight), 10 * EPS)
    tangent = torch.func.jvp(applied, (layer.weight.detach(),), (others[0],))[1]
    with torch.no_grad():
        assert layer.bias is not None
        layer.bias.zero_()
        assert_close(tangent, applied(others[0]), 100 * EPS)
    program = torch.export.export(layer, (x,))
    assert_close(program.module()(x), layer(x), 10 * EPS)


def test_other_types_and_layouts() -> None:
    layer = layer_of(Sym(3), 2, 1)
    x = normal(3, 4, 3, 2)
    strided = x.transpose(0, 1).contiguous().transpose(0, 1).permute(1, 0, 2, 3)
    turned = strided.transpose(1, 2)
    assert_close(layer(turned), layer(turned.contiguous()), 10 * EPS)
    with pytest.raises(DtypeError, match="differ in number type"):
        layer(turned.float())
    half = copy.deepcopy(layer).bfloat16()
    assert half(turned.bfloat16()).dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert_close(layer(turned), half.double()(turned), 0.1)
        assert layer(turned).dtype == torch.float64


def test_small_layers_with_few_rows_learn_by_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    """With fixed weights or more rows contract, mix and copy serve."""
    layer = layer_of(Sym(3))
    assert layer.factored is not None and c_backend.missing() is None
    calls = []
    forward = AssembledMap.forward
    monkeypatch.setattr(AssembledMap, "forward", lambda *a: calls.append(1) or forward(*a))
    x = normal(256, 3, 3, 2)
    few, many = layer(x[:100]).detach(), layer(x).detach()
    assert len(calls) == 1
    with torch.no_grad():
        assert_close(layer(x[:100]), few, 1000 * EPS)
    assert_close(many[:100], few, 1000 * EPS)
    assert len(calls) == 1


def test_wide_and_large_layers_and_named_backends_have_no_matrix() -> None:
    assert DiagramLinear(Sym(5), 2, 2, 4, 4).matrix is not None
    assert DiagramLinear(Sym(5), 2, 2, 16, 16).matrix is None
    assert DiagramLinear(Sym(16), 2, 2, 4, 4).matrix is None
    assert DiagramLinear(Sym(5), 2, 2, 4, 4, backend="torch").matrix is None
    # A group that is trivial has as many maps as entries: too many to stack.
    tree = np.diag(np.ones(6), 1)
    tree[2, 6], tree[5, 6] = 1, 0
    layer = DiagramLinear(graph_automorphisms(tree + tree.T), 2, 2, 1, 1)
    assert layer.dimension == 7**4 and layer.matrix is None


@pytest.mark.parametrize("group", [Sym(3), Orthogonal(3), graph_automorphisms(P3)], ids=str)
@pytest.mark.parametrize("rows", [0, 1, 500])
def test_compiled_gradients_are_those_that_torch_traces(group: Group, rows: int) -> None:
    """On both sides of the size from which a library multiplies."""
    layer = layer_of(group)
    assert layer.matrix is not None and layer.weight is not None
    x = normal(3, 3, rows, 2).permute(2, 0, 1, 3).requires_grad_()  # not contiguous
    shape = (rows, 3, 3, 3)
    g = normal(*shape, seed=1)
    inputs = [x, *layer.parameters()]
    served = c_backend.takes(x, layer.weight, layer.bias)
    assert served or c_backend.missing() is not None
    matrix, shift = layer.matrix.assembled(layer.weight, layer.bias)
    traced = x.reshape(rows, 18) @ matrix + (0.0 if shift is None else shift)
    expected = torch.autograd.grad(traced, inputs, g.reshape(rows, 27))
    out = layer.matrix(x, layer.weight, layer.bias, shape)
    assert_close(out.reshape(rows, 27), traced, 100 * EPS)
    once = torch.autograd.grad(out, inputs, g, retain_graph=True)
    again = torch.autograd.grad(out, inputs, g, create_graph=True)
    for one, other, third in zip(once, again, expected, strict=True):
        assert one.shape == third.shape
        assert_close(one, third, 100 * EPS * (1 + rows) ** 0.5)
        assert_close(other, third, 100 * EPS * (1 + rows) ** 0.5)


def test_second_gradients_and_many_at_once() -> None:
    layer = layer_of(Sym(2), 2, 1)
    assert layer.weight is not None
    x = normal(2, 3, 2, 2).mT.reshape(3, 2, 2, 2).requires_grad_()
    given = [x, *layer.parameters()]

    def gradients(g: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.autograd.grad(layer(x), given, g, create_graph=True)

    g = normal(3, 2, 3, seed=1).requires_grad_()
    torch.autograd.gradcheck(lambda g, *_: gradients(g), (g, *given))
    (by_x, by_weight, *_) = gradients(g)
    mixed = torch.autograd.grad(by_x.square().sum(), layer.weight, retain_graph=True)[0]
    assert bool(mixed.abs().max() > 1e-3)  # the graph of a gradient by x reaches the weights
    back = torch.autograd.grad(by_weight.square().sum(), x)[0]
    assert bool(back.abs().max() > 1e-3)
    several = normal(5, 3, 2, 3, seed=2)
    batched = torch.autograd.grad(layer(x), given, several, is_grads_batched=True)
    for k, one in enumerate(several):
        for single, many in zip(gradients(one), batched, strict=True):
            assert_close(many[k], single, 100 * EPS)


@pytest.mark.parametrize("rows", [1, 500])
def test_gradients_of_weights_that_lie_transposed_in_memory(rows: int) -> None:
    layer = layer_of(Sym(3))
    assert layer.matrix is not None and layer.weight is not None and layer.bias is not None
    x, g = normal(rows, 3, 3, 2), normal(rows, 27, seed=1)
    turned = layer.weight.detach().mT.contiguous().mT.requires_grad_()
    assert not turned.is_contiguous()
    found = torch.autograd.grad(layer.matrix(x, turned, layer.bias), turned, g)[0]
    expected = torch.autograd.grad(layer.matrix(x, layer.weight, layer.bias), layer.weight, g)[0]
    assert torch.equal(found, expected)
