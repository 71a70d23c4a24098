"""Composition, tensor product and transpose of diagrams: the functor laws, in exact integers.

With M the matrix of a diagram, extended linearly to combinations,

    M(compose(b, a)) = M(b) M(a),   M(tensor(a, b)) = M(a) ⊗ M(b),   M(transpose(a)) = M(a)ᵀ.

Source: Pearce-Crump, "Categorification of group equivariant neural networks",
https://arxiv.org/abs/2304.14144; Brauer (1937).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from schur.errors import RepresentationError
from schur.groups.permutation_group import sign
from schur.products.diagrams.diagram import Diagram
from schur.products.diagrams.matrices import check_reading, is_horizontal

# Σ coefficient · diagram; nothing is zero.
Combination = dict[Diagram, int]


def compose(second: Diagram, first: Diagram, n: int, symplectic: bool = False) -> Combination:
    """second ∘ first: the middle row is joined, and what connects to neither side is a factor.

    For partitions and Brauer diagrams this is n^c times one diagram, c the number of components
    removed. For Sp(n) each loop is n or -n and each path a sign, found by following ω along it. A
    determinant follows its blocks; a product of two is expanded in n! terms.

    Args:
        second, first: diagrams with second.k = first.l.
        n: dimension of the space.
        symplectic: as in `matrix`.

    Raises:
        RepresentationError: the diagrams do not meet, or cannot be read.

    Example:
        >>> cup, cap = Diagram(0, 2, [[0, 1]]), Diagram(2, 0, [[0, 1]])
        >>> compose(cap, cup, 5)
        {Diagram(k=0, l=0, blocks=(), legs=()): 5}
    """
    if second.k != first.l:
        raise RepresentationError(
            "these diagrams do not meet",
            got=f"{first.l} outputs of the first, {second.k} inputs of the second",
            expected="equally many",
        )
    for diagram in (first, second):
        check_reading(diagram, n, symplectic)
    if symplectic:
        return _compose_symplectic(second, first, n)
    # Vertices of the pair of pictures: output, middle, input, then a summed leg for each head.
    upper = second.blocks
    lower = tuple(tuple(v + second.l for v in block) for block in first.blocks)
    outer = [*range(second.l), *range(second.l + first.l, second.l + first.l + first.k)]
    count = second.l + first.l + first.k
    heads = []
    for legs in (second.legs, tuple(v + second.l for v in first.legs)):
        if legs and len(legs) == n - 1:
            legs, count = (*legs, count), count + 1
        heads.append(legs)
    blocks = [*upper, *lower]
    if all(heads):
        total: Combination = {}
        for order in permutations(range(n)):
            joined = [(heads[0][i], heads[1][j]) for i, j in enumerate(order)]
            part = _joined(second.l, first.k, [*blocks, *joined], (), outer, count, n)
            _add(total, part, sign(order))
        return total
    return _joined(second.l, first.k, blocks, heads[0] or heads[1], outer, count, n)


def _joined(
    l: int,
    k: int,
    blocks: Sequence[Sequence[int]],
    head: tuple[int, ...],
    outer: list[int],
    count: int,
    n: int,
) -> Combination:
    """The diagram of the components of overlapping blocks, as seen from the outer vertices."""
    root = list(range(count))
    for block in blocks:
        merged = {root[v] for v in block}
        least = min(merged)
        root = [least if r in merged else r for r in root]
    touched = [root[v] for v in head]
    if len(set(touched)) < len(touched):
        return {}  # a determinant with two equal columns
    seen: dict[int, list[int]] = {}
    for place, vertex in enumerate(outer):
        seen.setdefault(root[vertex], []).append(place)
    factor = n ** len(set(root) - set(seen) - set(touched))
    dangling = [component for component in touched if component not in seen]
    if len(dangling) > 1:
        return {}  # ε summed over two of its indices
    # The legs in the order of the result's blocks; one that is summed over comes last.
    order = [seen[c][0] if c in seen else len(outer) for c in touched]
    ranks = [sorted(order).index(place) for place in order]
    legs = [place for place in order if place < len(outer)]
    return {Diagram(k, l, seen.values(), legs): factor * sign(ranks)}


def _compose_symplectic(second: Diagram, first: Diagram, n: int) -> Combination:
    """Follow each path through the middle and multiply what it meets: ω, ωᵀ = -ω and ω² = -1."""
    shift, middle = second.l, range(second.l, second.l + second.k)
    edges: dict[tuple[int, int], tuple[int, bool]] = {}  # (vertex, picture) -> other end
    for picture, (diagram, start) in enumerate(((second, 0), (first, shift))):
        for block in diagram.blocks:
            flat = is_horizontal(diagram, block)
            one, other = block[0] + start, block[1] + start
            edges[one, picture], edges[other, picture] = (other, flat), (one, flat)
    outer = [*range(shift), *range(shift + first.l, shift + first.l + first.k)]
    place = {vertex: i for i, vertex in enumerate(outer)}
    waiting, coefficient, pairs = set(middle), 1, []
    for start in outer:
        end, factor = _follow(start, 0 if start < shift else 1, edges, waiting)
        if place[start] < place[end]:  # from the other end it is the same path
            pairs.append((place[start], place[end]))
            coefficient *= factor
    while waiting:
        end, factor = _follow(min(waiting), 0, edges, waiting)
        coefficient *= factor * n
    return {Diagram(first.k, second.l, pairs): coefficient}


def _follow(
    start: int, picture: int, edges: dict[tuple[int, int], tuple[int, bool]], waiting: set[int]
) -> tuple[int, int]:
    """The end of a path, or the start of a loop, and the sign of the product of ω along it."""
    vertex, orientation, crossed = start, 1, 0
    while True:
        other, flat = edges[vertex, picture]
        if flat:
            orientation *= 1 if vertex < other else -1
            crossed += 1
        vertex, picture = other, 1 - picture
        waiting.discard(vertex)
        if vertex == start or (vertex, picture) not in edges:
            # ω to an even power is ±1, to an odd power ±ω.
            return vertex, orientation * (-1) ** (crossed // 2)


def tensor(first: Diagram, second: Diagram) -> Combination:
    """first ⊗ second: the pictures side by side.

    Raises:
        RepresentationError: both have a determinant.

    Example:
        >>> identity = Diagram(1, 1, [[0, 1]])
        >>> (both,) = tensor(identity, identity)
        >>> both.blocks
        ((0, 2), (1, 3))
    """
    if first.legs and second.legs:
        raise RepresentationError(
            "side by side two determinants are no single diagram",
            got=(first, second),
            expected="at most one diagram with legs",
            remedy="compose them, one after the other, with identities beside them",
        )

    def left(v: int) -> int:
        return v if v < first.l else v + second.l

    def right(v: int) -> int:
        return v + first.l if v < second.l else v + first.l + first.k

    blocks = [[left(v) for v in block] for block in first.blocks]
    blocks += [[right(v) for v in block] for block in second.blocks]
    legs = [*(left(v) for v in first.legs), *(right(v) for v in second.legs)]
    return {Diagram(first.k + second.k, first.l + second.l, blocks, legs): 1}


def transpose(diagram: Diagram) -> Combination:
    """The picture upside down; a determinant's legs change their order and so perhaps its sign.

    It is the transposed matrix in the symplectic reading too. It is not the adjoint with respect
    to ω there: bending a cup straight gives -1.

    Example:
        >>> transpose(Diagram(2, 0, [[0, 1]]))
        {Diagram(k=0, l=2, blocks=((0, 1),), legs=()): 1}
    """

    def turned(v: int) -> int:
        return v + diagram.k if v < diagram.l else v - diagram.l

    blocks = [[turned(v) for v in block] for block in diagram.blocks]
    least = {min(turned(v) for v in b): b[0] for b in diagram.blocks if b[0] in diagram.legs}
    order = [diagram.legs.index(least[v]) for v in sorted(least)]
    return {Diagram(diagram.l, diagram.k, blocks, list(least)): sign(order)}


def _add(total: Combination, part: Combination, factor: int) -> None:
    for diagram, coefficient in part.items():
        value = total.get(diagram, 0) + factor * coefficient
        if value:
            total[diagram] = value
        else:
            total.pop(diagram, None)
