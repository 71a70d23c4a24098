"""Captured evaluations: what is copied, what is refused, and that a wrong repetition is seen.

The device is this CPU, whose graphs are pretended: tests/atoms/test_on_gpu.py has whole models.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch
from torch import Tensor

from schur.engine import device_graphs
from schur.engine.device_graphs import NoGraph, capture, is_quiet, known


class Repeats:
    """Graphs of a device that does the whole work again; or, `wrong`, does not.

    Attributes:
        asked: whether nothing was to be asked of the device, at each evaluation.
    """

    def __init__(self, wrong: bool = False, waits: str | None = None) -> None:
        self.wrong, self.waits = wrong, waits

    @contextmanager
    def aside(self, device: torch.device) -> Iterator[None]:
        yield

    @contextmanager
    def without_waiting(self, device: torch.device) -> Iterator[None]:
        if self.waits is not None:
            raise RuntimeError(self.waits)
        yield

    def captured(
        self, device: torch.device, work: Callable[[], Any]
    ) -> tuple[Any, Callable[[], object]]:
        made: Tensor = work()

        def replay() -> None:
            if not self.wrong:
                made.copy_(work())

        return made.fill_(float("nan")), replay

    def reserved(self, device: torch.device) -> int:
        return 7


def squares(x: Tensor, y: Tensor) -> Tensor:
    return x**2 + y


def test_new_input_is_copied_and_old_input_is_not() -> None:
    """What was written to since, though it is the same tensor, is new input."""
    first, second = torch.tensor([1.0, 2.0]), torch.tensor([10.0])
    with known("cpu", Repeats()):
        made = capture(squares, first, second)
    assert made.outputs.tolist() == [11.0, 14.0]
    other = torch.tensor([3.0, 4.0])
    assert made(other, second).tolist() == [19.0, 26.0]
    made.inputs[1].fill_(0.0)  # were it copied again, it would be seen
    assert made(first, second).tolist() == [1.0, 4.0]
    second += 1.0
    assert made(first, second).tolist() == [12.0, 15.0]


def test_tensors_of_inference_mode_are_copied_each_time() -> None:
    with known("cpu", Repeats()):
        made = capture(squares, torch.ones(1), torch.zeros(1))
    with torch.inference_mode():
        x = torch.ones(1)
        for k in (2.0, 3.0):
            x.fill_(k)
            assert made(x, torch.zeros(1)).tolist() == [k * k]


def test_a_repetition_that_says_something_else_is_refused() -> None:
    with known("cpu", Repeats(wrong=True)), pytest.raises(NoGraph, match="does not say"):
        capture(squares, torch.ones(2), torch.ones(2))


def test_what_waits_is_refused_with_the_reason_and_nothing_is_left_behind() -> None:
    with known("cpu", Repeats(waits="a wait")), pytest.raises(NoGraph) as caught:
        capture(squares, torch.ones(2), torch.ones(2))
    assert caught.value.reason == "a wait"
    assert not is_quiet() and "cpu" not in device_graphs._devices


def test_a_device_without_graphs_is_refused() -> None:
    with pytest.raises(NoGraph, match="no graphs for cpu devices"):
        capture(squares, torch.ones(2), torch.ones(2))


def test_nothing_is_asked_of_the_device_but_in_the_first_evaluation() -> None:
    """Which compiles, measures and counts; the other two find that done."""
    quiet: list[bool] = []

    def seen(x: Tensor) -> Tensor:
        quiet.append(is_quiet())
        return 2 * x

    with known("cpu", Repeats()):
        capture(seen, torch.ones(1))
    assert quiet[:3] == [False, True, True]
