"""Results repeat bit for bit, for any number of threads, from several threads, after a fork."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from schur.engine import Routine, Sorted
from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement

from .message import SIZES, edges, message_program, operands


@pytest.fixture
def threads() -> Iterator[None]:
    """The number of threads as it was before."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def summing_program(width: int) -> Program:
    """One line a row to outputs of all three modes: a sum at an index, a row, a sum over all."""
    block = (Block(1, (width,)),)
    x, table = Operand("x", block), Operand("table", block, "indexed", "j")
    outputs = (
        Operand("at", block, "indexed", "i"),
        Operand("row", block),
        Operand("whole", block, "shared"),
    )
    statements = []
    for out in outputs:
        factors = tuple(Factor(name, 0, "u") for name in ("x", "table", out.name))
        path = Path.dense(factors, torch.ones(1, 1, 1).double().numpy())
        statements.append(Statement(Form((x, table, out), (path,)), out.name))
    return Program((x, table), tuple(statements), ("at", "row", "whole"))


def run_all(width: int, rows: int, hub: bool) -> list[Tensor]:
    """Outputs and gradients; `hub` sends most rows to one entry, whose sum is cut into pieces."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(rows, width, generator=generator).requires_grad_()
    table = torch.randn(7, width, generator=generator).requires_grad_()
    index = torch.randint(0, 40, (rows,), generator=generator)
    if hub:
        index = torch.where(torch.rand(rows, generator=generator) < 0.9, 3, index)
    outputs = Routine(summing_program(width), "c")(
        x,
        table,
        indices={"i": Sorted(index, 40), "j": torch.arange(rows) % 7},
        sizes={"i": 40},
    )
    gradients = torch.autograd.grad([o.square().sum() for o in outputs], [x, table])
    return [*outputs, *gradients]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("hub", [False, True])
def test_bitwise_across_threads(hub: bool) -> None:
    torch.set_num_threads(1)
    first = run_all(17, 20_000, hub)
    for count in (1, 2, 2, 5):
        torch.set_num_threads(count)
        again = run_all(17, 20_000, hub)
        assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True)), count


def test_another_order_is_another_result() -> None:
    """The numbers are such that the order of a sum shows in its last bits."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 17, generator=generator)
    index = {"i": torch.zeros(20_000).long(), "j": torch.zeros(20_000).long()}
    routine = Routine(summing_program(17), "c")
    ahead, behind = (
        routine(rows, torch.ones(1, 17), indices=index, sizes={"i": 1}) for rows in (x, x.flip(0))
    )
    assert not torch.equal(ahead[0], behind[0]) and not torch.equal(ahead[2], behind[2])


@pytest.mark.usefixtures("threads")
def test_pieces_of_long_sums_add_up() -> None:
    """Sums that are cut into pieces are those of float64, and the comparison is not of zeros."""
    torch.set_num_threads(2)
    at, _, whole, *_ = run_all(17, 20_000, True)
    assert float(whole.detach().abs().min()) > 0
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 17, generator=generator)
    table = torch.randn(7, 17, generator=generator)
    product = x.double() * table.double()[torch.arange(20_000) % 7]
    # Errors of a sum of n numbers of size one walk randomly: eps √n of √n.
    allowed = 8 * torch.finfo(torch.float32).eps * 20_000**0.5
    assert float((whole - product.sum(0)).detach().abs().max()) < allowed * 8
    assert float((at.sum(0) - product.sum(0)).detach().abs().max()) < allowed * 8


def test_many_entries_and_few_rows() -> None:
    """Entries without rows are zero, and items of entries alone are few."""
    width, entries = 500, 300_000
    x = torch.ones(3, width)
    index = torch.tensor([0, entries - 1, 5])
    at, _, whole = Routine(summing_program(width), "c")(
        x,
        torch.ones(1, width),
        indices={"i": index, "j": torch.zeros(3).long()},
        sizes={"i": entries},
    )
    assert torch.equal(whole, torch.full((width,), 3.0))
    assert float(at.sum()) == 3 * width and float(at[5].sum()) == width


def test_several_python_threads_at_once() -> None:
    """One routine, called from many threads with numbers of their own, forward and backward."""
    routine = Routine(message_program(), "c")
    expected = [_in_thread(routine, seed) for seed in range(4)]
    found: list[list[Tensor] | None] = [None] * 4

    def work(seed: int) -> None:
        for _ in range(5):
            found[seed] = _in_thread(routine, seed)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for mine, right in zip(found, expected, strict=True):
        assert mine is not None
        assert all(torch.equal(a, b) for a, b in zip(mine, right, strict=True))


def _in_thread(routine: Routine, seed: int) -> list[Tensor]:
    values = [value.requires_grad_() for value in operands(seed=seed)]
    outputs = routine(*values, indices=edges(), sizes=SIZES)
    gradients = torch.autograd.grad([o.sum() for o in outputs], values)
    return [*outputs, *gradients]


FORKING = """
import os, signal, time
import torch
torch.set_num_threads(2)
from schur.forms import Block, Factor, Form, Operand, Path
from schur.engine import Routine
operands = tuple(Operand(name, (Block(1, (64,)),)) for name in ("x", "y", "out"))
factors = tuple(Factor(operand.name, 0, "u") for operand in operands)
routine = Routine(Form(operands, (Path(factors, [[0, 0, 0]], [1.0]),)).open("out"), "c")
x = torch.randn(20_000, 64)
before = routine(x, x)
child = os.fork()
if not child:
    after = routine(x, x)
    os._exit(0 if (before.numpy() == after.numpy()).all() else 1)
for _ in range(200):
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        break
    time.sleep(0.1)
else:
    os.kill(child, signal.SIGKILL)
    raise SystemExit("the child waits for threads that are not there")
raise SystemExit(status)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="processes fork on Linux")
def test_a_forked_process_computes() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FORKING], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
