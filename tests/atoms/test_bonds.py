"""Bonds are found across cell walls, and measure the same wherever the atoms are."""

from __future__ import annotations

import numpy as np
import pytest

from schur.atoms.bonds import bond_lengths, find_bonds
from schur.atoms.dynamics_figures import pair_distances
from schur.atoms.neighbours import complete_cell
from schur.atoms.system import System

CELL = np.array([[5.0, 0, 0], [1.0, 5.0, 0], [0, 0.5, 5.0]])


@pytest.mark.parametrize("start", [0.0, 4.9, -0.2])
def test_a_bond_across_the_wall_of_a_cell(start: float) -> None:
    places = np.array([[start, 0, 0], [start + 0.74, 0, 0]])
    wrapped = (places @ np.linalg.inv(CELL) % 1.0) @ CELL
    system = System([1, 1], wrapped, CELL, True)
    bonds = find_bonds(system)
    assert bonds.kinds == ("H-H",)
    assert bonds.lengths(system.positions, complete_cell(system)) == pytest.approx([0.74])


def test_ethane_has_seven_bonds_and_copper_none() -> None:
    from ase.build import bulk, molecule

    ethane = molecule("C2H6")
    found = bond_lengths([System(ethane.numbers, ethane.positions)] * 2)
    assert {kind: len(lengths) for kind, lengths in found.items()} == {"C-C": 2, "C-H": 12}
    copper = bulk("Cu", cubic=True)
    assert not len(find_bonds(System(copper.numbers, copper.positions, copper.cell.array, True)))


def test_pair_distances_of_a_gas_grow_with_the_square() -> None:
    """4π r² ρ for points without correlation, to the noise of counting."""
    generator = np.random.default_rng(0)
    side, count = 12.0, 400
    cell = side * np.eye(3)
    systems = [System([18] * count, generator.uniform(0, side, (count, 3)), cell, True)]
    places, density = pair_distances(systems, bins=6)
    expected = 4 * np.pi * (places**2 + (1.0**2) / 12) * count / side**3
    pairs = expected * count / 2  # that fall into each bin of 1 Å
    assert (np.abs(density / expected - 1) < 5 / np.sqrt(pairs)).all()
