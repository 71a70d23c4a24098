"""Calculators and potentials under motions: rounding where they are symmetric, by layer too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from ase.build import bulk, molecule
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from typer.testing import CliRunner

import schur
from schur.atoms.audit import audit_potential
from schur.atoms.extxyz import write_frames
from schur.atoms.frame import Frame
from schur.atoms.modelfile import build_potential, save_potential
from schur.atoms.system import System
from schur.cli import app
from schur.errors import DataError
from schur.models.mace import MACEConfig
from schur.reps import Irreps

WATERS = [
    System([8, 1, 1], np.array([[0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]]) + 0.05 * shift)
    for shift in np.random.default_rng(0).standard_normal((2, 3, 3))
]


def potential():
    shape = MACEConfig(hidden="1x0e+1x1o", edge_lmax=1, correlation=1, layers=2)
    return build_potential(shape, (1, 8), (0.0, 0.0), 2.0, 1.0, 0.0, 0, torch.float64)


class Field(Calculator):
    """EMT in a field along z: forces do not turn with the structure."""

    implemented_properties = ["energy", "forces"]  # noqa: RUF012

    def calculate(self, atoms=None, properties=None, system_changes=None):
        assert atoms is not None
        copy = atoms.copy()
        copy.calc = EMT()
        forces = copy.get_forces()
        forces[:, 2] += 0.1
        energy = copy.get_potential_energy() - 0.1 * atoms.positions[:, 2].sum()
        self.results = {"energy": energy, "forces": forces}


def test_a_symmetric_calculator_and_one_in_a_field() -> None:
    copper = bulk("Cu", cubic=True)
    copper.rattle(0.1, seed=0)
    systems = [copper, molecule("CO2")]
    before = copper.positions.copy()
    found = schur.audit(EMT(), systems=systems, samples=1)
    assert found.total.value < 1e-9
    assert np.array_equal(copper.positions, before) and copper.calc is None
    broken = schur.audit(Field(), systems=systems, samples=2)
    assert broken.elements["forces, rotation"].value > 1e-3
    assert broken.elements["forces, translation"].value < 1e-9
    assert broken.elements["eV/atom, translation"].value > 0.01
    with pytest.raises(DataError, match="structures"):
        schur.audit(EMT(), systems=[])


def test_a_potential_by_layer() -> None:
    model = potential()
    found = audit_potential(model, WATERS, samples=1)
    assert found.total.value < 1e-10
    assert len(found.layers) >= 2 and max(one.value for one in found.layers.values()) < 1e-10
    with torch.no_grad():
        for name, module in model.named_modules():
            rep = getattr(module, "rep_out", None)
            if name in found.layers and isinstance(rep, Irreps) and any(t.ir.l for t in rep):
                module.register_forward_hook(lambda _m, _i, out: out + 0.1)
    broken = audit_potential(model, WATERS, samples=1)
    assert max(one.value for one in broken.layers.values()) > 1e-3


def test_on_the_command_line(tmp_path: Path) -> None:
    save_potential(tmp_path / "model.schur", potential())
    frames = [Frame(system.numbers, system.positions) for system in WATERS]
    write_frames(tmp_path / "data.xyz", frames)
    words = ["audit", str(tmp_path / "model.schur"), str(tmp_path / "data.xyz"), "--samples", "1"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "forces, rotation" in result.output and "by layer" in result.output
    words[2] = str(tmp_path / "absent.xyz")
    assert CliRunner().invoke(app, words).exit_code == 1
