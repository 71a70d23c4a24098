"""Neighbour lists against a plain search over all images."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schur.atoms.neighbours import NeighbourList, complete_cell, neighbour_list
from schur.atoms.system import System
from schur.errors import DataError

Pairs = set[tuple[int, ...]]


def plain(system: System, cutoff: float) -> Pairs:
    """Every image within reach is tried; nothing is clever."""
    cell = complete_cell(system)
    heights = abs(np.linalg.det(cell)) / np.array(
        [np.linalg.norm(np.cross(cell[(k + 1) % 3], cell[(k + 2) % 3])) for k in range(3)]
    )
    spread = np.abs(system.positions @ np.linalg.inv(cell))
    far = 2 * int(np.ceil(spread.max())) if len(system) else 0
    reach = [
        int(np.ceil(cutoff / h)) + far if p else 0 for h, p in zip(heights, system.pbc, strict=True)
    ]
    found = set()
    for shift in product(*[range(-n, n + 1) for n in reach]):
        moved = system.positions + np.array(shift) @ cell
        distance = np.linalg.norm(system.positions[:, None] - moved[None], axis=2)
        for i, j in zip(*np.nonzero(distance < cutoff), strict=True):
            if shift != (0, 0, 0) or i != j:
                found.add((int(j), int(i), *shift))
    return found


def as_set(found: NeighbourList) -> Pairs:
    pairs = {
        (int(s), int(r), *map(int, shift))
        for s, r, shift in zip(found.senders, found.receivers, found.shifts, strict=True)
    }
    assert len(pairs) == len(found), "a pair occurs twice"
    return pairs


CELLS = {
    "cube": np.eye(3) * 4.0,
    "skewed": np.array([[3.0, 0.0, 0.0], [2.5, 2.0, 0.0], [-2.0, 1.5, 3.0]]),
    "left-handed": np.array([[0.0, 3.0, 0.0], [3.0, 0.0, 0.5], [0.0, 0.0, 3.5]]),
    "smaller than the cutoff": np.diag([1.2, 1.5, 2.0]),
}


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, True)])
@pytest.mark.parametrize("outside", [0.0, 3.0])
def test_finds_the_same_pairs(name: str, pbc: tuple[bool, ...], outside: float) -> None:
    generator = np.random.default_rng(1)
    fractions = generator.uniform(-outside, 1 + outside, (5, 3))
    system = System([1] * 5, fractions @ CELLS[name], CELLS[name], pbc)
    expected = plain(system, 2.7)
    assert expected or not all(pbc)
    assert as_set(neighbour_list(system, 2.7)) == expected


@given(st.integers(0, 2**32 - 1), st.sampled_from(sorted(CELLS)), st.floats(0.5, 3.5))
def test_any_atoms(seed: int, name: str, cutoff: float) -> None:
    generator = np.random.default_rng(seed)
    positions = generator.uniform(-4, 4, (int(generator.integers(1, 6)), 3))
    pbc = generator.integers(0, 2, 3).astype(bool)
    system = System([6] * len(positions), positions, CELLS[name], pbc)
    assert as_set(neighbour_list(system, cutoff)) == plain(system, cutoff)


LENGTHS = st.tuples(*[st.floats(0.8, 5.0)] * 3)
TILTS = st.tuples(*[st.floats(-1.5, 1.5)] * 3)
PLACES = st.lists(st.tuples(*[st.floats(-2.0, 2.0)] * 3), min_size=1, max_size=4)


def any_cell(
    lengths: tuple[float, ...],
    tilts: tuple[float, ...],
    places: list[tuple[float, ...]],
    pbc: tuple[bool, ...],
    turned: bool,
) -> System:
    """Skewed by more than its length, smaller than the cutoff, left-handed, atoms outside."""
    cell = np.diag(lengths)
    cell[1, 0], cell[2, 0], cell[2, 1] = np.array(tilts) * [lengths[0], lengths[0], lengths[1]]
    if turned:
        cell = cell[[1, 0, 2]]
    # On a lattice of 1/64 no two distances lie within rounding on both sides of the cutoff.
    positions = np.round(np.array(places) @ cell * 64) / 64
    return System([6] * len(places), positions, np.round(cell * 64) / 64, pbc)


@given(LENGTHS, TILTS, PLACES, st.tuples(*[st.booleans()] * 3), st.booleans())
def test_any_cell(
    lengths: tuple[float, ...],
    tilts: tuple[float, ...],
    places: list[tuple[float, ...]],
    pbc: tuple[bool, ...],
    turned: bool,
) -> None:
    system = any_cell(lengths, tilts, places, pbc, turned)
    cutoff = 2.2 + 1e-4
    assert as_set(neighbour_list(system, cutoff)) == plain(system, cutoff)


@given(PLACES)
def test_molecules_without_a_cell(places: list[tuple[float, ...]]) -> None:
    positions = np.round(np.array(places) * 64) / 64
    system = System([6] * len(places), positions)
    assert as_set(neighbour_list(system, 2.2001)) == plain(system, 2.2001)


def test_plain_search_notices_a_missing_pair() -> None:
    system = System([1, 1], [[0, 0, 0], [0, 0, 1]])
    found = neighbour_list(system, 2.0)
    fewer = NeighbourList(
        found.senders[1:], found.receivers[1:], found.shifts[1:], found.vectors[1:]
    )
    assert as_set(fewer) != plain(system, 2.0)


def test_vectors_and_order() -> None:
    cell = CELLS["skewed"]
    system = System([1, 6], [[0.1, 0.2, 0.3], [1.0, 1.0, 1.0]], cell, True)
    found = neighbour_list(system, 3.0)
    sent = system.positions[found.senders] + found.shifts @ cell
    assert np.array_equal(found.vectors, system.positions[found.receivers] - sent)
    assert (np.linalg.norm(found.vectors, axis=1) < 3.0).all()
    assert (np.diff(found.receivers) >= 0).all()


@pytest.mark.parametrize("name", CELLS)
def test_one_of_each_and_its_opposite_are_all(name: str) -> None:
    generator = np.random.default_rng(3)
    system = System([1] * 3, generator.uniform(-4, 4, (3, 3)), CELLS[name], True)
    found = neighbour_list(system, 2.7)
    half = found.one_of_each()
    opposite = NeighbourList(half.receivers, half.senders, -half.shifts, -half.vectors)
    assert len(found) == 2 * len(half) > 0
    assert as_set(half) | as_set(opposite) == as_set(found)


def test_no_pairs() -> None:
    assert len(neighbour_list(System([1], [[0, 0, 0]]), 5.0)) == 0


def test_wire_and_slab_without_full_cell() -> None:
    wire = System([1], [[0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 0, 1.0]], (False, False, True))
    assert as_set(neighbour_list(wire, 1.5)) == plain(wire, 1.5)


def test_impossible_cells() -> None:
    with pytest.raises(DataError, match="no lattice vector"):
        neighbour_list(System([1], [[0, 0, 0]], pbc=True), 1.0)
    flat = System([1], [[0, 0, 0]], [[1, 0, 0], [2, 0, 0], [0, 0, 1]], True)
    with pytest.raises(DataError, match="flat"):
        neighbour_list(flat, 1.0)
