"""W2 to W5: the channel-wise product of message-passing potentials, a weight for each row."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from benchmarks.irreps import channelwise, dim, parse
from benchmarks.problem import Problem
from benchmarks.workload import Case, Workload

SH3 = "0e+1o+2e+3o"


class Shape(NamedTuple):
    """CW(in1; in2; out)."""

    in1: str
    in2: str
    out: str


SHAPES = {
    "W2": Shape("128x0e+128x1o+128x2e", SH3, "128x0e+128x1o+128x2e+128x3o"),
    "W3": Shape("128x0e+128x1o", SH3, "128x0e+128x1o+128x2e+128x3o"),
    "W4": Shape(
        "32x0o+32x0e+32x1o+32x1e+32x2o+32x2e", "0e+1o+2e", "32x0o+32x0e+32x1o+32x1e+32x2o+32x2e"
    ),
    "W5": Shape("128x0e+64x1o+32x2e+32x3o", SH3, "128x0e+64x1o+32x2e+32x3o"),
}
NAMES = {"W2": "MACE-L", "W3": "MACE-M", "W4": "NequIP", "W5": "NequIP-L"}
CONTENDERS = (
    *("schur", "e3nn", "e3nn compiled", "cuequivariance", "openequivariance", "e3nn-jax"),
)
REFERENCE = "benchmarks.references.channelwise"


def problem(shape: Shape, rows: int, nodes: int | None = None) -> Problem:
    """Random operands; with `nodes`, the first operand is read at each row's sender."""
    in1, in2, out = parse(shape.in1), parse(shape.in2), parse(shape.out)
    paths = channelwise(in1, in2, out)
    rng = np.random.default_rng(7)
    inputs = {
        "x": rng.standard_normal((nodes or rows, dim(in1))),
        "y": rng.standard_normal((rows, dim(in2))),
        "weight": rng.standard_normal((rows, sum(path.out.multiplicity for path in paths))),
    }
    output = (nodes or rows, dim(path.out for path in paths))
    return Problem(inputs, output, settings={"shape": shape, "nodes": nodes})


def workload(name: str, rows: int = 2048) -> Workload:
    shape = SHAPES[name]
    return Workload(
        name,
        f"{NAMES[name]}: CW({shape.in1}; {shape.in2}), {rows} rows",
        (Case("", lambda: problem(shape, rows), "channelwise", CONTENDERS, REFERENCE),),
    )
