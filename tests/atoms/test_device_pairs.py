"""Pairs found by torch are those of vesin, and of a plain search over all images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given

from schur.atoms import device_pairs as module
from schur.atoms.device_pairs import DevicePairs, device_pairs
from schur.atoms.neighbours import NeighbourList, neighbour_list
from schur.atoms.system import System
from schur.errors import DataError

from .test_neighbours import CELLS, LENGTHS, PLACES, TILTS, any_cell, as_set, plain

CUTOFF = 2.2 + 1e-4


def half(found: DevicePairs, system: System) -> NeighbourList:
    """The same in arrays."""
    vectors = found.vectors(torch.from_numpy(system.positions.copy()))
    parts = (found.senders, found.receivers, found.shifts, vectors)
    return NeighbourList(*(part.numpy() for part in parts))


def both_directions(found: NeighbourList) -> set[tuple[int, ...]]:
    opposite = NeighbourList(found.receivers, found.senders, -found.shifts, -found.vectors)
    one, other = as_set(found), as_set(opposite)
    assert not one & other, "a pair occurs twice"
    return one | other


@given(lengths=LENGTHS, tilts=TILTS, places=PLACES)
@pytest.mark.parametrize("pbc", [(True, True, True), (True, False, True), (False, False, False)])
@pytest.mark.parametrize("turned", [False, True])
def test_any_cell(
    lengths: tuple[float, ...],
    tilts: tuple[float, ...],
    places: list[tuple[float, ...]],
    pbc: tuple[bool, ...],
    turned: bool,
) -> None:
    system = any_cell(lengths, tilts, places, pbc, turned)
    found = half(device_pairs(system, CUTOFF, "cpu"), system)
    assert both_directions(found) == plain(system, CUTOFF)


@pytest.mark.parametrize("name", CELLS)
@pytest.mark.parametrize("pbc", [True, (False, True, True), False])
def test_the_direction_and_the_vectors_of_vesin(
    name: str, pbc: bool | tuple[bool, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Distances are worked off in many pieces here."""
    monkeypatch.setattr(module, "_AT_A_TIME", 40)
    positions = np.random.default_rng(3).uniform(-4, 4, (7, 3))
    system = System([1] * 7, positions, CELLS[name], pbc)
    found = half(device_pairs(system, 2.7, "cpu"), system)
    expected = neighbour_list(system, 2.7).one_of_each()
    assert as_set(found) == as_set(expected)
    sent = positions[found.senders] + found.shifts @ CELLS[name]
    assert found.vectors == pytest.approx(positions[found.receivers] - sent, abs=1e-12)


def test_wires_molecules_and_lone_atoms() -> None:
    wire = System([1], [[0, 0, 0]], [[0, 0, 0], [0, 0, 0], [0, 0, 1.0]], (False, False, True))
    found = half(device_pairs(wire, 1.5, "cpu"), wire)
    assert both_directions(found) == plain(wire, 1.5)
    assert not len(half(device_pairs(System([1], [[0, 0, 0]]), 5.0, "cpu"), wire))


def test_a_shift_too_few_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    system = System([1], [[0, 0, 0]], CELLS["smaller than the cutoff"], True)
    assert both_directions(half(device_pairs(system, 2.7, "cpu"), system)) == plain(system, 2.7)
    images = module._images
    monkeypatch.setattr(module, "_images", lambda a, b, cutoff: images(a, b, cutoff / 4))
    assert both_directions(half(device_pairs(system, 2.7, "cpu"), system)) != plain(system, 2.7)


def test_impossible_cells() -> None:
    with pytest.raises(DataError, match="no lattice vector"):
        device_pairs(System([1], [[0, 0, 0]], pbc=True), 1.0, "cpu")
