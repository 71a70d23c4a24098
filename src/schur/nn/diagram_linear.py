"""The equivariant linear map between tensor powers of a group's defining representation."""

from __future__ import annotations

from math import prod
from numbers import Integral

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.engine import Routine, c_backend
from schur.engine.assembled_product import FEW
from schur.engine.factored_product import FactoredMaps
from schur.engine.routine import Backend
from schur.errors import RepresentationError, ShapeError
from schur.groups import Group
from schur.nn.assembled_map import AssembledMap
from schur.nn.factored_map import apply_factored, factored_maps
from schur.products.diagrams import EquivariantMaps, equivariant_maps
from schur.products.diagrams.basis import Order

# Two milliseconds a term to compile, in C.
_COMPILED_TERMS = 4000
# Numbers that all maps have together as matrices, which are needed for a moment.
_STACKED_ENTRIES = 1 << 22
# A program that torch runs is slower than the matrix up to any size that is held.
_MATRIX_ENTRIES = 1 << 18
# Tables are faster than the matrix but for gradients of few rows: up to so many entries, and as
# long as no library multiplies.
_SMALL_ENTRIES = 1 << 15


class DiagramLinear(torch.nn.Module):
    """All linear maps of tensors of order k to order l that commute with a group.

        out[i, w] = Σ_d Σ_j D_d[i, j] Σ_u weight[d, u, w] x[j, u] + Σ_b B_b[i] bias[b, w]

    with i = i_1 … i_l and j = j_1 … j_k. The D_d are a basis of Hom_G((R^n)^⊗k, (R^n)^⊗l) and the
    B_b one of the invariant tensors of order l, as `schur.products.diagrams.equivariant_maps`
    chooses them: diagrams for Sym(n), Alt(n), O(n), SO(n) and Sp(n), which are never made into
    matrices and cost n^max(k, l); orbits for other permutation groups (automorphisms of graphs),
    which cost n^(k+l); tensor products of these for products of groups.

    Args:
        group: the group; it acts on each of the k and l axes. A product of groups acts on the sum
            of their spaces (local symmetry).
        k, l: orders of input and output. For a product of groups also tuples with one order for
            each factor: the first axes are then the first factor's, the next the second's.
        channels_in, channels_out: numbers of channels, which the group leaves alone.
        bias: whether to add the invariant tensors.
        backend: see `schur.engine.Routine`; a program that is written out in C has no more than
            4,000 terms, which take ten seconds to compile, above which torch runs it. On a CPU
            "auto" compiles nothing for a layer: it contracts, mixes and copies by tables
            (`schur.nn.factored_map`). With gradients by the weights, a layer whose matrix has up to
            32,768 entries makes one product with that (`schur.nn.assembled_map`) for as few rows as
            need up to 65,536 multiplications. Groups that are given by orbits have no diagrams to
            contract: theirs is the matrix, up to 262,144 entries, or the program.

    Attributes:
        dimension, bias_dimension: how many maps and how many invariant tensors there are.
        weight: shape (dimension, channels_in, channels_out); drawn so that standard normal inputs
            give outputs of variance one, on the mean over the entries. Absent without maps.
        bias: shape (bias_dimension, channels_out), zeros; absent where there is none.

    Raises:
        RepresentationError: no basis is known for the group, or there are no maps and no bias.

    Source: Pearce-Crump, https://arxiv.org/abs/2212.08630 for O(n), SO(n) and Sp(n),
    https://arxiv.org/abs/2212.08648 for Sym(n), https://arxiv.org/abs/2301.10152 for Alt(n),
    https://arxiv.org/abs/2307.07810 for graphs; Maron et al., "Invariant and equivariant graph
    networks", https://arxiv.org/abs/1812.09902.

    Example:
        >>> from schur.groups import Sym
        >>> layer = DiagramLinear(Sym(5), 2, 2, 4, 8)
        >>> layer
        DiagramLinear(Sym(5): 2 -> 2, 4 -> 8 channels, 15 maps, 2 biases, 496 parameters)
        >>> layer(torch.randn(10, 5, 5, 4)).shape
        torch.Size([10, 5, 5, 8])

        Vectors on pairs of five points, which are renumbered by one group and turned by the other:

        >>> from schur.groups import O3
        >>> layer = DiagramLinear(Sym(5) * O3(), (2, 1), (1, 1), 4, 8)
        >>> layer
        DiagramLinear(Sym(5) x O3: (2, 1) -> (1, 1), 4 -> 8 channels, 5 maps, 0 biases,
        160 parameters)
        >>> layer(torch.randn(10, 5, 5, 3, 4)).shape
        torch.Size([10, 5, 3, 8])
    """

    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        group: Group,
        k: Order,
        l: Order,
        channels_in: int,
        channels_out: int,
        *,
        bias: bool = True,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        if not all(isinstance(c, Integral) and c >= 1 for c in (channels_in, channels_out)):
            raise ShapeError(
                "channels count from one", got=(channels_in, channels_out), expected="1, 2, …"
            )
        self.group, self.k, self.l = group, k, l
        self.channels_in, self.channels_out = channels_in, channels_out
        maps = equivariant_maps(group, k, l)
        none = (0,) * len(k) if isinstance(k, tuple) else 0
        shifts = equivariant_maps(group, none, l) if bias else None
        self.shape_in, self.shape_out = maps.shape_in, maps.shape_out
        self._inner = (*maps.shape_in, channels_in)
        self._outer = (*maps.shape_out, channels_out)
        self._numel_in = prod(self._inner)
        self.dimension = maps.dimension
        self.bias_dimension = 0 if shifts is None else shifts.dimension
        if self.dimension + self.bias_dimension == 0:
            raise RepresentationError(
                f"no linear map of order {k} to order {l} but zero commutes with {group}",
                remedy="for O(n) and Sp(n) k + l must be even",
            )
        program = maps.program(channels_in, channels_out, shifts)
        terms = sum(statement.form.terms for statement in program.statements)
        large = backend == "auto" and terms > _COMPILED_TERMS
        self.routine = Routine(program, "torch" if large else backend)
        channels = channels_in, channels_out
        auto = backend == "auto"
        self.factored = factored_maps(maps, shifts, channels) if auto else None
        dense = auto and _by_matrix(maps, channels, self.factored, large)
        self.matrix = _matrix(maps, shifts, channels) if dense else None
        start = torch.randn(self.dimension, channels_in, channels_out)
        shares = maps.squares() * channels_in * max(self.dimension, 1) / prod(maps.shape_out)
        start /= torch.from_numpy(np.sqrt(shares)).to(start.dtype)[:, None, None]
        self.weight = torch.nn.Parameter(start) if self.dimension else None
        zeros = torch.zeros(self.bias_dimension, channels_out)
        self.bias = torch.nn.Parameter(zeros) if self.bias_dimension else None

    def forward(self, x: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """Evaluate.

        Args:
            x: shape (..., n, …, n, channels_in) with k axes of length n; with orders for each
                factor, so many axes of that factor's length.

        Returns:
            Shape (..., n, …, n, channels_out) with l axes of length n, or likewise.
        """
        inner = self._inner
        axes = x.ndim - len(inner)
        if axes < 0 or x.shape[axes:] != inner:
            raise ShapeError(
                f"tensors of order {self.k} for {self.group}, channels last",
                got=tuple(x.shape),
                expected=f"(..., {', '.join(map(str, inner))})",
            )
        shape = x.shape[:axes] + self._outer
        matrix, factored, weight, bias = self.matrix, self.factored, self.weight, self.bias
        if weight is not None:
            if factored is not None and c_backend.takes(x, weight, bias):
                if matrix is not None and self._few_and_learned(x, weight, matrix):
                    return matrix(x, weight, bias, shape)
                rows = x.reshape(-1, self._numel_in)
                return apply_factored(rows, weight, bias, factored).view(shape)
            if matrix is not None and _plain(x, weight):
                return matrix(x, weight, bias, shape)
        rows = x.reshape(-1, self._numel_in)
        out = self.routine(rows, *(p.reshape(-1) for p in (weight, bias) if p is not None))
        return out.reshape(shape)

    def _few_and_learned(self, x: Tensor, weight: Tensor, matrix: AssembledMap) -> bool:
        """Whether the matrix of a layer that has tables too is the faster way."""
        learns = weight.requires_grad and torch.is_grad_enabled()
        return learns and x.numel() * matrix.extents[1] <= FEW

    def __repr__(self) -> str:
        numel = sum(parameter.numel() for parameter in self.parameters())
        return (
            f"DiagramLinear({self.group}: {self.k} -> {self.l}, "
            f"{self.channels_in} -> {self.channels_out} channels, {self.dimension} maps, "
            f"{self.bias_dimension} biases, {numel} parameters)"
        )


def _plain(x: Tensor, weight: Tensor) -> bool:
    """Whether both are of one type on the CPU; a routine judges all else."""
    one = x.dtype == weight.dtype and x.device == weight.device
    return one and x.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def _by_matrix(
    maps: EquivariantMaps,
    channels: tuple[int, int],
    factored: FactoredMaps | None,
    in_torch: bool,
) -> bool:
    """Whether one matrix product is ever faster than all else, and not too large to hold."""
    entries = prod(maps.shape_in) * prod(maps.shape_out)
    if not 0 < entries * maps.dimension <= _STACKED_ENTRIES:
        return False
    entries *= prod(channels)
    if factored is None:
        return entries <= _MATRIX_ENTRIES or not in_torch
    return entries <= _SMALL_ENTRIES


def _matrix(
    maps: EquivariantMaps, shifts: EquivariantMaps | None, channels: tuple[int, int]
) -> AssembledMap:
    rows = prod(maps.shape_out)
    biases = np.zeros((0, rows)) if shifts is None else shifts.matrices()[:, :, 0]
    return AssembledMap(*maps.classes(), biases, channels)
