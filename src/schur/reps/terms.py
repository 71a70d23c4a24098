"""A representation as a sum of few different terms, each with its copies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from schur.groups import O2, O3, SO2, SO3, Orthogonal, Permuting, SpecialOrthogonal
from schur.reps.direct_sum import DirectSum
from schur.reps.dual import Dual
from schur.reps.elementary import Defining, Trivial
from schur.reps.representation import Representation
from schur.reps.tensor_product import TensorProduct

# Groups of real matrices with g^-1 = gᵀ: duals are what they are duals of.
_ORTHOGONAL = (O2, O3, SO2, SO3, Orthogonal, SpecialOrthogonal, Permuting)


@dataclass(frozen=True)
class Term:
    """One of the different summands of a representation.

    Args:
        rep: the summand.
        starts: for each of its copies the place where it starts in the sum.
    """

    rep: Representation
    starts: tuple[int, ...]

    def places(self) -> Int[np.ndarray, "dim copies"]:
        """Places of component i of copy u in vectors of the sum."""
        return np.arange(self.rep.dim)[:, None] + np.array(self.starts, dtype=np.int64)


def terms_of(rep: Representation) -> tuple[Term, ...]:
    """The different summands of nested direct sums, in the order of first appearance.

    Example:
        >>> from schur.groups import Sym
        >>> v = Defining(Sym(3))
        >>> [(term.rep.dim, term.starts) for term in terms_of(v + v * v + v)]
        [(3, (0, 12)), (9, (3,))]
    """
    found: dict[Representation, list[int]] = {}
    start = 0
    for part in _flat(rep):
        found.setdefault(part, []).append(start)
        start += part.dim
    return tuple(Term(part, tuple(starts)) for part, starts in found.items())


def _flat(rep: Representation) -> list[Representation]:
    if isinstance(rep, DirectSum):
        return [one for part in rep.parts for one in _flat(part)]
    if isinstance(rep, Trivial) and rep.size > 1:
        return [Trivial(rep.of)] * rep.size
    return [rep]


def tensor_order(rep: Representation) -> int | None:
    """k where `rep` is the k-th tensor power of the defining representation, else None.

    Duals count as what they are duals of where the group's matrices are orthogonal.

    Example:
        >>> from schur.groups import Orthogonal
        >>> v = Defining(Orthogonal(3))
        >>> tensor_order(v * v.dual() * v), tensor_order(v + v)
        (3, None)
    """
    match rep:
        case Trivial(size=1):
            return 0
        case Defining():
            return 1
        case Dual() if isinstance(rep.group, _ORTHOGONAL):
            return tensor_order(rep.base)
        case TensorProduct():
            orders = [tensor_order(factor) for factor in rep.factors]
            return None if None in orders else sum(order for order in orders if order is not None)
    return None
