"""The diagrams of each group, and its tensor powers as representations."""

from __future__ import annotations

from functools import reduce

import numpy as np

from schur.groups import (
    Alt,
    Group,
    Orthogonal,
    PermutationGroup,
    SpecialOrthogonal,
    Sym,
    Symplectic,
    graph_automorphisms,
)
from schur.products.diagrams import Diagram, determinants, jellyfish, pairings, partitions
from schur.reps import Defining, Representation, TensorProduct, Trivial


def spanning_set(group: Group, k: int, l: int) -> list[Diagram]:
    """Every diagram that stands for a map of the group, dependent ones too."""
    n = group.n
    match group:
        case Sym():
            return list(partitions(k, l))
        case Alt():
            return [*partitions(k, l), *jellyfish(k, l, n)]
        case SpecialOrthogonal():
            return [*pairings(k, l), *determinants(k, l, n)]
        case _:
            return list(pairings(k, l))


def power(group: Group, order: int) -> Representation:
    """The tensor power of the defining representation."""
    return TensorProduct((Defining(group),) * order) if order else Trivial(group)


def acting(g: np.ndarray, order: int) -> np.ndarray:
    """The Kronecker power of a matrix."""
    return reduce(np.kron, [g] * order, np.eye(1))


def graph(n: int, edges: list[tuple[int, int]]) -> np.ndarray:
    adjacency = np.zeros((n, n), dtype=np.int64)
    for i, j in edges:
        adjacency[i, j] = adjacency[j, i] = 1
    return adjacency


def _petersen() -> np.ndarray:
    outer = [(i, (i + 1) % 5) for i in range(5)]
    inner = [(5 + i, 5 + (i + 2) % 5) for i in range(5)]
    return graph(10, [*outer, *inner, *((i, i + 5) for i in range(5))])


def _frucht() -> np.ndarray:
    # In the notation of Lederberg, Coxeter and Frucht: a Hamiltonian cycle and chords.
    jumps = [-5, -2, -4, 2, 5, -2, 2, 5, -2, -5, 4, 2]
    cycle = [(i, (i + 1) % 12) for i in range(12)]
    return graph(12, [*cycle, *((i, (i + jump) % 12) for i, jump in enumerate(jumps))])


# The adjacency matrix of each named graph, and the number of orbits at orders 1 to 4.
GRAPHS: dict[str, tuple[np.ndarray, list[int]]] = {
    "Petersen": (_petersen(), [1, 3, 15, 107]),
    "C5": (graph(5, [(i, (i + 1) % 5) for i in range(5)]), [1, 3, 13, 63]),
    "P3": (graph(3, [(0, 1), (1, 2)]), [2, 5, 14, 41]),
    "cube": (
        graph(8, [(i, i ^ bit) for i in range(8) for bit in (1, 2, 4)]),
        [1, 4, 20, 120],
    ),
    "K33": (graph(6, [(i, j) for i in range(3) for j in range(3, 6)]), [1, 3, 11, 46]),
    "Frucht": (_frucht(), [12, 144, 1728, 20736]),
}


def automorphisms(name: str) -> PermutationGroup:
    return graph_automorphisms(GRAPHS[name][0])


SMALL: list[Group] = [
    *(Sym(n) for n in (1, 2, 3, 4)),
    *(Alt(n) for n in (1, 2, 3, 4)),
    *(Orthogonal(n) for n in (1, 2, 3)),
    *(SpecialOrthogonal(n) for n in (1, 2, 3)),
    Symplectic(2),
    Symplectic(4),
]
