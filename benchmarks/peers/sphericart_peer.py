"""sphericart, whose polar axis is z: e3nn's y axis and order follow from permuted coordinates."""

from __future__ import annotations

import sphericart.torch

from benchmarks.problem import Layout, Problem
from benchmarks.torch_contender import TorchContender

VERSIONS = ("sphericart-torch", "torch")

# (x, y, z) of e3nn is (y, z, x) of sphericart.
AXES = Layout(lambda x: x[..., [2, 0, 1]], lambda x: x[..., [1, 2, 0]])


def harmonics(problem: Problem, dtype: str) -> TorchContender:
    function = sphericart.torch.SphericalHarmonics(problem.settings["lmax"])
    return TorchContender(function, problem, dtype, {"x": AXES})
