"""W8 and W9: what happens at the nodes: symmetric contraction, and linear maps."""

from __future__ import annotations

from functools import partial

import numpy as np

from benchmarks.irreps import dim, parse
from benchmarks.problem import Problem
from benchmarks.workload import Case, Workload

CHANNELS = 128
SPECIES = 10
CONTRACTION_IN = "128x0e+128x1o+128x2e+128x3o"
CONTRACTION_OUT = "128x0e+128x1o"
# Couplings in sequence, as MACE counts them, for degrees 1, 2, 3 to 0e and then to 1o.
PATHS = (1, 4, 23, 1, 6, 51)
LINEAR = "128x0e+128x1o+128x2e"


def contraction_problem(nodes: int) -> Problem:
    rng = np.random.default_rng(8)
    inputs = {
        "x": rng.standard_normal((nodes, dim(parse(CONTRACTION_IN)))),
        "weight": rng.standard_normal((SPECIES, sum(PATHS), CHANNELS)),
    }
    return Problem(
        inputs,
        (nodes, dim(parse(CONTRACTION_OUT))),
        {"species": rng.integers(0, SPECIES, nodes)},
        {"in": CONTRACTION_IN, "out": CONTRACTION_OUT, "degree": 3, "species": SPECIES},
    )


def contraction(nodes: int = 512) -> Workload:
    case = Case(
        "",
        partial(contraction_problem, nodes),
        "symmetric_contraction",
        ("schur", "dense (as MACE)", "cuequivariance"),
        "benchmarks.references.symmetric_contraction",
    )
    title = f"symmetric contraction 128x SH3 -> 128x(0e+1o), degree 3, {nodes} nodes"
    return Workload("W8", title, (case,))


def linear_problem(nodes: int, species: int) -> Problem:
    rng = np.random.default_rng(9)
    parts = parse(LINEAR)
    weights = sum(part.multiplicity**2 for part in parts)
    x = rng.standard_normal((nodes, dim(parts)))
    inputs = {"x": x, "weight": rng.standard_normal((species or 1, weights))}
    indices = {"species": rng.integers(0, species, nodes)} if species else {}
    return Problem(inputs, x.shape, indices, {"irreps": LINEAR, "species": species})


def linear(nodes: int = 10_000) -> Workload:
    contenders = ("schur", "bare matmul", "e3nn", "e3nn compiled", "cuequivariance", "e3nn-jax")
    cases = tuple(
        Case(
            name,
            partial(linear_problem, nodes, species),
            "linear",
            contenders,
            "benchmarks.references.linear",
        )
        for name, species in (("shared", 0), ("per species", SPECIES))
    )
    return Workload("W9", f"linear map {LINEAR}, {nodes:,} nodes", cases)
