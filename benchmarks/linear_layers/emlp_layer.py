"""emlp's `Linear` between sums of tensor powers, compiled by JAX. Imports nothing of Schur."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from importlib import metadata
from typing import Any

import numpy as np
import objax
from emlp.groups import O, S
from emlp.nn.objax import Linear
from emlp.reps import T

from benchmarks.linear_layers.cases import CHANNELS, ROWS, LayerCase

PACKAGES = ("emlp", "jax", "jaxlib", "objax")


def build(case: LayerCase) -> Any:
    """The layer, whose null spaces are solved here."""
    group = {"S": S, "O": O}[case.family](case.n)
    rep_in, rep_out = CHANNELS * T(case.order_in)(group), CHANNELS * T(case.order_out)(group)
    return Linear(rep_in, rep_out)


def calls(layer: Any, case: LayerCase) -> dict[str, Callable[[], object]]:
    """For each number of rows the forward pass, and the gradients by weights and input."""
    found: dict[str, Callable[[], object]] = {}
    names = layer.vars()
    forward = objax.Jit(layer)
    by_all = objax.GradValues(lambda x, given: (layer(x) * given).sum(), names, input_argnums=(0,))
    gradients = objax.Jit(by_all, names)
    for rows in ROWS:
        x = objax.random.normal((rows, CHANNELS * case.n**case.order_in))
        given = objax.random.normal((rows, CHANNELS * case.n**case.order_out))
        found[f"apply {rows}"] = partial(_forward, forward, x)
        found[f"step {rows}"] = partial(_step, gradients, x, given)
    return found


def _forward(forward: Any, x: Any) -> object:
    return forward(x).block_until_ready()


def _step(gradients: Any, x: Any, given: Any) -> object:
    return [part.block_until_ready() for part in gradients(x, given)[0]]


def basis(case: LayerCase) -> np.ndarray:
    """Orthonormal columns that span the maps of one channel."""
    group = {"S": S, "O": O}[case.family](case.n)
    found = (T(case.order_out) * T(case.order_in).T)(group).equivariant_basis()
    return np.asarray(found.to_dense() if hasattr(found, "to_dense") else found, np.float64)


def versions() -> dict[str, str]:
    """Of what was measured."""
    return {name: metadata.version(name) for name in PACKAGES}
