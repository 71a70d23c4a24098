"""Direct sums of irreps of O(3), in the notation of e3nn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any, NamedTuple, overload

import numpy as np
from jaxtyping import Float, Int

from schur.errors import RepresentationError, ShapeError
from schur.forms import Block
from schur.groups import O3
from schur.reps.direct_sum import block_diagonal
from schur.reps.irrep import Irrep, MulIrrep
from schur.reps.notation import read_terms
from schur.reps.representation import Representation
from schur.reps.tensor_product import TensorProduct, kronecker


class SortedIrreps(NamedTuple):
    """Result of `Irreps.sort`: term `i` of the original stands at place `p[i]` of `irreps`."""

    irreps: Irreps
    p: tuple[int, ...]
    inv: tuple[int, ...]


class Irreps(Representation):
    """A direct sum of irreps of O(3): an immutable sequence of terms `mul x irrep`.

    An array with this representation has `dim` numbers on its last axis. Term by term, a block
    holds its components first and its channels last: entry (m, u) of a block of multiplicity
    `mul` lies at `offset + m * mul + u`. (In e3nn it lies at `offset + u * (2l + 1) + m`;
    `to_e3nn` and `from_e3nn` convert.)

    Args:
        irreps: a string such as `"64x0e + 32x1o"`, an `Irrep`, a `MulIrrep`, another `Irreps`
            (e3nn's included), or an iterable of terms `(mul, irrep)`, `Irrep` or string.
            A multiplicity of zero is kept as written, as in e3nn.

    Raises:
        RepresentationError: a malformed string or a negative multiplicity.

    Source: notation of Geiger and Smidt, "e3nn: Euclidean neural networks",
    https://arxiv.org/abs/2207.09453, section 3.

    Example:
        >>> rep = Irreps("64x0e + 32x1o")
        >>> rep, rep.dim, rep.lmax
        (64x0e+32x1o, 160, 1)
        >>> rep[1].ir, "1o" in rep, rep == "64x0e+32x1o"
        (1o, True, True)
        >>> (rep + "1o").simplify()
        64x0e+33x1o
    """

    __slots__ = ("_terms",)

    _terms: tuple[MulIrrep, ...]

    def __init__(self, irreps: Any = None) -> None:
        object.__setattr__(self, "_terms", read_terms(irreps))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Irreps are immutable; {name} cannot be set")

    def __reduce__(self) -> tuple[type[Irreps], tuple[str]]:
        return Irreps, (repr(self),)

    @staticmethod
    def spherical_harmonics(lmax: int, p: int = -1) -> Irreps:
        """Representation of the spherical harmonics Y^0 … Y^lmax, degree l of parity p^l.

        Example:
            >>> Irreps.spherical_harmonics(3)
            1x0e+1x1o+1x2e+1x3o
        """
        return Irreps([(1, (degree, p**degree)) for degree in range(lmax + 1)])

    # ---- values -------------------------------------------------------------------------

    @property
    def dim(self) -> int:
        """Dimension, Σ mul (2 l + 1)."""
        return sum(term.dim for term in self._terms)

    @property
    def num_irreps(self) -> int:
        """Number of irreps, Σ mul."""
        return sum(term.mul for term in self._terms)

    @property
    def ls(self) -> list[int]:
        """Degree of each irrep, repeated by multiplicity."""
        return [term.ir.l for term in self._terms for _ in range(term.mul)]

    @property
    def lmax(self) -> int:
        """Largest degree with a multiplicity that is not zero."""
        degrees = [term.ir.l for term in self._terms if term.mul > 0]
        if not degrees:
            raise RepresentationError(
                "an empty sum of irreps has no largest degree",
                got=repr(str(self)),
                expected="at least one irrep",
            )
        return max(degrees)

    def count(self, ir: Any) -> int:
        """Total multiplicity of one irrep.

        Example:
            >>> Irreps("2x0e + 1o + 3x0e").count("0e")
            5
        """
        wanted = Irrep(ir)
        return sum(term.mul for term in self._terms if term.ir == wanted)

    def slices(self) -> list[slice]:
        """For each term the slice of the array that holds it.

        Example:
            >>> Irreps("2x0e + 1e").slices()
            [slice(0, 2, None), slice(2, 5, None)]
        """
        ends = np.cumsum([0, *(term.dim for term in self._terms)]).tolist()
        return [slice(start, stop) for start, stop in pairwise(ends)]

    def blocks(self) -> tuple[Block, ...]:
        """The terms as blocks of a form's operand: 2l+1 components, `mul` channels, a label."""
        return tuple(
            Block(components=term.ir.dim, channels=(term.mul,), label=str(term.ir))
            for term in self._terms
        )

    # ---- the representation -------------------------------------------------------------

    @property
    def group(self) -> O3:
        """O(3)."""
        return O3()

    def generators(self) -> Float[np.ndarray, "3 dim dim"]:
        """Matrices of the turns about x, y and z, in Schur's layout."""
        return self._blocks_of([term.ir.generators() for term in self._terms], (3,))

    def discrete(self) -> Float[np.ndarray, "1 dim dim"]:
        """The matrix of the inversion, in Schur's layout."""
        return self._blocks_of([term.ir.discrete() for term in self._terms], (1,))

    def _matrix(self, g: np.ndarray) -> np.ndarray:
        return self._blocks_of([term.ir._matrix(g) for term in self._terms], g.shape[:-2])

    def _character(self, g: np.ndarray) -> np.ndarray | np.number:
        traces = [term.mul * term.ir._character(g) for term in self._terms]
        return np.sum(traces, axis=0) if traces else np.zeros(g.shape[:-2])

    def _blocks_of(self, matrices: list[np.ndarray], batch: tuple[int, ...]) -> np.ndarray:
        # Components stand before channels, so a block is D ⊗ 1.
        blocks = [
            kronecker(matrix, np.broadcast_to(np.eye(term.mul), (*batch, term.mul, term.mul)))
            for term, matrix in zip(self._terms, matrices, strict=True)
        ]
        return block_diagonal(blocks) if blocks else np.zeros((*batch, 0, 0))

    # ---- rearrangement ------------------------------------------------------------------

    def simplify(self) -> Irreps:
        """Join neighbours of equal irrep and drop zero multiplicities; the order stays.

        Example:
            >>> Irreps("1e + 1e + 0e + 1e").simplify()
            2x1e+1x0e+1x1e
        """
        joined: list[tuple[int, Irrep]] = []
        for mul, ir in self._terms:
            if mul == 0:
                continue
            if joined and joined[-1][1] == ir:
                joined[-1] = (joined[-1][0] + mul, ir)
            else:
                joined.append((mul, ir))
        return Irreps(joined)

    def remove_zero_multiplicities(self) -> Irreps:
        """Drop the terms of multiplicity zero."""
        return Irreps([term for term in self._terms if term.mul > 0])

    def sort(self) -> SortedIrreps:
        """Sort the terms by (l, p), equal ones in their old order.

        Returns:
            `(irreps, p, inv)` as in e3nn: old term `i` stands at place `p[i]` of `irreps`, and
            `inv` is the inverse of that permutation.

        Example:
            >>> Irreps("2o + 1e + 0e + 1e").sort()
            SortedIrreps(irreps=1x0e+1x1e+1x1e+1x2o, p=(3, 1, 0, 2), inv=(2, 1, 3, 0))
        """
        inverse = sorted(range(len(self)), key=lambda i: (self._terms[i].ir, i))
        places = [0] * len(self)
        for place, i in enumerate(inverse):
            places[i] = place
        return SortedIrreps(
            Irreps([self._terms[i] for i in inverse]), tuple(places), tuple(inverse)
        )

    def regroup(self) -> Irreps:
        """Sort, then join equal irreps: the canonical form of the sum.

        Example:
            >>> Irreps("1e + 0e + 1e + 0x2e").regroup()
            1x0e+2x1e
        """
        return self.sort().irreps.simplify()

    def filter(self, keep: Any = None, *, drop: Any = None, lmax: int | None = None) -> Irreps:
        """Keep the terms that are asked for.

        Args:
            keep: irreps to keep (string, irrep or several) or a test on the term.
            drop: irreps to leave out, in the same ways.
            lmax: keep degrees up to this one.

        Raises:
            RepresentationError: more than one of the three is given.

        Example:
            >>> Irreps("1e + 2e + 0e").filter(keep="0e + 1e"), Irreps("1e + 2e").filter(lmax=1)
            (1x1e+1x0e, 1x1e)
        """
        given = [
            name for name, v in (("keep", keep), ("drop", drop), ("lmax", lmax)) if v is not None
        ]
        if len(given) > 1:
            raise RepresentationError(
                "filter takes one criterion at a time",
                got=", ".join(given),
                expected="one of keep, drop, lmax",
                remedy="call filter once for each criterion",
            )
        if keep is not None:
            accepts = _criterion(keep)
            return Irreps([term for term in self._terms if accepts(term)])
        if drop is not None:
            rejects = _criterion(drop)
            return Irreps([term for term in self._terms if not rejects(term)])
        if lmax is not None:
            return Irreps([term for term in self._terms if term.ir.l <= lmax])
        return self

    # ---- memory layout ------------------------------------------------------------------

    def permutation_to_e3nn(self) -> Int[np.ndarray, "dim"]:
        """Index array `perm` with `x_e3nn = x[..., perm]`.

        Example:
            >>> Irreps("2x1o").permutation_to_e3nn()
            array([0, 2, 4, 1, 3, 5])
        """
        parts = [np.zeros(0, dtype=np.int64)]
        for (mul, ir), where in zip(self._terms, self.slices(), strict=True):
            places = np.arange(where.start, where.stop, dtype=np.int64)
            parts.append(places.reshape(ir.dim, mul).T.ravel())
        return np.concatenate(parts)

    def permutation_from_e3nn(self) -> Int[np.ndarray, "dim"]:
        """Index array `perm` with `x = x_e3nn[..., perm]`, the inverse of `permutation_to_e3nn`."""
        return np.argsort(self.permutation_to_e3nn(), kind="stable")

    def to_e3nn(self, x: Any) -> Any:
        """Reorder the last axis from Schur's layout (channels last) to e3nn's.

        Args:
            x: any array of shape (…, dim) that takes index arrays: numpy, torch, jax.

        Raises:
            ShapeError: the last axis has another length than `dim`.
        """
        self._check_last_axis(x)
        return x[..., self.permutation_to_e3nn()]

    def from_e3nn(self, x: Any) -> Any:
        """Reorder the last axis from e3nn's layout to Schur's (channels last).

        Example:
            >>> Irreps("2x1o").from_e3nn(np.array([1, 2, 3, 10, 20, 30]))
            array([ 1, 10,  2, 20,  3, 30])
        """
        self._check_last_axis(x)
        return x[..., self.permutation_from_e3nn()]

    def _check_last_axis(self, x: Any) -> None:
        shape = tuple(x.shape)
        if not shape or shape[-1] != self.dim:
            raise ShapeError(
                "the last axis of the array does not fit the representation",
                got=shape,
                expected=f"(…, {self.dim}) for {self}",
            )

    # ---- sequence and arithmetic --------------------------------------------------------

    def __len__(self) -> int:
        return len(self._terms)

    def __iter__(self) -> Iterator[MulIrrep]:
        return iter(self._terms)

    @overload
    def __getitem__(self, index: int) -> MulIrrep: ...

    @overload
    def __getitem__(self, index: slice) -> Irreps: ...

    def __getitem__(self, index: int | slice) -> MulIrrep | Irreps:
        if isinstance(index, slice):
            return Irreps(self._terms[index])
        return self._terms[index]

    def __contains__(self, ir: Any) -> bool:
        wanted = Irrep(ir)
        return any(term.ir == wanted for term in self._terms)

    def __add__(self, other: Any) -> Irreps:
        return Irreps(self._terms + Irreps(other)._terms)

    def __radd__(self, other: Any) -> Irreps:
        return Irreps(other) + self

    @overload
    def __mul__(self, other: int) -> Irreps: ...

    @overload
    def __mul__(self, other: Representation | str) -> TensorProduct: ...

    def __mul__(self, other: Any) -> Irreps | TensorProduct:
        """`irreps * 3` repeats the terms; `irreps * irreps` is the tensor product."""
        if isinstance(other, (Representation, str)):
            return self.tensor(other)
        return self.__rmul__(other)

    def __rmul__(self, times: int) -> Irreps:
        return Irreps(self._terms * times)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Irreps):
            return self._terms == other._terms
        if isinstance(other, (str, Irrep, MulIrrep, tuple, list)):
            try:
                return self._terms == Irreps(other)._terms
            except RepresentationError:
                return False
        return NotImplemented

    def __hash__(self) -> int:
        return hash(self._terms)

    def __repr__(self) -> str:
        return "+".join(map(repr, self._terms))


def _criterion(wanted: Any) -> Callable[[MulIrrep], bool]:
    if callable(wanted):
        return lambda term: bool(wanted(term))
    if isinstance(wanted, (str, Irrep, MulIrrep, Irreps)):
        allowed = {term.ir for term in Irreps(wanted)}
    else:
        allowed = {Irrep(ir) for ir in wanted}
    return lambda term: term.ir in allowed
