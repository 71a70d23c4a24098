"""What a workload is: cases, each a problem and the contenders that solve it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from benchmarks import device
from benchmarks.problem import Contender, NotPossible, Problem, Reference

# contender -> (module that adapts it, prefix of its builders there)
CONTENDERS = {
    "schur": ("benchmarks.peers.schur_peer", ""),
    "e3nn": ("benchmarks.peers.e3nn_peer", ""),
    "e3nn compiled": ("benchmarks.peers.e3nn_peer", "compiled_"),
    "cuequivariance": ("benchmarks.peers.cuequivariance_peer", ""),
    "openequivariance": ("benchmarks.peers.openequivariance_peer", ""),
    "e3nn-jax": ("benchmarks.peers.e3nn_jax_peer", ""),
    "sphericart": ("benchmarks.peers.sphericart_peer", ""),
    "dense (as MACE)": ("benchmarks.peers.plain_torch", "dense_"),
    "bare matmul": ("benchmarks.peers.plain_torch", "bare_"),
}

# Adapters that put their arrays on the CPU.
CPU_ONLY = ("e3nn-jax", "sphericart")
# What has no code for a CPU.
GPU_ONLY = ("openequivariance",)


@dataclass(frozen=True)
class Case:
    """One table: a problem of one size.

    Args:
        name: what tells it from the workload's other cases.
        problem: makes the numbers; called in the process that measures.
        builder: name of the function in a contender's module that builds it for this problem.
        contenders: who takes part; the first is what ratios refer to.
        reference: module and function that give exact values, apart from any contender timed.
    """

    name: str
    problem: Callable[[], Problem]
    builder: str
    contenders: tuple[str, ...]
    reference: str

    def exact(self, problem: Problem) -> Reference:
        """Exact values in float64.

        Raises:
            NotPossible: if the package that gives them is not installed.
        """
        module, _, function = self.reference.rpartition(".")
        return getattr(_loaded(module), function)(problem)

    def build(self, contender: str, problem: Problem, dtype: str) -> Contender:
        """Construct one contender.

        Raises:
            NotPossible: if its package is not installed or cannot do this problem.
        """
        if device.is_gpu() and contender in CPU_ONLY:
            raise NotPossible("is measured on a CPU only")
        if contender in GPU_ONLY and not device.is_gpu():
            raise NotPossible("needs a GPU")
        builder = getattr(self.adapter(contender), CONTENDERS[contender][1] + self.builder, None)
        if builder is None:
            raise NotPossible("has no such function")
        return builder(problem, dtype)

    def adapter(self, contender: str) -> ModuleType:
        """The module that adapts a contender, with its packages loaded.

        Raises:
            NotPossible: if a package is not installed.
        """
        return _loaded(CONTENDERS[contender][0])


def _loaded(module: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise NotPossible(f"not installed ({error.name or error})") from error


@dataclass(frozen=True)
class Workload:
    """A row of the table of workloads."""

    name: str
    title: str
    cases: tuple[Case, ...]
