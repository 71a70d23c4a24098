"""The last radial layer inside the product: the same model, parameter by parameter."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from schur.atoms.batch import AtomicDataset
from schur.atoms.loss import LossConfig, potential_loss
from schur.atoms.modelfile import build_potential, load_potential, save_potential
from schur.atoms.potential import Potential
from schur.atoms.system import System
from schur.models.mace import MACEConfig
from schur.models.nequip import NequIPConfig

CUTOFF = 2.5
SHAPES: dict[str, tuple[type[Any], dict[str, Any]]] = {
    "mace": (
        MACEConfig,
        {"hidden": "2x0e + 2x1o", "edge_lmax": 1, "correlation": 2, "radial_hidden": (6,)},
    ),
    "mace, cutoff on weights": (
        MACEConfig,
        {"hidden": "2x0e", "edge_lmax": 1, "correlation": 1, "envelope_on": "weights"},
    ),
    "nequip": (NequIPConfig, {"layers": 2, "features": 2, "radial_hidden": (6,)}),
}


def potentials(name: str) -> tuple[Potential, Potential]:
    """Without and with, of the same parameters."""
    made, shape = SHAPES[name]
    plain, fused = (
        build_potential(
            made(cutoff=CUTOFF, fuse_radial=fuse, **shape),
            (1, 8),
            (0.0, 0.0),
            4.0,
            1.0,
            0.0,
            0,
            torch.float64,
        )
        for fuse in (False, True)
    )
    fused.load_state_dict(plain.state_dict())  # strict: the same names and shapes
    return plain, fused


def frames() -> AtomicDataset:
    rng = np.random.default_rng(0)
    shape = np.array([[0, 0, 0], [0.76, 0.59, 0], [-0.76, 0.59, 0]])
    systems = [
        System(
            [8, 1, 1],
            shape + 0.1 * rng.normal(size=(3, 3)),
            energy=float(rng.normal()),
            forces=rng.normal(size=(3, 3)),
        )
        for _ in range(2)
    ]
    return AtomicDataset(systems, (1, 8), CUTOFF, torch.float64)


@pytest.mark.parametrize("name", SHAPES)
def test_energies_forces_and_gradients_of_a_loss_are_the_same(name: str) -> None:
    """To rounding; the loss on forces takes the second derivative."""
    plain, fused = potentials(name)
    batch = frames().batch([0, 1])
    said = [each(batch, stress=True) for each in (plain, fused)]
    for part in ("energies", "atom_energies", "forces", "stresses"):
        one, other = (getattr(each, part) for each in said)
        torch.testing.assert_close(one, other, rtol=1e-11, atol=1e-11)
    gradients = [
        torch.autograd.grad(
            potential_loss(each, batch, LossConfig(), 0.5).total, list(each.parameters())
        )
        for each in (plain, fused)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


def test_the_product_takes_the_layer_in() -> None:
    """No array of weights is made: the networks are asked for their parts alone."""
    _, fused = potentials("mace")
    for layer in fused.model.layers:  # pyright: ignore[reportGeneralTypeIssues]
        layer.weights.forward = None
    fused(frames().batch([0]))


def test_files_and_tables_know_of_it(tmp_path: Any) -> None:
    """A file keeps the setting; tables in place of networks are products with weights again."""
    plain, fused = potentials("nequip")
    save_potential(tmp_path / "model.schur", fused)
    loaded = load_potential(tmp_path / "model.schur")
    assert loaded.model.config.fuse_radial  # pyright: ignore[reportAttributeAccessIssue]
    batch = frames().batch([0])
    expected = plain(batch).forces
    torch.testing.assert_close(loaded(batch).forces, expected, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(fused.tabulated()(batch).forces, expected, rtol=0, atol=1e-6)
