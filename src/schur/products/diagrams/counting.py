"""How many equivariant maps there are: formulas, each exact for every n."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import factorial

from schur.errors import RepresentationError
from schur.groups import (
    Alt,
    Group,
    Orthogonal,
    PermutationGroup,
    SpecialOrthogonal,
    Sym,
    Symplectic,
)


def dimension(group: Group, order: int) -> int:
    """dim Hom of tensor powers of the defining representation, of total order k + l.

    Sym(n):  Σ_{t<=n} S(order, t), with Stirling numbers of the second kind: Bell(order) only
             where n >= order.
    Alt(n):  as Sym(n), and S(order, n) + S(order, n-1) more; for n = 1 nothing more.
    O(n):    Σ f^λ over the partitions λ of order with even rows, at most n of them.
    SO(n):   as O(n), and Σ f^λ over those with n odd rows.
    Sp(n):   Σ f^λ over those with even columns, none longer than n.
    PermutationGroup: the mean of fix(g)^order, by Burnside's lemma.

    f^λ is the number of standard Young tableaux, by the hook length formula.

    Args:
        group: one of those above.
        order: k + l.

    Raises:
        RepresentationError: no formula for this group.

    Source: Pearce-Crump, https://arxiv.org/abs/2212.08648 for the symmetric group and
    https://arxiv.org/abs/2301.10152 for the alternating one; Weyl, "The Classical Groups" (1939)
    for the others.

    Example:
        >>> [dimension(Orthogonal(2), order) for order in (2, 4, 6)]
        [1, 3, 10]
        >>> dimension(Sym(2), 4), dimension(Sym(4), 4)
        (8, 15)
    """
    match group:
        case Sym(n):
            return sum(stirling2(order, t) for t in range(n + 1))
        case Alt(n):
            more = stirling2(order, n) + stirling2(order, n - 1) if n > 1 else 0
            return dimension(Sym(n), order) + more
        case Orthogonal(n):
            shapes = (s for s in _shapes(order, n) if all(row % 2 == 0 for row in s))
        case SpecialOrthogonal(n):
            shapes = (
                s
                for s in _shapes(order, n)
                if all(r % 2 == 0 for r in s) or (len(s) == n and all(r % 2 for r in s))
            )
        case Symplectic(n):
            shapes = (s for s in _shapes(order, n) if len(s) % 2 == 0 and s[::2] == s[1::2])
        case PermutationGroup():
            fixed = (sum(p[i] == i for i in range(group.n)) for p in group.elements)
            return sum(count**order for count in fixed) // group.order
        case _:
            raise RepresentationError(
                "no formula for the number of maps of this group",
                got=group,
                expected="Sym, Alt, Orthogonal, SpecialOrthogonal, Symplectic, PermutationGroup",
                remedy="solve for the maps with schur.reps.intertwiners",
            )
    return sum(map(tableaux, shapes))


@lru_cache(maxsize=1024)
def stirling2(m: int, t: int) -> int:
    """The number of partitions of m things into t blocks.

    Example:
        >>> [stirling2(4, t) for t in range(5)]
        [0, 1, 7, 6, 1]
    """
    if m == 0 or t <= 0:
        return int(m == 0 and t == 0)
    return t * stirling2(m - 1, t) + stirling2(m - 1, t - 1)


def tableaux(shape: tuple[int, ...]) -> int:
    """The number of standard Young tableaux of a shape, by the hook length formula.

    Example:
        >>> tableaux((3, 2))
        5
    """
    columns = [sum(row > j for row in shape) for j in range(shape[0] if shape else 0)]
    hooks = 1
    for i, row in enumerate(shape):
        for j in range(row):
            hooks *= row - j + columns[j] - i - 1
    return factorial(sum(shape)) // hooks


def _shapes(total: int, rows: int, widest: int | None = None) -> Iterator[tuple[int, ...]]:
    """The partitions of a number into at most `rows` parts, the largest first."""
    if total == 0:
        yield ()
    elif rows:
        for first in range(min(total, total if widest is None else widest), 0, -1):
            for rest in _shapes(total - first, rows - 1, first):
                yield (first, *rest)
