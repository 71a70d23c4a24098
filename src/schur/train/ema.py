"""Exponential moving average of parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..errors import DataError


class AveragedParameters:
    """avg <- d avg + (1 - d) p after each step, with d = min(decay, (1 + t) / (10 + t)).

    The bound lets the average follow a young run.

    Args:
        model: whose parameters are averaged.
        decay: d in [0, 1); 0 makes the average equal the parameters.

    Example:
        >>> model = nn.Linear(1, 1, bias=False)
        >>> average = AveragedParameters(model, decay=0.0)
        >>> with torch.no_grad():
        ...     _ = model.weight.fill_(3.0)
        >>> average.update()
        >>> average.state()["weight"].item()
        3.0
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._named = dict(model.named_parameters())
        self._shadow = {name: p.detach().clone() for name, p in self._named.items()}
        self.decay = decay
        self.updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Takes one step of the average."""
        self.updates += 1
        decay = min(self.decay, (1.0 + self.updates) / (10.0 + self.updates))
        shadow: list[Tensor] = list(self._shadow.values())
        current: list[Tensor] = list(self._named.values())
        torch._foreach_lerp_(shadow, current, 1.0 - decay)

    @contextmanager
    def swapped_in(self) -> Iterator[None]:
        """Puts the averages into the model for the length of the block."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, parameter in self._named.items():
            held = parameter.detach().clone()
            parameter.copy_(self._shadow[name])
            self._shadow[name].copy_(held)

    def state(self) -> dict[str, Tensor]:
        """Copies of the averages by parameter name."""
        return {name: value.clone() for name, value in self._shadow.items()}

    @torch.no_grad()
    def load(self, state: Mapping[str, Tensor], updates: int) -> None:
        """Takes over averages made before.

        Raises:
            DataError: names that are not the model's.
        """
        if set(state) != set(self._shadow):
            raise DataError(
                "the averaged parameters belong to another model",
                got=sorted(set(state) ^ set(self._shadow))[:5],
                expected="the same parameter names",
            )
        for name, value in state.items():
            self._shadow[name].copy_(value)
        self.updates = updates
