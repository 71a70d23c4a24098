"""What is MACE's own; the laws that it shares with others are in `test_physics.py`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from schur.atoms.batch import AtomicDataset
from schur.atoms.modelfile import build_potential
from schur.atoms.potential import Potential
from schur.atoms.system import System
from schur.errors import RepresentationError, ShapeError
from schur.models.mace import MACE, MACEConfig

ELEMENTS = (1, 6, 8)
CUTOFF = 3.0


def build() -> Potential:
    config = MACEConfig(
        hidden="4x0e + 4x1o", edge_lmax=2, cutoff=CUTOFF, radial_hidden=(8,), readout=4
    )
    return build_potential(config, ELEMENTS, (-1.0, -2.0, -3.0), 5.0, 0.8, -0.1, 0, torch.float64)


@pytest.fixture(scope="module")
def potential() -> Potential:
    return build()


def molecule(seed: int = 0, size: int = 6) -> System:
    generator = np.random.default_rng(seed)
    return System(generator.choice(ELEMENTS, size), generator.uniform(0, 2.5, (size, 3)))


def test_paired_edges_give_the_same_and_are_checked(potential: Potential) -> None:
    batch = AtomicDataset([molecule()], ELEMENTS, CUTOFF, torch.float64).batch([0])
    arguments = batch.vectors, batch.species, batch.edge_index
    paired = potential.model(*arguments, paired=True)
    assert torch.allclose(paired, potential.model(*arguments), rtol=1e-13, atol=1e-13)
    other = batch.edge_index[:, batch.edge_index[1].argsort()]
    with pytest.raises(ShapeError, match="opposite pairs"):
        potential.model(batch.vectors, batch.species, other, paired=True)


def test_parameters_depend_on_the_seed_alone() -> None:
    before = torch.get_rng_state()
    first, second = build(), build()
    assert torch.equal(before, torch.get_rng_state())
    pairs = zip(first.parameters(), second.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("hidden", ["4x0e + 3x1o", "4x1o", "4x1o + 4x0e"])
def test_hidden_irreps_that_are_no_mace(hidden: str) -> None:
    with pytest.raises(RepresentationError, match="hidden features"):
        MACE(MACEConfig(hidden=hidden), num_species=1, mean_neighbours=1.0)
