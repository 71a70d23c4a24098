"""Converted models say what mace-torch says."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import torch

from schur.atoms.convert import convert_mace, mace_weights
from schur.atoms.convert.mace_source import read_mace
from schur.atoms.convert.torch_file import TorchFile
from schur.atoms.modelfile import load_potential, save_potential
from schur.errors import DataError

from .mace_models import cases, faults, reference, saved, unpacked

# Rounding of energies is that of the reference energies, some thousand times larger than what is
# compared. A file in float32 has constants such as n π / cutoff rounded to that, a relative 6e-8
# that forces see several times enlarged.
EXACT, ROUNDED, SINGLE = 1e-11, 1e-6, 1e-4


@pytest.mark.parametrize(("name", "head"), cases())
def test_energies_forces_and_stress_agree_with_mace_torch(
    name: str, head: str, tmp_path: Path
) -> None:
    potential = convert_mace(unpacked(name, tmp_path), head)
    answers = reference()["models"][name][head]
    stored = next(potential.parameters()).dtype
    assert stored == (torch.float32 if name == "degree4" else torch.float64)
    tolerance = EXACT if stored == torch.float64 else ROUNDED
    assert faults(potential.double(), answers).worst < tolerance
    assert faults(potential.float(), answers).worst < SINGLE


def test_a_wrong_sign_of_one_coupling_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of 1e x 2e -> 2e, which e3nn 0.4 has the other way round."""
    monkeypatch.setattr(mace_weights, "_OTHER_SIGN", set())
    potential = convert_mace(unpacked("pseudovectors", tmp_path))
    assert faults(potential, reference()["models"]["pseudovectors"]["Default"]).worst > 1e3 * EXACT


def test_a_converted_model_survives_its_file(tmp_path: Path) -> None:
    potential = convert_mace(unpacked("density", tmp_path), "pbe")
    save_potential(tmp_path / "a.schur", potential)
    answers = reference()["models"]["density"]["pbe"]
    assert faults(load_potential(tmp_path / "a.schur"), answers).worst < EXACT


def test_a_lone_atom_of_a_plain_model_has_its_reference_energy(tmp_path: Path) -> None:
    potential = convert_mace(unpacked("tensors", tmp_path))
    none = torch.zeros(2, 0, dtype=torch.int64)
    said = potential.model(torch.zeros(0, 3).double(), torch.arange(3), none)
    assert potential.shift == 0.0 and (said == 0).all()


def test_heads_are_named_and_checked(tmp_path: Path) -> None:
    path = unpacked("density", tmp_path)
    with pytest.raises(DataError, match="one of pbe, r2scan"):
        convert_mace(path)
    with pytest.raises(DataError, match="no such head"):
        convert_mace(path, "ccsd")
    one, other = (convert_mace(path, head) for head in ("pbe", "r2scan"))
    assert one.reference != other.reference


def settings_of(name: str, folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """State dict and settings as `extract_config_mace_model` of mace-torch has them."""
    source = read_mace(TorchFile(unpacked(name, folder)))
    settings = {
        "num_interactions": len(source.interactions),
        "hidden_irreps": str(source.hidden[0]),
        "interaction_cls_first": source.interactions[0],
        "interaction_cls": source.interactions[-1],
        "avg_num_neighbors": source.neighbours[0],
        "heads": list(source.heads),
        "gate": torch.nn.functional.silu,
        "apply_cutoff": source.apply_cutoff,
        "use_last_readout_only": len(source.readouts) < len(source.interactions),
    }
    if source.sent[0] is not None:
        settings |= {"edge_irreps": str(source.sent[1]), "use_edge_irreps_first": True}
    return dict(source.tensors), settings


@pytest.mark.parametrize("name", ["vectors", "options", "degree4"])
def test_a_state_dict_with_settings_is_the_same_model(name: str, tmp_path: Path) -> None:
    state, settings = settings_of(name, tmp_path)
    head = settings["heads"][0]
    path = saved(tmp_path, {"state_dict": state, "config": settings})
    whole = convert_mace(tmp_path / f"{name}.model", head).state_dict()
    again = convert_mace(path, head).state_dict()
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[key], again[key]) for key in whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"interaction_cls": "RealAgnosticAttResidualInteractionBlock"}, "kind of interaction"),
        ({"readout_cls": "NonLinearBiasReadoutBlock"}, "kind of readout"),
        ({"gate": torch.tanh}, "activation"),
        ({"embedding_specs": {"total_charge": {}}}, "embedding_specs"),
        ({"use_so3": True}, "use_so3"),
        ({"hidden_irreps": "2x0e + 3x1o"}, "hidden features"),
        ({"hidden_irreps": "3x0e + 3x1o"}, "do not fit"),
        ({"avg_num_neighbors": "many"}, "no number"),
    ],
)
def test_variants_that_are_not_supported(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    state, settings = settings_of("vectors", tmp_path)
    path = saved(tmp_path, {"state_dict": state, "config": settings | change})
    with pytest.raises((DataError, ValueError), match=message):
        convert_mace(path)


def test_constants_that_were_trained_are_refused(tmp_path: Path) -> None:
    state, settings = settings_of("vectors", tmp_path)
    state["radial_embedding.bessel_fn.bessel_weights"] *= 1.01
    path = saved(tmp_path, {"state_dict": state, "config": settings})
    with pytest.raises(DataError, match="constants of its own"):
        convert_mace(path)


@pytest.mark.parametrize("key", ["node_embedding.linear.weight", "interactions.1.skip_tp.weight"])
def test_a_tensor_that_is_missing_is_named(key: str, tmp_path: Path) -> None:
    state, settings = settings_of("vectors", tmp_path)
    del state[key]
    path = saved(tmp_path, {"state_dict": state, "config": settings})
    with pytest.raises(DataError, match=key):
        convert_mace(path)


def test_further_models_made_on_the_spot(tmp_path: Path) -> None:
    """With SCHUR_MACE_PYTHON naming an interpreter that has mace-torch."""
    interpreter = os.environ.get("SCHUR_MACE_PYTHON")
    if interpreter is None:
        pytest.skip("SCHUR_MACE_PYTHON names no interpreter with mace-torch")
    script = Path(__file__).parents[1] / "support" / "make_mace_models.py"
    subprocess.run([interpreter, script, "--more", tmp_path], check=True, capture_output=True)
    for name, head in cases(tmp_path):
        potential = convert_mace(unpacked(name, tmp_path, tmp_path), head)
        answers = reference(tmp_path)["models"][name][head]
        assert faults(potential, answers, tmp_path).worst < EXACT, name
