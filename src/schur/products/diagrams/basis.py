"""A basis of the equivariant linear maps between tensor powers, for each group."""

from __future__ import annotations

from functools import lru_cache

from schur.errors import RepresentationError
from schur.groups import (
    Alt,
    Group,
    Orthogonal,
    Permuting,
    SpecialOrthogonal,
    Sym,
    Symplectic,
)
from schur.products.diagrams.counting import dimension, direct_factors, one_each, standard
from schur.products.diagrams.diagram import (
    check_orders,
    determinants,
    jellyfish,
    pairings,
    partitions,
)
from schur.products.diagrams.maps import DiagramMaps, EquivariantMaps, OrbitMaps, TensorPowerMaps
from schur.products.diagrams.orbits import orbits
from schur.products.diagrams.product_maps import ProductMaps, all_sharings, one_sharing
from schur.products.diagrams.spanning import independent

# An order, or one for each factor of a product of groups.
Order = int | tuple[int, ...]


@lru_cache(maxsize=256, typed=True)
def equivariant_maps(group: Group, k: Order, l: Order) -> EquivariantMaps:
    """A basis of the maps from order k to order l that commute with a group.

    Sym(n): partition diagrams of at most n blocks. Alt(n): with the jellyfish of n and n - 1
    blocks. O(n) and Sp(n): Brauer diagrams; where n is small they are dependent, and the first
    independent ones are kept. SO(n): with the (l+k)\\n diagrams. A group whose elements permute
    the unit vectors: orbits. A product of such groups (local symmetry) acts on the sum of their
    spaces; its maps are tensor products of the factors' maps, for each way to share out the axes.
    With one order for each factor it acts on tensors whose first axes are the first factor's, and
    so on.

    Args:
        group: one of those above; O2, SO2, O3 and SO3 as well.
        k, l: orders of input and output, at least 0; for a product of groups also tuples of one
            order for each factor.

    Raises:
        RepresentationError: another group, an order that is negative or no whole number, or too
            few orders.

    Source: Pearce-Crump, https://arxiv.org/abs/2212.08630, section 5, for products.

    Example:
        >>> [equivariant_maps(group, 2, 2).dimension for group in (Sym(4), Sym(2), Orthogonal(2))]
        [15, 8, 3]
        >>> equivariant_maps(Alt(3), 1, 1).dimension, equivariant_maps(Sym(3), 1, 1).dimension
        (3, 2)
        >>> points = Sym(4) * Orthogonal(3)
        >>> points.n, equivariant_maps(points, 1, 1).dimension
        (7, 3)
        >>> vectors = equivariant_maps(points, (1, 1), (1, 1))
        >>> vectors.shape_in, vectors.dimension
        ((4, 3), 2)
    """
    if isinstance(k, tuple) or isinstance(l, tuple):
        return _on_own_axes(group, k, l)
    factors = direct_factors(group)
    if len(factors) == 1:
        return _tensor_powers(factors[0], k, l)
    check_orders(k, l)
    bases = [
        [[_tensor_powers(factor, a, b) for b in range(l + 1)] for a in range(k + 1)]
        for factor in factors
    ]
    offsets = [sum(factor.n for factor in factors[:i]) for i in range(len(factors))]
    sharings = tuple(all_sharings(bases, offsets, k, l))
    return ProductMaps(((group.n,) * k, (group.n,) * l), sharings)


def _on_own_axes(group: Group, k: Order, l: Order) -> EquivariantMaps:
    if not (isinstance(k, tuple) and isinstance(l, tuple)):
        raise RepresentationError(
            "orders are both numbers or both tuples",
            got=(k, l),
            expected=f"{len(direct_factors(group))} numbers in each tuple",
        )
    factors = one_each(group, k), one_each(group, l)
    maps = [_tensor_powers(one, a, b) for one, a, b in zip(factors[0], k, l, strict=True)]
    shape_in = tuple(n for one in maps for n in one.shape_in)
    shape_out = tuple(n for one in maps for n in one.shape_out)
    some = all(one.dimension for one in maps)
    return ProductMaps((shape_in, shape_out), (one_sharing(maps),) if some else ())


@lru_cache(maxsize=256, typed=True)
def _tensor_powers(group: Group, k: int, l: int) -> TensorPowerMaps:
    """The maps of a group that is no product."""
    check_orders(k, l)
    group = standard(group)
    n, order = (group.n if isinstance(group, Group) else 0), k + l
    match group:
        case Sym():
            return DiagramMaps(n, k, l, tuple(partitions(k, l, n)))
        case Alt():
            more = tuple(jellyfish(k, l, n)) if n > 1 else ()
            return DiagramMaps(n, k, l, (*partitions(k, l, n), *more))
        case Permuting():
            return OrbitMaps(n, k, l, orbits(group, order))
        case Orthogonal() | SpecialOrthogonal():
            even = dimension(Orthogonal(n), order)
            kept = independent(list(pairings(k, l)), n, False, even)
            if isinstance(group, SpecialOrthogonal):
                odd = list(determinants(k, l, n))
                kept += independent(odd, n, False, dimension(group, order) - even)
            return DiagramMaps(n, k, l, kept)
        case Symplectic():
            kept = independent(list(pairings(k, l)), n, True, dimension(group, order))
            return DiagramMaps(n, k, l, kept, symplectic=True)
    raise RepresentationError(
        "no diagrams for this group",
        got=group if isinstance(group, Group) else repr(group),
        expected="Sym, Alt, Orthogonal, SpecialOrthogonal, Symplectic, permutations, or a product",
        remedy="solve for the maps with schur.reps.intertwiners",
    )
