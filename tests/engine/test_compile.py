"""torch.func, forward mode and tensors without memory see through a routine; torch.compile too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad

from schur.engine import Routine
from schur.engine.routine import Backend
from schur.errors import BackendError

from .message import NODES, SIZES, edges, message_program, operands
from .served import TRITON

PROGRAM = message_program()
BACKENDS: list[Backend] = ["torch", "c"]
# Transforms add up in other orders: some hundred roundings of numbers of some tens.
CLOSE = 1e3 * torch.finfo(torch.float64).eps


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, rtol=CLOSE, atol=CLOSE * float(b.abs().max()))


def test_compile_and_export() -> None:
    """The tests of `compiling.py`, in a process without checks of shapes."""
    command = [sys.executable, "-m", "pytest", "-q", "--noconftest", "-c", os.devnull]
    command += ["-p", "no:cacheprovider", str(Path(__file__).with_name("compiling.py"))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stdout[-5000:]
    assert "passed" in done.stdout and "skipped" not in done.stdout


def test_an_exported_program_that_nobody_made() -> None:
    """A process that has not built the module says so, and does not guess."""
    with pytest.raises(BackendError, match="does not know the program"):
        torch.ops.schur.run([torch.ones(1, 1)], [], "c:0123456789", [1])


def flat(backend: Backend) -> tuple[Callable[[Tensor, Tensor], Tensor], Tensor, Tensor]:
    """The routine as a function of a node array and the shared weights."""
    routine = Routine(PROGRAM, backend)
    x, edge, weight, mix = operands()

    def function(x: Tensor, mix: Tensor) -> Tensor:
        out, total = routine(x, edge, weight, mix, indices=edges(), sizes=SIZES)
        return torch.cat([(out * out).sum(0), total])

    return function, x, mix


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("transform", [torch.func.jacrev, torch.func.jacfwd])
def test_jacobians(backend: Backend, transform: Any) -> None:
    function, x, mix = flat(backend)
    for position, value in ((0, x), (1, mix)):
        lone = (lambda v: function(v, mix)) if position == 0 else (lambda v: function(x, v))
        expected = torch.autograd.functional.jacobian(lone, value)
        assert_same([transform(function, position)(x, mix)], [expected])


@pytest.mark.parametrize("backend", BACKENDS)
def test_grad_jvp_vjp_and_hessian(backend: Backend) -> None:
    function, x, mix = flat(backend)

    def scalar(mix: Tensor) -> Tensor:
        return function(x, mix).sin().sum()

    leaf = mix.clone().requires_grad_()
    (expected,) = torch.autograd.grad(scalar(leaf), leaf)
    assert_same([torch.func.grad(scalar)(mix)], [expected])
    if backend == "torch":
        second = torch.autograd.functional.hessian(scalar, mix)
        assert_same([torch.func.hessian(scalar)(mix)], [second])
    direction = torch.randn_like(mix)
    value, moved = torch.func.jvp(scalar, (mix,), (direction,))[:2]
    assert_same([value, moved], [scalar(mix), (expected * direction).sum()])
    pull = torch.func.vjp(scalar, mix)[1]
    assert_same([pull(torch.ones((), dtype=torch.float64))[0]], [expected])


@pytest.mark.parametrize("backend", [*BACKENDS, TRITON])
def test_forward_mode(backend: Backend) -> None:
    """Dual numbers, also where an output does not move with the operand that does."""
    values = operands()
    tangent = torch.randn_like(values[3])
    routine = Routine(PROGRAM, backend)
    with forward_ad.dual_level():
        dual = [*values[:3], forward_ad.make_dual(values[3], tangent)]
        out, total = routine(*dual, indices=edges(), sizes=SIZES)
        moved = forward_ad.unpack_dual(out).tangent
        still = forward_ad.unpack_dual(total).tangent
    ahead, behind = (
        routine(*values[:3], values[3] + sign * tangent, indices=edges(), sizes=SIZES)[0]
        for sign in (1, -1)
    )
    assert moved is not None
    assert_same([moved], [(ahead - behind) / 2])  # it is linear in these weights
    assert still is None or not still.any()


@pytest.mark.parametrize("backend", BACKENDS)
def test_vmap(backend: Backend) -> None:
    """Over operands of every mode, over an index, over gradients, and nested."""
    routine = Routine(PROGRAM, backend)
    x, edge, weight, mix = operands()
    many = torch.randn(3, *mix.shape, dtype=torch.float64)

    def function(x: Tensor, mix: Tensor, senders: Tensor) -> Tensor:
        index = {**edges(), "senders": senders}
        return routine(x, edge, weight, mix, indices=index, sizes=SIZES)[0]

    senders = edges()["senders"]
    stacked = torch.stack([senders, senders.flip(0), senders * 0])
    found = torch.func.vmap(function, (None, 0, 0))(x, many, stacked)
    right = [function(x, m, s) for m, s in zip(many, stacked, strict=True)]
    assert_same([found], [torch.stack(right)])
    slopes = torch.func.vmap(
        torch.func.grad(lambda x, m: function(x, m, senders).sin().sum()), (None, 0)
    )(x, many)
    for slope, m in zip(slopes, many, strict=True):
        leaf = x.clone().requires_grad_()
        (expected,) = torch.autograd.grad(function(leaf, m, senders).sin().sum(), leaf)
        assert_same([slope], [expected])
    crossed = torch.func.vmap(torch.func.vmap(function, (None, 0, None)), (0, None, None))(
        torch.stack([x, 2 * x]), many, senders
    )
    assert crossed.shape == (2, 3, NODES, 16)
    assert_same([crossed[1, 2]], [function(2 * x, many[2], senders)])


def test_tensors_without_memory() -> None:
    """Shapes are found without computing: on the meta device and with fake tensors."""
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode() as mode:
        fake = [mode.from_tensor(value) for value in operands()]
        index = {name: mode.from_tensor(value) for name, value in edges().items()}
        out, total = Routine(PROGRAM, "c")(*fake, indices=index, sizes=SIZES)
    assert out.shape == (NODES, 16) and total.shape == (5,)
