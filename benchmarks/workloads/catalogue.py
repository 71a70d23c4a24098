"""Every workload by its name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from benchmarks.workload import Workload
from benchmarks.workloads import channelwise, graphs, nodes, simple

WORKLOADS: dict[str, Callable[..., Workload]] = {
    "W1": simple.harmonics,
    **{name: partial(channelwise.workload, name) for name in channelwise.SHAPES},
    "W6": simple.fully_connected,
    "W7": graphs.workload,
    "W8": nodes.contraction,
    "W9": nodes.linear,
}


# What is larger where it is measured on a GPU; the others have one size.
ON_A_GPU: dict[str, dict[str, int]] = {
    **{name: {"rows": 50_000} for name in channelwise.SHAPES},
    "W7": {"cells": 5},  # 1,000 nodes and 158,000 edges
    "W8": {"nodes": 5_000},
}


def workload(name: str, device: str = "cpu") -> Workload:
    """The workload of that name, in the size that it has on a device."""
    return WORKLOADS[name](**ON_A_GPU.get(name, {}) if device == "cuda" else {})
