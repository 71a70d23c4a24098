"""Exact values in float64, on as many rows as can be had in seconds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.peers import e3nn_peer, plain_torch
from benchmarks.problem import Problem, Reference, Results

ROWS = 256
NODES = 8


class _Given(Problem):
    """A part of a problem, with that part of its cotangent and directions."""

    def __init__(self, part: Problem, cotangent: np.ndarray, directions: Results) -> None:
        super().__init__(part.inputs, part.output_shape, part.indices, part.settings)
        object.__setattr__(self, "_cotangent", cotangent)
        object.__setattr__(self, "_directions", directions)

    @property
    def cotangent(self) -> np.ndarray:
        return self.__dict__["_cotangent"]

    @property
    def directions(self) -> Results:
        return self.__dict__["_directions"]


def _first_rows(problem: Problem) -> Problem:
    """The problem of the first rows alone: rows do not know each other."""

    def cut(arrays: Results) -> Results:
        return {name: x[:ROWS] for name, x in arrays.items()}

    inputs = cut(dict(problem.inputs))
    shape = (len(inputs["x"]), *problem.output_shape[1:])
    part = replace(problem, inputs=inputs, output_shape=shape, indices=cut(dict(problem.indices)))
    return _Given(part, problem.cotangent[:ROWS], cut(problem.directions))


def _independent_rows(problem: Problem, contender: str) -> Reference:
    part = _first_rows(problem)
    return Reference.whole(getattr(e3nn_peer, contender)(part, "float64").results("FBB"))


def harmonics(problem: Problem) -> Reference:
    """e3nn, in float64."""
    return _independent_rows(problem, "harmonics")


def fully_connected(problem: Problem) -> Reference:
    """e3nn, in float64."""
    return _independent_rows(problem, "fully_connected")


def channelwise(problem: Problem) -> Reference:
    """e3nn, in float64; on a graph, at a few nodes with all their edges."""
    if problem.settings["nodes"] is None:
        return _independent_rows(problem, "channelwise")
    sender, receiver = problem.indices["sender"], problem.indices["receiver"]
    # A sum at a receiver needs all edges into it, a gradient at a sender all edges out of it.
    into = np.arange(NODES)
    out_of = problem.settings["nodes"] - 1 - into
    edges = np.flatnonzero(np.isin(receiver, into) | np.isin(sender, out_of))
    directions = problem.directions
    part = replace(
        problem,
        inputs={name: x if name == "x" else x[edges] for name, x in problem.inputs.items()},
        indices={"sender": sender[edges], "receiver": receiver[edges]},
    )
    part = _Given(
        part,
        problem.cotangent,
        {name: d if name == "x" else d[edges] for name, d in directions.items()},
    )
    found = e3nn_peer.channelwise(part, "float64").results("FBB")
    rows = dict.fromkeys(found, edges) | {"out": into, "gradient x": out_of, "second x": out_of}
    values = {
        name: value[rows[name]] if len(rows[name]) == NODES else value
        for name, value in found.items()
    }
    return Reference(rows, values)


def linear(problem: Problem) -> Reference:
    """Matrix products in float64."""
    return Reference.whole(plain_torch.bare_linear(problem, "float64").results("FBB"))


def symmetric_contraction(problem: Problem) -> Reference:
    """The dense contraction in float64, some nodes at a time; gradients by weights add up."""
    directions, cotangent = problem.directions, problem.cotangent
    total: Results = {}
    for start in range(0, len(problem.inputs["x"]), 64):
        some = slice(start, start + 64)
        part = replace(
            problem,
            inputs={"x": problem.inputs["x"][some], "weight": problem.inputs["weight"]},
            indices={"species": problem.indices["species"][some]},
        )
        part = _Given(
            part, cotangent[some], {"x": directions["x"][some], "weight": directions["weight"]}
        )
        found = plain_torch.dense_symmetric_contraction(part, "float64").results("FBB")
        for name, value in found.items():
            if name.endswith("weight"):
                total[name] = total.get(name, 0.0) + value
            else:
                total[name] = np.concatenate([total[name], value]) if start else value
    return Reference.whole(total)
