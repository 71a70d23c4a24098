"""The values of parts, numbered one after another, each a sum of as few others as can be.

The sum over i, j and k is the sum of n numbers where those over j and k are there already.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from schur.products.diagrams.factoring import Part, Terms


@dataclass(frozen=True, eq=False)
class Numbering:
    """Where the values of each part stand, after the entries of their tensor.

        number[target] = Σ factor · number[source]

    Args:
        starts: the first value of each part; 0 for one that is the tensor itself.
        size: entries and values.
        target, source, factor: of each term; a source stands before its targets.

    Example:
        Sums over columns, rows and all of a matrix: the last from three numbers, not from nine.

        >>> from schur.products.diagrams.factoring import Side
        >>> parts = [Side(3, False, 2, *through) for through in
        ...          ((((0,),), (), ((1,),)), (((1,),), (), ((0,),)), ((), (), ((0,), (1,))))]
        >>> found = numbered(parts, 9)
        >>> found.size, list(found.starts.values()), found.source[found.target == 15]
        (16, [9, 12, 15], array([ 9, 10, 11]))
    """

    starts: dict[Part, int]
    size: int
    target: Int[np.ndarray, " terms"]
    source: Int[np.ndarray, " terms"]
    factor: Float[np.ndarray, " terms"]


def numbered(parts: Iterable[Part], entries: int) -> Numbering:
    """Number the values of parts of a tensor of so many entries, the larger parts first."""
    starts: dict[Part, int] = {}
    made: dict[Part, Terms] = {}
    sums: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    size = entries
    for part in sorted(dict.fromkeys(parts), key=lambda part: -part.size):
        if part.is_trivial:
            starts[part] = 0
            continue
        terms = _in_order(part.terms())
        offset, (components, factors) = 0, terms
        for other in sorted(made, key=lambda other: other.size):
            through = _through(made[other], terms)
            if through is not None:
                offset, (components, factors) = starts[other], through
                break
        sums.append((components[:, 1] + size, components[:, 0] + offset, factors))
        starts[part], made[part] = size, terms
        size += part.size
    if not sums:
        none = np.zeros(0, np.int64)
        return Numbering(starts, size, none, none, np.zeros(0))
    target, source, factor = (np.concatenate(columns) for columns in zip(*sums, strict=True))
    return Numbering(starts, size, target, source, factor)


def _in_order(terms: Terms) -> Terms:
    order = np.argsort(terms[0][:, 0], kind="stable")
    return terms[0][order], terms[1][order]


def _through(one: Terms, other: Terms) -> Terms | None:
    """The other part's values as sums of the one's, both in the order of the entries.

    Returns:
        None if they are not: they read other entries, or one value goes to several.
    """
    (first, a), (second, b) = one, other
    entries = first[:, 0]
    if not np.array_equal(entries, second[:, 0]):
        return None
    if np.any(entries[1:] == entries[:-1]):
        return None
    values, where, inverse = np.unique(first[:, 1], return_index=True, return_inverse=True)
    ratio = b / a
    if np.any(second[where][inverse, 1] != second[:, 1]) or np.any(ratio[where][inverse] != ratio):
        return None
    return np.stack([values, second[where, 1]], 1), ratio[where]
