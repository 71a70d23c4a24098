"""Species as an argument of layers."""

from __future__ import annotations

import torch
from torch import Tensor

from schur.errors import ShapeError


def checked_species(given: Tensor | None, count: int | None, lead: torch.Size) -> Tensor | None:
    """The species of all rows in one axis, for a layer that has `count` of them.

    Bounds are checked where the species are used.

    Raises:
        ShapeError: if species are missing, not wanted, or of another shape than `lead`.

    Example:
        >>> checked_species(torch.tensor([[0], [1]]), 2, torch.Size([2, 1]))
        tensor([0, 1])
    """
    if (given is None) != (count is None):
        raise ShapeError(
            "species are for a layer with species, and for no other",
            got=f"species={'None' if given is None else tuple(given.shape)}",
            expected=f"a layer built with species={count}",
            remedy="build the layer with species=N and pass species=..., or do neither",
        )
    if given is None:
        return None
    if given.shape != lead:
        raise ShapeError(
            "species has the wrong shape", got=tuple(given.shape), expected=tuple(lead)
        )
    return given.reshape(-1)
