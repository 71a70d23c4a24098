"""Tensor field networks and SE(3)-Transformers: what they resolve, and what they are made of."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from schur.models.se3_transformer import SE3Transformer, SE3TransformerConfig
from schur.models.tensor_field_network import (
    PointNonlinearity,
    TensorFieldNetwork,
    TensorFieldNetworkConfig,
)
from schur.reps import Irreps

PAIRS = torch.tensor([[0, 0, 1, 2], [1, 2, 2, 3]])
EDGES = torch.cat([PAIRS, PAIRS.flip(0)], 1)
SPECIES = torch.tensor([0, 1, 0, 1])
SMALL = {"layers": 2, "lmax": 1, "features": 4, "radial_hidden": (8,), "readout": (4,)}


def built(kind: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        if kind == "field":
            made = TensorFieldNetwork(TensorFieldNetworkConfig(**SMALL), 2, 2.0)  # type: ignore[arg-type]
        else:
            made = SE3Transformer(SE3TransformerConfig(heads=2, **SMALL), 2, 2.0)  # type: ignore[arg-type]
        return made.double()


@pytest.mark.parametrize("kind", ["field", "transformer"])
def test_every_parameter_is_used_and_pairs_change_nothing(kind: str) -> None:
    model = built(kind)
    positions = torch.from_numpy(np.random.default_rng(1).uniform(0, 2, (4, 3)))
    arguments = positions[EDGES[1]] - positions[EDGES[0]], SPECIES, EDGES
    said = model(*arguments, paired=True)
    assert torch.allclose(said, model(*arguments), rtol=1e-13, atol=1e-13)
    said.sum().backward()
    idle = [key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    assert not idle


@pytest.mark.parametrize("kind", ["field", "transformer"])
def test_an_atom_without_neighbours_has_energy_zero(kind: str) -> None:
    none = torch.zeros(2, 0, dtype=torch.int64)
    said = built(kind)(torch.zeros(0, 3, dtype=torch.float64), torch.tensor([0, 1]), none)
    assert (said == 0).all()


@pytest.mark.parametrize("kind", ["field", "transformer"])
def test_angles_are_seen(kind: str) -> None:
    """Two neighbours at the same distances, apart by one angle or another."""
    model = built(kind)

    def at(angle: float) -> Tensor:
        ends = torch.tensor(
            [[1.1, 0, 0], [1.2 * np.cos(angle), 1.2 * np.sin(angle), 0]], dtype=torch.float64
        )
        star = torch.tensor([[0, 0, 1, 2], [1, 2, 0, 0]])
        return model(torch.cat([ends, -ends]), SPECIES[:3], star, paired=True).sum()

    assert float((at(1.0) - at(2.0)).abs().detach()) > 1e-4


def test_the_nonlinearity_is_smooth_at_zero() -> None:
    """The second derivative passes through zero there; that of V σ(|V|) jumps by σ'(0) = 1/2."""
    layer = PointNonlinearity(Irreps("1x0e + 1x1o")).double()

    def curvature(at: float, smooth: bool) -> float:
        def component(t: Tensor) -> Tensor:
            vector = torch.stack([torch.zeros_like(t), t, torch.zeros_like(t), torch.zeros_like(t)])
            return layer(vector[None])[0, 1] if smooth else t * torch.sigmoid(t.abs())

        t = torch.tensor(at, dtype=torch.float64)
        hessian = torch.autograd.functional.hessian(component, t)
        return float(cast(Tensor, hessian))

    assert abs(curvature(1e-6, True) - curvature(-1e-6, True)) < 1e-5
    assert abs(curvature(1e-6, False) - curvature(-1e-6, False)) == pytest.approx(1.0, abs=1e-4)


def test_shapes_that_are_none() -> None:
    with pytest.raises(ValidationError, match="heads has to divide"):
        SE3TransformerConfig(features=6, heads=4)
