"""Schur's `DiagramLinear`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

import schur
from benchmarks.linear_layers.cases import CHANNELS, ROWS, LayerCase
from schur.groups import Group, Orthogonal, Sym
from schur.nn import DiagramLinear
from schur.products.diagrams import equivariant_maps


def _group(case: LayerCase) -> Group:
    return {"S": Sym, "O": Orthogonal}[case.family](case.n)


def build(case: LayerCase) -> DiagramLinear:
    """The layer, with its code compiled."""
    return DiagramLinear(_group(case), case.order_in, case.order_out, CHANNELS, CHANNELS)


def calls(layer: DiagramLinear, case: LayerCase) -> dict[str, Callable[[], object]]:
    """The forward pass; and the gradients of a sum of squares by all weights."""
    x = torch.randn(ROWS, *[case.n] * case.order_in, CHANNELS)
    weights = list(layer.parameters())

    def forward() -> object:
        with torch.no_grad():
            return layer(x)

    return {
        "apply": forward,
        "gradient": lambda: torch.autograd.grad(layer(x).square().sum(), weights),
    }


def basis(case: LayerCase) -> np.ndarray:
    """Orthonormal columns that span the maps of one channel."""
    maps = equivariant_maps(_group(case), case.order_in, case.order_out).matrices()
    q, _ = np.linalg.qr(maps.reshape(len(maps), -1).T)
    return q


def versions() -> dict[str, str]:
    """Of what was measured."""
    return {"schur": schur.__version__, "torch": torch.__version__.split("+")[0]}
