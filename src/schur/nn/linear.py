"""The equivariant linear map."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.engine import Routine
from schur.engine.block_map import BlockMap, BlockPath, RowGroups
from schur.engine.sorting import as_index, check_bounds
from schur.errors import DtypeError, RepresentationError, ShapeError
from schur.forms import Block, Factor, Form, Operand, Path
from schur.nn.blockwise import block_linear
from schur.nn.species import Species, checked_species
from schur.nn.tensor_product import broadcast_lead, rows_of, weight_policy
from schur.reps import Irreps
from schur.tensors import GeometricTensor, checked, wrapped


class Linear(torch.nn.Module):
    r"""Mix the copies of each irrep: by Schur's lemma every equivariant linear map.

        out[k, w] = Σ_paths a Σ_u weight[u, w] x[k, u]   (+ bias[w] for scalars)

    with a = 1/√n, n the number of channels summed into the block (`path_normalization="element"`),
    or the channels of the path times the paths into the block (`"path"`).  Paths, coefficients and
    the order of weights are those of `e3nn.o3.Linear`.

    Args:
        rep_in, rep_out: the representations.
        internal_weights: whether the layer holds its weights, as a parameter of shape
            (weight_numel,), or (species, weight_numel) with species.
        shared_weights: whether all rows use the same weights; if not, weights of shape
            (..., weight_numel) are an argument.
        instructions: pairs of terms (i_in, i_out) to connect; all of equal irrep if not given.
        biases: whether even scalars get a bias; one flag for each term of `rep_out`, or one.
        path_normalization: `"element"` or `"path"`.
        species: how many species have weights of their own, or None.

    Raises:
        RepresentationError: if an instruction connects different irreps, or a bias is asked for
            where it would break equivariance.

    Source: Schur (1905); Geiger and Smidt, "e3nn: Euclidean neural networks" (2022), section 4.

    Example:
        >>> layer = Linear("4x0e+2x1o", "3x0e+5x1o")
        >>> layer
        Linear(4x0e+2x1o -> 3x0e+5x1o, 22 weights)
        >>> layer(torch.randn(7, 10)).shape
        torch.Size([7, 18])
        >>> by_species = Linear("4x0e", "4x0e", species=2)
        >>> by_species(torch.randn(3, 4), species=torch.tensor([0, 1, 0])).shape
        torch.Size([3, 4])
    """

    rep_in: Irreps
    rep_out: Irreps
    weight_numel: int
    bias_numel: int
    weight: Tensor | None
    bias: Tensor | None

    def __init__(
        self,
        rep_in: Irreps | str,
        rep_out: Irreps | str,
        *,
        internal_weights: bool | None = None,
        shared_weights: bool | None = None,
        instructions: Sequence[tuple[int, int]] | None = None,
        biases: bool | Sequence[bool] = False,
        path_normalization: str = "element",
        species: int | None = None,
    ) -> None:
        super().__init__()
        self.rep_in, self.rep_out, self.species = Irreps(rep_in), Irreps(rep_out), species
        if species is not None and species < 1:
            raise ShapeError("a layer for species needs at least one", got=species)
        self.instructions = _connections(self.rep_in, self.rep_out, instructions)
        biased = _biased(self.rep_out, biases)
        self.blocks = _block_map(
            self.rep_in, self.rep_out, self.instructions, biased, path_normalization
        )
        self.weight_numel = self.blocks.weight_numel
        self.bias_numel = sum(width for _, width in self.blocks.biases)
        self.shared_weights, self.internal_weights = weight_policy(
            shared_weights, internal_weights, True
        )
        if species is not None and not self.shared_weights:
            raise ShapeError(
                "weights by species and weights by row exclude each other",
                got=f"species={species}, shared_weights=False",
                remedy="drop one of the two",
            )
        lead = () if species is None else (species,)
        for name, numel in (("weight", self.weight_numel), ("bias", self.bias_numel)):
            if self.internal_weights and numel > 0:
                start = torch.randn(*lead, numel) if name == "weight" else torch.zeros(numel)
                self.register_parameter(name, torch.nn.Parameter(start))
            else:
                self.register_parameter(name, None)

    @property
    def weight_shapes(self) -> tuple[tuple[int, int], ...]:
        """Channels in and out of each path, in the order of the weights."""
        return tuple((path.mul_in, path.mul_out) for path in self.blocks.paths)

    def forward(
        self,
        x: Shaped[Tensor, "..."] | GeometricTensor,
        weight: Shaped[Tensor, "..."] | None = None,
        bias: Shaped[Tensor, "..."] | None = None,
        *,
        species: Shaped[Tensor, "..."] | Species | None = None,
    ) -> Any:
        """Evaluate.

        Args:
            x: shape (..., rep_in.dim).
            weight: shape (weight_numel,), (species, weight_numel), or (..., weight_numel) for
                weights that are not shared; only without internal weights.
            bias: shape (bias_numel,), likewise.
            species: for a layer with species, integers of shape (...), or a `Species`.

        Returns:
            Shape (..., rep_out.dim); a GeometricTensor if `x` is one.
        """
        data = checked(x, self.rep_in, "x")
        matrices = self._numbers("weight", weight, self.weight_numel)
        shift = self._numbers("bias", bias, self.bias_numel)
        lead = data.shape[:-1]
        if matrices is not None and not self.shared_weights:
            lead = broadcast_lead([lead, matrices.shape[:-1]])
            out = self._by_row(rows_of(data, lead), rows_of(matrices, lead), shift)
        else:
            rows = data.reshape(-1, self.rep_in.dim)
            out = self._by_group(rows, matrices, shift, self._groups(species, lead))
        return wrapped(out.reshape(*lead, self.rep_out.dim), self.rep_out, x)

    def _numbers(self, name: str, given: Tensor | None, numel: int) -> Tensor | None:
        """The weights or biases to use, after a check."""
        used = getattr(self, name) if given is None else given
        if numel == 0:
            return None
        lead = () if self.species is None or name == "bias" else (self.species,)
        expected = (*lead, numel)
        loose = not self.shared_weights
        if used is None:
            raise ShapeError(f"the {name} is missing", expected=expected, remedy=f"pass {name}=...")
        if used.shape[-1:] != (numel,) or (not loose and used.shape != expected):
            raise ShapeError(
                f"the {name} has the wrong shape",
                got=tuple(used.shape),
                expected=("...", numel) if loose else expected,
            )
        return used

    def _groups(self, species: Tensor | Species | None, lead: torch.Size) -> RowGroups | None:
        rows = checked_species(species, self.species, lead)
        if rows is None or self.species is None:
            return None
        if isinstance(rows, Species):
            return rows.groups
        which = as_index(rows, "species")
        if torch.compiler.is_compiling():
            return RowGroups(which, None, tuple(range(self.species + 1)))
        check_bounds(which, self.species, "species")
        return RowGroups.of(which, self.species)

    def _by_group(
        self, rows: Tensor, weight: Tensor | None, bias: Tensor | None, groups: RowGroups | None
    ) -> Tensor:
        if weight is None:
            lead = () if self.species is None else (self.species,)
            weight = rows.new_zeros(*lead, 0)
        return block_linear(*_one_dtype(rows, weight), self.blocks, groups, bias)

    def _by_row(self, rows: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        out = Routine(_row_form(self.rep_in, self.rep_out, self.blocks).open("out"))(rows, weight)
        if bias is None:
            return out
        taken = 0
        for start, width in self.blocks.biases:
            column = torch.nn.functional.pad(
                bias[..., taken : taken + width], (start, self.rep_out.dim - start - width)
            )
            out, taken = out + column, taken + width
        return out

    def __repr__(self) -> str:
        by = "" if self.species is None else f" for each of {self.species} species"
        shift = f", {self.bias_numel} biases" if self.bias_numel else ""
        return f"Linear({self.rep_in} -> {self.rep_out}, {self.weight_numel} weights{by}{shift})"


def _one_dtype(rows: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    if rows.device != weight.device:
        raise DtypeError(
            "x and the weights are on different devices", got=(rows.device, weight.device)
        )
    if rows.dtype == weight.dtype:
        return rows, weight
    if torch.is_autocast_enabled(rows.device.type):
        widest = torch.promote_types(torch.promote_types(rows.dtype, weight.dtype), torch.float32)
        return rows.to(widest), weight.to(widest)
    raise DtypeError(
        "x and the weights differ in number type",
        got=(rows.dtype, weight.dtype),
        expected="one type for both",
        remedy="convert x or the layer with .to(dtype), or run under torch.autocast",
    )


def _connections(
    rep_in: Irreps, rep_out: Irreps, given: Sequence[tuple[int, int]] | None
) -> tuple[tuple[int, int], ...]:
    if given is None:
        return tuple(
            (i, k)
            for i, (_, ir_in) in enumerate(rep_in)
            for k, (_, ir_out) in enumerate(rep_out)
            if ir_in == ir_out
        )
    for i, k in given:
        if not (0 <= i < len(rep_in) and 0 <= k < len(rep_out)):
            raise RepresentationError(
                "an instruction names a term that is not there",
                got=(i, k),
                expected=f"terms of {rep_in} and {rep_out}",
            )
        if rep_in[i].ir != rep_out[k].ir:
            raise RepresentationError(
                "a linear map cannot connect different irreps",
                got=f"{rep_in[i].ir} -> {rep_out[k].ir}",
                expected="equal irreps (Schur's lemma)",
            )
    return tuple((i, k) for i, k in given)


def _biased(rep_out: Irreps, biases: bool | Sequence[bool]) -> list[bool]:
    if isinstance(biases, bool):
        return [biases and ir.is_scalar() for _, ir in rep_out]
    flags = list(biases)
    wrong = [str(term.ir) for flag, term in zip(flags, rep_out, strict=False) if flag]
    if len(flags) != len(rep_out) or any(ir != "0e" for ir in wrong):
        raise RepresentationError(
            "biases are for even scalars, one flag for each term",
            got=flags,
            expected=[ir.is_scalar() for _, ir in rep_out],
        )
    return flags


def _block_map(
    rep_in: Irreps,
    rep_out: Irreps,
    connections: tuple[tuple[int, int], ...],
    biased: list[bool],
    path_normalization: str,
) -> BlockMap:
    if path_normalization not in ("element", "path"):
        raise RepresentationError(
            "unknown path_normalization", got=repr(path_normalization), expected="element, path"
        )
    starts_in = [place.start for place in rep_in.slices()]
    starts_out = [place.start for place in rep_out.slices()]
    paths, numel = [], 0
    for i, k in connections:
        mul_in, mul_out = rep_in[i].mul, rep_out[k].mul
        together = [j for j, other in connections if other == k]
        summed = sum(rep_in[j if path_normalization == "element" else i].mul for j in together)
        if mul_in * mul_out:
            paths.append(
                BlockPath(
                    starts_in[i],
                    starts_out[k],
                    rep_in[i].ir.dim,
                    mul_in,
                    mul_out,
                    numel,
                    summed**-0.5,
                )
            )
        numel += mul_in * mul_out
    offsets = zip(biased, starts_out, rep_out, strict=True)
    shifts = tuple((start, term.mul) for flag, start, term in offsets if flag and term.mul)
    return BlockMap(tuple(paths), rep_in.dim, rep_out.dim, numel, biases=shifts)


def _row_form(rep_in: Irreps, rep_out: Irreps, blocks: BlockMap) -> Form:
    """The same map with weights of its own for each row."""
    place_in = {s.start: k for k, s in enumerate(rep_in.slices()) if s.stop > s.start}
    place_out = {s.start: k for k, s in enumerate(rep_out.slices()) if s.stop > s.start}
    x, out = Operand("x", rep_in.blocks()), Operand("out", rep_out.blocks())
    matrices = tuple(Block(1, (path.mul_in, path.mul_out)) for path in blocks.paths)
    paths = []
    for number, path in enumerate(blocks.paths):
        factors = (
            Factor("x", place_in[path.start_in], "u"),
            Factor("weight", number, "uw"),
            Factor("out", place_out[path.start_out], "w"),
        )
        terms = np.array([[m, 0, m] for m in range(path.components)])
        scales = np.full(path.components, path.scale)
        label = f"{number}: {rep_in[place_in[path.start_in]].ir}"
        paths.append(Path(factors, terms, scales, label))
    return Form((x, Operand("weight", matrices), out), tuple(paths))
