"""OpenEquivariance in e3nn's layout, by its documentation; it needs a GPU, and was not run yet.

Products of rows by `TensorProduct`; what is gathered and summed by `TensorProductConv`, without
atomics where the edges are in the order that this asks for, which is its faster way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import openequivariance as oeq
import torch

from benchmarks.irreps import Part, parse
from benchmarks.irreps import channelwise as channelwise_paths
from benchmarks.problem import Layout, Problem
from benchmarks.torch_contender import TorchContender

VERSIONS = ("openequivariance", "torch")


def _irreps(parts: list[Part]) -> oeq.Irreps:
    return oeq.Irreps([(part.multiplicity, (part.l, part.p)) for part in parts])


def _product(
    in1: list[Part], in2: list[Part], out: list[Part], lines: list[tuple[Any, ...]], dtype: str
) -> oeq.TPProblem:
    kind = getattr(np, dtype)
    return oeq.TPProblem(
        *(_irreps(parts) for parts in (in1, in2, out)),
        lines,
        shared_weights=False,
        internal_weights=False,
        irrep_dtype=kind,
        weight_dtype=kind,
    )


def channelwise(problem: Problem, dtype: str) -> TorchContender:
    shape = problem.settings["shape"]
    in1, in2, out = parse(shape.in1), parse(shape.in2), parse(shape.out)
    paths = channelwise_paths(in1, in2, out)
    lines = [(path.first, path.second, k, "uvu", True) for k, path in enumerate(paths)]
    asked = _product(in1, in2, [path.out for path in paths], lines, dtype)
    if problem.settings["nodes"] is None:
        return TorchContender(oeq.TensorProduct(asked), problem, dtype)
    return TorchContender(_message_passing(asked, problem), problem, dtype)


def _message_passing(asked: oeq.TPProblem, problem: Problem) -> Callable[..., torch.Tensor]:
    sender, receiver = problem.indices["sender"], problem.indices["receiver"]
    in_order = bool((np.lexsort((sender, receiver)) == np.arange(len(sender))).all())
    # Where it puts the edges when it needs them by sender.
    transposed = torch.tensor(np.lexsort((receiver, sender))) if in_order else None
    product = oeq.TensorProductConv(asked, deterministic=in_order)
    rows, columns = torch.tensor(receiver), torch.tensor(sender)

    def function(x: Any, y: Any, weight: Any) -> torch.Tensor:
        return product(x, y, weight, rows, columns, transposed)

    return function


def fully_connected(problem: Problem, dtype: str) -> TorchContender:
    shape = problem.settings["shape"]
    in1, in2, out = parse(shape.in1), parse(shape.in2), parse(shape.out)
    # In the order of e3nn's FullyConnectedTensorProduct, which is that of the weights.
    lines = [
        (i, j, k, "uvw", True)
        for i, a in enumerate(in1)
        for j, b in enumerate(in2)
        for k, c in enumerate(out)
        if abs(a.l - b.l) <= c.l <= a.l + b.l and a.p * b.p == c.p
    ]
    product = oeq.TensorProduct(_product(in1, in2, out, lines, dtype))
    # It has the numbers of a matrix in another order.
    weight = Layout(product.reorder_weights_from_e3nn, product.reorder_weights_to_e3nn)
    return TorchContender(product, problem, dtype, {"weight": weight})
