"""What all energy models have in common."""

from __future__ import annotations

import pytest
import torch

from schur.errors import IndexRangeError, ShapeError
from schur.models.energy_model import EnergyModel
from schur.models.registry import ARCHITECTURES, ModelConfig, build_model
from schur.nn.species import Species
from schur.tensors import Graph

from ..support.energy_shapes import SHAPES

VECTORS = torch.tensor([[0.3, 0.1, 1.0], [0.9, -0.4, 0.2]], dtype=torch.float64)
EDGES = torch.tensor([[0, 1, 1, 2], [1, 2, 0, 1]])
SPECIES = torch.tensor([1, 0, 1])


@pytest.fixture(params=SHAPES, ids=lambda config: config.architecture)
def model(request: pytest.FixtureRequest) -> EnergyModel:
    config: ModelConfig = request.param
    torch.manual_seed(0)
    made = build_model(config, 2, 3.0, (1, 8)).double()
    assert isinstance(made, EnergyModel)
    return made.eval()


def test_every_architecture_is_here() -> None:
    assert {config.architecture for config in SHAPES} == set(ARCHITECTURES)


def test_sorted_edges_and_species_make_no_difference(model: EnergyModel) -> None:
    vectors = torch.cat([VECTORS, -VECTORS])
    plain = model(vectors, SPECIES, EDGES)
    paired = model(vectors, SPECIES, EDGES, paired=True)
    known = model(vectors, Species(SPECIES, 2), Graph(EDGES, 3, paired=True))
    assert torch.equal(known, paired)
    # What is computed once for both directions goes through other matrix products.
    assert torch.allclose(plain, paired, rtol=0, atol=1e-13)
    assert plain.shape == (3,)


def test_what_is_not_there_is_an_error(model: EnergyModel) -> None:
    vectors = torch.cat([VECTORS, -VECTORS])
    with pytest.raises(IndexRangeError):
        model(vectors, torch.tensor([1, 0, 2]), EDGES)
    with pytest.raises(IndexRangeError):
        model(vectors, SPECIES, EDGES + 1)
    with pytest.raises(ShapeError):
        model(vectors, SPECIES, EDGES[:, [0, 2, 1, 3]], paired=True)
