"""How a program is cut into blocks of channels and kernels, by a count of what each way costs.

A row costs a kernel the longer of two times: that of moving its bytes, and that of the
instructions of its warps.  Both grow where registers leave place for few warps, as those cannot
hide how long a load takes.  To this comes the time of a launch, shared by the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from schur.engine.nest import Graph, Node
from schur.engine.triton_kernels import Budget, Kernel, Launches, Part, values_of
from schur.engine.triton_packing import alive
from schur.engine.triton_plan import plan
from schur.forms import Program

# Of a data-centre card of today, in bytes and warp instructions a second; only their ratio and
# that to a launch matter here.
_BANDWIDTH = 2.5e12
_INSTRUCTIONS = 9e11
_LAUNCH = 5e-6  # seconds
_ROWS = 10_000  # that share a launch
_REGISTERS = 65_536  # of a multiprocessor
_WARPS = 12  # that hide the latency of memory
_OWN_REGISTERS = 32  # for addresses and counters
_BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


def candidates(program: Program, dtype: str) -> list[Budget]:
    """The ways to cut a program, the one that should be fastest first.

    Example:
        >>> from schur.products import convolution
        >>> from schur.reps import Irreps
        >>> program, _, _ = convolution(Irreps("8x0e+8x1o"), Irreps("0e+1o"), Irreps("0e+1o"))
        >>> candidates(program, "float32")[0]
        Budget(channels=32, registers=150)
    """
    words = 2 if dtype == "float64" else 1
    budgets = [Budget(32, count // words) for count in (150, 90, 60)]
    seconds: dict[Budget, float] = {}
    seen: list[object] = []
    for budget in budgets:
        launches = plan(program, budget)
        # A way that comes out as one before it is the same way.
        shape = [[len(list(kernel.roots)) for kernel in each.kernels] for each in launches]
        if shape in seen:
            continue
        seen.append(shape)
        seconds[budget] = sum(
            (_seconds(each, _BYTES[dtype], words) for each in launches), start=0.0
        )
    return sorted(seconds, key=lambda budget: seconds[budget])


def budget(program: Program, dtype: str) -> Budget:
    """What a program on the device may use."""
    return candidates(program, dtype)[0]


def _seconds(launches: Launches, size: int, words: int) -> float:
    """Of a row in all kernels of a pass."""
    parts = (_of_kernel(kernel, launches.blocks, size, words) for kernel in launches.kernels)
    return sum(parts, start=0.0)


def _of_kernel(kernel: Kernel, blocks: int, size: int, words: int) -> float:
    programs = blocks * prod(kernel.hoisted)
    moved = instructions = 0.0
    for part in kernel.parts:
        times = _times(kernel, part)
        graph = part.group.graph
        for node in graph.reachable(node for root in part.roots for node in values_of(root)):
            often = times[graph.level[node]]
            if node in graph.loads:
                moved += often * size * (32 if graph.vector[node] else 1)
                instructions += often
            else:
                instructions += often * len(graph.sums.get(node, ())) * words
    held = kernel.walk is not None or kernel.chunked
    for component in {root.component: root for root in kernel.roots}.values():
        if not held:
            moved += size * (32 if component.kind == "vector" else 1)
        instructions += 1
    warps = _REGISTERS / (32 * min(255, _registers(kernel) * words))
    hidden = min(1.0, warps / _WARPS)
    busy = max(moved / _BANDWIDTH, instructions / _INSTRUCTIONS)
    return programs * busy / hidden + _LAUNCH / _ROWS


def _times(kernel: Kernel, part: Part) -> Sequence[int]:
    """How often a program computes what depends on so many of the letters."""
    inner = [extent for _, extent in part.group.outer[len(kernel.hoisted) :]]
    outside = [1] * len(kernel.hoisted)
    return [*outside, *(prod(inner[:k]) for k in range(len(inner) + 1))]


def _registers(kernel: Kernel) -> int:
    most = max((_alive(part.group.graph, part) for part in kernel.parts), default=0)
    sums = len({root.component for root in kernel.roots})
    return _OWN_REGISTERS + most + (sums if kernel.walk is not None or kernel.chunked else 0)


def _alive(graph: Graph, part: Part) -> int:
    nodes: list[Node] = [node for root in part.roots for node in values_of(root)]
    return alive(graph, nodes)
