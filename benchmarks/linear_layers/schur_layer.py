"""Schur's `DiagramLinear`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from torch import Tensor

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
    """For each number of rows the forward pass, and the gradients by weights and input."""
    found: dict[str, Callable[[], object]] = {}
    for rows in ROWS:
        x = torch.randn(rows, *[case.n] * case.order_in, CHANNELS)
        given = torch.randn(rows, *[case.n] * case.order_out, CHANNELS)
        found[f"apply {rows}"] = partial(_forward, layer, x)
        found[f"step {rows}"] = partial(_step, layer, x.clone().requires_grad_(), given)
    return found


def _forward(layer: DiagramLinear, x: Tensor) -> Tensor:
    with torch.no_grad():
        return layer(x)


def _step(layer: DiagramLinear, x: Tensor, given: Tensor) -> tuple[Tensor, ...]:
    return torch.autograd.grad(layer(x), [x, *layer.parameters()], given)


def basis(case: LayerCase) -> np.ndarray:
    """Orthonormal columns that span the maps of one channel."""
    maps = equivariant_maps(_group(case), case.order_in, case.order_out).matrices()
    q, _ = np.linalg.qr(maps.reshape(len(maps), -1).T)
    return q


def versions() -> dict[str, str]:
    """Of what was measured."""
    return {"schur": schur.__version__, "torch": torch.__version__.split("+")[0]}
