"""One file describes one model, of whichever architecture."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from schur.atoms.config import resolve
from schur.atoms.modelfile import build_potential, load_potential, read_header, save_potential
from schur.atoms.potential import Potential
from schur.atoms.presets import SHAPES as PRESETS
from schur.atoms.presets import TRAINING
from schur.errors import DataError
from schur.models.mace import MACEConfig
from schur.models.nequip import NequIPConfig
from schur.models.registry import ARCHITECTURES, ModelConfig, config_of, parse_config

from ..support.energy_shapes import SHAPES

TREE = {"data": {"train": ["a.xyz"]}}


@pytest.mark.parametrize("config", SHAPES, ids=lambda config: config.architecture)
def test_a_file_gives_back_the_model_it_was_written_from(
    config: ModelConfig, tmp_path: Path
) -> None:
    path = tmp_path / "model.schur"
    potential = build_potential(config, (1, 8), (-1.0, -2.0), 3.0, 0.5, 0.1, 0, torch.float64)
    save_potential(path, potential)
    assert read_header(path)["model"]["architecture"] == config.architecture
    again = load_potential(path)
    assert config_of(again.model) == config
    pairs = zip(potential.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_settings_of_a_file_written_before_there_was_a_choice() -> None:
    """Files of the first release name MACE and its settings of then; later ones have defaults."""
    settings = {
        "architecture": "mace", "cutoff": 4.0, "hidden": "32x0e + 32x1o", "edge_lmax": 2,
        "correlation": 3, "layers": 2, "radial": 8, "radial_hidden": [64, 32], "envelope": 5,
        "readout": 16,
    }  # fmt: skip
    config = parse_config(settings)
    assert config == MACEConfig(cutoff=4.0, hidden="32x0e + 32x1o", edge_lmax=2)


@pytest.mark.parametrize(
    "settings", [{"architecture": "painn"}, {"architecture": "nequip", "hidden": "4x0e"}, {}]
)
def test_unknown_settings_are_refused(settings: dict[str, str]) -> None:
    with pytest.raises(DataError, match="describes no model"):
        parse_config(settings)


def test_a_model_of_no_architecture_has_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file format"):
        save_potential(tmp_path / "x", Potential(torch.nn.Linear(1, 1), (1,), (0.0,), 3.0))


def test_each_architecture_has_its_presets() -> None:
    assert set(PRESETS) == set(ARCHITECTURES)
    for name, sizes in PRESETS.items():
        for size in ("small", "medium", "large"):
            config = resolve(TREE, size, [f"model.architecture={name}"])
            assert config.model.architecture == name
            for key, value in sizes[size].items():
                assert getattr(config.model, key) == value
            for key, value in TRAINING[size].items():
                assert getattr(config.training, key) == value


def test_the_architecture_in_a_tree_chooses_the_preset() -> None:
    config = resolve({**TREE, "model": {"architecture": "nequip", "lmax": 2}}, "small")
    assert isinstance(config.model, NequIPConfig)
    assert (config.model.layers, config.model.lmax) == (3, 2)
    assert isinstance(resolve(TREE, "small").model, MACEConfig)


def test_an_unknown_architecture_is_refused() -> None:
    with pytest.raises(DataError, match="no such architecture"):
        resolve(TREE, "small", ["model.architecture=painn"])
