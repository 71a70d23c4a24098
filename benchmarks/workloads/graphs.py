"""W7: gather, channel-wise product, sum: diamond with sorted and shuffled edges, a random graph."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.problem import Problem
from benchmarks.workload import Case, Workload
from benchmarks.workloads.channelwise import CONTENDERS, NAMES, REFERENCE, SHAPES, problem

LATTICE_CONSTANT = 3.567  # Å
CUTOFF = 6.0  # Å


def diamond(cells: int = 2) -> tuple[int, np.ndarray, np.ndarray]:
    """Conventional cells, so many a side, with 8 nodes of 158 edges each, sorted by receiver."""
    corners = np.array([[0, 0, 0], [0, 2, 2], [2, 0, 2], [2, 2, 0]])
    cell = np.concatenate([corners, corners + 1]) / 4
    shifts = np.stack(np.meshgrid(*[np.arange(cells)] * 3, indexing="ij"), -1).reshape(-1, 1, 3)
    positions = (cell + shifts).reshape(-1, 3) * LATTICE_CONSTANT
    length = cells * LATTICE_CONSTANT
    images = np.stack(np.meshgrid(*[np.arange(-1, 2)] * 3, indexing="ij"), -1).reshape(-1, 3)
    receivers, senders = [], []
    for node, position in enumerate(positions):
        distance = np.linalg.norm(positions[:, None] + images * length - position, axis=-1)
        sender, _ = np.nonzero((distance < CUTOFF) & (distance > 1e-9))
        senders.append(sender)
        receivers.append(np.full(len(sender), node))
    return len(positions), np.concatenate(senders), np.concatenate(receivers)


def random_graph(nodes: int = 512, neighbours: int = 64) -> tuple[int, np.ndarray, np.ndarray]:
    """Every node receives from as many others, drawn at random; sorted by receiver."""
    sender = np.random.default_rng(3).integers(0, nodes, nodes * neighbours)
    return nodes, sender, np.repeat(np.arange(nodes), neighbours)


def on_graph(shape: str, graph: str, cells: int = 2) -> Problem:
    nodes, sender, receiver = random_graph() if graph == "random" else diamond(cells)
    if graph == "shuffled":
        order = np.random.default_rng(4).permutation(len(sender))
        sender, receiver = sender[order], receiver[order]
    bare = problem(SHAPES[shape], len(sender), nodes)
    return replace(bare, indices={"sender": sender, "receiver": receiver})


def workload(cells: int = 2) -> Workload:
    """Everyone on the sorted diamond; elsewhere the reference peer, which scales as the others."""
    cases = tuple(
        Case(
            f"{shape} {graph}",
            partial(on_graph, shape, graph, cells),
            "channelwise",
            CONTENDERS if graph == "sorted" else ("schur", "e3nn"),
            REFERENCE,
        )
        for graph in ("sorted", "shuffled", "random")
        for shape in ("W2", "W3", "W5")
    )
    names = ", ".join(f"{shape} = {NAMES[shape]}" for shape in ("W2", "W3", "W5"))
    return Workload("W7", f"gather, product, sum ({names})", cases)
