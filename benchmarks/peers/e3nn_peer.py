"""e3nn, eager (its functions scripted, as it does by default) and through torch.compile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import e3nn
import torch
from e3nn import o3

from benchmarks.irreps import channelwise as channelwise_paths
from benchmarks.irreps import parse
from benchmarks.problem import NotPossible, Problem
from benchmarks.torch_contender import DTYPES, TorchContender

VERSIONS = ("e3nn", "torch")


@contextmanager
def constants_in(dtype: str) -> Iterator[None]:
    """e3nn keeps its couplings in the default type of the moment of construction."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(DTYPES[dtype])
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextmanager
def plain_modules() -> Iterator[None]:
    """Modules that torch.compile can read, in place of scripted ones."""
    before = e3nn.get_optimization_defaults()["jit_script_fx"]
    e3nn.set_optimization_defaults(jit_script_fx=False)
    try:
        yield
    finally:
        e3nn.set_optimization_defaults(jit_script_fx=before)


class CompiledContender(TorchContender):
    """A compiled function; what the compiler cannot do is said once and not timed."""

    def run(self, what: str) -> list[torch.Tensor]:
        try:
            return super().run(what)
        except RuntimeError as error:
            if what == "FBB":
                raise NotPossible("torch.compile gives no double backward") from error
            raise


def compiled(
    build: Callable[[Problem], Callable[..., torch.Tensor]], problem: Problem, dtype: str
) -> TorchContender:
    with plain_modules(), constants_in(dtype):
        function = torch.compile(build(problem), fullgraph=True)
    return CompiledContender(function, problem, dtype)


def eager(
    build: Callable[[Problem], Callable[..., torch.Tensor]], problem: Problem, dtype: str
) -> TorchContender:
    with constants_in(dtype):
        return TorchContender(build(problem), problem, dtype)


def _product(problem: Problem) -> Callable[..., torch.Tensor]:
    shape = problem.settings["shape"]
    in1, in2, out = parse(shape.in1), parse(shape.in2), parse(shape.out)
    paths = channelwise_paths(in1, in2, out)
    product = o3.TensorProduct(
        shape.in1,
        shape.in2,
        o3.Irreps([(path.out.multiplicity, (path.out.l, path.out.p)) for path in paths]),
        [(path.first, path.second, k, "uvu", True) for k, path in enumerate(paths)],
        shared_weights=False,
        internal_weights=False,
    )
    nodes = problem.settings["nodes"]
    if nodes is None:
        return product
    sender = torch.tensor(problem.indices["sender"])
    receiver = torch.tensor(problem.indices["receiver"])

    def message_passing(x: Any, y: Any, weight: Any) -> torch.Tensor:
        messages = product(x[sender], y, weight)
        return messages.new_zeros(nodes, messages.shape[1]).index_add(0, receiver, messages)

    return message_passing


def channelwise(problem: Problem, dtype: str) -> TorchContender:
    return eager(_product, problem, dtype)


def compiled_channelwise(problem: Problem, dtype: str) -> TorchContender:
    return compiled(_product, problem, dtype)


def _fully_connected(problem: Problem) -> Callable[..., torch.Tensor]:
    shape = problem.settings["shape"]
    return o3.FullyConnectedTensorProduct(
        shape.in1, shape.in2, shape.out, internal_weights=False, shared_weights=False
    )


def fully_connected(problem: Problem, dtype: str) -> TorchContender:
    return eager(_fully_connected, problem, dtype)


def compiled_fully_connected(problem: Problem, dtype: str) -> TorchContender:
    return compiled(_fully_connected, problem, dtype)


def _harmonics(problem: Problem) -> Callable[..., torch.Tensor]:
    return o3.SphericalHarmonics(
        list(range(problem.settings["lmax"] + 1)), normalize=True, normalization="integral"
    )


def harmonics(problem: Problem, dtype: str) -> TorchContender:
    return eager(_harmonics, problem, dtype)


def compiled_harmonics(problem: Problem, dtype: str) -> TorchContender:
    return compiled(_harmonics, problem, dtype)


def _linear(problem: Problem) -> Callable[..., torch.Tensor]:
    irreps = problem.settings["irreps"]
    species = problem.settings["species"]
    if species:
        raise NotPossible("has no linear map for each species")
    function = o3.Linear(irreps, irreps, internal_weights=False, shared_weights=True)
    return lambda x, weight: function(x, weight[0])


def linear(problem: Problem, dtype: str) -> TorchContender:
    return eager(_linear, problem, dtype)


def compiled_linear(problem: Problem, dtype: str) -> TorchContender:
    return compiled(_linear, problem, dtype)
