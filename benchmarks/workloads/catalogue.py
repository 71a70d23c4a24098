"""Every workload by its name."""

from __future__ import annotations

from functools import partial

from benchmarks.workload import Workload
from benchmarks.workloads import channelwise, graphs, nodes, simple

WORKLOADS = {
    "W1": simple.harmonics,
    **{name: partial(channelwise.workload, name) for name in channelwise.SHAPES},
    "W6": simple.fully_connected,
    "W7": graphs.workload,
    "W8": nodes.contraction,
    "W9": nodes.linear,
}


def workload(name: str) -> Workload:
    """The workload of that name."""
    return WORKLOADS[name]()
