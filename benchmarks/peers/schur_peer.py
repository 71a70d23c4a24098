"""Schur in its own layout: components first, channels last and contiguous."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.linalg import block_diag
from torch.func import functional_call

import schur
from benchmarks.irreps import Part, parse
from benchmarks.irreps import channelwise as channelwise_paths
from benchmarks.layouts import basis_change, channel_blocks, components_first
from benchmarks.mace_basis import dense_bases
from benchmarks.problem import Problem
from benchmarks.torch_contender import TorchContender
from schur import nn
from schur.products import symmetric_basis
from schur.tensors import Graph

VERSIONS = ("schur", "torch")


def _irreps(parts: list[Part]) -> schur.Irreps:
    return schur.Irreps("+".join(f"{part.multiplicity}x{part.irrep}" for part in parts))


def channelwise(problem: Problem, dtype: str) -> TorchContender:
    shape = problem.settings["shape"]
    in1, in2, out = parse(shape.in1), parse(shape.in2), parse(shape.out)
    paths = channelwise_paths(in1, in2, out)
    blocks = [path.out for path in paths]
    layouts = {"x": components_first(in1), "y": components_first(in2)}
    nodes = problem.settings["nodes"]
    if nodes is None:
        product = nn.TensorProduct(
            shape.in1,
            shape.in2,
            _irreps(blocks),
            [(path.first, path.second, k, "uvu", True) for k, path in enumerate(paths)],
            shared_weights=False,
            internal_weights=False,
        )
        return TorchContender(product, problem, dtype, layouts | {"out": components_first(blocks)})
    layer = nn.Convolution(shape.in1, shape.in2, shape.out)
    edges = torch.tensor(np.stack([problem.indices["sender"], problem.indices["receiver"]]))
    graph = Graph(edges, nodes)  # sorted once a neighbour list
    place = {(path.first, path.second, path.out.irrep): k for k, path in enumerate(paths)}
    order = [
        place[line.i_in1, line.i_in2, str(layer.rep_out[line.i_out].ir)] for line in layer.paths
    ]
    layouts |= {
        "weight": channel_blocks(blocks, order),
        "out": components_first(blocks, order),
    }
    return TorchContender(lambda x, y, weight: layer(x, y, weight, graph), problem, dtype, layouts)


def fully_connected(problem: Problem, dtype: str) -> TorchContender:
    shape = problem.settings["shape"]
    product = nn.FullyConnectedTensorProduct(
        shape.in1, shape.in2, shape.out, shared_weights=False, internal_weights=False
    )
    parts = zip(("x", "y", "out"), shape, strict=True)
    layouts = {name: components_first(parse(text)) for name, text in parts}
    return TorchContender(product, problem, dtype, layouts)


def harmonics(problem: Problem, dtype: str) -> TorchContender:
    degrees = list(range(problem.settings["lmax"] + 1))
    return TorchContender(
        lambda x: schur.spherical_harmonics(degrees, x, True, "integral"), problem, dtype
    )


def symmetric_contraction(problem: Problem, dtype: str) -> TorchContender:
    settings = problem.settings
    in1, out = parse(settings["in"]), parse(settings["out"])
    layer = nn.SymmetricContraction(
        settings["in"], settings["out"], settings["degree"], settings["species"]
    )
    species = torch.tensor(problem.indices["species"])
    # Its basis has no redundancy: the problem's weights, those of MACE, are expressed in it.
    one_channel = _irreps([Part(1, part.l, part.p) for part in in1])
    blocks = [
        symmetric_basis(one_channel, schur.Irrep(part.irrep), degree).coordinates(U.numpy())
        for part, per_degree in zip(out, dense_bases(problem), strict=True)
        for degree, U in enumerate(per_degree, start=1)
    ]
    layouts = {
        "x": components_first(in1),
        "weight": basis_change(np.asarray(block_diag(*blocks)), in1[0].multiplicity),
        "out": components_first(out),
    }

    def contract(x: Any, weight: Any) -> torch.Tensor:
        return functional_call(layer, {"weight": weight}, (x, species))

    return TorchContender(contract, problem, dtype, layouts)


def linear(problem: Problem, dtype: str) -> TorchContender:
    irreps = problem.settings["irreps"]
    count = problem.settings["species"] or None
    layer = nn.Linear(irreps, irreps, internal_weights=False, species=count)
    block = components_first(parse(irreps))
    species = torch.tensor(problem.indices["species"]) if count else None

    def apply(x: Any, weight: Any) -> torch.Tensor:
        return layer(x, weight if count else weight[0], species=species)

    return TorchContender(apply, problem, dtype, {"x": block, "out": block})
