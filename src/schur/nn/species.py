"""Species as an argument of layers."""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from schur.engine import Sorted
from schur.engine.block_map import RowGroups
from schur.engine.sorting import as_index
from schur.errors import ShapeError


class Species:
    """The species of all rows, checked once and sorted once.

    Layers that take a tensor of species take this too. A plain tensor is looked at by each layer,
    for which a GPU has to be waited for; what is here is known before anything is moved there.

    Args:
        which: the species of each row.
        count: how many species there are.

    Raises:
        IndexRangeError: a species that there is not.

    Example:
        >>> species = Species(torch.tensor([1, 0, 1]), 2)
        >>> species.groups.order, species.groups.bounds
        (tensor([1, 0, 2]), (0, 1, 3))
    """

    def __init__(self, which: Int[Tensor, " rows"], count: int) -> None:
        self.sorted = Sorted(as_index(which, "species"), count)
        self.bounds = tuple(self.sorted.start.tolist())

    @property
    def index(self) -> Int[Tensor, " rows"]:
        """The species of each row."""
        return self.sorted.index

    @property
    def count(self) -> int:
        """How many species there are."""
        return self.sorted.size

    @cached_property
    def groups(self) -> RowGroups:
        """The rows of each species."""
        return RowGroups(self.index, self.sorted.order, self.bounds)

    def to(self, device: torch.device | str) -> Species:
        """The same on another device."""
        return Species._of(self.sorted.to(device), self.bounds)

    def with_one_of_each(self) -> Species:
        """The same with one row of each species at the end; nothing is looked at.

        Example:
            >>> Species(torch.tensor([1, 0, 1]), 2).with_one_of_each().groups.order
            tensor([1, 3, 0, 2, 4])
        """
        device, rows = self.index.device, len(self.index)
        further = torch.arange(self.count + 1, device=device)
        parts = self.sorted.order.split(
            [end - begin for begin, end in zip(self.bounds, self.bounds[1:], strict=False)]
        )
        last = torch.arange(rows, rows + self.count, device=device).split(1)
        order = [part for pair in zip(parts, last, strict=True) for part in pair]
        more = Sorted.known(
            torch.cat([self.index, further[:-1]]), torch.cat(order), self.sorted.start + further
        )
        return Species._of(more, tuple(b + k for k, b in enumerate(self.bounds)))

    @classmethod
    def _of(cls, known: Sorted, bounds: tuple[int, ...]) -> Species:
        made = object.__new__(cls)
        made.sorted, made.bounds = known, bounds
        return made


def checked_species(
    given: Tensor | Species | None, count: int | None, lead: torch.Size
) -> Tensor | Species | None:
    """The species of all rows in one axis, for a layer that has `count` of them.

    Bounds of a tensor are checked where the species are used.

    Raises:
        ShapeError: if species are missing, not wanted, of another shape than `lead`, or of
            another number of species.

    Example:
        >>> checked_species(torch.tensor([[0], [1]]), 2, torch.Size([2, 1]))
        tensor([0, 1])
    """
    if (given is None) != (count is None):
        shape = given.index.shape if isinstance(given, Species) else getattr(given, "shape", None)
        raise ShapeError(
            "species are for a layer with species, and for no other",
            got=f"species={'None' if shape is None else tuple(shape)}",
            expected=f"a layer built with species={count}",
            remedy="build the layer with species=N and pass species=..., or do neither",
        )
    if given is None:
        return None
    if isinstance(given, Species):
        if given.index.numel() != lead.numel() or given.count != count:
            raise ShapeError(
                "species do not fit the layer",
                got=f"{given.index.numel()} rows of {given.count} species",
                expected=f"{lead.numel()} rows of {count} species",
            )
        return given
    if given.shape != lead:
        raise ShapeError(
            "species has the wrong shape", got=tuple(given.shape), expected=tuple(lead)
        )
    return given.reshape(-1)
