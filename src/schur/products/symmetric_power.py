"""Equivariant polynomials: the symmetric contraction, with only its distinct terms."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement, permutations
from math import factorial

import numpy as np
from jaxtyping import Float, Float64, Int64

from schur.errors import RepresentationError, ShapeError
from schur.forms import Block, Factor, Form, Operand, Path, Program
from schur.reps import Irrep, Irreps, clebsch_gordan

_ZERO = 1e-12


@dataclass(frozen=True, eq=False)
class EquivariantPolynomial:
    """A homogeneous polynomial map of x to one irrep, as a list of distinct terms.

    Args:
        monomials: for each term the components of x that are multiplied, ascending, shape
            (terms, degree).
        components: for each term the component of the output that it is added to.
        coefficients: for each term its coefficient.
        label: which irreps are multiplied.
    """

    monomials: Int64[np.ndarray, "terms degree"]
    components: Int64[np.ndarray, " terms"]
    coefficients: Float64[np.ndarray, " terms"]
    label: str

    def __len__(self) -> int:
        return len(self.coefficients)


@dataclass(frozen=True, eq=False)
class SymmetricBasis:
    """A basis of the equivariant polynomial maps of one degree from a representation to an irrep.

    It is orthogonal under the inner product of polynomials that gives a monomial x^α the square
    α! (Fischer's, which no rotation changes), and each component of the output has norm 1.  For
    standard normal x outputs then have variance 1 to leading order.

    Args:
        rep_in: where x lives; one channel, so multiplicities are left aside.
        irrep_out: where the polynomials' values live.
        degree: the degree of homogeneity.
        polynomials: the basis.
    """

    rep_in: Irreps
    irrep_out: Irrep
    degree: int
    polynomials: tuple[EquivariantPolynomial, ...]

    def __len__(self) -> int:
        return len(self.polynomials)

    @property
    def terms(self) -> int:
        """How many terms all polynomials have together."""
        return sum(len(polynomial) for polynomial in self.polynomials)

    def dense(self) -> Float64[np.ndarray, "..."]:
        """The symmetric tensors U of shape (components, dim, …, dim, basis).

        They give the polynomials back: out[m] = Σ U[m, i, j, …, p] x[i] x[j] ….
        """
        dim = self.rep_in.dim
        U = np.zeros((self.irrep_out.dim, *[dim] * self.degree, len(self)))
        for p, polynomial in enumerate(self.polynomials):
            terms = zip(
                polynomial.monomials, polynomial.components, polynomial.coefficients, strict=True
            )
            for monomial, m, c in terms:
                orders = set(permutations(monomial.tolist()))
                for order in orders:
                    U[(m, *order, p)] = c / len(orders)
        return U

    def coordinates(self, U: Float[np.ndarray, "..."]) -> Float64[np.ndarray, "basis columns"]:
        """The change of basis from other equivariant tensors, such as MACE's U matrices.

        Args:
            U: shape (components, dim, …, dim, columns), symmetric or not; the axis of components
                may be missing for a scalar.  e3nn's order of components.

        Returns:
            A with Σ_p A[p, k] polynomial_p = the polynomial of U[..., k]: weights w[k] of U are
            weights A @ w of this basis.

        Raises:
            ShapeError: if U has another shape.
            RepresentationError: if U is not equivariant, so that no weights give it.
        """
        dims = (self.irrep_out.dim, *[self.rep_in.dim] * self.degree)
        U = np.asarray(U, np.float64)
        if self.irrep_out.dim == 1 and U.ndim == self.degree + 1:
            U = U[None]
        if U.shape[:-1] != dims:
            raise ShapeError("U has the wrong shape", got=U.shape, expected=(*dims, "columns"))
        orders = list(permutations(range(1, self.degree + 1)))
        turned = [np.transpose(U, (0, *order, U.ndim - 1)) for order in orders]
        symmetric = np.mean(turned, axis=0)
        found = np.zeros((len(self), U.shape[-1]))
        for p, polynomial in enumerate(self.polynomials):
            values = symmetric[(polynomial.components, *polynomial.monomials.T)]
            # Fischer's inner product: a monomial stands degree! / α! times in a symmetric tensor.
            found[p] = len(orders) / self.irrep_out.dim * (polynomial.coefficients @ values)
        inside = self.irrep_out.dim / len(orders) * np.square(found).sum(0)
        left = np.square(symmetric).reshape(-1, U.shape[-1]).sum(0) - inside
        # Against U itself: what is antisymmetric gives no polynomial but for rounding.
        whole = np.square(U).reshape(-1, U.shape[-1]).sum(0)
        for k in np.flatnonzero(left > 1e-9 * whole):
            raise RepresentationError(
                f"column {k} of U is not an equivariant map to {self.irrep_out}",
                got=f"a share of {left[k] / whole[k]:.1e} outside the span",
                expected=f"tensors of {self.rep_in} in e3nn's basis",
            )
        return found


@lru_cache(maxsize=256)
def symmetric_basis(rep_in: Irreps, irrep_out: Irrep, degree: int) -> SymmetricBasis:
    """All equivariant polynomials of a degree from `rep_in` (one channel of it) to an irrep.

    For each multiset of irreps the couplings one after the other span the maps of their product;
    equal irreps come first, so that most couplings are symmetric and orthogonal as they stand.
    What symmetrisation makes dependent is dropped, sparse ones kept first.

    Source: Batatia et al., "MACE" (2022), eq. 10 and 11; Drautz, "Atomic cluster expansion"
    (2019), section IV, for the counting.

    Example:
        >>> basis = symmetric_basis(Irreps("0e+1o+2e+3o"), Irrep("0e"), 3)
        >>> len(basis), basis.terms, basis.polynomials[1].label
        (8, 77, '0e 1o 1o -> 0e')
    """
    if degree < 1:
        raise RepresentationError("a degree is at least 1", got=degree, expected="1, 2, …")
    single = Irreps([(1, ir) for mul, ir in rep_in if mul])
    polynomials: list[EquivariantPolynomial] = []
    for chosen in combinations_with_replacement(range(len(single)), degree):
        if np.prod([single[k].ir.p for k in chosen]) == irrep_out.p:
            polynomials += _independent(_coupled(single, chosen, irrep_out), irrep_out.dim)
    return SymmetricBasis(single, irrep_out, degree, tuple(polynomials))


def symmetric_contraction(
    rep_in: Irreps, rep_out: Irreps, correlation: int, by_species: bool = True
) -> Program:
    """Products of a node's features with themselves, weighted by species, channel by channel.

        out[n, L, M, u] = Σ_{ν <= correlation} Σ_p weight[s(n), L, ν, p, u] B_{Lνp,M}(x[n, :, u])

    with B the polynomials of `symmetric_basis` of degree ν.

    Args:
        rep_in, rep_out: representations in which every term has the same multiplicity.
        correlation: the highest degree.
        by_species: whether weights are read at the index `species`, or shared by all rows.

    Returns:
        A program of inputs `x` (one row a node), `weight` (for each term of `rep_out` and each
        degree a block of one weight for each polynomial and channel) and output `out`.

    Raises:
        RepresentationError: if multiplicities differ or there is no path.

    Source: Batatia et al., "MACE: Higher order equivariant message passing neural networks"
    (2022), eq. 10 and 11.

    Example:
        >>> program = symmetric_contraction(Irreps("8x0e+8x1o"), Irreps("8x0e"), 2)
        >>> print(program.statements[0].form)
        form(x, weight, out): 2 paths, 5 terms
          x       row  4x8 (0e+1o)
          weight  at species  1x8 (0e: degree 1) + 2x8 (0e: degree 2)
          out     row  1x8 (0e)
          out[u] += x[i,u] * weight.0[u]               1 term    0e: degree 1
          out[u] += x[i,u] * x[j,u] * weight.1[k,u]    4 terms    0e: degree 2
    """
    mul = _one_multiplicity(rep_in, rep_out)
    single = Irreps([(1, ir) for _, ir in rep_in])
    x = Operand("x", (Block(rep_in.dim // mul, (mul,), "+".join(str(t.ir) for t in single)),))
    out = Operand("out", rep_out.blocks())
    blocks, paths = [], []
    for place, (_, ir) in enumerate(rep_out):
        for degree in range(1, correlation + 1):
            basis = symmetric_basis(single, ir, degree)
            if not len(basis):
                continue
            label = f"{ir}: degree {degree}"
            paths.append(_path(basis, len(blocks), place, label))
            blocks.append(Block(len(basis), (mul,), label))
    if not paths:
        raise RepresentationError(
            "no product of the input contains an irrep of the output",
            got=f"{rep_in} to degree {correlation}",
            expected=str(rep_out),
        )
    weight = Operand("weight", tuple(blocks), "shared")
    if by_species:
        weight = Operand("weight", tuple(blocks), "indexed", "species")
    return Form((x, weight, out), tuple(paths)).open("out")


def _path(basis: SymmetricBasis, block: int, place: int, label: str) -> Path:
    """All polynomials of one degree and output as one path."""
    factors = [Factor("x", 0, "u")] * basis.degree
    factors += [Factor("weight", block, "u"), Factor("out", place, "u")]
    components = [
        np.column_stack([q.monomials, np.full(len(q), p), q.components])
        for p, q in enumerate(basis.polynomials)
    ]
    coefficients = [polynomial.coefficients for polynomial in basis.polynomials]
    return Path(tuple(factors), np.concatenate(components), np.concatenate(coefficients), label)


def _one_multiplicity(rep_in: Irreps, rep_out: Irreps) -> int:
    muls = {mul for rep in (rep_in, rep_out) for mul, _ in rep}
    if len(muls) != 1 or 0 in muls:
        raise RepresentationError(
            "the symmetric contraction works channel by channel, on equally many of each irrep",
            got=f"{rep_in} -> {rep_out}",
            expected="one multiplicity, not zero, for all terms",
            remedy="put a Linear before it",
        )
    return muls.pop()


def _coupled(
    single: Irreps, chosen: tuple[int, ...], irrep_out: Irrep
) -> Iterator[EquivariantPolynomial]:
    """The polynomials of all couplings, one irrep after the other, of a multiset of irreps."""
    order = sorted(chosen, key=lambda k: (-chosen.count(k), k))
    degrees = [single[k].ir.l for k in order]
    starts = [single.slices()[k].start for k in order]
    label = " ".join(str(single[k].ir) for k in chosen) + f" -> {irrep_out}"
    first = np.eye(2 * degrees[0] + 1)
    for tensor in _trees(first, degrees[0], degrees[1:], irrep_out.l):
        yield _polynomial(np.moveaxis(tensor, -1, 0), starts, label)


def _trees(
    tensor: Float64[np.ndarray, "..."], reached: int, rest: list[int], goal: int
) -> Iterator[Float64[np.ndarray, "..."]]:
    """Couple the last axis with each further degree in turn, in all ways that end at `goal`."""
    if not rest:
        if reached == goal:
            yield tensor
        return
    slack = sum(rest[1:])
    for degree in range(abs(reached - rest[0]), reached + rest[0] + 1):
        if abs(degree - goal) <= slack:
            coupling = clebsch_gordan(reached, rest[0], degree) * (2 * degree + 1) ** 0.5
            yield from _trees(np.tensordot(tensor, coupling, 1), degree, rest[1:], goal)


def _polynomial(
    tensor: Float64[np.ndarray, "..."], starts: list[int], label: str
) -> EquivariantPolynomial:
    """The polynomial of a tensor (components, dim, …): equal monomials added up."""
    where = np.argwhere(tensor)
    monomials = np.sort(where[:, 1:] + np.array(starts, np.int64), axis=1)
    rows = np.column_stack([monomials, where[:, 0]])
    distinct, group = np.unique(rows, axis=0, return_inverse=True)
    coefficients = np.zeros(len(distinct))
    np.add.at(coefficients, group.reshape(-1), tensor[tuple(where.T)])
    return _cleaned(EquivariantPolynomial(distinct[:, :-1], distinct[:, -1], coefficients, label))


def _independent(
    candidates: Iterator[EquivariantPolynomial], components: int
) -> list[EquivariantPolynomial]:
    """An orthonormal basis of the span, sparse candidates first."""
    found: list[EquivariantPolynomial] = []
    for candidate in sorted(candidates, key=len):
        size = _inner(candidate, candidate)
        rest = candidate
        for _ in range(2):  # twice is enough to be orthogonal to the last digit
            for other in found:
                rest = _plus(rest, other, -_inner(other, rest) / components)
        left = _inner(rest, rest)
        if size > _ZERO and left > 1e-8 * size:
            scale = (components / left) ** 0.5
            values = rest.coefficients * scale
            found.append(EquivariantPolynomial(rest.monomials, rest.components, values, rest.label))
    return found


def _keys(polynomial: EquivariantPolynomial) -> list[tuple[int, ...]]:
    rows = np.column_stack([polynomial.monomials, polynomial.components])
    return [tuple(row) for row in rows.tolist()]


def _inner(left: EquivariantPolynomial, right: EquivariantPolynomial) -> float:
    """Fischer's inner product: Σ α! a_α b_α, summed over the components of the output."""
    values = dict(zip(_keys(right), right.coefficients.tolist(), strict=True))
    total = 0.0
    for key, value in zip(_keys(left), left.coefficients.tolist(), strict=True):
        if key in values:
            monomial = key[:-1]
            repeats = [factorial(monomial.count(i)) for i in set(monomial)]
            total += value * values[key] * float(np.prod(repeats))
    return total


def _plus(
    left: EquivariantPolynomial, right: EquivariantPolynomial, factor: float
) -> EquivariantPolynomial:
    """left + factor * right."""
    values = dict(zip(_keys(left), left.coefficients.tolist(), strict=True))
    for key, value in zip(_keys(right), right.coefficients.tolist(), strict=True):
        values[key] = values.get(key, 0.0) + factor * value
    keys = np.array(sorted(values), np.int64)
    coefficients = np.array([values[tuple(key)] for key in keys.tolist()])
    return _cleaned(EquivariantPolynomial(keys[:, :-1], keys[:, -1], coefficients, left.label))


def _cleaned(polynomial: EquivariantPolynomial) -> EquivariantPolynomial:
    """Without the terms that are zero but for rounding."""
    keep = np.abs(polynomial.coefficients) > _ZERO
    return EquivariantPolynomial(
        polynomial.monomials[keep],
        polynomial.components[keep],
        polynomial.coefficients[keep],
        polynomial.label,
    )
