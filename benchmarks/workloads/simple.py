"""W1 and W6: spherical harmonics, and the fully connected product with a weight for each row."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.irreps import dim, parse
from benchmarks.problem import Problem
from benchmarks.workload import Case, Workload
from benchmarks.workloads.channelwise import Shape

POINTS = 158_000
DEGREES = (1, 2, 3, 6)

MIXED = "10x1o+10x1e+48x0e+48x0o"
FULLY_CONNECTED = Shape(MIXED, "0e+1o+2e", MIXED)


def harmonics_problem(lmax: int) -> Problem:
    """Unit vectors; their length is divided out by every contender all the same."""
    x = np.random.default_rng(1).standard_normal((POINTS, 3))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    return Problem({"x": x}, (POINTS, (lmax + 1) ** 2), settings={"lmax": lmax})


def harmonics() -> Workload:
    cases = tuple(
        Case(
            f"l<={lmax}",
            partial(harmonics_problem, lmax),
            "harmonics",
            ("schur", "e3nn", "e3nn compiled", "cuequivariance", "e3nn-jax", "sphericart"),
            "benchmarks.references.harmonics",
        )
        for lmax in DEGREES
    )
    return Workload("W1", f"spherical harmonics of {POINTS:,} unit vectors", cases)


def fully_connected_problem(rows: int) -> Problem:
    in1, in2, out = (parse(part) for part in FULLY_CONNECTED)
    weights = sum(
        a.multiplicity * b.multiplicity * c.multiplicity
        for a in in1
        for b in in2
        for c in out
        if abs(a.l - b.l) <= c.l <= a.l + b.l and c.p == a.p * b.p
    )
    rng = np.random.default_rng(6)
    inputs = {
        "x": rng.standard_normal((rows, dim(in1))),
        "y": rng.standard_normal((rows, dim(in2))),
        "weight": rng.standard_normal((rows, weights)),
    }
    return Problem(inputs, (rows, dim(out)), settings={"shape": FULLY_CONNECTED})


def fully_connected(rows: int = 1024) -> Workload:
    case = Case(
        "",
        partial(fully_connected_problem, rows),
        "fully_connected",
        ("schur", "e3nn", "e3nn compiled", "cuequivariance", "openequivariance"),
        "benchmarks.references.fully_connected",
    )
    return Workload("W6", f"fully connected {MIXED} with 0e+1o+2e, {rows} rows", (case,))
