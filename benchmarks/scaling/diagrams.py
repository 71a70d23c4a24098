"""Diagrams applied as contract, mix, copy, against the dense matrix: exponents in n.

    python -m benchmarks.scaling.diagrams          # two minutes

Three layers, 32 tensors of one channel, float32, one core: all 15 maps of S_n from order 2 to 2,
all 203 from 3 to 3, and all 15 of O(n) from 3 to 3. The dense matrix of a layer is summed once,
outside the timed part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

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
from schur.groups import Orthogonal, Sym
from schur.nn import DiagramLinear

ROWS = 32

Call = Callable[[], object]


def contenders(group: type[Sym | Orthogonal], order: int, n: int) -> tuple[Call, Call | None]:
    """The layer from an order to itself, fast and, where its matrix fits, dense."""
    torch.manual_seed(0)
    fast = DiagramLinear(group(n), order, order, 1, 1, bias=False)
    x = torch.randn(ROWS, *[n] * order, 1)
    size = n**order
    if size > 4096:
        return lambda: fast(x), None
    with torch.no_grad():
        columns = fast(torch.eye(size).reshape(size, *[n] * order, 1)).reshape(size, size)
        agree(fast(x).reshape(ROWS, size), x.reshape(ROWS, size) @ columns)
    flat = x.reshape(ROWS, size)
    return lambda: fast(x), lambda: flat @ columns


def agree(found: torch.Tensor, expected: torch.Tensor) -> None:
    """Stop where two contenders do not compute the same."""
    error = float((found - expected).abs().max() / expected.abs().max())
    if error > 1e-4:
        raise ArithmeticError(f"fast and dense differ by {error:.1e}")


CASES: dict[str, tuple[type[Sym | Orthogonal], int, list[int], int]] = {
    # group, order, sizes, from which size on exponents are fitted
    "S_n, 2 to 2, 15 maps": (Sym, 2, [4, 8, 16, 32, 64, 128, 256], 32),
    "S_n, 3 to 3, 203 maps": (Sym, 3, [3, 4, 6, 8, 12, 16, 24, 32], 12),
    "O(n), 3 to 3, 15 maps": (Orthogonal, 3, [3, 4, 6, 8, 12, 16, 24, 32], 12),
}


def measured(name: str, sizes: Sequence[int] | None = None) -> tuple[Curve, Curve]:
    """One case: the fast and the dense curve."""
    group, order, usual, _ = CASES[name]
    fast, dense = Curve("diagrams"), Curve("dense matrix")
    for n in sizes or usual:
        calls = contenders(group, order, n)
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
