"""NequIP is that of the paper and of the package of that name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from schur.atoms.batch import AtomicDataset
from schur.atoms.potential import Potential
from schur.atoms.system import System
from schur.errors import DataError, ShapeError
from schur.models.nequip import NequIP, NequIPConfig
from schur.models.nequip_weights import weights_of_nequip

ELEMENTS = (1, 6, 8)
FOLDER = Path(__file__).resolve().parents[1] / "data" / "nequip"
MODELS = ["parity", "natural"]


def load_reference(name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Settings and arrays that `tests/support/make_nequip_models.py` wrote with nequip 0.19.1."""
    with np.load(FOLDER / f"{name}.npz") as file:
        arrays = {key: file[key] for key in file.files}
    return json.loads(str(arrays.pop("settings"))), arrays


def shape_of(settings: dict[str, Any]) -> NequIPConfig:
    """The package's settings in our words."""
    width, depth = settings["radial_mlp_width"], settings.get("radial_mlp_depth", 1)
    readout = settings.get("readout_mlp_hidden_layers_depth", 0)
    return NequIPConfig(
        cutoff=settings["r_max"],
        layers=settings["num_layers"],
        lmax=settings["l_max"],
        parity=settings["parity"],
        features=tuple(settings["num_features"]),
        type_features=settings.get("type_embed_num_features"),
        radial=settings.get("num_bessels", 8),
        radial_trainable=settings.get("bessel_trainable", False),
        radial_hidden=(width,) * depth,
        envelope=settings.get("polynomial_cutoff_p", 6),
        readout=(settings.get("readout_mlp_hidden_layers_width", 0),) * readout,
    )


def potential_of(name: str) -> tuple[Potential, dict[str, np.ndarray]]:
    """The package's model as a potential, in float64."""
    settings, arrays = load_reference(name)
    model = NequIP(shape_of(settings), 3, settings["avg_num_neighbors"]).double()
    tensors = {
        key.removeprefix("model/"): torch.from_numpy(value)
        for key, value in arrays.items()
        if key.startswith("model/")
    }
    model.load_state_dict(weights_of_nequip(tensors, model))
    reference = tuple(settings["per_type_energy_shifts"].values())
    cutoff, scale = settings["r_max"], settings["per_type_energy_scales"]
    return Potential(model, ELEMENTS, reference, cutoff, scale), arrays


@pytest.mark.parametrize("frame", ["molecule", "crystal"])
@pytest.mark.parametrize("name", MODELS)
def test_agrees_with_the_package(name: str, frame: str) -> None:
    potential, arrays = potential_of(name)
    get = {key.split("/")[1]: value for key, value in arrays.items() if key.startswith(frame)}
    numbers = np.array(ELEMENTS)[get["atom_types"]]
    periodic = frame == "crystal"
    system = System(numbers, get["pos"], get.get("cell"), periodic)
    data = AtomicDataset([system], ELEMENTS, potential.cutoff, torch.float64)
    said = potential(data.batch([0]), stress=periodic)
    assert said.forces is not None
    found = {"energy": said.energies, "energies": said.atom_energies, "forces": said.forces}
    if said.stresses is not None:
        found["stress"] = said.stresses
    for key, value in found.items():
        expected = get[key].reshape(value.shape)
        difference = np.abs(value.detach().numpy() - expected).max()
        assert difference < 1e-12 * np.abs(expected).max(), key


@pytest.mark.parametrize("name", MODELS)
def test_the_comparison_sees_every_weight(name: str) -> None:
    """No parameter is idle: each changes the energies that are compared."""
    potential, arrays = potential_of(name)
    system = System(np.array(ELEMENTS)[arrays["molecule/atom_types"]], arrays["molecule/pos"])
    batch = AtomicDataset([system], ELEMENTS, potential.cutoff, torch.float64).batch([0])
    potential(batch, forces=False).energies.sum().backward()
    idle = [key for key, p in potential.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


def test_weights_of_another_shape_are_refused() -> None:
    settings, arrays = load_reference("parity")
    tensors = {key: torch.from_numpy(value) for key, value in arrays.items()}
    other = NequIP(shape_of(settings | {"num_features": [4, 3]}), 3, 1.0)
    with pytest.raises(DataError, match="linear_2"):
        weights_of_nequip(tensors, other)
    del tensors["model/model.func.layer1_convnet.conv.sc.weight"]
    with pytest.raises(DataError, match=r"conv\.sc\.weight"):
        weights_of_nequip(tensors, NequIP(shape_of(settings), 3, 1.0))


def test_paired_edges_give_the_same_and_are_checked() -> None:
    potential, arrays = potential_of("parity")
    system = System(np.array(ELEMENTS)[arrays["molecule/atom_types"]], arrays["molecule/pos"])
    batch = AtomicDataset([system], ELEMENTS, potential.cutoff, torch.float64).batch([0])
    arguments = batch.vectors, batch.species, batch.edge_index
    paired = potential.model(*arguments, paired=True)
    assert torch.allclose(paired, potential.model(*arguments), rtol=1e-13, atol=1e-13)
    other = batch.edge_index[:, batch.edge_index[1].argsort()]
    with pytest.raises(ShapeError, match="opposite pairs"):
        potential.model(batch.vectors, batch.species, other, paired=True)


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
