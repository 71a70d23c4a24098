"""A problem of the smallest kind: fit a polynomial; it knows no atoms."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from schur.train.config import TrainingConfig
from schur.train.processes import Processes
from schur.train.task import Loss

Sample = tuple[Tensor, Tensor, tuple[str, ...]]


class Cubic(nn.Module):
    """y = Σ_k w_k x^k in float64, with weights that start from zero."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(4, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        """(n,) -> (n,)."""
        # Number by number: the bits of a product of a BLAS may depend on where its arrays lie.
        a, b, c, d = self.weight
        return a + x * (b + x * (c + x * d))


class PolynomialTask:
    """Samples of 1 - 2x + x³; `poison` puts a NaN into one label.

    Of several processes each has its share of every batch, and all validate on everything.
    """

    def __init__(
        self,
        model: Cubic,
        config: TrainingConfig,
        poison: int | None = None,
        processes: Processes | None = None,
    ) -> None:
        self.model, self.config = model, config
        self.processes = Processes() if processes is None else processes
        self.x = torch.linspace(-1, 1, 40, dtype=torch.float64)
        self.y = 1 - 2 * self.x + self.x**3
        if poison is not None:
            self.y[poison] = float("nan")
        self.late_steps = 0

    @property
    def num_batches(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.x) // self.config.batch_size)

    def batches(self, epoch: int, start: int) -> Iterable[Sample | None]:
        """Shuffled by seed and epoch."""
        order = np.random.default_rng([self.config.seed, epoch]).permutation(len(self.x))
        size = self.config.batch_size
        for k in range(start, self.num_batches):
            mine = self.processes.share(order[k * size : (k + 1) * size].tolist())
            if not mine:
                yield None
                continue
            pick = torch.tensor(mine)
            yield self.x[pick], self.y[pick], tuple(f"sample {int(i)}" for i in pick)

    def loss(self, batch: Sample, stage: float) -> Loss:
        """Mean square."""
        x, y, names = batch
        self.late_steps += stage > 0
        squares = (self.model(x) - y).square()
        return Loss(squares.mean(), squares.detach(), names)

    def validate(self) -> dict[str, float]:
        """Root mean square over all samples."""
        with torch.no_grad():
            return {"score": float((self.model(self.x) - self.y).square().mean().sqrt())}
