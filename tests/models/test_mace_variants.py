"""Every setting of MACE keeps the laws: symmetries, forces, locality, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from schur.atoms.batch import AtomicDataset
from schur.atoms.modelfile import build_potential, load_potential, save_potential
from schur.atoms.potential import Potential
from schur.atoms.system import System
from schur.errors import ShapeError
from schur.models.mace import MACE, MACEConfig
from schur.train.tensor_file import load_tensors, save_tensors

ELEMENTS = (1, 6, 8)
CUTOFF = 3.0
SMALL: dict[str, Any] = {
    "hidden": "2x0e + 2x1o",
    "edge_lmax": 1,
    "correlation": 2,
    "cutoff": CUTOFF,
    "radial_hidden": (6,),
    "readout": 3,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "sizes alone": {},
    "simple first": {"first_interaction": "simple"},
    "simple": {"first_interaction": "simple", "interaction": "simple"},
    "density": {"first_interaction": "density", "interaction": "density-residual"},
    "density with residual first": {"first_interaction": "density-residual"},
    "agnesi": {"distance_transform": "agnesi"},
    "soft, envelope on weights": {"distance_transform": "soft", "envelope_on": "weights"},
    "density, envelope on weights": {"interaction": "density", "envelope_on": "weights"},
    "repulsion": {"repulsion": "zbl"},
    "last readout": {"readouts": "last", "layers": 3},
    "linear readout": {"readout": 0},
    "correlation by layer": {"correlation": (1, 3), "edge_lmax": 2},
    "degree four": {"correlation": 4, "layers": 1},
    "pseudotensors": {"hidden": "2x0e + 2x0o + 2x1o + 2x1e"},
    "high degrees": {"hidden": "2x0e + 2x1o + 2x2e + 2x3o", "edge_lmax": 3, "correlation": 1},
    "sent": {"sent": "3x0e + 3x1o", "sent_first": "1x0e"},
    "lone atoms": {"lone_atoms": "reference"},
    "lone atoms, last readout": {"lone_atoms": "reference", "readouts": "last", "layers": 3},
    "no directions": {"hidden": "3x0e", "edge_lmax": 0},
}


def build(name: str, dtype: torch.dtype = torch.float64) -> Potential:
    config = MACEConfig.model_validate(SMALL | VARIANTS[name])
    return build_potential(config, ELEMENTS, (-1.0, -2.0, -3.0), 3.0, 0.8, -0.1, 0, dtype)


def molecule(turn: np.ndarray | None = None) -> System:
    generator = np.random.default_rng(4)
    positions = generator.uniform(0, 2.2, (5, 3))
    return System([8, 6, 1, 1, 6], positions if turn is None else positions @ turn.T)


def evaluate(potential: Potential, system: System) -> tuple[float, np.ndarray]:
    """Energy less the reference, and forces."""
    data = AtomicDataset([system], ELEMENTS, CUTOFF, next(potential.parameters()).dtype)
    said = potential(data.batch([0]))
    assert said.forces is not None
    return float(said.energies[0]) + 9.0, said.forces.numpy()  # E0 of OC2H2 is -9


@pytest.mark.parametrize("name", VARIANTS)
def test_rotation_and_inversion(name: str) -> None:
    potential = build(name)
    turn = -np.linalg.qr(np.random.default_rng(1).standard_normal((3, 3)))[0]
    energy, forces = evaluate(potential, molecule())
    turned, turned_forces = evaluate(potential, molecule(turn))
    assert np.abs(forces).max() > 1e-6
    assert turned == pytest.approx(energy, rel=1e-12, abs=1e-13)
    assert np.abs(turned_forces @ turn - forces).max() < 1e-12 * np.abs(forces).max()


@pytest.mark.parametrize("name", VARIANTS)
def test_forces_are_the_gradient(name: str) -> None:
    """The error of central differences falls fourfold when the step is halved."""
    potential, system = build(name), molecule()
    forces = evaluate(potential, system)[1]
    way = np.random.default_rng(3).standard_normal(forces.shape)
    work = -float((forces * way).sum())
    errors = []
    for step in (8e-4, 4e-4):
        ends = [
            evaluate(potential, System(system.numbers, system.positions + s * way))[0]
            for s in (step, -step)
        ]
        errors.append(abs((ends[0] - ends[1]) / (2 * step) - work))
    assert errors[1] < 1e-3 * abs(work)
    assert errors[0] / errors[1] == pytest.approx(4.0, rel=0.15)


@pytest.mark.parametrize("name", VARIANTS)
def test_a_file_keeps_the_model(name: str, tmp_path: Path) -> None:
    potential = build(name)
    save_potential(tmp_path / "a.schur", potential)
    again = load_potential(tmp_path / "a.schur")
    before, after = evaluate(potential, molecule()), evaluate(again, molecule())
    assert before[0] == after[0]
    # Sums run in another order where parameters want no gradient.
    assert np.abs(before[1] - after[1]).max() < 1e-13 * np.abs(before[1]).max()


def test_files_from_before_there_were_variants(tmp_path: Path) -> None:
    """Their headers name the sizes alone; what else there is keeps the meaning it had."""
    potential = build("sizes alone")
    save_potential(tmp_path / "new.schur", potential)
    tensors, header = load_tensors(tmp_path / "new.schur")
    known = {"architecture", "layers", "radial", "envelope", *SMALL}
    header["model"] = {key: value for key, value in header["model"].items() if key in known}
    save_tensors(tmp_path / "old.schur", tensors, header)
    old = evaluate(load_potential(tmp_path / "old.schur"), molecule())
    assert old[0] == evaluate(potential, molecule())[0]


@pytest.mark.parametrize("name", VARIANTS)
def test_pairs_beyond_the_cutoff_add_nothing(name: str) -> None:
    """As lists with a skin have them."""
    potential, system = build(name), molecule(1.6 * np.eye(3))
    short, long = (
        AtomicDataset([system], ELEMENTS, reach, torch.float64).batch([0])
        for reach in (CUTOFF, CUTOFF + 2)
    )
    assert len(long.vectors) > len(short.vectors)
    one, other = potential(short), potential(long)
    assert torch.allclose(one.atom_energies, other.atom_energies, rtol=1e-13, atol=1e-13)
    assert one.forces is not None and other.forces is not None
    assert torch.allclose(one.forces, other.forces, rtol=0, atol=1e-12)


def test_large_atoms_repel_within_the_cutoff_alone() -> None:
    config = MACEConfig.model_validate(SMALL | {"repulsion": "zbl", "cutoff": 2.0})
    potential = build_potential(config, (55,), (0.0,), 1.0, 1.0, 0.0, 0, torch.float64)
    pair = System([55, 55], [[0, 0, 0], [0, 0, 2.1]])  # their radii add up to 4.9 Å
    none, one = (
        potential(AtomicDataset([pair], (55,), reach, torch.float64).batch([0])).energies
        for reach in (2.0, 3.0)
    )
    assert torch.allclose(none, one, rtol=1e-13)


@pytest.mark.parametrize("name", VARIANTS)
def test_edges_in_any_order_and_batches(name: str) -> None:
    model = build(name).model
    data = AtomicDataset([molecule(), System([1], [[0, 0, 0]])], ELEMENTS, CUTOFF, torch.float64)
    batch = data.batch([0, 1, 0])
    paired = model(batch.vectors, batch.species, batch.edge_index, paired=True)
    order = torch.randperm(len(batch.vectors), generator=torch.Generator().manual_seed(0))
    loose = model(batch.vectors[order], batch.species, batch.edge_index[:, order])
    assert torch.allclose(paired, loose, rtol=1e-12, atol=1e-13)
    assert torch.allclose(paired[:5], paired[6:], rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", VARIANTS)
def test_what_is_said_of_a_lone_atom(name: str) -> None:
    """E0 where the settings ask for it; E0 + shift where the first layer has no residual."""
    potential = build(name)
    atoms = [System([z], [[0, 0, 0]]) for z in ELEMENTS]
    data = AtomicDataset(atoms, ELEMENTS, CUTOFF, torch.float64)
    reference = torch.tensor(potential.reference, dtype=torch.float64)
    beyond = potential(data.batch(range(3))).energies - reference
    settings = VARIANTS[name]
    if settings.get("lone_atoms") == "reference":
        assert beyond.abs().max() < 1e-14
    elif "residual" not in settings.get("first_interaction", "residual"):
        assert (beyond - potential.shift).abs().max() < 1e-14
    else:
        assert beyond.abs().min() > 1e-3


def test_envelope_on_weights_makes_messages_smooth_at_the_cutoff() -> None:
    potential = build("density, envelope on weights")

    def pulled(distance: float) -> float:
        system = System([6, 8], [[0, 0, 0], [0, 0, distance]])
        data = AtomicDataset([system], ELEMENTS, CUTOFF + 1, torch.float64)
        return float(potential(data.batch([0])).energies[0])

    outside = pulled(CUTOFF + 1e-9)
    errors = [abs(pulled(CUTOFF - step) - outside) for step in (0.02, 0.01)]
    assert errors[0] / errors[1] > 0.9 * 2**3


def test_float32_agrees_with_float64() -> None:
    for name in ("agnesi", "repulsion", "density", "soft, envelope on weights"):
        exact, single = build(name), build(name, torch.float32)
        single.load_state_dict(exact.state_dict())
        forces, rounded = (evaluate(model, molecule())[1] for model in (exact, single))
        assert np.abs(rounded - forces).max() < 1e-4 * np.abs(forces).max()


def test_elements_are_needed_for_what_depends_on_them() -> None:
    for change in ({"repulsion": "zbl"}, {"distance_transform": "soft"}):
        config = MACEConfig.model_validate(SMALL | change)
        with pytest.raises(ShapeError, match="depend on the elements"):
            MACE(config, 3, 1.0)
        with pytest.raises(ShapeError, match="depend on the elements"):
            MACE(config, 3, 1.0, [1, 6])


@pytest.mark.parametrize("correlation", [0, 5, (2,), (2, 2, 2), (2, 5)])
def test_correlations_that_make_no_sense(correlation: Any) -> None:
    with pytest.raises(ValidationError, match="correlation has to be 1 to 4"):
        MACEConfig(correlation=correlation)
