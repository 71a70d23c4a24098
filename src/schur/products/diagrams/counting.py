"""How many equivariant maps there are: formulas, each exact for every n."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from math import comb, factorial, prod

from schur.errors import RepresentationError
from schur.groups import (
    O2,
    O3,
    SO2,
    SO3,
    Alt,
    DirectProduct,
    Group,
    Orthogonal,
    PermutationGroup,
    SpecialOrthogonal,
    Sym,
    Symplectic,
)


def dimension(group: Group, order: int | tuple[int, ...]) -> int:
    """dim Hom of tensor powers of the defining representation, of total order k + l.

    Sym(n):  Σ_{t<=n} S(order, t), with Stirling numbers of the second kind: Bell(order) only
             where n >= order.
    Alt(n):  as Sym(n), and S(order, n) + S(order, n-1) more; for n = 1 nothing more.
    O(n):    Σ f^λ over the partitions λ of order with even rows, at most n of them.
    SO(n):   as O(n), and Σ f^λ over those with n odd rows.
    Sp(n):   Σ f^λ over those with even columns, none longer than n.
    PermutationGroup: the mean of fix(g)^order, by Burnside's lemma.
    G_1 x … x G_p on the sum of their spaces: Σ order! / (m_1! … m_p!) Π dim_i(m_i) over the ways
             m_1 + … + m_p = order to share the indices out; on a tensor product of powers of
             their spaces, with one order each, Π dim_i(order_i).

    f^λ is the number of standard Young tableaux, by the hook length formula.

    Args:
        group: one of those above.
        order: k + l; for a product of groups also one such number for each factor.

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
        >>> dimension(Sym(5) * Orthogonal(3), 2), dimension(Sym(5) * Orthogonal(3), (2, 2))
        (3, 2)
    """
    if isinstance(order, tuple):
        parts = one_each(group, order)
        return prod(dimension(part, own) for part, own in zip(parts, order, strict=True))
    group = standard(group)
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
        case DirectProduct():
            first, *others = direct_factors(group)
            rest = others[0] if len(others) == 1 else DirectProduct(tuple(others))
            return sum(
                comb(order, own) * dimension(first, own) * dimension(rest, order - own)
                for own in range(order + 1)
            )
        case _:
            raise RepresentationError(
                "no formula for the number of maps of this group",
                got=group,
                expected="Sym, Alt, Orthogonal, SpecialOrthogonal, Symplectic, PermutationGroup, "
                "or a product of these",
                remedy="solve for the maps with schur.reps.intertwiners",
            )
    return sum(map(tableaux, shapes))


def standard(group: Group) -> Group:
    """The same group as a member of its family."""
    if isinstance(group, (O2, O3)):
        return Orthogonal(group.n)
    if isinstance(group, (SO2, SO3)):
        return SpecialOrthogonal(group.n)
    return group


def direct_factors(group: Group) -> tuple[Group, ...]:
    """The factors of a product, those of products within it too; another group by itself."""
    if not isinstance(group, DirectProduct):
        return (group,)
    return tuple(one for factor in group.factors for one in direct_factors(factor))


def one_each(group: Group, orders: tuple[int, ...]) -> tuple[Group, ...]:
    """The factors of a product, as many as there are orders.

    Raises:
        RepresentationError: they are not as many.
    """
    factors = direct_factors(group)
    if len(factors) != len(orders):
        raise RepresentationError(
            "orders are given one for each factor of the group",
            got=orders,
            expected=f"{len(factors)} numbers for {group}",
            remedy="give one number for tensor powers of the sum of the factors' spaces",
        )
    return factors


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
