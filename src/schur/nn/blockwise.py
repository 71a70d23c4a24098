"""Matrix products of blocks of rows, without a copy and differentiable to any order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from schur.engine.allocation import empty

# Rows of a group that each thread gathers at a time, and multiplies while they are in its cache.
_CHUNK = 256
# From so many rows on a product for each component beats a batched one, which copies its operands.
_MANY_ROWS = 1024


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

    @property
    def into(self) -> slice:
        """The columns that the path writes."""
        return slice(self.start_out, self.start_out + self.components * self.mul_out)

    def view_in(self, rows: Tensor) -> Tensor:
        """The columns that the path reads, as (components, rows, mul_in)."""
        block = rows[:, self.reads].unflatten(1, (self.components, self.mul_in))
        return block.transpose(0, 1)

    def view_out(self, rows: Tensor) -> Tensor:
        """The columns that the path writes, as (components, rows, mul_out)."""
        block = rows[:, self.into].unflatten(1, (self.components, self.mul_out))
        return block.transpose(0, 1)

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

    @property
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


def block_linear(
    x: Float[Tensor, "rows dim_in"],
    weight: Float[Tensor, "*groups weight_numel"],
    blocks: BlockMap,
    groups: RowGroups | None = None,
    bias: Float[Tensor, " bias_numel"] | None = None,
) -> Float[Tensor, "rows dim_out"]:
    """Apply the map to every row and add the bias.

    The three maps x, w -> out and their gradients are the same trilinear form with another slot
    open, so two operations differentiate each other to any order.
    """
    if _is_traced():
        out = _plain(x, weight, blocks, groups)
        return out if bias is None else out + _spread(bias, blocks)
    return _Apply.apply(x, weight, bias, blocks, groups)  # type: ignore[no-any-return]


def block_outer(
    x: Float[Tensor, "rows dim_in"],
    g: Float[Tensor, "rows dim_out"],
    blocks: BlockMap,
    groups: RowGroups | None = None,
) -> Float[Tensor, "*groups weight_numel"]:
    """The gradient of ⟨g, block_linear(x, w)⟩ by w."""
    if _is_traced():
        count = () if groups is None else (len(groups.bounds) - 1,)
        zero = x.new_zeros(*count, blocks.weight_numel)
        pull = torch.func.vjp(lambda w: _plain(x, w, blocks, groups), zero)[1]
        return pull(g)[0]
    return _Outer.apply(x, g, blocks, groups)  # type: ignore[no-any-return]


def _is_traced() -> bool:
    """Whether torch looks at single operations: torch.compile, torch.export, torch.func."""
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()


class _Apply(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        blocks: BlockMap,
        groups: RowGroups | None,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.blocks, ctx.groups = blocks, groups
        out = empty(len(x), blocks.dim_out, like=x)
        if not blocks.covers:
            out.zero_()
        if groups is None:
            _multiply(x, weight, out, blocks)
        else:
            _multiply_groups(x, weight, out, blocks, groups)
        if bias is not None:
            taken = 0
            for start, width in blocks.biases:
                out[:, start : start + width] += bias[taken : taken + width]
                taken += width
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        (g,) = grads
        by_x = by_weight = by_bias = None
        if ctx.needs_input_grad[0]:
            by_x = block_linear(g, weight, ctx.blocks.transpose(), ctx.groups)
        if ctx.needs_input_grad[1]:
            by_weight = block_outer(x, g, ctx.blocks, ctx.groups)
        if ctx.needs_input_grad[2]:
            columns = [g[:, start : start + width] for start, width in ctx.blocks.biases]
            by_bias = torch.cat(columns, 1).sum(0)
        return by_x, by_weight, by_bias, None, None


class _Outer(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, g: Tensor, blocks: BlockMap, groups: RowGroups | None
    ) -> Tensor:
        ctx.save_for_backward(x, g)
        ctx.blocks, ctx.groups = blocks, groups
        if groups is None:
            weight = x.new_zeros(blocks.weight_numel)
            _accumulate(x, g, weight, blocks)
            return weight
        weight = x.new_zeros(len(groups.bounds) - 1, blocks.weight_numel)
        _accumulate_groups(x, g, weight, blocks, groups)
        return weight

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        x, g = ctx.saved_tensors
        (h,) = grads
        by_x = by_g = None
        if ctx.needs_input_grad[0]:
            by_x = block_linear(g, h, ctx.blocks.transpose(), ctx.groups)
        if ctx.needs_input_grad[1]:
            by_g = block_linear(x, h, ctx.blocks, ctx.groups)
        return by_x, by_g, None, None


def _filled(groups: RowGroups) -> list[tuple[int, int, int]]:
    """Group, first and last position, for groups that hold rows."""
    pairs = zip(groups.bounds[:-1], groups.bounds[1:], strict=True)
    return [(group, a, b) for group, (a, b) in enumerate(pairs) if b > a]


def _multiply_groups(
    x: Tensor, weight: Tensor, out: Tensor, blocks: BlockMap, groups: RowGroups
) -> None:
    """Write the map of every group."""
    if groups.order is None:
        for group, first, last in _filled(groups):
            _multiply(x[first:last], weight[group], out[first:last], blocks)
        return
    into: dict[int, list[BlockPath]] = {}
    for path in blocks.paths:
        into.setdefault(path.start_out, []).append(path)
    block, product = _buffers(x, blocks)
    for group, rows in _chunks(groups, groups.order):
        for paths in into.values():
            lines = len(rows) * paths[0].components
            made = product[: lines * paths[0].mul_out].view(lines, paths[0].mul_out)
            for number, path in enumerate(paths):
                read = _gathered(x, path.reads, rows, block).view(lines, path.mul_in)
                matrix = path.matrix(weight[group], blocks.transposed)
                made.addmm_(read, matrix, beta=float(number > 0), alpha=path.scale)
            out[:, paths[0].into].index_copy_(0, rows, made.view(len(rows), -1))


def _chunks(groups: RowGroups, order: Tensor) -> Iterator[tuple[int, Tensor]]:
    """The rows of each group, a few at a time."""
    step = _CHUNK * torch.get_num_threads()
    for group, first, last in _filled(groups):
        for start in range(first, last, step):
            yield group, order[start : min(start + step, last)]


def _buffers(like: Tensor, blocks: BlockMap) -> tuple[Tensor, Tensor]:
    """Room for what one path reads and writes of a chunk."""
    rows = _CHUNK * torch.get_num_threads()
    wide_in = max((path.components * path.mul_in for path in blocks.paths), default=0)
    wide_out = max((path.components * path.mul_out for path in blocks.paths), default=0)
    return like.new_empty(rows * wide_in), like.new_empty(rows * wide_out)


def _gathered(table: Tensor, columns: slice, rows: Tensor, buffer: Tensor) -> Tensor:
    """Some columns of some rows, side by side in a buffer."""
    width = columns.stop - columns.start
    place = buffer[: len(rows) * width].view(len(rows), width)
    return torch.index_select(table[:, columns], 0, rows, out=place)


def _multiply(x: Tensor, weight: Tensor, out: Tensor, blocks: BlockMap) -> None:
    """Write the map of `x` into `out`, straight into place."""
    written: set[int] = set()
    for path in blocks.paths:
        matrix = path.matrix(weight, blocks.transposed)
        read, into = path.view_in(x), path.view_out(out)
        beta = 1.0 if path.start_out in written else 0.0
        if len(x) < _MANY_ROWS:
            batch = matrix.expand(path.components, path.mul_in, path.mul_out)
            into.baddbmm_(read, batch, beta=beta, alpha=path.scale)
        else:
            for component in range(path.components):
                into[component].addmm_(read[component], matrix, beta=beta, alpha=path.scale)
        written.add(path.start_out)


def _accumulate_groups(
    x: Tensor, g: Tensor, weight: Tensor, blocks: BlockMap, groups: RowGroups
) -> None:
    """Add the gradient by the weights of every group."""
    if groups.order is None:
        for group, first, last in _filled(groups):
            _accumulate(x[first:last], g[first:last], weight[group], blocks)
        return
    left, right = _buffers(x, blocks)
    for group, rows in _chunks(groups, groups.order):
        for path in blocks.paths:
            read = _gathered(x, path.reads, rows, left).view(-1, path.mul_in)
            cotangent = _gathered(g, path.into, rows, right).view(-1, path.mul_out)
            matrix = path.matrix(weight[group], blocks.transposed)
            matrix.addmm_(read.mT, cotangent, alpha=path.scale)


def _accumulate(x: Tensor, g: Tensor, weight: Tensor, blocks: BlockMap) -> None:
    """Add the gradient by the weights."""
    for path in blocks.paths:
        matrix = path.matrix(weight, blocks.transposed)
        for left, right in zip(path.view_in(x), path.view_out(g), strict=True):
            matrix.addmm_(left.mT, right, alpha=path.scale)


def _plain(x: Tensor, weight: Tensor, blocks: BlockMap, groups: RowGroups | None) -> Tensor:
    """The same in operations that torch can trace."""
    if groups is not None:
        total = x.new_zeros(len(x), blocks.dim_out)
        for group in range(len(groups.bounds) - 1):
            mask = (groups.which == group).to(x.dtype)[:, None]
            total = total + mask * _plain(x, weight[group], blocks, None)
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


def _spread(bias: Tensor, blocks: BlockMap) -> Tensor:
    """The bias at its columns, zero elsewhere."""
    parts, column, taken = [], 0, 0
    for start, width in blocks.biases:
        parts += [bias.new_zeros(start - column), bias[taken : taken + width]]
        column, taken = start + width, taken + width
    return torch.cat([*parts, bias.new_zeros(blocks.dim_out - column)])
