"""e3nn-jax, each pass compiled as a whole by XLA."""

from __future__ import annotations

from typing import Any

import e3nn_jax as e3nn
import jax
import jax.numpy as jnp

from benchmarks.irreps import channelwise as channelwise_paths
from benchmarks.irreps import parse
from benchmarks.jax_contender import JaxContender
from benchmarks.layouts import channel_blocks, channels_first
from benchmarks.problem import NotPossible, Problem

VERSIONS = ("e3nn-jax", "jax")


def channelwise(problem: Problem, dtype: str) -> JaxContender:
    shape = problem.settings["shape"]
    in1, in2, out = parse(shape.in1), parse(shape.in2), parse(shape.out)
    allowed = [e3nn.Irrep(part.l, part.p) for part in out]
    # It sorts its operands and its result by its own order of irreps.
    paths = channelwise_paths(in1, in2, out)
    blocks = [path.out for path in paths]
    order = sorted(
        range(len(paths)),
        key=lambda k: tuple(
            e3nn.Irrep(part.l, part.p)
            for part in (paths[k].out, in1[paths[k].first], in2[paths[k].second])
        ),
    )
    layouts = {"weight": channel_blocks(blocks, order), "out": channels_first(blocks, order)}

    def product(x: Any, y: Any, weight: Any) -> Any:
        messages = e3nn.tensor_product(
            e3nn.IrrepsArray(shape.in1, x),
            e3nn.IrrepsArray(shape.in2, y),
            filter_ir_out=allowed,
        )
        return (messages * weight).array

    nodes = problem.settings["nodes"]
    if nodes is None:
        return JaxContender(product, problem, dtype, layouts)
    sender = jnp.asarray(problem.indices["sender"])
    receiver = jnp.asarray(problem.indices["receiver"])

    def message_passing(x: Any, y: Any, weight: Any) -> Any:
        messages = product(x[sender], y, weight)
        return jax.ops.segment_sum(messages, receiver, nodes)

    return JaxContender(message_passing, problem, dtype, layouts)


def harmonics(problem: Problem, dtype: str) -> JaxContender:
    degrees = list(range(problem.settings["lmax"] + 1))

    def function(x: Any) -> Any:
        vectors = e3nn.IrrepsArray("1o", x)
        return e3nn.spherical_harmonics(degrees, vectors, True, normalization="integral").array

    return JaxContender(function, problem, dtype)


def linear(problem: Problem, dtype: str) -> JaxContender:
    if problem.settings["species"]:
        raise NotPossible("has no linear map for each species outside its flax modules")
    irreps = e3nn.Irreps(problem.settings["irreps"])
    function = e3nn.FunctionalLinear(irreps, irreps)

    def apply(x: Any, weight: Any) -> Any:
        blocks = function.split_weights(weight[0])
        return jax.vmap(function, (None, 0))(blocks, e3nn.IrrepsArray(irreps, x)).array

    return JaxContender(apply, problem, dtype)
