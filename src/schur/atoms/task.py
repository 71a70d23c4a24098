"""Training a potential, in the terms of the generic loop."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ..train.config import TrainingConfig
from ..train.processes import Processes
from ..train.task import Loss
from .batch import AtomicDataset, Batch
from .evaluate import SystemErrors, evaluate
from .loss import LossConfig, RepeatedLoss
from .potential import Potential
from .repeated import RepeatedPotential


class PotentialTask:
    """Batches of a data set, the loss of a potential, errors on a validation set.

    The order of an epoch depends on the seed and the number of the epoch alone, so that a run
    that was stopped goes on with the same batches.

    Args:
        potential: what is trained.
        train, valid: data sets.
        loss: its weights.
        training: batch size and seed.
        processes: who trains; each has its share of every batch and of the validation set.
    """

    def __init__(
        self,
        potential: Potential,
        train: AtomicDataset,
        valid: AtomicDataset,
        loss: LossConfig,
        training: TrainingConfig,
        processes: Processes | None = None,
    ) -> None:
        self.potential, self.train = potential, train
        self.config, self.size, self.seed = loss, training.batch_size, training.seed
        self.processes = Processes() if processes is None else processes
        self._loss = RepeatedLoss(potential, loss)
        self._evaluated = RepeatedPotential(potential)
        self.valid = valid
        if self.processes.size > 1:
            mine = self.processes.share(valid.systems)
            self.valid = AtomicDataset(mine, valid.elements, valid.cutoff, valid.dtype)

    @property
    def num_batches(self) -> int:
        """Batches of an epoch."""
        return -(-len(self.train) // self.size)

    def batches(self, epoch: int, start: int) -> Iterable[Batch | None]:
        """The batches of an epoch in its own order, from the `start`-th on; on the CPU."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.train)).tolist()
        for k in range(start, self.num_batches):
            mine = self.processes.share(order[k * self.size : (k + 1) * self.size])
            yield self.train.batch(mine) if mine else None

    def loss(self, batch: Batch, stage: float) -> Loss:
        """Energies, forces and stress against their labels; the batch is moved to the model."""
        return self._loss(batch, stage)

    def validate(self) -> dict[str, float]:
        """Errors in meV, meV/Å and meV/Å^3; the score weighs them as the second stage does."""
        errors, mode = SystemErrors(), self.potential.training
        self.potential.eval()  # some models leave things to chance in training
        for part in self.processes.each(lambda: evaluate(self._evaluated, self.valid).total):
            errors.merge(part)
        self.potential.train(mode)
        summary = errors.summary()
        terms = [
            (self.config.late_energy, errors.energy_per_atom.rmse),
            (self.config.forces, errors.forces.rmse),
            (self.config.stress, errors.stress.rmse),
        ]
        score = sum(weight * rmse**2 for weight, rmse in terms if rmse == rmse) ** 0.5
        found = {
            "score": score,
            "energy_rmse": float(summary["energy_rmse_meV"]),
            "energy_mae": float(summary["energy_mae_meV"]),
            "forces_rmse": float(summary["forces_rmse_meV_per_A"]),
            "forces_mae": float(summary["forces_mae_meV_per_A"]),
        }
        if errors.stress.count:
            found["stress_rmse"] = float(summary["stress_rmse_meV_per_A3"])
        return found
