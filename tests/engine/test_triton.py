"""What is Triton's own: cuts into kernels, blocks and pieces, number types, refusals, checks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensorMode

from schur.engine import (
    Routine,
    Sorted,
    backends,
    sorting,
    torch_backend,
    triton_backend,
    triton_calls,
    triton_check,
    triton_items,
    triton_model,
    triton_module,
    triton_tuning,
)
from schur.engine.triton_kernels import Budget
from schur.engine.triton_plan import plan
from schur.engine.triton_source import source
from schur.errors import BackendError
from schur.forms import Program, derive
from schur.harmonics import solid_harmonics
from schur.products import convolution
from schur.products.symmetric_power import symmetric_contraction
from schur.reps import Irreps
from schur.testing.backends import assert_agrees_with_oracle

from ..support.random_programs import case, excess
from .message import message_program
from .served import needs_triton

pytestmark = needs_triton


def mixed() -> Program:
    """A depth-wise product of blocks with 5, 3 and 2 channels."""
    return convolution(Irreps("5x0e+3x1o+2x2e"), Irreps("0e+1o"), Irreps("0e+1o"))[0]


@pytest.mark.parametrize("order", [0, 1, 2])
def test_mixed_multiplicities_in_blocks(budget: Callable[[Budget], None], order: int) -> None:
    """Three blocks of two channels, of which the last two lack some of the paths."""
    budget(Budget(channels=2))
    assert_agrees_with_oracle(mixed(), "triton", rows=4, sizes={"receivers": 3}, order=order)


@pytest.mark.parametrize("registers", [12])
def test_cuts_into_kernels(budget: Callable[[Budget], None], registers: int) -> None:
    """Kernels that add to what earlier ones of the same pass have stored."""
    few = Budget(channels=4, registers=registers)
    budget(few)
    program = derive(message_program(2, 5))
    count = sum(len(each.kernels) for each in plan(program, few))
    assert count > sum(len(each.kernels) for each in plan(program, Budget()))
    assert_agrees_with_oracle(program, "triton", rows=4)


def test_one_pass_for_several_gradients() -> None:
    """As long as they fit the registers: one kernel makes the gradients of all operands."""
    nodes = Irreps("128x0e+128x1o+128x2e")
    program = convolution(nodes, Irreps("0e+1o+2e+3o"), Irreps("0e+1o+2e+3o"))[0]
    for each in (program, derive(program)):
        (launches,) = plan(each, Budget())
        assert len(launches.kernels) == 1 and launches.blocks == 4


@pytest.mark.parametrize(("longest", "order"), [(1, 0), (3, 0), (3, 1)])
def test_pieces_of_entries_with_many_rows(
    monkeypatch: pytest.MonkeyPatch, longest: int, order: int
) -> None:
    """Most rows at one entry, some entries empty: partial sums of pieces, added in their order.

    The gradient by what senders hold is summed in pieces too.
    """
    monkeypatch.setattr(triton_items, "_longest", lambda *counts: longest)
    index = torch.tensor([3, 3, 0, 3, 3, 3, 5, 3, 3, 0, 3])
    program = derive(mixed()) if order else mixed()
    given = case(program, rows=len(index), tables={"receivers": 7, "senders": 7})
    given.indices["receivers"][:] = index.numpy()
    given.indices["senders"][:] = index.numpy()
    values = [torch.from_numpy(given.values[o.name]) for o in program.inputs]
    receivers = Sorted(index, 7)
    found = Routine(program, "triton")(
        *values, indices={"senders": receivers, "receivers": receivers}
    )
    found = [found] if isinstance(found, Tensor) else found
    named = {name: value.numpy() for name, value in zip(program.outputs, found, strict=True)}
    eps = float(np.finfo(np.float64).eps)
    assert excess(given, named, eps) <= 1
    pieces = triton_items.cut(receivers.order, receivers.start, longest)
    rows = [receivers.order[a:b] for a, b in zip(pieces.begin, pieces.end, strict=True)]
    assert all(len(piece) <= longest for piece in rows)
    assert torch.equal(torch.cat(rows), receivers.order)


def test_a_loop_asks_the_device_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values and gradients again and again, with sorted indices: nobody waits for the device."""
    waits: list[str] = []
    asked = triton_items._asked

    def counted(start: Tensor) -> int:
        waits.append("the most rows")
        return asked(start)

    monkeypatch.setattr(triton_items, "_asked", counted)
    for module in (triton_calls, sorting):
        monkeypatch.setattr(module, "check_bounds", lambda *given: waits.append("bounds"))
    program = mixed()
    given = case(program, rows=5)
    values = [torch.from_numpy(given.values[o.name]).requires_grad_() for o in program.inputs]
    edges = {
        name: Sorted(torch.from_numpy(index), given.lengths[name])
        for name, index in given.indices.items()
    }
    counts = []
    for _ in range(3):
        out = Routine(program, "triton")(*values, indices=edges, sizes=given.lengths)
        torch.autograd.grad(out.sum(), values)
        counts.append(len(waits))
    assert counts[0] > 0 and counts[1:] == counts[:1] * 2


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_half_precision_is_added_up_in_single(name: str) -> None:
    """Only what goes to memory is rounded to half precision, once."""
    dtype = getattr(torch, name)
    program = mixed()
    given = case(program, rows=30, tables={"receivers": 1})
    values = [torch.from_numpy(given.values[o.name]).to(dtype) for o in program.inputs]
    for operand, value in zip(program.inputs, values, strict=True):
        given.values[operand.name][:] = value.double().numpy()
    index = {key: torch.from_numpy(array) for key, array in given.indices.items()}
    found = Routine(program, "triton")(*values, indices=index, sizes=given.lengths)
    exact = torch.from_numpy(given.exact()["out"])
    assert found.dtype == dtype
    off = (found.double() - exact).abs() - torch.finfo(dtype).eps * exact.abs()
    assert float(off.max()) <= 1e-4 * float(exact.abs().max())
    in_half = Routine(program, "torch")(*values, indices=index, sizes=given.lengths)
    assert float((in_half.double() - exact).abs().max()) > float((found - exact).abs().max())


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_spherical_harmonics_in_one_pass(order: int) -> None:
    program = solid_harmonics((0, 1, 2, 3), "component")
    for _ in range(order):
        program = derive(program)
    (made,) = source(program, "float32").passes
    assert len(made.launches) == 1
    assert_agrees_with_oracle(program, "triton", rows=5)


@pytest.mark.parametrize("order", [0, 1, 2])
def test_symmetric_powers(order: int) -> None:
    program = symmetric_contraction(Irreps("3x0e+3x1o"), Irreps("3x0e+3x1o"), 3)
    assert_agrees_with_oracle(program, "triton", rows=3, order=order)


def test_the_check_at_first_use_sees_a_planted_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHUR_SELF_CHECK", "1")
    triton_check._passed.clear()
    program = mixed()
    run = torch_backend.run

    def wrong(*arguments: object) -> list[Tensor]:
        return [(1 + 1e-9) * value for value in run(*arguments)]  # pyright: ignore[reportArgumentType]

    given = case(program)
    values = [torch.from_numpy(given.values[o.name]) for o in program.inputs]
    index = {key: torch.from_numpy(array) for key, array in given.indices.items()}
    with monkeypatch.context() as planted:
        planted.setattr(torch_backend, "run", wrong)
        with pytest.raises(BackendError, match="computes something else"):
            Routine(program, "triton")(*values, indices=index, sizes=given.lengths)
    Routine(program, "triton")(*values, indices=index, sizes=given.lengths)
    assert triton_check._passed


def test_the_fastest_candidate_is_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Measured once, with enough rows; then every process has it, from the disk."""
    monkeypatch.setenv("SCHUR_CACHE", str(tmp_path))
    monkeypatch.setenv("SCHUR_AUTOTUNE", "1")
    monkeypatch.setattr(triton_tuning, "ROWS", 4)
    budgets = [Budget(4), Budget(2), Budget(1)]
    monkeypatch.setattr(triton_model, "candidates", lambda program, dtype: budgets)
    seconds = iter([3.0, 1.0, 2.0])

    def clock(run: Callable[[], object], device: torch.device) -> float:
        run()
        return next(seconds)

    monkeypatch.setattr(triton_tuning, "clock", clock)
    program = mixed()
    for rows in (3, 5, 5):
        triton_backend._taken.clear()
        triton_backend._compiled.cache_clear()
        given = case(program, rows=rows)
        values = [torch.from_numpy(given.values[o.name]) for o in program.inputs]
        index = {key: torch.from_numpy(array) for key, array in given.indices.items()}
        Routine(program, "triton")(*values, indices=index, sizes=given.lengths)
        assert triton_tuning.is_measured(program, "float64", "cpu") == (rows == 5)
    kept = triton_tuning.kernels(program, "float64", "cpu")
    assert (
        Path(str(kept.__file__)).read_text().endswith(source(program, "float64", budgets[1]).text)
    )
    assert next(seconds, None) is None
    triton_backend._compiled.cache_clear()


def test_processes_may_write_one_file_at_a_time(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever reads it finds one of the texts, and never half of one; what is torn is not used."""
    monkeypatch.setenv("SCHUR_CACHE", str(tmp_path))
    texts = [f"NUMBER = {k}\nFILLED = {'x' * 50_000!r}\n" for k in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda text: triton_module.kept("key", text), texts * 4))
    assert {each.NUMBER for each in made} <= set(range(8))
    (path,) = tmp_path.rglob("triton_*.py")
    assert triton_module.found("key") is not None
    path.write_text(path.read_text()[:-100])
    assert triton_module.found("key") is None


def test_refusals_say_why(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By name an error with the reason; under "auto" torch, and one line."""
    x = torch.ones(2, 3)
    routine = Routine(solid_harmonics((0, 1), "component"), "triton")
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(triton_backend, "INTERPRETED", False)
        with pytest.raises(BackendError, match="the tensors are on cpu"):
            routine(x)
    with pytest.raises(BackendError, match=r"the tensors are torch\.float8_e4m3fn"):
        routine(x.to(torch.float8_e4m3fn))
    monkeypatch.setattr(triton_backend, "_TERMS", 3)
    with pytest.raises(BackendError, match=r"terms and it compiles at most 3"):
        routine(x)
    lent = backends._run_triton_or_torch
    backends._say_once.cache_clear()
    with caplog.at_level(logging.WARNING, "schur"):
        found = [lent(routine.program, [x], [], [2])[0] for _ in range(2)]
    assert torch.equal(found[0], Routine(routine.program, "torch")(x))
    assert len(caplog.records) == 1 and "Triton cannot serve" in caplog.text


def test_old_cards_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Below compute capability 8.0; AMD counts otherwise."""
    program = mixed()
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda number: (7, 5))
    triton_backend._too_old.cache_clear()
    reason = triton_backend.refusal(program, torch.device("cuda", 0))
    assert reason == "Triton needs compute capability 8.0 and the device has 7.5"
    triton_backend._too_old.cache_clear()
    monkeypatch.setattr(torch.version, "hip", "6.2")
    assert triton_backend.refusal(program, torch.device("cuda", 0)) is None
    triton_backend._too_old.cache_clear()


def test_auto_takes_triton_on_a_gpu() -> None:
    """Asked with a tensor without memory: this machine may have no such device."""
    lacking: dict[str, str | None] = {"c": None, "triton": None}
    with FakeTensorMode():
        for dtype, expected in (
            (torch.float32, "triton or torch"),
            (torch.bfloat16, "triton or torch"),
            (torch.float8_e5m2, "torch"),
        ):
            example = torch.empty(1, device="cuda", dtype=dtype)
            assert backends.choose("auto", example, lacking) == expected
