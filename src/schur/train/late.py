"""Steps on a GPU of which nothing is read before an epoch ends, so that none is waited for."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import NumberError
from .checkpoint import RunState
from .config import TrainingConfig
from .task import Loss

_NORM_MEMORY = 0.98


def gradient_not_finite(names: Sequence[str]) -> NumberError:
    """The error for a gradient that is infinite or no number."""
    return NumberError(
        "the gradient is not finite; training has stopped",
        got=f"a finite loss from {', '.join(names)}",
        expected="a finite gradient",
        remedy="look at the shortest distances in these frames",
    )


def usual_norm(before: float | None, taken: float) -> float:
    """The running mean of the gradient's norm after a step.

    Example:
        >>> usual_norm(None, 2.0), usual_norm(2.0, 3.0)
        (2.0, 2.02)
    """
    return taken if before is None else _NORM_MEMORY * before + (1 - _NORM_MEMORY) * taken


@dataclass(frozen=True)
class _Unread:
    loss: Loss
    norm: Tensor


class LateReading:
    """Clipping and steps of the optimiser without a look at any number.

    The numbers are those of a loop that looks: the bound of the gradient's norm and its running
    mean are kept on the device. A loss or a gradient that is not finite spoils the parameters
    until it is read, so read before anything is kept.

    Args:
        model: whose parameters are trained.
        optimiser: of these parameters.
        config: bounds of the gradient's norm.
        usual: running mean of the gradient's norm, where the run was begun before.
    """

    def __init__(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        config: TrainingConfig,
        usual: float | None,
    ) -> None:
        self._parameters = list(model.parameters())
        self._optimiser, self._config = optimiser, config
        device = self._parameters[0].device
        self._usual: Tensor | None = None
        if usual is not None:
            self._usual = torch.full((), usual, dtype=torch.float64, device=device)
        self._unread: list[_Unread] = []

    def step(self, loss: Loss) -> None:
        """One step downhill."""
        loss.differentiate(self._parameters)
        norm = self._clip()
        self._optimiser.step()
        kept = Loss(loss.total.detach(), loss.samples, loss.names)
        self._unread.append(_Unread(kept, norm))

    @torch.no_grad()
    def _clip(self) -> Tensor:
        """Bound the gradient's norm, absolutely and by what is usual, and say what it was."""
        gradients = [p.grad for p in self._parameters if p.grad is not None]
        norm = nn.utils.get_total_norm(gradients).double()
        bound = torch.full_like(norm, self._config.clip_norm)
        if self._usual is not None:
            bound = bound.minimum(self._config.clip_ratio * self._usual)
        factor = (bound / (norm + 1e-6)).clamp(max=1.0)  # as torch's clip_grad_norm_
        torch._foreach_mul_(gradients, factor.to(gradients[0].dtype))
        taken = norm.minimum(bound)
        if self._usual is None:
            self._usual = taken
        else:
            self._usual = _NORM_MEMORY * self._usual + (1 - _NORM_MEMORY) * taken
        return norm

    def read(self, state: RunState) -> None:
        """Add the losses since the last reading to the state; one wait.

        Raises:
            NumberError: a loss or a gradient that is not finite, with the samples named.
        """
        if not self._unread:
            return
        unread, self._unread = self._unread, []
        assert self._usual is not None  # there was a step
        numbers = [torch.stack([each.loss.total.double(), each.norm]) for each in unread]
        ending = torch.stack([self._usual, self._usual])
        *read, (state.usual_norm, _) = torch.stack([*numbers, ending]).tolist()
        for each, (total, norm) in zip(unread, read, strict=True):
            if not math.isfinite(total):
                each.loss.require_finite()
            if not math.isfinite(norm):
                raise gradient_not_finite(each.loss.names)
            state.loss_sum += total
