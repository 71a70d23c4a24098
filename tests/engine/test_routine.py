"""What callers do with a routine: gradients of every kind, indices of every kind, odd memory."""

from __future__ import annotations

import copy
import io
import itertools
import pickle

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from schur.engine import Routine, Sorted
from schur.engine.routine import Backend
from schur.errors import BackendError, FormError
from schur.forms import Block, Factor, Form, Operand, Path, evaluate
from schur.testing import LawError, assert_derivatives

from ..support.random_programs import case
from .message import EDGES, KINDS, NODES, SIZES, edges, message_program, operands
from .served import BACKENDS

PROGRAM = message_program()
EPS = torch.finfo(torch.float64).eps
# Each number is a sum of a few dozen products, and second derivatives of a few hundred.
CLOSE = 64 * EPS * 10


def call(backend: Backend, values: list[Tensor], kind: str = "unsorted") -> tuple[Tensor, Tensor]:
    return Routine(PROGRAM, backend)(*values, indices=edges(kind), sizes=SIZES)


def assert_close(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    scale = max(float(expected.abs().max()) if expected.numel() else 0.0, 1.0)
    assert float((found - expected).abs().max() if found.numel() else 0.0) <= CLOSE * scale


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_edges_of_every_kind(backend: Backend, kind: str) -> None:
    """Sorted, unsorted, none; self loops, duplicates, a node without edges; int32 and sorted."""
    count = 0 if kind == "none" else EDGES
    values = [value.requires_grad_() for value in operands(edges=count)]
    exact = evaluate(
        PROGRAM,
        {o.name: v.detach().numpy() for o, v in zip(PROGRAM.inputs, values, strict=True)},
        {name: index.numpy() for name, index in edges(kind).items()},
        SIZES,
    )
    cotangents = [torch.randn(NODES, 16).double(), torch.randn(5).double()]
    reference: list[Tensor] | None = None
    # The interpreter of Triton is slow, and what becomes of an index no matter of the kernels.
    every = ("int64", "int32", "sorted", "one sorted", "strided")
    for form in every if backend != "triton" or kind == "unsorted" else ("int64",):
        outputs = Routine(PROGRAM, backend)(*values, indices=_indices(kind, form), sizes=SIZES)
        for name, output in zip(PROGRAM.outputs, outputs, strict=True):
            assert_close(output.detach(), torch.from_numpy(exact[name]))
        gradients = list(torch.autograd.grad(outputs, values, cotangents))
        reference = reference or gradients
        assert all(torch.equal(a, b) for a, b in zip(gradients, reference, strict=True)), form
    assert not exact["out"][4].any()


def _indices(kind: str, form: str) -> dict[str, Tensor | Sorted]:
    plain = edges(kind)
    lengths = {"senders": NODES, "receivers": NODES}
    if form == "int32":
        return {name: index.int() for name, index in plain.items()}
    if form == "sorted":
        return {name: Sorted(index, lengths[name]) for name, index in plain.items()}
    if form == "one sorted":
        return {**plain, "receivers": Sorted(plain["receivers"].int(), NODES)}
    if form == "strided":
        both = torch.stack([plain["senders"], plain["receivers"]], 1)
        return {"senders": both[:, 0], "receivers": both[:, 1]}
    return dict(plain)


@pytest.mark.parametrize("backend", BACKENDS)
def test_derivatives_to_third_order(backend: Backend) -> None:
    """gradcheck, gradgradcheck and one order more; compiled C every entry by finite differences."""
    program = message_program(1, 2)
    index = {name: value[:2] % 2 for name, value in edges().items()}
    shapes = [(2, 7), (2, 3), (2, 2), (2,)]
    small = [torch.randn(shape, dtype=torch.float64) for shape in shapes]

    def function(*values: Tensor) -> Tensor:
        out, total = Routine(program, backend)(*values, indices=index, sizes={"receivers": 2})
        return torch.cat([out.reshape(-1), total])

    # Each order compiles programs of its own: compiled C is held to the oracle at the third.
    # The interpreter of Triton is slow: the second order is held to the oracle as well.
    highest = {"torch": 3, "c": 2, "triton": 1}[backend]
    assert_derivatives(function, small, order=highest, fast=True)
    if backend == "c":
        assert_derivatives(function, small, order=2)
    with pytest.raises(LawError):
        assert_derivatives(lambda *values: function(*values) * values[0].detach().sum(), small, 1)


def test_each_subset_of_gradients() -> None:
    """What is not asked for is not given, and what is asked for does not depend on the rest."""
    full = [value.requires_grad_() for value in operands()]
    expected = torch.autograd.grad(_functional(call("torch", full)), full)
    for chosen in itertools.product([False, True], repeat=4):
        if not any(chosen):
            continue
        # A subset is a program of its own: the C backend compiles only some of them here.
        backend: Backend = "c" if sum(chosen) in (1, 4) else "torch"
        values = [v.requires_grad_(need) for v, need in zip(operands(), chosen, strict=True)]
        _functional(call(backend, values)).backward()
        for value, need, gradient in zip(values, chosen, expected, strict=True):
            assert (value.grad is not None) == need
            if value.grad is not None:
                assert_close(value.grad, gradient)


def _functional(outputs: tuple[Tensor, Tensor]) -> Tensor:
    return outputs[0].sin().sum() + (outputs[1] ** 2).sum()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("used", [0, 1])
def test_outputs_that_are_not_used(backend: Backend, used: int) -> None:
    """The cotangent of an output that is not used is absent; the rest is as if it were zero."""
    values = [value.requires_grad_() for value in operands()]
    lone = torch.autograd.grad(call(backend, values)[used].sum(), values, allow_unused=True)
    outputs = call("torch", values)
    zeroed = outputs[used].sum() + 0 * outputs[1 - used].sum()
    expected = torch.autograd.grad(zeroed, values)
    for found, right in zip(lone, expected, strict=True):
        assert_close(torch.zeros_like(right) if found is None else found, right)


@pytest.mark.parametrize("backend", BACKENDS)
def test_odd_memory(backend: Backend) -> None:
    """Transposed, expanded, strided, offset, negated views and zero strides give the same."""
    values = operands()
    values[1] = values[1][:1].expand(EDGES, 3)
    values[3] = values[3][:1].expand(15)
    expected = call("torch", [value.contiguous() for value in values])
    wide = torch.zeros(NODES, 40).double()
    wide[:, 1:37:2] = values[0]
    odd = [
        wide[:, 1:37:2],
        values[1],
        values[2].t().contiguous().t(),
        torch._neg_view(-values[3]),
    ]
    assert not any(value.is_contiguous() for value in odd[:3]) and odd[3].is_neg()
    odd[2].requires_grad_()
    outputs = call(backend, odd)
    for found, right in zip(outputs, expected, strict=True):
        assert_close(found.detach(), right)
    # The cotangent of a sum has zero strides, and no memory of its own.
    (gradient,) = torch.autograd.grad(outputs[0].sum(), odd[2], retain_graph=True)
    whole = torch.ones(NODES, 16, dtype=torch.float64)
    (reference,) = torch.autograd.grad(outputs[0], odd[2], whole)
    assert torch.equal(gradient, reference)


@pytest.mark.parametrize("backend", BACKENDS)
def test_outputs_are_memory_of_their_own(backend: Backend) -> None:
    """No output shares memory with an input or another output; each can be written in place."""
    values = operands()
    kept = [value.clone() for value in values]
    outputs = call(backend, values)
    pointers = [t.untyped_storage().data_ptr() for t in (*values, *outputs)]
    assert len(set(pointers)) == len(pointers)
    for output in outputs:
        output.fill_(7.0)
    assert all(torch.equal(a, b) for a, b in zip(values, kept, strict=True))
    values = [value.requires_grad_() for value in values]
    out, total = call(backend, values)
    out.mul_(2.0)
    total[0] = 0.0
    (out.sum() + total.sum()).backward()
    once, again = call(backend, values), call(backend, values)
    once[0].detach().zero_()
    assert again[0].detach().abs().sum() > 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_saved_operands_are_guarded(backend: Backend) -> None:
    """Changing an operand before the backward is an error and never a wrong gradient."""
    values = operands()
    values[2].requires_grad_()
    out, _ = call(backend, values)
    values[0].mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_tensor_in_two_places(backend: Backend) -> None:
    program = PROGRAM.restricted(("total",))
    x = torch.randn(EDGES, 18, dtype=torch.float64)
    total = Routine(program, backend)(
        x, x[:, :3], x[:, :5], torch.zeros(15).double(), indices={"senders": torch.arange(EDGES)}
    )
    assert_close(total, torch.einsum("riu,ri->u", x[:, 3:].view(EDGES, 3, 5), x[:, :3]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_autocast(backend: Backend) -> None:
    """Under autocast mixed types are taken together in the widest; the result is not rounded."""
    values = [value.requires_grad_() for value in operands(torch.float32)]
    expected = call(backend, values)
    with torch.autocast("cpu", torch.bfloat16):
        found = call(backend, values)
        half = call(backend, [*values[:3], values[3].bfloat16()])
        gradients = torch.autograd.grad(found[0].sum(), values)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert half[0].dtype == torch.float32 and gradients[0].dtype == torch.float32
    reference = torch.autograd.grad(expected[0].sum(), values)
    assert all(torch.equal(a, b) for a, b in zip(gradients, reference, strict=True))


class Holder(nn.Module):
    """A module with a routine and a weight."""

    def __init__(self, backend: Backend) -> None:
        super().__init__()
        self.mix = nn.Parameter(operands()[3])
        self.routine = Routine(PROGRAM, backend)

    def forward(self, x: Tensor, edge: Tensor, weight: Tensor) -> Tensor:
        return self.routine(x, edge, weight, self.mix, indices=edges(), sizes=SIZES)[0]


@pytest.mark.parametrize("backend", BACKENDS)
def test_modules_move_copy_and_pickle(backend: Backend) -> None:
    module = Holder(backend)
    values = operands()[:3]
    expected = module(*values)
    assert torch.equal(copy.deepcopy(module)(*values), expected)
    assert torch.equal(pickle.loads(pickle.dumps(module))(*values), expected)
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    assert torch.equal(torch.load(file, weights_only=False)(*values), expected)
    expected = expected.detach()
    single = module.to(torch.float32)(*(value.float() for value in values)).detach()
    assert single.dtype == torch.float32
    eps = torch.finfo(torch.float32).eps
    assert float((single - expected).abs().max()) < 64 * eps * float(expected.abs().max())
    if backend == "torch":
        ghost = module.to("meta")
        graph = {name: index.to("meta") for name, index in edges().items()}
        out, total = ghost.routine(
            *(v.float().to("meta") for v in values), ghost.mix, indices=graph, sizes=SIZES
        )
        assert out.is_meta and out.shape == (NODES, 16) and total.shape == (5,)


def test_pickles_hold_no_state_of_the_process() -> None:
    """What a routine has compiled is no part of it, and equal programs share it."""
    routine = Routine(PROGRAM, "torch")
    again = pickle.loads(pickle.dumps(routine))
    assert again.program == routine.program and again.backend == "torch"
    assert hash(again.program) == hash(routine.program)
    path = again.program.statements[0].form.paths[0]
    np.testing.assert_array_equal(path.components, PROGRAM.statements[0].form.paths[0].components)


@pytest.mark.parametrize("backend", BACKENDS)
def test_sorts_keep_their_own_index(backend: Backend) -> None:
    """What a caller writes into an index array later does not reach the sort."""
    index = edges()["receivers"]
    graph = Sorted(index, NODES)
    index.fill_(10**12)
    values = operands()
    found = Routine(PROGRAM, backend)(*values, indices={**edges(), "receivers": graph}, sizes=SIZES)
    assert torch.equal(found[0], call(backend, values)[0])


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode, torch.enable_grad])
def test_modes_of_autograd(mode: type) -> None:
    with mode():
        found = call("c", operands())
    assert torch.equal(found[0].clone(), call("c", operands())[0])


@pytest.mark.parametrize("backend", BACKENDS)
def test_another_default_device_is_left_alone(backend: Backend) -> None:
    """Memory for a call is taken where the operands are, whatever the default says."""
    values = [value.requires_grad_() for value in operands()]
    index = edges()
    with torch.device("meta"):
        outputs = Routine(PROGRAM, backend)(*values, indices=index, sizes=SIZES)
        gradients = torch.autograd.grad([o.sum() for o in outputs], values)
    assert torch.equal(outputs[0], call(backend, values)[0])
    assert all(gradient.device.type == "cpu" for gradient in gradients)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("slot", ["x", "w", "scalar", "out"])
def test_blocks_without_channels(backend: Backend, slot: str) -> None:
    """A representation may have no copy of an irrep: such blocks are empty and harm nothing."""
    none, some = Block(3, (0,)), Block(1, (2,))
    form = Form(
        (
            Operand("x", (none, some), "indexed", "i"),
            Operand("w", (Block(1, (0,)),), "shared"),
            Operand("scalar", (Block(1),)),
            Operand("out", (none, Block(1), some), "indexed", "j"),
        ),
        (
            Path.dense(
                (Factor("x", 0, "u"), Factor("w", 0, "u"), Factor("scalar"), Factor("out", 0, "u")),
                np.eye(3)[:, None, None, :],
            ),
            Path.dense(
                (Factor("x", 0, "u"), Factor("scalar"), Factor("out", 1)), np.ones((3, 1, 1))
            ),
            Path.dense(
                (Factor("x", 1, "u"), Factor("scalar"), Factor("out", 2, "u")), np.ones((1,) * 3)
            ),
        ),
    )
    given = case(form.open(slot))
    routine = Routine(given.program, backend)
    values = [torch.from_numpy(given.values[o.name]).requires_grad_() for o in given.program.inputs]
    index = {name: torch.from_numpy(array) for name, array in given.indices.items()}
    out = routine(*values, indices=index, sizes=given.lengths)
    assert_close(out.detach(), torch.from_numpy(given.exact()[given.program.outputs[0]]))
    for value, gradient in zip(
        values, torch.autograd.grad(out.sum(), values, allow_unused=True), strict=True
    ):
        assert gradient is None or gradient.shape == value.shape


def test_a_constant_has_no_number_type() -> None:
    program = Form((Operand("out", (Block(1),)),), (Path((Factor("out"),), [[0]], [2.0]),))
    with pytest.raises(FormError, match="without inputs"):
        Routine(program.open("out"))


def test_types_that_c_does_not_know() -> None:
    """Half precision goes to torch under "auto"; asked for by name, C says why it cannot."""
    values = operands(torch.float32)
    exact = call("torch", values)[0]
    for dtype in (torch.float16, torch.bfloat16):
        half = [value.to(dtype) for value in values]
        found = call("auto", half)[0]
        assert found.dtype == dtype
        error = float((found.float() - exact).abs().max())
        # Half a hundred products of numbers of size one, each rounded to half precision.
        assert error < 64 * torch.finfo(dtype).eps * float(exact.abs().max())
        with pytest.raises(BackendError, match=r"float32 and float64"):
            call("c", half)
