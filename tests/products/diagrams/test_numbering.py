"""Numbered parts: each value is the sum that its part says, from what stands before it."""

from __future__ import annotations

import numpy as np
import pytest

from schur.groups import Alt, Group, Orthogonal, SpecialOrthogonal, Sym, Symplectic
from schur.products.diagrams import equivariant_maps
from schur.products.diagrams.factoring import Side
from schur.products.diagrams.numbering import numbered

GROUPS: list[Group] = [
    Sym(4),
    Alt(3),
    Orthogonal(3),
    SpecialOrthogonal(3),
    Symplectic(4),
    Sym(2) * Orthogonal(3),
]


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_values_are_those_of_the_parts(group: Group) -> None:
    entries = group.n**3
    maps = [
        *equivariant_maps(group, 3, 1).factorings(),
        *equivariant_maps(group, 3, 3).factorings(),
    ]
    parts = list(dict.fromkeys(one.below for one in maps))
    found = numbered(parts, entries)
    assert np.all(found.source < found.target) and np.all(found.target >= entries)
    values = np.zeros(found.size)
    values[:entries] = np.random.default_rng(0).integers(-9, 10, entries)
    for number in range(entries, found.size):
        terms = found.target == number
        values[number] = found.factor[terms] @ values[found.source[terms]]
    for part in parts:
        components, factors = part.terms()
        expected = np.zeros(part.size)
        np.add.at(expected, components[:, 1], factors * values[components[:, 0]])
        start = found.starts[part]
        # Integers: every sum is exact.
        assert np.array_equal(values[start : start + part.size], expected)


def test_a_sum_is_made_from_sums() -> None:
    n = 10
    rows = Side(n, False, 2, ((0,),), (), ((1,),))
    everything = Side(n, False, 2, (), (), ((0,), (1,)))
    trace = Side(n, False, 2, (), (), ((0, 1),))
    found = numbered([everything, rows, trace], n * n)
    counts = {part: np.sum(found.target == found.starts[part]) for part in found.starts}
    # The trace is no sum of row sums: it reads other entries.
    assert counts == {rows: n, everything: n, trace: n}
    assert len(found.target) == n * n + n + n
    alone = numbered([everything], n * n)
    assert len(alone.target) == n * n
