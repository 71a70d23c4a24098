"""Linear maps with weights as one matrix, put together from few distinct entries."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from schur.engine.tracing import is_traced, is_transformed


class AssembledMap(torch.nn.Module):
    """x ↦ x M + b, with M and b linear in weights and biases.

        M[(j, u), (i, w)] = Σ_d patterns[c(i, j), d] weight[d, u, w]
        b[(i, w)]         = Σ_b shifts[b, i] bias[b, w]

    c(i, j) is the class of an entry: entries at which all maps agree are in one, and there are
    few. So the sums are made once for each class and read from there.

    Where no gradient by the weights is asked for, M and b are kept until the weights change. That
    is found out by comparing their values, since not every change of a parameter leaves a trace.

    Args:
        patterns: what the maps hold in each class; whole numbers.
        classes: the class of each entry, rows for the output.
        shifts: what the biases stand for; whole numbers. May be empty.
        channels: numbers of channels of the input and the output.

    Example:
        All maps of two numbers that commute with their exchange: the mean to both, and the rest.

        >>> maps = AssembledMap(np.eye(2), np.array([[0, 1], [1, 0]]), np.ones((1, 2)), (1, 1))
        >>> weight, bias = torch.tensor([[[2.0]], [[1.0]]]), torch.tensor([[5.0]])
        >>> maps(torch.tensor([[1.0, 10.0]]), weight, bias)
        tensor([[17., 26.]])
    """

    patterns: Tensor | None
    shifts: Tensor
    places: Tensor

    def __init__(
        self,
        patterns: Float[np.ndarray, "classes maps"],
        classes: Int[np.ndarray, "rows columns"],
        shifts: Float[np.ndarray, "biases rows"],
        channels: tuple[int, int],
    ) -> None:
        super().__init__()
        rows, columns = classes.shape
        width_in, width_out = channels
        self.extents = (columns * width_in, rows * width_out)
        u, w = np.arange(width_in)[:, None, None], np.arange(width_out)
        places = (classes.T[:, None, :, None] * width_in + u) * width_out + w
        kind = torch.get_default_dtype()
        # Orbits are maps and classes at once.
        same = np.array_equal(patterns, np.eye(len(patterns)))
        table = None if same else torch.tensor(patterns, dtype=kind)
        self.register_buffer("patterns", table, persistent=False)
        self.register_buffer("shifts", torch.tensor(shifts.T, dtype=kind), persistent=False)
        self.register_buffer("places", torch.from_numpy(places.reshape(-1)), persistent=False)
        self._kept: tuple[Tensor, Tensor | None, Tensor, Tensor | None] | None = None

    def forward(
        self,
        x: Float[Tensor, "batch width_in"],
        weight: Float[Tensor, "maps channels_in channels_out"],
        bias: Float[Tensor, "biases channels_out"] | None,
    ) -> Float[Tensor, "batch width_out"]:
        """Evaluate."""
        matrix, shift = self._matrix(weight, bias)
        return x @ matrix if shift is None else torch.addmm(shift, x, matrix)

    def _matrix(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        learns = weight.requires_grad or (bias is not None and bias.requires_grad)
        if (learns and torch.is_grad_enabled()) or is_traced() or is_transformed():
            return self._assembled(weight, bias)
        kept = self._kept
        if kept is None or not (_equal(kept[0], weight) and _equal(kept[1], bias)):
            with torch.inference_mode(False):  # what is kept may later serve a gradient by x
                copies = weight.detach().clone(), None if bias is None else bias.detach().clone()
                kept = self._kept = (*copies, *self._assembled(*copies))
        return kept[2:]

    def _assembled(self, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
        entries = weight.flatten(1)
        if self.patterns is not None:
            entries = self.patterns.to(weight.dtype) @ entries
        matrix = entries.flatten().index_select(0, self.places).view(self.extents)
        return matrix, None if bias is None else (self.shifts.to(bias.dtype) @ bias).flatten()

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_kept": None}


def _equal(kept: Shaped[Tensor, "..."] | None, now: Shaped[Tensor, "..."] | None) -> bool:
    if kept is None or now is None:
        return kept is now
    return kept.dtype == now.dtype and kept.device == now.device and torch.equal(kept, now)
