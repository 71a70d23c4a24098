"""The loss of a potential: energies per atom, forces, stress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor

from ..train.task import Loss
from .batch import Batch
from .potential import Potential
from .repeated import RepeatedBatches


class LossConfig(BaseModel):
    """Weights of the loss.

        L = mean_s w_s [ λ_E ρ((E_s - Ê_s) / N_s) + λ_F mean_i ρ(F_i - F̂_i) + λ_S ρ(σ - σ̂) ]

    with ρ(x) the mean of x² over components; of Huber's function where `huber` is given (twice
    its usual value, so that both agree near zero); or, for `norms`, the Euclidean norm |x| of an
    atom's force, a stress, an energy per atom, which gives outliers the least weight. Unknown
    labels add nothing.

    Args:
        energy, forces, stress: λ in the first stage, for eV, eV/Å and eV/Å^3.
        late_energy: λ_E at the end of the run; over the second stage it goes there
            geometrically.
        penalty: `squares` (which `huber` bends) or `norms`.
        huber: errors above this many eV (eV/Å) count linearly; None for squares.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    energy: float = Field(default=5.0, ge=0)
    forces: float = Field(default=1.0, ge=0)
    stress: float = Field(default=0.0, ge=0)
    late_energy: float = Field(default=50.0, ge=0)
    penalty: Literal["squares", "norms"] = "squares"
    huber: float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _one_penalty(self) -> Self:
        if self.penalty == "norms" and self.huber is not None:
            raise ValueError("huber bends squares; leave it out for norms")
        return self


def potential_loss(
    potential: Potential, batch: Batch, config: LossConfig, stage: float | Tensor
) -> Loss:
    """The loss of a batch, differentiable with respect to the potential's parameters.

    Args:
        potential: whose parameters are trained.
        batch: with labels.
        config: weights.
        stage: how far the second stage of the run is, from 0 to 1.
    """
    predicted = potential(batch, forces=True, stress=config.stress > 0, differentiable=True)
    weight = config.energy ** (1.0 - stage) * config.late_energy**stage
    per_atom = _error(predicted.energies, batch.energies) / batch.sizes
    samples = weight * _penalty(per_atom[:, None], config)
    assert predicted.forces is not None  # asked for above
    by_atom = _penalty(_error(predicted.forces, batch.forces), config).double()
    summed = torch.zeros_like(samples).index_add(0, batch.system, by_atom)
    samples = samples + config.forces * summed / batch.sizes
    if predicted.stresses is not None:
        tensile = _error(predicted.stresses, batch.stresses).flatten(1)
        samples = samples + config.stress * _penalty(tensile, config)
    samples = samples * batch.weights
    return Loss(samples.mean(), samples.detach(), batch.origins)


class RepeatedLoss:
    """The loss with its gradient, repeated where batches have the same atoms.

    Args:
        potential: whose parameters are trained.
        config: weights.
    """

    def __init__(self, potential: Potential, config: LossConfig) -> None:
        self.potential, self.config = potential, config
        self._repeated = RepeatedBatches(potential, self._differentiate)

    def __call__(self, batch: Batch, stage: float) -> Loss:
        """See `potential_loss`; the result carries the gradient instead of a graph."""
        device = self.potential.device
        reached = torch.full((), stage, dtype=torch.float64, device=device)  # no copy to a GPU
        total, samples, *gradients = self._repeated(batch, reached)
        assert total is not None and samples is not None
        # The next batch overwrites them, and on a GPU they are read later.
        return Loss(total.clone(), samples.clone(), batch.origins, gradients)

    def _differentiate(self, batch: Batch, stage: Tensor) -> list[Tensor | None]:
        loss = potential_loss(self.potential, batch, self.config, stage)
        parameters = list(self.potential.parameters())
        trained = [p for p in parameters if p.requires_grad]
        made = iter(torch.autograd.grad(loss.total, trained, allow_unused=True))
        gradients = [next(made) if p.requires_grad else None for p in parameters]
        return [loss.total.detach(), loss.samples, *own_memory(gradients)]


def own_memory(tensors: Sequence[Tensor | None]) -> list[Tensor | None]:
    """The same numbers where none shares memory with another: to be written into.

    Example:
        >>> one = torch.ones(1)
        >>> first, second = own_memory([one.expand(2), one])
        >>> first += 1
        >>> second
        tensor([1.])
    """
    taken: set[int] = set()
    result: list[Tensor | None] = []
    for tensor in tensors:
        if tensor is not None:
            if tensor._is_view() or tensor.untyped_storage()._cdata in taken:
                tensor = tensor.clone(memory_format=torch.contiguous_format)
            taken.add(tensor.untyped_storage()._cdata)
        result.append(tensor)
    return result


def _error(predicted: Tensor, label: Tensor) -> Tensor:
    """The difference, zero where the label is unknown."""
    return torch.where(torch.isnan(label), torch.zeros_like(predicted), predicted - label)


def _penalty(error: Tensor, config: LossConfig) -> Tensor:
    """(n, components) -> (n,)."""
    if config.penalty == "norms":
        return torch.linalg.vector_norm(error, dim=1)
    if config.huber is None:
        return error.square().mean(1)
    size = error.abs()
    bent = config.huber * (2 * size - config.huber)
    return torch.where(size <= config.huber, size.square(), bent).mean(1)
