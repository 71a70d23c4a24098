"""Homomorphisms of small patterns: bilabelled graphs, and polynomials of a graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import combinations, permutations, product
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from schur.errors import ShapeError

Edge = tuple[int, int]

# An exact search over all sets of vertices: 2^12 of them take a tenth of a second.
_LARGEST_SEARCH = 12


@dataclass(frozen=True)
class Pattern:
    """A multigraph whose first `marked` vertices are kept as indices.

        P(A)[i_0, …, i_{m-1}] = Σ_φ Π_edges (u, v) A[φ(u), φ(v)]   over φ with φ(a) = i_a, a < m

    Args:
        size: the number of vertices.
        edges: pairs of vertices; repeats count as powers.
        marked: m.

    Raises:
        ShapeError: an edge names no vertex, or more are marked than there are.

    Source: Puny et al., "Equivariant polynomials for graph neural networks",
    https://arxiv.org/abs/2302.11556, equation (4).

    Example:
        >>> square = Pattern(4, ((0, 1), (1, 2), (2, 3), (3, 0)))
        >>> square.order, square.width
        ((0, 1, 2, 3), 2)
    """

    size: int
    edges: tuple[Edge, ...]
    marked: int = 0

    def __post_init__(self) -> None:
        named = {v for edge in self.edges for v in edge}
        if not named <= set(range(self.size)) or not 0 <= self.marked <= self.size:
            raise ShapeError(
                "an edge or label names no vertex",
                got=(sorted(named), f"{self.marked} marked"),
                expected=f"vertices 0 to {self.size - 1}",
            )

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The vertices that are summed over, in the order that costs least."""
        return _elimination(self)[0]

    @cached_property
    def width(self) -> int:
        """The largest number of indices that are left when one is summed: n^(width + 1) is the
        cost. Without marks it is the treewidth."""
        return _elimination(self)[1]

    def contract(self, adjacency: Any, ones: Any, einsum: Callable[..., Any]) -> Any:
        """The polynomial, one vertex summed at a time.

        Args:
            adjacency: A, with any axes of a batch before the last two.
            ones: shape (n,), of the same kind.
            einsum: that of the arrays' library, which knows `...`.
        """
        if not self.size:
            return 1.0
        # Every vertex has a factor of ones, so that one without edges counts n.
        factors: list[tuple[tuple[int, ...], Any]] = [(edge, adjacency) for edge in self.edges]
        factors += [((v,), ones) for v in range(self.size)]
        for vertex in self.order:
            touched = [factor for factor in factors if vertex in factor[0]]
            kept = sorted({v for axes, _ in touched for v in axes} - {vertex})
            factors = [factor for factor in factors if vertex not in factor[0]]
            factors.append((tuple(kept), _product(touched, kept, einsum)))
        return _product(factors, range(self.marked), einsum)


def _product(
    factors: Sequence[tuple[tuple[int, ...], Any]], kept: Sequence[int], einsum: Callable[..., Any]
) -> Any:
    """The product of arrays with axes named by vertices, summed over all but those kept."""
    arrays = [array for _, array in factors]
    names = ",".join(_letters(axes) for axes, _ in factors)
    return einsum(f"{names}->{_letters(kept)}", *arrays)


def _letters(axes: Sequence[int]) -> str:
    return "..." + "".join(chr(ord("a") + v) for v in axes)


@lru_cache(maxsize=4096)
def _elimination(pattern: Pattern) -> tuple[tuple[int, ...], int]:
    """The order of least width, by dynamic programming over the sets that are summed already.

    Source: Bodlaender et al., "On exact algorithms for treewidth", https://doi.org/10.1145/2390176.2390188.
    """
    free = range(pattern.marked, pattern.size)
    if len(free) > _LARGEST_SEARCH:
        raise ShapeError(
            "the best order is searched for among all",
            got=f"{len(free)} vertices to sum over",
            expected=f"at most {_LARGEST_SEARCH}",
        )
    best: dict[frozenset[int], tuple[int, tuple[int, ...]]] = {frozenset(): (0, ())}
    for _ in free:
        longer: dict[frozenset[int], tuple[int, tuple[int, ...]]] = {}
        for summed, (width, order) in best.items():
            for vertex in free:
                if vertex in summed:
                    continue
                found = (max(width, len(_reached(pattern, summed, vertex))), (*order, vertex))
                whole = summed | {vertex}
                if whole not in longer or found < longer[whole]:
                    longer[whole] = found
        best = longer
    ((width, order),) = best.values()
    return order, width


def _reached(pattern: Pattern, summed: frozenset[int], vertex: int) -> set[int]:
    """What a vertex is joined to once others are summed: ends of paths through these."""
    seen, waiting, ends = {vertex}, [vertex], set()
    while waiting:
        here = waiting.pop()
        for edge in pattern.edges:
            if here in edge:
                (other,) = set(edge) - {here} or {here}
                if other in summed and other not in seen:
                    waiting.append(other)
                elif other not in summed and other != vertex:
                    ends.add(other)
                seen.add(other)
    return ends


def homomorphism_tensor(
    pattern: Sequence[Edge],
    size: int,
    labels: Sequence[int],
    adjacency: Shaped[np.ndarray, "n n"],
) -> Float[np.ndarray, "..."]:
    """Entry i counts the maps of a pattern's vertices to a graph's that send label a to i_a.

        T[i_1, …, i_m] = Σ_φ Π_edges (u, v) A[φ(u), φ(v)]   over φ with φ(label_a) = i_a

    With the first l labels as output and the others as input this is the matrix of a bilabelled
    graph, an equivariant map of Aut(G); all of them span, without a bound on their size that is
    known. The cost is n to the pattern's width plus one, see `Pattern.width`.

    Args:
        pattern: edges (u, v) between vertices 0, …, size - 1.
        size: the number of vertices of the pattern.
        labels: for each index of the result the vertex that carries it; repeats are allowed.
        adjacency: A.

    Raises:
        ShapeError: an edge or label names no vertex.

    Source: Mančinska and Roberson, https://arxiv.org/abs/1910.06958, definition 3.1.

    Example:
        >>> triangle, k4 = [(0, 1), (1, 2), (2, 0)], np.ones((4, 4)) - np.eye(4)
        >>> float(homomorphism_tensor(triangle, 3, [], k4))
        24.0
    """
    distinct = list(dict.fromkeys(labels))
    if not set(distinct) <= set(range(size)):
        raise ShapeError(
            "an edge or label names no vertex", got=distinct, expected=f"0 to {size - 1}"
        )
    named = distinct + [v for v in range(size) if v not in distinct]
    renamed = {v: place for place, v in enumerate(named)}
    edges = tuple((renamed.get(u, size), renamed.get(v, size)) for u, v in pattern)
    n = len(adjacency)
    a = np.asarray(adjacency, np.float64)
    counts = np.asarray(Pattern(size, edges, len(distinct)).contract(a, np.ones(n), np.einsum))
    out = np.zeros((n,) * len(labels))
    for values in product(range(n), repeat=len(distinct)):
        known = dict(zip(distinct, values, strict=True))
        out[tuple(known[v] for v in labels)] = counts[values]
    return out


def multigraphs(edges: int, marked: int = 0) -> tuple[Pattern, ...]:
    """Every multigraph of at most so many edges, once each, the first vertices marked.

    Vertices without an edge are left out unless they are marked; loops are left out. Two that
    differ only in the names of vertices that are not marked are the same.

    Args:
        edges: the largest number of edges.
        marked: how many vertices are told apart.

    Source: Puny et al., https://arxiv.org/abs/2302.11556, section 3; without marks their numbers
    are A050535 in the On-Line Encyclopedia of Integer Sequences, summed.

    Example:
        >>> [len(multigraphs(m)) for m in range(5)], [len(multigraphs(m, 1)) for m in range(4)]
        ([1, 2, 5, 13, 36], [1, 3, 10, 33])
    """
    level: dict[tuple[Edge, ...], int] = {(): marked}
    found = dict(level)
    for _ in range(edges):
        longer: dict[tuple[Edge, ...], int] = {}
        for listed, size in level.items():
            # Each end of the new edge is a vertex that is there, or a new one.
            for u, v in combinations(range(size + 2), 2):
                if v <= max(size, u + 1):
                    grown = _canonical((*listed, (u, v)), max(size, v + 1), marked)
                    longer[grown] = max(size, v + 1)
        level = longer
        found.update(longer)
    return tuple(Pattern(size, listed, marked) for listed, size in found.items())


def _canonical(edges: tuple[Edge, ...], size: int, marked: int) -> tuple[Edge, ...]:
    """The least list of edges under renaming of what is not marked.

    Vertices are told apart by their edges first, so that few orders are tried.
    """
    colours: list[Any] = [v if v < marked else marked for v in range(size)]
    for _ in range(2):
        around: list[list[Any]] = [[] for _ in range(size)]
        for u, v in edges:
            around[u].append(colours[v])
            around[v].append(colours[u])
        keys = [(colour, sorted(near)) for colour, near in zip(colours, around, strict=True)]
        ranks = sorted(keys)
        colours = [ranks.index(key) for key in keys]
    best: tuple[Edge, ...] | None = None
    for names in _orders(colours):
        listed = sorted((min(names[u], names[v]), max(names[u], names[v])) for u, v in edges)
        best = tuple(listed) if best is None else min(best, tuple(listed))
    assert best is not None
    return best


def _orders(colours: Sequence[int]) -> Iterator[dict[int, int]]:
    """Names for the vertices that put lower colours first, in every order within a colour."""
    classes = [[v for v, c in enumerate(colours) if c == colour] for colour in sorted(set(colours))]
    for chosen in product(*(permutations(members) for members in classes)):
        order = [v for members in chosen for v in members]
        yield {v: place for place, v in enumerate(order)}
