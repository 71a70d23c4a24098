"""Gradients of a whole batch from those of the processes' shares, in one message."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .processes import Processes

_NUMBERS = 5


@dataclass(frozen=True)
class Agreement:
    """What all processes know after a step.

    Args:
        loss: mean over the samples of the whole batch.
        stop: whether somebody asked to stop, in any process.
        seconds: of the run, by the clock of process 0.
    """

    loss: float
    stop: bool
    seconds: float


class GradientExchange:
    """Means over the samples of all processes: g = Σ_r n_r g_r / Σ_r n_r.

    The gradients of all parameters travel in one buffer and one sum, with the numbers that
    decide how a run goes on, so that a step costs one message and every process decides alike.
    A parameter that had no gradient in any process has none afterwards. A process that is alone
    copies nothing.

    Args:
        processes: who takes part.
        parameters: the same in every process.
    """

    def __init__(self, processes: Processes, parameters: Sequence[nn.Parameter]) -> None:
        self._processes = processes
        self._parameters = [p for p in parameters if p.requires_grad]
        sizes = [p.numel() for p in self._parameters] if processes.size > 1 else []
        self._buffer = parameters[0].detach().new_zeros(sum(sizes) + len(sizes) + _NUMBERS)
        *self._parts, self._rest = self._buffer.split([*sizes, len(sizes) + _NUMBERS])

    def __call__(
        self, differentiate: Callable[[], tuple[int, float]], stop: bool, seconds: float
    ) -> Agreement:
        """Takes part in a step; afterwards the gradients are those of the whole batch.

        Args:
            differentiate: leaves the gradients of this process's share in the parameters and
                says how many samples it has and their mean loss.
            stop: whether this process was asked to stop.
            seconds: of the run, by the clock of this process.

        Raises:
            SchurError: an error of `differentiate` in any process, as `Processes.each` says.
            PeerError: another process has ended.
        """
        if self._processes.size == 1:
            return Agreement(differentiate()[1], stop, seconds)
        failure: Exception | None = None
        samples, loss = 0, 0.0
        try:
            samples, loss = differentiate()
        except Exception as error:
            failure = error
        own = seconds if self._processes.leads else 0.0
        self._fill(samples, [samples, loss * samples, failure is not None, stop, own])
        self._processes.add_up(self._buffer)
        # A GPU is waited for here, once a step: whether to go on has to be known.
        *present, total, summed, failed, stopped, agreed = self._rest.tolist()
        if failed:
            self._processes.all_do(lambda: _fail(failure))
        self._hand_out(total, present)
        return Agreement(summed / total, stopped > 0, agreed)

    @torch.no_grad()
    def _fill(self, samples: int, numbers: Sequence[float]) -> None:
        present: list[float] = []
        for parameter, part in zip(self._parameters, self._parts, strict=True):
            gradient: Tensor | None = parameter.grad if samples else None
            present.append(float(gradient is not None))
            if gradient is None:
                part.zero_()
            else:
                torch.mul(gradient.reshape(-1), samples, out=part)
        rest = [*present, *(float(n) for n in numbers)]
        self._rest.copy_(torch.tensor(rest, dtype=self._rest.dtype))

    @torch.no_grad()
    def _hand_out(self, samples: float, present: Sequence[float]) -> None:
        for parameter, part, there in zip(self._parameters, self._parts, present, strict=True):
            parameter.grad = part.div_(samples).view_as(parameter) if there else None


def _fail(failure: Exception | None) -> None:
    if failure is not None:
        raise failure
