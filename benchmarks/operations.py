"""How many operations a workload has, counted from its program."""

from __future__ import annotations

from collections import defaultdict

from benchmarks.problem import PASSES, Problem
from benchmarks.triton_programs import PROGRAMS, program
from schur.forms import cost


def operations(workload: str, case: str, problem: Problem) -> dict[str, int]:
    """For each pass the operations if every term is multiplied out; none where nobody has counted.

    F+B does what F does and then the derivative's, and F+B+BB those of the second as well.
    """
    name = f"{workload} {case.split()[0]}" if workload == "W7" else workload
    if name not in PROGRAMS:
        return {}
    rows = len(problem.inputs["x" if workload == "W8" else "weight"])
    sizes = defaultdict(int, rows=rows)  # lengths of tables are no matter of operations
    total, found = 0, {}
    for what, order in zip(PASSES, ("F", "B", "BB"), strict=True):
        total += cost(program(name, order), sizes).operations
        found[what] = total
    return found
