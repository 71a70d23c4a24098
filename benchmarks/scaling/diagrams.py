"""Diagrams applied as contract, mix, copy, against the dense matrix: exponents in n.

    python -m benchmarks.scaling.diagrams          # two minutes

Three maps, 32 tensors of one channel, float32, one core: the layer of all 15 maps of S_n from order
2 to 2, the layer of all 203 from 3 to 3, and one Brauer diagram of O(n) from 3 to 3. The dense
matrix of a layer is summed once, outside the timed part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
import torch

from benchmarks.scaling.curves import (
    Curve,
    crossing,
    draw,
    one_core,
    parser,
    shortest,
    table,
    write,
)
from schur.engine import Routine
from schur.nn import PermutationLinear
from schur.products.diagrams import Diagram, diagram_program, factoring, matrix

ROWS = 32
BRAUER = Diagram(3, 3, [[0, 1], [2, 4], [3, 5]])

Call = Callable[[], object]


def layer(order: int, n: int) -> tuple[Call, Call | None]:
    """The layer of S_n from an order to itself, fast and, where its matrix fits, dense."""
    torch.manual_seed(0)
    fast = PermutationLinear(order, order, 1, 1, bias=False)
    x = torch.randn(ROWS, *[n] * order, 1)
    size = n**order
    if size > 4096:
        return lambda: fast(x), None
    with torch.no_grad():
        columns = fast(torch.eye(size).reshape(size, *[n] * order, 1)).reshape(size, size)
        agree(fast(x).reshape(ROWS, size), x.reshape(ROWS, size) @ columns)
    flat = x.reshape(ROWS, size)
    return lambda: fast(x), lambda: flat @ columns


def brauer(order: int, n: int) -> tuple[Call, Call | None]:
    """One Brauer diagram of O(n): a contraction, a line and a copy."""
    del order
    routine = Routine(diagram_program(BRAUER, n), "torch")
    x = torch.randn(ROWS, n**3)
    if n**3 > 4096:
        return lambda: routine(x), None
    # Entry by entry takes n^6 comparisons: for large n from its factors.
    dense = matrix(BRAUER, n) if n <= 8 else factoring(BRAUER, n).dense(n**3, n**3)
    columns = torch.from_numpy(dense.T.astype(np.float32))
    agree(routine(x), x @ columns)
    return lambda: routine(x), lambda: x @ columns


def agree(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Stop where two contenders do not compute the same."""
    error = float((found - expected).abs().max() / expected.abs().max())
    if error > 1e-4:
        raise ArithmeticError(f"fast and dense differ by {error:.1e}")


CASES: dict[str, tuple[Callable[[int, int], tuple[Call, Call | None]], int, list[int], int]] = {
    # build, order, sizes, from which size on exponents are fitted
    "S_n, 2 to 2, 15 maps": (layer, 2, [4, 8, 16, 32, 64, 128, 256], 32),
    "S_n, 3 to 3, 203 maps": (layer, 3, [3, 4, 6, 8, 12, 16, 24, 32], 12),
    "O(n), 3 to 3, one diagram": (brauer, 3, [4, 6, 8, 12, 16, 24, 32], 12),
}


def measured(name: str, sizes: Sequence[int] | None = None) -> tuple[Curve, Curve]:
    """One case: the fast and the dense curve."""
    build, order, usual, _ = CASES[name]
    fast, dense = Curve("diagrams"), Curve("dense matrix")
    for n in sizes or usual:
        calls = build(order, n)
        with torch.no_grad():
            for curve, call in zip((fast, dense), calls, strict=True):
                if call is not None and not curve.slow:
                    curve.points[n] = shortest(call)
    return fast, dense


def main() -> None:
    """Measure, print, draw."""
    options = parser(__doc__, "diagram_scaling").parse_args()
    one_core()
    torch.set_num_threads(1)
    panels, report = [], {}
    for name, (_, _, _, least) in CASES.items():
        fast, dense = measured(name)
        report[name] = [asdict(fast), asdict(dense)]
        print(name)
        print("\n".join(table([fast, dense], "n", least)))
        print(f"dense by n = 6 and on: {dense.exponent(6):.2f}")
        print(f"diagrams are faster from n = {crossing(dense, fast)} on\n", flush=True)
        curves = [
            (curve.name, {n: 1e3 * t for n, t in curve.points.items()}) for curve in (fast, dense)
        ]
        panels.append((name, "n", "ms for 32 tensors", curves))
    draw(options.picture, panels, logarithmic=True)
    write(options.json, report)


if __name__ == "__main__":
    main()
