"""cuequivariance in its own layout (`ir_mul`): "naive" on a CPU, on a GPU as it chooses."""

from __future__ import annotations

from typing import Any

import cuequivariance as cue
import cuequivariance_torch as cuet
import numpy as np
import torch
from torch.func import functional_call

from benchmarks import device
from benchmarks.irreps import Part, parse
from benchmarks.irreps import channelwise as channelwise_paths
from benchmarks.layouts import basis_change, channel_blocks, components_first
from benchmarks.mace_basis import dense_bases, single_channel_values
from benchmarks.problem import NotPossible, Problem
from benchmarks.torch_contender import DTYPES, TorchContender

VERSIONS = ("cuequivariance", "cuequivariance-torch", "torch")


def _irreps(parts: list[Part]) -> cue.Irreps:
    return cue.Irreps("O3", [(part.multiplicity, cue.O3(part.l, part.p)) for part in parts])


def _method() -> str | None:
    return None if device.is_gpu() else "naive"


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
        method=_method(),
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
        method=_method(),
        math_dtype=DTYPES[dtype],
    )
    layouts = {part: components_first(ps) for part, ps in (("x", in1), ("y", in2), ("out", out))}
    return TorchContender(product, problem, dtype, layouts)


def harmonics(problem: Problem, dtype: str) -> TorchContender:
    degrees = list(range(problem.settings["lmax"] + 1))
    function = cuet.SphericalHarmonics(
        degrees, normalize=True, method=_method(), math_dtype=DTYPES[dtype]
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
        method=_method(),
    )
    block = components_first(parts)
    return TorchContender(function, problem, dtype, {"x": block, "out": block})


def symmetric_contraction(problem: Problem, dtype: str) -> TorchContender:
    settings = problem.settings
    in1, out = parse(settings["in"]), parse(settings["out"])
    layer = _contraction(in1, out, settings["degree"], settings["species"], DTYPES[dtype])
    species = torch.tensor(problem.indices["species"])
    layouts = {
        "x": components_first(in1),
        "weight": basis_change(_change_from_mace(problem), in1[0].multiplicity),
        "out": components_first(out),
    }

    def contract(x: Any, weight: Any) -> torch.Tensor:
        weights = {"weight": weight.unflatten(1, layer.weight_shape)}
        return functional_call(layer, weights, (x, species))

    return TorchContender(contract, problem, dtype, layouts)


def _contraction(
    in1: list[Part], out: list[Part], degree: int, species: int, dtype: torch.dtype
) -> cuet.SymmetricContraction:
    return cuet.SymmetricContraction(
        _irreps(in1),
        _irreps(out),
        contraction_degree=degree,
        num_elements=species,
        layout=cue.ir_mul,
        dtype=dtype,
        math_dtype=dtype,
        method=_method(),
    )


def _change_from_mace(problem: Problem) -> np.ndarray:
    """Its basis has no redundancy; how MACE's weights read in it, found from values at points."""
    with torch.device("cpu"):
        return _from_values(problem)


def _from_values(problem: Problem) -> np.ndarray:
    degree = problem.settings["degree"]
    in1, out = (
        [Part(1, part.l, part.p) for part in parse(problem.settings[side])]
        for side in ("in", "out")
    )
    count = _contraction(in1, out, degree, 1, torch.float64).weight_shape[0]
    basis = _contraction(in1, out, degree, count, torch.float64)
    seed = torch.Generator().manual_seed(5)
    points = torch.randn(64, sum(part.dim for part in in1), dtype=torch.float64, generator=seed)
    identity = {"weight": torch.eye(count, dtype=torch.float64)[..., None]}
    which = torch.arange(count).repeat(len(points))
    theirs = functional_call(basis, identity, (points.repeat_interleave(count, 0), which))
    theirs = theirs.unflatten(0, (-1, count)).transpose(1, 2).flatten(0, 1)
    mace = single_channel_values(dense_bases(problem), points).flatten(0, 1)
    return np.linalg.lstsq(theirs.detach().numpy(), mace.numpy(), rcond=None)[0]
