"""Linear maps of rows that are made of one matrix for each block of channels."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class BlockPath:
    """A matrix from `components` lines of `mul_in` channels to as many of `mul_out`, scaled."""

    start_in: int
    start_out: int
    components: int
    mul_in: int
    mul_out: int
    start_weight: int
    scale: float

    @property
    def reads(self) -> slice:
        """The columns that the path reads."""
        return slice(self.start_in, self.start_in + self.components * self.mul_in)

    def matrix(self, weight: Tensor, transposed: bool) -> Tensor:
        """The path's matrix of shape (mul_in, mul_out) inside the weights."""
        flat = weight[self.start_weight : self.start_weight + self.mul_in * self.mul_out]
        if transposed:
            return flat.view(self.mul_out, self.mul_in).mT
        return flat.view(self.mul_in, self.mul_out)


@dataclass(frozen=True)
class BlockMap:
    """A linear map of rows made of one matrix for each path.

    Args:
        paths: the matrices; several into one block add up.
        dim_in, dim_out: columns of the rows that come in and go out.
        weight_numel: how many weights there are.
        transposed: whether the weights hold each matrix transposed.
        biases: start and width of the outgoing columns that a bias is added to.
    """

    paths: tuple[BlockPath, ...]
    dim_in: int
    dim_out: int
    weight_numel: int
    transposed: bool = False
    biases: tuple[tuple[int, int], ...] = ()

    def __reduce__(self) -> tuple[type[BlockMap], tuple[object, ...]]:
        """Copies and pickles are built anew, without what was derived and kept here."""
        return BlockMap, tuple(getattr(self, field.name) for field in fields(self))

    @cached_property
    def transpose(self) -> BlockMap:
        """The map in the other direction with the same weights, without biases."""
        paths = tuple(
            replace(
                path,
                start_in=path.start_out,
                start_out=path.start_in,
                mul_in=path.mul_out,
                mul_out=path.mul_in,
            )
            for path in self.paths
        )
        return BlockMap(paths, self.dim_out, self.dim_in, self.weight_numel, not self.transposed)

    @cached_property
    def operations(self) -> int:
        """Multiplications and additions for one row."""
        return 2 * sum(path.components * path.mul_in * path.mul_out for path in self.paths)

    @cached_property
    def covers(self) -> bool:
        """Whether every column that goes out is written."""
        written = {path.start_out: path.components * path.mul_out for path in self.paths}
        return sum(written.values()) == self.dim_out


@dataclass(frozen=True, eq=False)
class RowGroups:
    """Which rows use which line of the weights.

    Args:
        which: for each row the line, shape (rows,).
        order: the rows of line 0, then of line 1 and so on; None if they stand in that order.
        bounds: group s is `order[bounds[s]:bounds[s + 1]]`.
    """

    which: Int[Tensor, " rows"]
    order: Int[Tensor, " rows"] | None
    bounds: tuple[int, ...]

    @classmethod
    def of(cls, which: Int[Tensor, " rows"], count: int) -> RowGroups:
        """The groups of rows with equal `which`, its values known to lie in 0 … count - 1."""
        sizes = torch.bincount(which, minlength=count).tolist()
        bounds = [0]
        for size in sizes:
            bounds.append(bounds[-1] + size)
        ordered = len(which) < 2 or bool((which[1:] >= which[:-1]).all())
        order = None if ordered else torch.argsort(which, stable=True)
        return cls(which, order, tuple(bounds))

    def split(self, rows: Float[Tensor, "rows dim"]) -> tuple[Tensor, ...]:
        """The rows of each group.

        Example:
            >>> groups = RowGroups.of(torch.tensor([1, 0, 1]), 2)
            >>> [part[:, 0].tolist() for part in groups.split(torch.tensor([[0.0], [1.0], [2.0]]))]
            [[1.0], [0.0, 2.0]]
        """
        ordered = rows if self.order is None else rows[self.order]
        sizes = [end - begin for begin, end in zip(self.bounds, self.bounds[1:], strict=False)]
        return ordered.split(sizes)


def in_torch(
    x: Float[Tensor, "rows dim_in"],
    weight: Float[Tensor, "*groups weight_numel"],
    blocks: BlockMap,
    groups: RowGroups | None,
) -> Float[Tensor, "rows dim_out"]:
    """The map in operations of torch, for any device and number type and for its tracers.

    All rows are multiplied for each group, as a tracer must not see how many belong to it; see
    `in_torch_by_group`.
    """
    if groups is not None:
        total = x.new_zeros(len(x), blocks.dim_out)
        for group in range(len(groups.bounds) - 1):
            mask = (groups.which == group).to(x.dtype)[:, None]
            total = total + mask * in_torch(x, weight[group], blocks, None)
        return total
    written: dict[int, Tensor] = {}
    for path in blocks.paths:
        block = x[:, path.reads].unflatten(1, (path.components, path.mul_in))
        product = (path.scale * block @ path.matrix(weight, blocks.transposed)).flatten(1)
        before = written.get(path.start_out)
        written[path.start_out] = product if before is None else before + product
    parts, column = [], 0
    for start in sorted(written):
        parts += [x.new_zeros(len(x), start - column), written[start]]
        column = start + written[start].shape[1]
    return torch.cat([*parts, x.new_zeros(len(x), blocks.dim_out - column)], 1)


def in_torch_by_group(
    x: Float[Tensor, "rows dim_in"],
    weight: Float[Tensor, "groups weight_numel"],
    blocks: BlockMap,
    groups: RowGroups,
) -> Float[Tensor, "rows dim_out"]:
    """The same where the sizes of groups are known: every row is multiplied once."""
    parts = groups.split(x)
    made = torch.cat([in_torch(p, w, blocks, None) for p, w in zip(parts, weight, strict=True)])
    return (
        made if groups.order is None else torch.empty_like(made).index_copy_(0, groups.order, made)
    )


def outer_in_torch_by_group(
    x: Float[Tensor, "rows dim_in"],
    g: Float[Tensor, "rows dim_out"],
    blocks: BlockMap,
    groups: RowGroups,
) -> Float[Tensor, "groups weight_numel"]:
    """The gradient of ⟨g, in_torch_by_group(x, w)⟩ by w, likewise."""
    pairs = zip(groups.split(x), groups.split(g), strict=True)
    return torch.stack([outer_in_torch(one, other, blocks, None) for one, other in pairs])


def outer_in_torch(
    x: Float[Tensor, "rows dim_in"],
    g: Float[Tensor, "rows dim_out"],
    blocks: BlockMap,
    groups: RowGroups | None,
) -> Float[Tensor, "*groups weight_numel"]:
    """The gradient of ⟨g, in_torch(x, w)⟩ by w, likewise."""
    count = () if groups is None else (len(groups.bounds) - 1,)
    zero = x.new_zeros(*count, blocks.weight_numel)
    pull = torch.func.vjp(lambda w: in_torch(x, w, blocks, groups), zero)[1]
    return pull(g)[0]
