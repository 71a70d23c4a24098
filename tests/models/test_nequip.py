"""NequIP's shape, as the paper and the package of that name have it."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from schur.models.nequip import NequIP, NequIPConfig


def test_features_of_each_layer() -> None:
    """Parities that no path reaches are left out.

    Harmonics give 1o from scalars, 1o and 1o give 1e, and only 1e and 1o give 0o.
    """
    config = NequIPConfig(layers=4, lmax=1, features=(4, 2), radial_hidden=(4,))
    model = NequIP(config, num_species=1, mean_neighbours=1.0)
    reps = [str(layer.rep_out) for layer in model.layers]
    expected = ["4x0e+2x1o", "4x0e+2x1o+2x1e", "4x0e+4x0o+2x1o+2x1e", "4x0e"]
    assert [set(rep.split("+")) for rep in reps] == [set(rep.split("+")) for rep in expected]


@pytest.mark.parametrize("settings", [{"features": (4, 2, 1)}, {"features": 0}, {"layers": 0}])
def test_shapes_that_are_none(settings: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NequIPConfig.model_validate({"lmax": 1, **settings})


def test_an_atom_without_neighbours_has_energy_zero() -> None:
    model = NequIP(NequIPConfig(layers=2, features=4, radial_hidden=(4,)), 2, 1.0)
    none = torch.zeros(2, 0, dtype=torch.int64)
    assert (model(torch.zeros(0, 3), torch.tensor([0, 1]), none) == 0).all()
