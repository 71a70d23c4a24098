"""The equivariant linear map between any two representations of any matrix group."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.engine import Routine
from schur.engine.routine import Backend
from schur.errors import RepresentationError, ShapeError
from schur.products.diagrams import EquivariantMaps
from schur.products.linear_maps import SolvedMaps, invariants, linear_maps
from schur.reps import Representation
from schur.reps.direct_sum import common_group
from schur.reps.terms import Term, terms_of

# Two milliseconds a term to compile, in C: above so many a dense product is taken.
_COMPILED_TERMS = 4000
# Where more than this share of the entries is not zero a dense product is as fast.
_SPARSE = 0.25


class EquivariantLinear(torch.nn.Module):
    """All linear maps between two representations that commute with their group.

        out = Σ_d weight[d] D_d x + Σ_b bias[b] B_b

    The D_d are a basis of Hom_G(rep_in, rep_out), the B_b one of the invariant vectors of rep_out
    (`schur.products.linear_maps`). Equal summands are channels: for m copies of σ in rep_in and n
    of τ in rep_out there are dim Hom_G(σ, τ) weight matrices of shape (m, n). Tensor powers are
    applied as diagrams, sparse maps by compiled forms, others as one matrix product.

    Args:
        rep_in, rep_out: representations of one group: sums (`3 * v + v * v`), tensor products,
            duals, irreps, and any of your own.
        bias: whether to add the invariant vectors.
        backend: see `schur.engine.Routine`; for forms only.

    Attributes:
        dimension, bias_dimension: the dimensions of the two spaces, which are the numbers of
            weights and of biases.
        weights: one parameter (maps, m, n) for each pair of terms that are connected, drawn so
            that standard normal inputs give outputs of variance one, on the mean over components.
            Complex where the representations are.
        bias: shape (bias_dimension,), zeros; absent where there is none.

    Raises:
        RepresentationError: the groups differ, a system is too large for the solver, or there
            are no maps and no bias.

    Source: Finzi, Welling, Wilson, "A practical method for constructing equivariant multilayer
    perceptrons for arbitrary matrix groups", https://arxiv.org/abs/2104.09459.

    Example:
        >>> from schur.groups import Lorentz
        >>> from schur.reps import Defining, Trivial
        >>> v, s = Defining(Lorentz()), Trivial(Lorentz())
        >>> layer = EquivariantLinear(5 * v + v * v, 3 * s + 2 * v)
        >>> layer
        EquivariantLinear(SO+(1,3): 36 -> 11, 13 maps, 3 biases)
        >>> layer(torch.randn(7, 36)).shape
        torch.Size([7, 11])
    """

    bias: Tensor | None

    def __init__(
        self,
        rep_in: Representation,
        rep_out: Representation,
        *,
        bias: bool = True,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.group = common_group((rep_in, rep_out))
        self.rep_in, self.rep_out = rep_in, rep_out
        sources, targets = terms_of(rep_in), terms_of(rep_out)
        kind = np.result_type(*(term.rep.generators() for term in (*sources, *targets)))
        self.links = torch.nn.ModuleList(
            link
            for source in sources
            for target in targets
            if (link := _link(source, target, backend, kind)) is not None
        )
        shifts = [_shift(term, rep_out.dim) for term in targets] if bias else []
        shift = np.concatenate([np.zeros((0, rep_out.dim)), *shifts])
        self.bias_dimension = len(shift)
        self.dimension = sum(link.weight.numel() for link in self._links())
        if self.dimension + self.bias_dimension == 0:
            raise RepresentationError(
                f"no linear map but zero commutes with {self.group}",
                got=f"{rep_in!r} -> {rep_out!r}",
                expected="representations that share an irrep",
            )
        self._share_variance()
        self.shift = _Constant(shift)
        zeros = torch.zeros(len(shift), dtype=_default_dtype(shift))
        self.bias = torch.nn.Parameter(zeros) if len(shift) else None

    @property
    def weights(self) -> list[Tensor]:
        """The weights, pair by pair."""
        return [link.weight for link in self._links()]

    def _links(self) -> list[_Link]:
        return [link for link in self.links if isinstance(link, _Link)]

    def _share_variance(self) -> None:
        # What reaches a term of the output is shared by the links that lead there.
        for link in self._links():
            reaching = sum(other.target == link.target for other in self._links())
            link.weight.data /= reaching**0.5

    def forward(self, x: Shaped[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """Evaluate.

        Args:
            x: shape (..., rep_in.dim).

        Returns:
            Shape (..., rep_out.dim).
        """
        if x.ndim < 1 or x.shape[-1] != self.rep_in.dim:
            raise ShapeError(
                f"vectors of {self.rep_in!r}",
                got=tuple(x.shape),
                expected=f"(..., {self.rep_in.dim})",
            )
        rows = x.reshape(-1, self.rep_in.dim)
        links = self._links()
        dtype = torch.promote_types(x.dtype, links[0].weight.dtype) if links else x.dtype
        out = torch.zeros(len(rows), self.rep_out.dim, dtype=dtype, device=x.device)
        for link in links:
            out = link.add_to(out, rows)
        if self.bias is not None:
            out = out + self.bias @ self.shift()
        return out.reshape(*x.shape[:-1], self.rep_out.dim)

    def __repr__(self) -> str:
        return (
            f"EquivariantLinear({self.group}: {self.rep_in.dim} -> {self.rep_out.dim}, "
            f"{self.dimension} maps, {self.bias_dimension} biases)"
        )


@dataclass(frozen=True)
class _Span:
    """Where the copies of a term lie."""

    places: tuple[int, ...]
    start: int | None  # of one block that holds them all

    @staticmethod
    def of(term: Term) -> _Span:
        places = tuple(term.places().reshape(-1).tolist())
        run = sorted(places) == list(range(min(places), min(places) + len(places)))
        ordered = term.starts == tuple(sorted(term.starts))
        return _Span(places, min(places) if run and ordered else None)


class _Link(torch.nn.Module):
    """The maps from one term of the input to one term of the output."""

    places_in: Tensor
    places_out: Tensor

    def __init__(
        self, source: Term, target: Term, maps: EquivariantMaps | SolvedMaps, backend: Backend
    ) -> None:
        super().__init__()
        self.source, self.target = source, target
        self.dims = (source.rep.dim, target.rep.dim)
        self.copies = (len(source.starts), len(target.starts))
        self.spans = (_Span.of(source), _Span.of(target))
        self.routine = _routine(maps, self.copies, backend)
        matrices = maps.matrices() if self.routine is None else np.zeros(0)
        self.basis = _Constant(matrices)
        for name, span in zip(("places_in", "places_out"), self.spans, strict=True):
            self.register_buffer(name, torch.tensor(span.places), persistent=False)
        start = torch.randn(maps.dimension, *self.copies, dtype=_default_dtype(matrices))
        shares = maps.squares() * self.copies[0] * maps.dimension / target.rep.dim
        start /= torch.from_numpy(np.sqrt(shares)).to(start.real.dtype)[:, None, None]
        self.weight = torch.nn.Parameter(start)

    def add_to(self, out: Tensor, rows: Tensor) -> Tensor:
        """`out` with the mapped part of each row added in its place."""
        if self.routine is None:
            return self._add_dense(out, rows)
        # Copies become channels, which come last.
        start = self.spans[0].start
        (d, e), (m, n) = self.dims, self.copies
        if start is None:
            x = rows[:, self.places_in]
        else:
            x = rows[:, start : start + d * m].reshape(-1, m, d).transpose(1, 2).reshape(-1, d * m)
        y = self.routine(x, self.weight.reshape(-1))
        start = self.spans[1].start
        if start is None:
            return out.index_add(1, self.places_out, y)
        y = y.reshape(-1, e, n).transpose(1, 2).reshape(-1, e * n)
        return out + torch.nn.functional.pad(y, (start, out.shape[1] - start - e * n))

    def _add_dense(self, out: Tensor, rows: Tensor) -> Tensor:
        (d, e), (m, n) = self.dims, self.copies
        matrix = torch.einsum("rba,ruw->aubw", self.basis(), self.weight).reshape(d * m, e * n)
        x = rows[:, self.places_in].to(matrix.dtype)
        return out.index_add(1, self.places_out, x @ matrix)

    def __repr__(self) -> str:
        return f"{self.dims[0]} x {self.copies[0]} -> {self.dims[1]} x {self.copies[1]}"


def _link(source: Term, target: Term, backend: Backend, kind: np.dtype) -> _Link | None:
    maps = linear_maps(source.rep, target.rep)
    if kind == np.complex128:
        # Some term is complex, so vectors are, and so are the weights of real maps.
        maps = SolvedMaps(maps.matrices().astype(kind))
    return _Link(source, target, maps, backend) if maps.dimension else None


def _routine(
    maps: EquivariantMaps | SolvedMaps, copies: tuple[int, int], backend: Backend
) -> Routine | None:
    if isinstance(maps, EquivariantMaps):
        program = maps.program(*copies, None)
        terms = sum(statement.form.terms for statement in program.statements)
        return Routine(
            program, "torch" if backend == "auto" and terms > _COMPILED_TERMS else backend
        )
    sparse = maps.terms() <= min(_COMPILED_TERMS, _SPARSE * maps.basis.size)
    if np.iscomplexobj(maps.basis) or not sparse:
        return None
    return Routine(maps.program(*copies), backend)


def _shift(term: Term, dim: int) -> np.ndarray:
    found = invariants(term.rep)
    out = np.zeros((len(term.starts), len(found), dim), dtype=found.dtype)
    for copy, start in enumerate(term.starts):
        out[copy, :, start : start + term.rep.dim] = found
    return out.reshape(-1, dim)


def _default_dtype(a: np.ndarray) -> torch.dtype:
    dtype = torch.get_default_dtype()
    return dtype.to_complex() if np.iscomplexobj(a) else dtype


class _Constant(torch.nn.Module):
    """An array that follows its module's type and device, from full precision each time."""

    def __init__(self, exact: np.ndarray) -> None:
        super().__init__()
        self.exact = exact
        value = torch.from_numpy(exact).to(_default_dtype(exact))
        self.register_buffer("value", value, persistent=False)

    def forward(self) -> Tensor:
        """The array."""
        return self.value

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> _Constant:
        super()._apply(fn, recurse)
        self.value = torch.from_numpy(self.exact).to(self.value.dtype).to(self.value.device)
        return self
