"""A potential's first evaluation on a GPU is rehearsed, which leaves nothing behind."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any

import pytest
import torch

from schur.atoms.batch import AtomicDataset, Batch
from schur.atoms.potential import Potential
from schur.atoms.system import System
from schur.engine import rehearsal, triton_ahead

from .toy import PairModel


class Noisy(PairModel):
    """Draws random numbers, and counts whether its kernels would be launched."""

    def __init__(self) -> None:
        super().__init__(1, 2.5)
        self.asks: list[bool] = []

    def forward(self, *given: Any, **further: Any) -> torch.Tensor:
        self.asks.append(triton_ahead.is_asking())
        return super().forward(*given, **further) + torch.rand(())


@pytest.fixture
def potential(monkeypatch: pytest.MonkeyPatch) -> Potential:
    """Where a rehearsal is taken to be worth it."""
    monkeypatch.setattr(rehearsal, "is_worth", lambda example: not triton_ahead.is_asking())
    return Potential(Noisy(), (1,), (0.0,), 2.5).double()


def model(potential: Potential) -> Noisy:
    assert isinstance(potential.model, Noisy)
    return potential.model


@pytest.fixture
def batch() -> Batch:
    water = System([1, 1, 1], [[0, 0, 0], [0.9, 0.1, 0], [0.2, 1.1, 0]])
    return AtomicDataset([water], (1,), 2.5, torch.float64).batch([0])


def test_once_for_each_thing_asked(potential: Potential, batch: Batch) -> None:
    for forces in (True, True, False):
        potential(batch, forces=forces)
    # Forces: rehearsed and done, then done; energies alone: rehearsed and done.
    assert model(potential).asks == [True, False, False, True, False]
    again = copy.deepcopy(potential)  # may go to another device
    model(again).asks.clear()
    again(batch)
    assert model(again).asks == [True, False]


def test_gradients_are_rehearsed_and_nothing_is_left(potential: Potential, batch: Batch) -> None:
    """As training asks for them; no gradient is kept, and random numbers are drawn again."""
    learned: list[torch.Tensor] = []
    model(potential).strength.register_hook(learned.append)
    torch.manual_seed(3)
    said = potential(batch, differentiable=True)
    assert len(learned) == 1 and model(potential).strength.grad is None
    after = torch.rand(())
    torch.manual_seed(3)
    plain = potential(batch, differentiable=True)
    assert torch.equal(said.energies, plain.energies) and torch.equal(after, torch.rand(()))
    said.forces.square().sum().backward()  # pyright: ignore[reportOptionalMemberAccess]
    assert model(potential).strength.grad is not None


def test_a_failure_is_told_to_who_debugs(
    potential: Potential, batch: Batch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(*given: Any, **further: Any) -> torch.Tensor:
        if triton_ahead.is_asking():
            raise RuntimeError("no memory for two")
        return torch.zeros(3, dtype=torch.float64)

    model(potential).forward = fails
    with caplog.at_level(logging.DEBUG, "schur"):
        assert float(potential(batch, forces=False).energies) == 0.0
    assert "no memory for two" in caplog.text
    assert not triton_ahead.is_asking()


def test_worth_it_on_a_gpu_alone() -> None:
    """And not in Triton's interpreter, nor while something is traced."""
    assert not rehearsal.is_worth(torch.zeros(1))


def test_derivatives_are_rehearsed_in_the_thread_that_asks() -> None:
    seen: list[bool] = []

    class Seen(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
            return x.clone()

        @staticmethod
        def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
            seen.append(triton_ahead.is_asking())
            return grads[0]

    def work() -> None:
        x = torch.ones(1, requires_grad=True)
        Seen.apply(x).sum().backward()

    run: Callable[[], object] = work
    rehearsal.rehearse(run, torch.device("cpu"))
    run()
    assert seen == [True, False]
