"""What the loop asks of a problem; it knows neither atoms nor models."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from ..errors import NumberError

BatchT = TypeVar("BatchT")


@dataclass(frozen=True)
class Loss:
    """A loss to differentiate, and what each sample adds to it.

    Args:
        total: scalar that carries the graph, unless the gradient is there already.
        samples: (samples,) contributions, detached, for blame.
        names: one name a sample, for messages.
        gradients: for each parameter of the model its gradient, where it has been made with the
            loss; they may be written into.
    """

    total: Tensor
    samples: Tensor
    names: Sequence[str]
    gradients: Sequence[Tensor | None] | None = None

    def differentiate(self, parameters: Sequence[Tensor]) -> None:
        """Leave the gradient in the parameters' `.grad`."""
        if self.gradients is None:
            self.total.backward()
            return
        for parameter, gradient in zip(parameters, self.gradients, strict=True):
            parameter.grad = gradient

    def require_finite(self) -> None:
        """Stops where the loss is NaN or infinite, and names the samples at fault.

        Raises:
            NumberError: naming the samples.
        """
        if bool(torch.isfinite(self.total)):
            return
        bad = [n for n, ok in zip(self.names, torch.isfinite(self.samples), strict=True) if not ok]
        raise NumberError(
            "the loss is not finite; training has stopped",
            got=f"{float(self.total.detach())} from "
            + (", ".join(bad[:5]) or "the sum over the batch"),
            expected="a finite loss",
            remedy="look at the labels and the shortest distance of these frames; "
            "a lower learning rate helps where the data are sound",
        )


@runtime_checkable
class Task(Protocol[BatchT]):
    """A training problem."""

    @property
    def num_batches(self) -> int:
        """Batches of an epoch."""
        ...

    def batches(self, epoch: int, start: int) -> Iterable[BatchT | None]:
        """The batches of an epoch from the `start`-th on; the same for the same arguments.

        Where several processes train, each gets its share of every batch, or None where there
        is nothing for it.
        """
        ...

    def loss(self, batch: BatchT, stage: float) -> Loss:
        """Loss of a batch; `stage` rises from 0 to 1 over the second stage of the run."""
        ...

    def validate(self) -> dict[str, int | float]:
        """Errors on held-out samples; `score` is the one whose smallest value is kept.

        Where several processes train, all get the same numbers.
        """
        ...
