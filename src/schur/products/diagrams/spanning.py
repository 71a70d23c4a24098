"""From a spanning set of diagrams to a basis, in exact arithmetic."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schur.errors import NumberError
from schur.groups.permutation_group import sign
from schur.products.diagrams.diagram import Diagram

# A prime below 2^31: products of remainders fit in 64 bits.
_PRIME = 2_147_483_647


def independent(
    diagrams: Sequence[Diagram], n: int, symplectic: bool, rank: int
) -> tuple[Diagram, ...]:
    """The first diagrams whose matrices are linearly independent, `rank` of them.

    Their inner products are counted from the pictures, as n to the number of loops, so nothing
    grows with n. What is independent modulo a prime is independent; that there are as many as the
    dimension formula says shows that they span.

    Args:
        diagrams: Brauer diagrams, all with a determinant or none.
        n: dimension of the space.
        symplectic: as in `matrix`.
        rank: the dimension of their span.

    Raises:
        NumberError: another number than `rank` is independent.
    """
    if len(diagrams) == rank:
        return tuple(diagrams)
    product = _inner_symplectic if symplectic else _inner
    kept: list[int] = []
    rows: list[tuple[int, np.ndarray]] = []  # pivot, and a row of the Gram matrix with 1 there
    for number, diagram in enumerate(diagrams):
        row = np.array([product(diagram, other, n) % _PRIME for other in diagrams], np.int64)
        for pivot, reduced in rows:
            row = (row - row[pivot] * reduced) % _PRIME
        if np.any(row):
            pivot = int(np.argmax(row != 0))
            rows.append((pivot, row * pow(int(row[pivot]), -1, _PRIME) % _PRIME))
            kept.append(number)
    if len(kept) != rank:
        raise NumberError(
            "the rank of a set of diagrams differs from the dimension formula",
            got=f"{len(kept)} of {len(diagrams)} independent",
            expected=rank,
        )
    return tuple(diagrams[number] for number in kept)


def _partners(diagram: Diagram) -> dict[int, int]:
    """For each vertex of a pair the other one."""
    pairs = [block for block in diagram.blocks if len(block) == 2]
    return {v: other for a, b in pairs for v, other in ((a, b), (b, a))}


def _inner(first: Diagram, second: Diagram, n: int) -> int:
    """Σ of the products of entries: n for each loop; of determinants the sign, n! left out."""
    partners = (_partners(first), _partners(second))
    order = []
    seen: set[int] = set()
    for leg in first.legs:
        vertex, picture = leg, 1
        seen.add(vertex)
        while vertex in partners[picture]:
            vertex, picture = partners[picture][vertex], 1 - picture
            seen.add(vertex)
        if picture == 0 or vertex not in second.legs:
            return 0  # two legs of one determinant meet
        order.append(second.legs.index(vertex))
    loops = 0
    for start in range(first.k + first.l):
        if start in seen:
            continue
        loops += 1
        vertex, picture = start, 0
        while vertex not in seen or picture:
            seen.add(vertex)
            vertex, picture = partners[picture][vertex], 1 - picture
    return sign(order) * n**loops


def _inner_symplectic(first: Diagram, second: Diagram, n: int) -> int:
    """As if all vertices were in one row: to bend a picture is invertible, and keeps the rank."""
    partners = (_partners(first), _partners(second))
    seen: set[int] = set()
    total = 1
    for start in range(first.k + first.l):
        if start in seen:
            continue
        vertex, length, orientation = start, 0, 1
        while vertex not in seen:
            for partner in partners:
                seen.add(vertex)
                orientation *= 1 if vertex < partner[vertex] else -1
                vertex, length = partner[vertex], length + 1
        total *= n * orientation * (-1) ** (length // 2)
    return total
