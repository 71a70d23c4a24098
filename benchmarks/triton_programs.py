"""The programs behind W2 to W8, without numbers: what is compiled for a GPU."""

from __future__ import annotations

from functools import partial

from benchmarks.workloads.channelwise import SHAPES
from benchmarks.workloads.nodes import CONTRACTION_IN, CONTRACTION_OUT
from benchmarks.workloads.simple import FULLY_CONNECTED
from schur.forms import Program, derive
from schur.products import convolution, with_last_layer
from schur.products.clebsch_gordan import Placement, tensor_product
from schur.products.instructions import channelwise, normalised
from schur.products.instructions import fully_connected as all_connected
from schur.products.symmetric_power import symmetric_contraction
from schur.reps import Irreps

# Numbers that the last layer of a radial network reads.
HIDDEN = 64
ORDERS = {"F": 0, "B": 1, "BB": 2}


def _rows(name: str) -> Program:
    shape = SHAPES[name]
    in1, in2, out = Irreps(shape.in1), Irreps(shape.in2), Irreps(shape.out)
    rep_out, lines = channelwise(in1, in2, out)
    paths = normalised(in1, in2, rep_out, lines)
    return tensor_product(in1, in2, rep_out, paths, Placement(weight="row"))


def _graph(name: str) -> Program:
    shape = SHAPES[name]
    return convolution(Irreps(shape.in1), Irreps(shape.in2), Irreps(shape.out))[0]


def _layered(name: str) -> Program:
    return with_last_layer(_graph(name), HIDDEN)


def fully_connected(weight: str = "row") -> Program:
    """W6; with `weight="shared"` what a layer with its own weights computes."""
    in1, in2, out = (Irreps(part) for part in FULLY_CONNECTED)
    paths = normalised(in1, in2, out, all_connected(in1, in2, out))
    return tensor_product(in1, in2, out, paths, Placement(weight=weight))


PROGRAMS = {
    **{name: partial(_rows, name) for name in SHAPES},
    "W6": fully_connected,
    "W6 shared": partial(fully_connected, "shared"),
    **{f"W7 {name}": partial(_graph, name) for name in ("W2", "W3", "W5")},
    "W7 W3 layer": partial(_layered, "W3"),
    "W8": partial(symmetric_contraction, Irreps(CONTRACTION_IN), Irreps(CONTRACTION_OUT), 3),
}


def program(name: str, order: str) -> Program:
    """A workload's program or its derivative by all operands: `"F"`, `"B"` or `"BB"`."""
    made = PROGRAMS[name]()
    for _ in range(ORDERS[order]):
        made = derive(made)
    return made
