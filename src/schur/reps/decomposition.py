"""Decomposition of any unitary representation into irreps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from jaxtyping import Inexact

from schur.errors import RepresentationError
from schur.groups import O2, O3, SO2, SO3, SU2, Group
from schur.reps.coupling import coupling_basis
from schur.reps.direct_sum import DirectSum
from schur.reps.intertwiners import intertwiners
from schur.reps.irreducible import Irreducible
from schur.reps.irrep import Irrep
from schur.reps.irreps import Irreps
from schur.reps.plane import O2Irrep, SO2Irrep
from schur.reps.representation import Representation
from schur.reps.rotation import SO3Irrep
from schur.reps.spin import SU2Irrep
from schur.reps.tensor_product import TensorProduct

_FAMILIES: dict[type[Group], type[Irreducible]] = {
    SO2: SO2Irrep,
    O2: O2Irrep,
    SU2: SU2Irrep,
    SO3: SO3Irrep,
    O3: Irrep,
}


@dataclass(frozen=True, eq=False)
class Decomposition:
    """A sum of irreps σ and the unitary matrix Q with ρ(g) Q = Q σ(g).

    Args:
        terms: pairs (multiplicity, irrep), none with multiplicity zero.
        irreps: σ, as `Irreps` in Schur's layout for O(3), for other groups a direct sum in which
            the copies of an irrep follow each other.
        basis: Q, of shape (dim, dim).
    """

    terms: tuple[tuple[int, Irreducible], ...]
    irreps: Representation
    basis: Inexact[np.ndarray, "dim dim"]


def decompose(rep: Representation) -> Decomposition:
    """Split a unitary representation of SO(2), O(2), SU(2), SO(3) or O(3) into irreps.

    Tensor products of O(3) irreps are split by their couplings; any other representation by the
    equivariant maps from each irrep that its weights allow.

    Raises:
        RepresentationError: another group, or a representation that is not unitary.
        NumberError: the number of copies is not certain in double precision.

    Source: Serre, "Linear Representations of Finite Groups" (1977), section 2.7.

    Example:
        >>> from schur.reps import Irreps
        >>> decompose(Irreps("1o").tensor("1e + 0o")).irreps
        1x0o+1x1o+1x1e+1x2o
    """
    if isinstance(rep, Irreps):
        regrouped = rep.regroup()
        return _of_irreps(regrouped, _regrouping(rep))
    if isinstance(rep, TensorProduct):
        factors = [f for f in rep.factors if isinstance(f, (Irreps, Irrep))]
        if len(factors) == len(rep.factors):
            return _of_irreps(*_coupled([Irreps(f) for f in factors]))
    return _by_intertwiners(rep)


def _of_irreps(irreps: Irreps, basis: np.ndarray) -> Decomposition:
    terms = tuple((term.mul, term.ir) for term in irreps)
    return Decomposition(terms, irreps, basis)


def _regrouping(irreps: Irreps) -> np.ndarray:
    # Where each column of the regrouped sum stands in the old one, as a permutation matrix.
    places: dict[Irrep, list[np.ndarray]] = {}
    for (mul, ir), where in zip(irreps, irreps.slices(), strict=True):
        columns = np.arange(where.start, where.stop).reshape(ir.dim, mul)
        places.setdefault(ir, []).append(columns)
    order = [np.concatenate(places[ir], axis=1).ravel() for ir in sorted(places)]
    return np.eye(irreps.dim)[:, np.concatenate([np.zeros(0, dtype=np.int64), *order])]


def _coupled(factors: list[Irreps]) -> tuple[Irreps, np.ndarray]:
    first = factors[0].regroup()

    def attach(done: tuple[Irreps, np.ndarray], factor: Irreps) -> tuple[Irreps, np.ndarray]:
        irreps, basis = done
        coupled, step = coupling_basis(irreps, factor)
        return coupled, np.kron(basis, np.eye(factor.dim)) @ step

    return reduce(attach, factors[1:], (first, _regrouping(factors[0])))


def _by_intertwiners(rep: Representation) -> Decomposition:
    family = _FAMILIES.get(type(rep.group))
    if family is None:
        raise RepresentationError(
            f"the irreps of {rep.group} are not listed",
            got=repr(rep),
            expected="a representation of " + ", ".join(g.__name__ for g in _FAMILIES),
            remedy="restrict it to one of these groups, or use intertwiners with known irreps",
        )
    terms: list[tuple[int, Irreducible]] = []
    columns: list[np.ndarray] = []
    for irrep in family.up_to(_largest_weight(rep)):
        copies = _copies(irrep, rep)
        if len(copies):
            terms.append((len(copies), irrep))
            # (mul, dim, component): O(3) wants components before channels.
            order = (1, 2, 0) if isinstance(irrep, Irrep) else (1, 0, 2)
            columns.append(np.transpose(copies, order).reshape(rep.dim, len(copies) * irrep.dim))
    basis = np.concatenate([np.zeros((rep.dim, 0)), *columns], axis=1)
    _check_complete(rep, basis)
    if family is Irrep:
        return _of_irreps(Irreps(terms), basis)
    parts = tuple(irrep for mul, irrep in terms for _ in range(mul))
    return Decomposition(tuple(terms), DirectSum(parts), basis)


def _largest_weight(rep: Representation) -> float:
    last = rep.generators()[-1]
    weights = np.abs(np.linalg.eigvals(last)) if rep.dim else np.zeros(1)
    # Weights are multiples of 1/2; rounding must not lose the last one.
    return float(np.round(2.0 * weights.max()) / 2.0)


def _copies(irrep: Irreducible, rep: Representation) -> np.ndarray:
    """Isometries from the irrep with ranges orthogonal to each other, shape (mul, dim, d)."""
    maps = intertwiners(irrep, rep) * irrep.dim**0.5
    copies = []
    while len(maps):
        copy = maps[0]
        copies.append(copy)
        # What is left must end outside the range of this copy.
        left = maps[1:] - copy @ (copy.conj().T @ maps[1:])
        flat = left.reshape(len(left), copy.size)
        _, values, rows = np.linalg.svd(flat, full_matrices=False)
        kept = rows[values > 0.5 * irrep.dim**0.5]
        maps = kept.reshape(-1, *copy.shape) * irrep.dim**0.5
    return np.array(copies).reshape(len(copies), rep.dim, irrep.dim)


def _check_complete(rep: Representation, basis: np.ndarray) -> None:
    square = basis.shape[0] == basis.shape[1]
    defect = np.abs(basis.conj().T @ basis - np.eye(basis.shape[1])).max(initial=0.0)
    if not square or defect > 1e-8:
        raise RepresentationError(
            "this representation is not a sum of orthogonal irreps in its basis",
            got=f"{rep!r}: {basis.shape[1]} of {basis.shape[0]} dimensions found, "
            f"orthonormal to {defect:.0e}",
            expected="a unitary or orthogonal representation",
            remedy="change to a basis in which the generators are antihermitian",
        )
