"""The diagram: a set partition of output and input vertices, with or without a determinant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from numbers import Integral
from typing import Any

from schur.errors import RepresentationError

Blocks = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, order=True)
class Diagram:
    """A map from the k-th to the l-th tensor power of R^n, drawn as a partition of its indices.

    The vertices 0, …, l - 1 are the indices of the output, l, …, l + k - 1 those of the input. The
    entry of the matrix at indices i is

        Π_blocks [all i_v with v in the block are equal]  ·  ε(i_legs)

    where ε is the Levi-Civita symbol of n indices; without `legs` it is left out. With n legs it
    reads the value of each block that they touch; with n - 1 legs its last index is summed over.
    Blocks of two are a Brauer diagram; blocks of two and n blocks of one, all legs, an
    (l+k)\\n diagram; any blocks, n or n - 1 of them legs, a jellyfish. For Sp(n) a Brauer diagram
    is read with ω[i_p, i_q], p < q, on each pair within one row (see `matrix`).

    Args:
        k, l: number of input and of output indices.
        blocks: lists of vertices, in any order.
        legs: one vertex of each block that the determinant reads; kept in ascending order of
            the blocks' least vertices, which fixes the sign.

    Raises:
        RepresentationError: a vertex is missing, or in two blocks; a leg touches no block, or
            two legs touch one; orders or vertices that are no whole numbers.

    Source: Pearce-Crump, https://arxiv.org/abs/2212.08648 (partitions),
    https://arxiv.org/abs/2212.08630 (Brauer and (l+k)\\n diagrams) and
    https://arxiv.org/abs/2301.10152 (jellyfish).

    Example:
        >>> diagonal = Diagram(2, 1, [[0, 1, 2]])
        >>> print(diagonal.draw())
        a
        |
        a a
        >>> diagonal.through
        1
    """

    k: int
    l: int
    blocks: Blocks
    legs: tuple[int, ...] = ()

    def __init__(
        self, k: int, l: int, blocks: Iterable[Iterable[int]], legs: Iterable[int] = ()
    ) -> None:
        check_orders(k, l)
        given = [_vertices(block, "a block of a diagram") for block in _listed(blocks, "blocks")]
        legs = _vertices(legs, "the legs of a diagram")
        ordered = tuple(sorted(tuple(sorted(block)) for block in given))
        found = sorted(vertex for block in ordered for vertex in block)
        if found != list(range(k + l)) or () in ordered:
            raise RepresentationError(
                "a diagram's blocks hold each vertex once",
                got=ordered,
                expected=f"a partition of 0, …, {k + l - 1}",
            )
        least = {vertex: block[0] for block in ordered for vertex in block}
        touched = sorted(least.get(leg, -1) for leg in legs)
        if len(set(touched)) != len(touched) or -1 in touched:
            raise RepresentationError(
                "each leg touches a block of its own", got=tuple(legs), expected=ordered
            )
        object.__setattr__(self, "k", k)
        object.__setattr__(self, "l", l)
        object.__setattr__(self, "blocks", ordered)
        object.__setattr__(self, "legs", tuple(touched))

    @property
    def through(self) -> int:
        """How many blocks connect the output with the input."""
        return sum(block[0] < self.l <= block[-1] for block in self.blocks)

    @property
    def is_brauer(self) -> bool:
        """Whether each vertex that is no leg of its own belongs to a pair."""
        single = {block[0] for block in self.blocks if len(block) == 1}
        return single == set(self.legs) and all(len(block) <= 2 for block in self.blocks)

    def draw(self) -> str:
        """The diagram in three lines: equal letters are one block, capitals are legs."""
        from schur.products.diagrams.drawing import text

        return text(self)

    def svg(self) -> str:
        """The diagram as a picture, in Scalable Vector Graphics."""
        from schur.products.diagrams.drawing import svg

        return svg(self)

    def _repr_svg_(self) -> str:
        return self.svg()


def check_orders(k: int, l: int) -> None:
    """Raise unless both are orders.

    Raises:
        RepresentationError: one is negative or no whole number.
    """
    if not all(isinstance(order, Integral) and order >= 0 for order in (k, l)):
        raise RepresentationError(
            "orders of tensors", got=(k, l), expected="whole numbers k >= 0, l >= 0"
        )


def _listed(things: object, what: str) -> list[Any]:
    if not isinstance(things, Iterable) or isinstance(things, str):
        raise RepresentationError(what, got=repr(things), expected="a list")
    return list(things)


def _vertices(things: object, what: str) -> list[int]:
    found = _listed(things, what)
    if not all(isinstance(vertex, Integral) for vertex in found):
        raise RepresentationError(what, got=repr(found), expected="whole numbers")
    return [int(vertex) for vertex in found]


def partitions(k: int, l: int, most: int | None = None) -> Iterator[Diagram]:
    """All set partitions of the vertices, into at most `most` blocks.

    Example:
        >>> [sum(1 for _ in partitions(2, 2, n)) for n in (1, 2, 3, 4)]
        [1, 8, 14, 15]
    """
    limit = k + l if most is None else most
    for blocks in _partitions(k + l, limit):
        yield Diagram(k, l, blocks)


def _partitions(count: int, most: int) -> Iterator[list[list[int]]]:
    if count == 0:
        yield []
        return
    for blocks in _partitions(count - 1, most):
        for place in range(len(blocks)):
            yield [[*block, count - 1] if i == place else block for i, block in enumerate(blocks)]
        if len(blocks) < most:
            yield [*blocks, [count - 1]]


def pairings(k: int, l: int) -> Iterator[Diagram]:
    """All Brauer diagrams: (k+l-1)!! of them where k + l is even, else none.

    Example:
        >>> [sum(1 for _ in pairings(m, m)) for m in (1, 2, 3, 4)]
        [1, 3, 15, 105]
    """
    for pairs in _pairings(tuple(range(k + l))):
        yield Diagram(k, l, pairs)


def _pairings(vertices: tuple[int, ...]) -> Iterator[list[tuple[int, int]]]:
    if not vertices:
        yield []
        return
    first, rest = vertices[0], vertices[1:]
    for place, other in enumerate(rest):
        for pairs in _pairings(rest[:place] + rest[place + 1 :]):
            yield [(first, other), *pairs]


def determinants(k: int, l: int, n: int) -> Iterator[Diagram]:
    """All (l+k)\\n diagrams: n free vertices at a determinant, the others in pairs.

    Example:
        >>> sum(1 for _ in determinants(3, 2, 3))
        10
    """
    vertices = range(k + l)
    for free in combinations(vertices, n):
        for pairs in _pairings(tuple(v for v in vertices if v not in free)):
            yield Diagram(k, l, [*pairs, *((v,) for v in free)], free)


def jellyfish(k: int, l: int, n: int) -> Iterator[Diagram]:
    """All partitions into n or n - 1 blocks, each block a leg of a determinant.

    Example:
        >>> sum(1 for _ in jellyfish(2, 1, 3))
        4
    """
    for diagram in partitions(k, l, n):
        if len(diagram.blocks) in (n - 1, n):
            yield Diagram(k, l, diagram.blocks, [block[0] for block in diagram.blocks])
