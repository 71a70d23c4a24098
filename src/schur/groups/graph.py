"""The automorphisms of a graph."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Shaped

from schur.errors import ShapeError
from schur.groups.permutation_group import PermutationGroup


def graph_automorphisms(adjacency: Shaped[np.ndarray, "n n"]) -> PermutationGroup:
    """The permutations p with A[p(i), p(j)] = A[i, j] for all i, j.

    Found by a depth-first search that gives one vertex after the other an image and goes back at
    the first edge that does not fit; a vertex is only sent to one of equal degrees in the second
    neighbourhood. The cost is at least the order of the group.

    Args:
        adjacency: any square matrix, weighted and directed ones too.

    Returns:
        The group, by few generators: each reaches elements that those before it do not.

    Raises:
        ShapeError: the matrix is not square.
        NumberError: there are more than 100,000 automorphisms.

    Example:
        >>> path = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]])
        >>> graph_automorphisms(path).elements
        ((0, 1, 2), (2, 1, 0))
    """
    a = np.asarray(adjacency)
    if a.ndim != 2 or a.shape[0] != a.shape[1] or not len(a):
        raise ShapeError("an adjacency matrix is square", got=a.shape, expected="(n, n), n >= 1")
    group = PermutationGroup((tuple(range(len(a))),))
    for p in _search(a, _colours(a), ()):
        if not group.has(p):
            kept = group.images if group.order > 1 else ()
            group = PermutationGroup((*kept, p))
    return group


def _colours(a: np.ndarray) -> list[tuple[object, ...]]:
    """For each vertex what every automorphism keeps: its edges, and those of its neighbours."""
    once = [
        (a[i, i].item(), tuple(sorted(a[i].tolist())), tuple(sorted(a[:, i].tolist())))
        for i in range(len(a))
    ]
    return [
        (colour, tuple(sorted((x.item(), once[j]) for j, x in enumerate(a[i]))))
        for i, colour in enumerate(once)
    ]


def _search(
    a: np.ndarray, colours: list[tuple[object, ...]], images: tuple[int, ...]
) -> Iterator[tuple[int, ...]]:
    i = len(images)
    if i == len(a):
        yield images
        return
    for image in range(len(a)):
        if image in images or colours[image] != colours[i]:
            continue
        longer = (*images, image)
        before = list(longer)
        out = np.array_equal(a[image, before], a[i, : i + 1])
        if out and np.array_equal(a[before, image], a[: i + 1, i]):
            yield from _search(a, colours, longer)
