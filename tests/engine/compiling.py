"""torch.compile and torch.export see through a routine: each against eager.

Run by `test_compile.py` in a process of its own, because the checks of shapes that the tests put
around every function are themselves more than torch.compile can trace.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
import torch
from message import NODES, SIZES, edges, message_program, operands  # pyright: ignore
from torch import Tensor, nn

from schur.engine import Routine, Sorted, triton_backend
from schur.engine.routine import Backend
from schur.errors import IndexRangeError

PROGRAM = message_program()
BACKENDS: list[Backend] = ["torch", "c"]
# Triton, in its interpreter, where it is installed.
SERVED: list[Backend] = [*BACKENDS, "triton"] if triton_backend.missing() is None else BACKENDS
# Compiled graphs add up in other orders: some hundred roundings of numbers of some tens.
CLOSE = 1e3 * torch.finfo(torch.float64).eps


class Message(nn.Module):
    """The program with its shared weights as a parameter."""

    def __init__(self, backend: Backend = "auto") -> None:
        super().__init__()
        self.routine = Routine(PROGRAM, backend)
        self.mix = nn.Parameter(operands()[3])

    def forward(
        self, x: Tensor, edge: Tensor, weight: Tensor, senders: Tensor, receivers: Tensor
    ) -> tuple[Tensor, Tensor]:
        out, total = self.routine(
            x,
            edge.sin(),
            weight,
            self.mix,
            indices={"senders": senders, "receivers": receivers},
            sizes={"receivers": x.shape[0]},
        )
        return out.cos(), total


def arguments(count: int = 9, nodes: int = NODES) -> list[Tensor]:
    generator = torch.Generator().manual_seed(count)
    x, edge, weight = (
        torch.randn(shape, dtype=torch.float64, generator=generator)
        for shape in [(nodes, 18), (count, 3), (count, 5)]
    )
    index = [torch.randint(0, nodes, (count,), generator=generator) for _ in range(2)]
    return [x, edge, weight, *index]


def both(module: Callable[..., Any], given: list[Tensor]) -> list[Tensor]:
    """Outputs, and the gradients of a function of them."""
    values = [v.clone().requires_grad_(v.is_floating_point()) for v in given]
    out, total = module(*values)
    gradients = torch.autograd.grad(out.sum() + (total**2).sum(), values[:3])
    return [out.detach(), total.detach(), *gradients]


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    for a, b in zip(found, expected, strict=True):
        assert a.shape == b.shape
        torch.testing.assert_close(a, b, rtol=CLOSE, atol=CLOSE * float(b.abs().max()))


@pytest.mark.parametrize("backend", SERVED)
@pytest.mark.parametrize("dynamic", [False, True])
def test_compile_without_graph_breaks(backend: Backend, dynamic: bool) -> None:
    torch._dynamo.reset()
    module = Message(backend)
    compiled = torch.compile(module, backend="aot_eager", fullgraph=True, dynamic=dynamic)
    for count in (9, 12, 7) if dynamic else (9,):
        given = arguments(count)
        assert_same(both(compiled, given), both(module, given))


def test_inductor() -> None:
    torch._dynamo.reset()
    module = Message("c")
    compiled = torch.compile(module, fullgraph=True)
    assert_same(both(compiled, arguments()), both(module, arguments()))


def test_compiled_with_a_sort_and_without_gradients() -> None:
    torch._dynamo.reset()
    routine = Routine(PROGRAM, "c")
    sort = {name: Sorted(index, NODES) for name, index in edges().items()}

    def function(*values: Tensor) -> Tensor:
        return routine(*values, indices=sort, sizes=SIZES)[0] * 2

    compiled = torch.compile(function, backend="aot_eager", fullgraph=True)
    assert torch.equal(compiled(*operands()), function(*operands()))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("bad", [-1, NODES])
def test_compiled_graphs_check_indices(backend: Backend, bad: int) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(Message(backend), backend="aot_eager", fullgraph=True)
    given = arguments()
    both(compiled, given)
    for position in (3, 4):
        wrong = [value.clone() for value in given]
        wrong[position][2] = bad
        with pytest.raises(IndexRangeError):
            both(compiled, wrong)


@pytest.mark.parametrize("backend", SERVED)
def test_export(backend: Backend) -> None:
    """An exported program runs, is saved and loaded, with other numbers of edges and nodes."""
    module = Message(backend)
    count, nodes = torch.export.Dim("count", min=2), torch.export.Dim("nodes", min=2)
    rows = {0: count}
    exported = torch.export.export(
        module, tuple(arguments()), dynamic_shapes=({0: nodes}, rows, rows, rows, rows)
    )
    file = io.BytesIO()
    torch.export.save(exported, file)
    file.seek(0)
    for program in (exported, torch.export.load(file)):
        for given in (arguments(), arguments(20, 3)):
            found = program.module()(*given)
            for a, b in zip(found, module(*given), strict=True):
                assert torch.equal(a, b)
        wrong = arguments()
        wrong[3][0] = NODES
        with pytest.raises(IndexRangeError):
            program.module()(*wrong)
