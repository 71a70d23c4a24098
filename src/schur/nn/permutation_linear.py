"""The linear map between tensors of order k and l that commutes with renumbering, for any n."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from numbers import Integral

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.engine import c_backend
from schur.engine.factored_product import FactoredMaps
from schur.errors import ShapeError
from schur.nn.factored_map import apply_factored, factored_maps
from schur.products.diagrams import Diagram, partitions
from schur.products.diagrams.maps import DiagramMaps

Blocks = tuple[tuple[int, ...], ...]


class PermutationLinear(torch.nn.Module):
    """All linear maps of tensors of order k to order l that commute with Sym(n), for every n.

        out[i, w] = Σ_π n^(-s_π) Σ_j D_π[i, j] Σ_u weight[π, u, w] x[j, u] + Σ_ρ D_ρ[i] bias[ρ, w]

    over the set partitions π of k + l indices and ρ of l; s_π is the number of blocks within the
    input, so that what `DiagramLinear` sums is averaged here and one set of weights serves graphs
    of all sizes. On a CPU the steps of all diagrams are tables for each n (`factored_maps`), of
    which the last 64 are kept. Elsewhere, and where these would be large, a diagram is a diagonal,
    a mean, a permutation and a copy of strided arrays. Both take n^max(k, l) operations.

    There are as many weights as set partitions; where n < k + l some maps coincide.

    Args:
        k, l: orders of input and output.
        channels_in, channels_out: numbers of channels.
        bias: whether to add the invariant tensors.

    Attributes:
        weight: shape (Bell(k + l), channels_in, channels_out).
        bias: shape (Bell(l), channels_out), zeros; or None.

    Source: Maron et al., "Invariant and equivariant graph networks",
    https://arxiv.org/abs/1812.09902, appendix A.

    Example:
        >>> layer = PermutationLinear(2, 1, 4, 8)
        >>> layer(torch.randn(10, 5, 5, 4)).shape, layer(torch.randn(9, 9, 4)).shape
        (torch.Size([10, 5, 8]), torch.Size([9, 8]))
    """

    bias: Tensor | None

    def __init__(
        self, k: int, l: int, channels_in: int, channels_out: int, *, bias: bool = True
    ) -> None:
        super().__init__()
        sizes = (k, l, channels_in, channels_out)
        whole = all(isinstance(size, Integral) for size in sizes)
        if not whole or min(k, l) < 0 or min(channels_in, channels_out) < 1:
            raise ShapeError(
                "orders count from zero and channels from one",
                got=sizes,
                expected="whole numbers, k, l >= 0 and channels >= 1",
            )
        self.k, self.l, self.channels_in, self.channels_out = k, l, channels_in, channels_out
        self.diagrams = tuple(partitions(k, l))
        self.shifts = tuple(partitions(0, l)) if bias else ()
        scale = (len(self.diagrams) * channels_in) ** -0.5
        self.weight = torch.nn.Parameter(
            scale * torch.randn(len(self.diagrams), channels_in, channels_out)
        )
        zeros = torch.zeros(len(self.shifts), channels_out)
        self.bias = torch.nn.Parameter(zeros) if bias else None

    def forward(self, x: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """Evaluate.

        Args:
            x: shape (..., n, …, n, channels_in) with k axes of one length n. For k = 0 n is
                unknown, so l must be 0 too, or `x` comes from `expand`.

        Returns:
            Shape (..., n, …, n, channels_out) with l axes of length n.
        """
        lead, n = self._lengths(x)
        shape = (*lead, *[n] * self.l, self.channels_out)
        if c_backend.takes(x, self.weight, self.bias):
            channels = self.channels_in, self.channels_out
            maps = _tables(self.k, self.l, n, bool(self.shifts), channels)
            if maps is not None:
                means = x.new_tensor(_means(self.k, self.l, n))[:, None, None]
                rows = x.reshape(prod(lead), -1)
                return apply_factored(rows, self.weight * means, self.bias, maps).view(shape)
        return self._by_arrays(x, prod(lead), n).reshape(shape)

    def _by_arrays(self, x: Tensor, count: int, n: int) -> Tensor:
        """In operations of torch alone."""
        rows = x.reshape(count, *[n] * self.k, self.channels_in)
        read: dict[tuple[Blocks, int], Tensor] = {}
        middle: dict[tuple[Blocks, Blocks], Tensor] = {}
        for diagram, weight in zip(self.diagrams, self.weight, strict=True):
            above, below, order = _sides(diagram)
            key = below, diagram.through
            if key not in read:
                read[key] = _contracted(rows, *key, n)
            value = (read[key] @ weight).permute(0, *(1 + i for i in order), -1)
            middle[above] = middle[above] + value if above in middle else value
        for number, diagram in enumerate(self.shifts):
            above, _, _ = _sides(diagram)
            assert self.bias is not None
            value = self.bias[number].expand(1, -1)
            middle[above] = middle[above] + value if above in middle else value
        out = sum(_copied(value, above, n) for above, value in middle.items())
        assert isinstance(out, Tensor)
        return out.expand(count, *out.shape[1:])

    def _lengths(self, x: Tensor) -> tuple[tuple[int, ...], int]:
        """The batch's shape, and n."""
        axes = x.ndim - 1 - self.k
        inner = x.shape[axes:-1] if axes >= 0 else ()
        if axes < 0 or len(set(inner)) > 1 or x.shape[-1] != self.channels_in:
            raise ShapeError(
                f"tensors of order {self.k}, channels last",
                got=tuple(x.shape),
                expected=f"(..., {'n, ' * self.k}{self.channels_in})",
            )
        if self.k == 0 and self.l > 0:
            raise ShapeError(
                "an input without indices does not say how many things there are",
                got=f"orders 0 -> {self.l}",
                remedy="repeat it along one axis and use k = 1",
            )
        return tuple(x.shape[:axes]), int(inner[0]) if inner else 1

    def __repr__(self) -> str:
        return (
            f"PermutationLinear({self.k} -> {self.l}, {self.channels_in} -> {self.channels_out} "
            f"channels, {len(self.diagrams)} maps, {len(self.shifts)} biases)"
        )


@lru_cache(maxsize=64)
def _tables(k: int, l: int, n: int, biased: bool, channels: tuple[int, int]) -> FactoredMaps | None:
    maps = DiagramMaps(n, k, l, tuple(partitions(k, l)))
    shifts = DiagramMaps(n, 0, l, tuple(partitions(0, l))) if biased else None
    return factored_maps(maps, shifts, channels)


@lru_cache(maxsize=1024)
def _means(k: int, l: int, n: int) -> tuple[float, ...]:
    """What makes means of each diagram's sums within the input."""
    sums = (sum(block[0] >= l for block in diagram.blocks) for diagram in partitions(k, l))
    return tuple(float(n) ** -count for count in sums)


def _sides(diagram: Diagram) -> tuple[tuple[Blocks, Blocks], Blocks, tuple[int, ...]]:
    """The output's blocks, through and its own; the input's, through first; the order between."""
    l = diagram.l
    through = [b for b in diagram.blocks if b[0] < l <= b[-1]]
    over = [tuple(v for v in b if v < l) for b in through]
    under = [tuple(v - l for v in b if v >= l) for b in through]
    own = tuple(b for b in diagram.blocks if b[-1] < l)
    summed = tuple(tuple(v - l for v in b) for b in diagram.blocks if b[0] >= l)
    ordered = sorted(under)
    return (tuple(over), own), (*ordered, *summed), tuple(ordered.index(b) for b in under)


def _contracted(x: Tensor, blocks: Blocks, through: int, n: int) -> Tensor:
    """Diagonals along the blocks, the first `through` of them kept and the others averaged."""
    k = x.ndim - 2
    letters = {v: chr(ord("a") + i) for i, block in enumerate(blocks) for v in block}
    axes = "".join(letters[v] for v in range(k))
    kept = "".join(chr(ord("a") + i) for i in range(through))
    if axes == kept:
        return x
    return torch.einsum(f"Z{axes}C->Z{kept}C", x) / n ** (len(blocks) - through)


def _copied(value: Tensor, above: tuple[Blocks, Blocks], n: int) -> Tensor:
    """The values along the diagonals of the through blocks, the same along the others."""
    through, own = above
    out = value.movedim(-1, 1)
    for _ in own:
        out = out[..., None].expand(*out.shape, n)
    for block in (*through, *own):
        out = out.movedim(2, -1)  # blocks take turns: the next one is in front
        for _ in block[1:]:
            out = torch.diag_embed(out)
    axes = [v for block in (*through, *own) for v in block]
    order = [2 + axes.index(v) for v in range(len(axes))]
    return out.permute(0, *order, 1)
