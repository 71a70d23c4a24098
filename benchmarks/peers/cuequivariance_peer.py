"""cuequivariance without a GPU: its "naive" method, in its own layout (`ir_mul`)."""

from __future__ import annotations

from typing import Any

import cuequivariance as cue
import cuequivariance_torch as cuet
import torch

from benchmarks.irreps import Part, parse
from benchmarks.irreps import channelwise as channelwise_paths
from benchmarks.layouts import channel_blocks, components_first
from benchmarks.problem import NotPossible, Problem
from benchmarks.torch_contender import DTYPES, TorchContender

VERSIONS = ("cuequivariance", "cuequivariance-torch", "torch")


def _irreps(parts: list[Part]) -> cue.Irreps:
    return cue.Irreps("O3", [(part.multiplicity, cue.O3(part.l, part.p)) for part in parts])


def channelwise(problem: Problem, dtype: str) -> TorchContender:
    shape = problem.settings["shape"]
    in1, in2, out = parse(shape.in1), parse(shape.in2), parse(shape.out)
    product = cuet.ChannelWiseTensorProduct(
        _irreps(in1),
        _irreps(in2),
        [cue.O3(part.l, part.p) for part in out],
        layout=cue.ir_mul,
        shared_weights=False,
        internal_weights=False,
        method="naive",
        math_dtype=DTYPES[dtype],
    )
    blocks = [path.out for path in channelwise_paths(in1, in2, out)]
    # Its order of irreps differs from e3nn's where both parities occur; within one it is the same.
    order = sorted(range(len(blocks)), key=lambda k: cue.O3(blocks[k].l, blocks[k].p))
    layouts = {
        "x": components_first(in1),
        "y": components_first(in2),
        "weight": channel_blocks(blocks, order),
        "out": components_first(blocks, order),
    }
    nodes = problem.settings["nodes"]
    if nodes is None:
        return TorchContender(product, problem, dtype, layouts)
    sender = torch.tensor(problem.indices["sender"])
    receiver = torch.tensor(problem.indices["receiver"])

    def message_passing(x: Any, y: Any, weight: Any) -> torch.Tensor:
        return product(x, y, weight, indices_1=sender, indices_out=receiver, size_out=nodes)

    return TorchContender(message_passing, problem, dtype, layouts)


def fully_connected(problem: Problem, dtype: str) -> TorchContender:
    shape = problem.settings["shape"]
    in1, in2, out = parse(shape.in1), parse(shape.in2), parse(shape.out)
    product = cuet.FullyConnectedTensorProduct(
        _irreps(in1),
        _irreps(in2),
        _irreps(out),
        layout=cue.ir_mul,
        shared_weights=False,
        internal_weights=False,
        method="naive",
        math_dtype=DTYPES[dtype],
    )
    layouts = {part: components_first(ps) for part, ps in (("x", in1), ("y", in2), ("out", out))}
    return TorchContender(product, problem, dtype, layouts)


def harmonics(problem: Problem, dtype: str) -> TorchContender:
    degrees = list(range(problem.settings["lmax"] + 1))
    function = cuet.SphericalHarmonics(
        degrees, normalize=True, method="naive", math_dtype=DTYPES[dtype]
    )
    # It knows the "component" normalisation only; the factor to "integral" is one number.
    return TorchContender(lambda x: function(x) * 0.28209479177387814, problem, dtype)


def linear(problem: Problem, dtype: str) -> TorchContender:
    parts = parse(problem.settings["irreps"])
    species = problem.settings["species"]
    if species:
        raise NotPossible("its per-species linear map needs a GPU kernel")
    function = cuet.Linear(
        _irreps(parts),
        _irreps(parts),
        layout=cue.ir_mul,
        shared_weights=True,
        internal_weights=False,
        math_dtype=DTYPES[dtype],
        method="naive",
    )
    block = components_first(parts)
    return TorchContender(function, problem, dtype, {"x": block, "out": block})
