"""Products of tensors against the degree l: time, free maps, exponents, crossing points.

    python -m benchmarks.scaling.products                      # l to 12; most of it is compiling
    python -m benchmarks.scaling.products --degrees 1 2 3 4 6 8     # two minutes

16 channels of all degrees up to L with parity (-1)^l times the harmonics of one direction, to the
same degrees; 256 rows, float32, one core, forward; one weight a path (Clebsch-Gordan), a pair and
order (SO(2)) or a term (Gaunt), and a channel. Compiling and the rotation matrices of the SO(2)
product, which a graph needs once, are outside the timed part. e3nn has no l above 11, and sits out
once it takes over 20 seconds to construct.

A second table is of transforms alone, in PyTorch: Gaunt products on the grid and on the torus at
high degrees, 32 rows of one channel, and the dense contraction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from time import process_time
from typing import Any

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
from schur.forms import Program
from schur.products import Instruction, gaunt, normalised, so2, tensor_product
from schur.reps import Irreps, clebsch_gordan

CHANNELS, ROWS = 16, 256
DEGREES = (1, 2, 3, 4, 6, 8, 10, 12)
CONSTRUCTION = 20.0  # seconds a contender may take

Built = tuple[Callable[[], object], int]  # the call, and how many free maps a channel has
Reps = tuple[Irreps, Irreps, Irreps]


def representations(degree: int) -> Reps:
    """Features, harmonics, features."""
    harmonics = Irreps.spherical_harmonics(degree)
    several = Irreps([(CHANNELS, ir) for _, ir in harmonics])
    return several, harmonics, several


def paths(reps: Reps) -> list[Instruction]:
    """Every coupling, channel by channel."""
    return normalised(
        *reps,
        [
            Instruction(i, j, k, "uvu", True)
            for i, (_, a) in enumerate(reps[0])
            for j, (_, b) in enumerate(reps[1])
            for k, (_, c) in enumerate(reps[2])
            if c in tuple(a * b)
        ],
    )


def compiled(program: Program, rows: int = ROWS, backend: Any = "auto") -> Callable[[], object]:
    """The program on random numbers, compiled."""
    generator = torch.Generator().manual_seed(0)
    values = [
        torch.randn(*((o.size,) if o.mode == "shared" else (rows, o.size)), generator=generator)
        for o in program.inputs
    ]
    routine = Routine(program, backend)
    return lambda: routine(*values, sizes={"rows": rows})


def sparse(degree: int) -> Built:
    reps = representations(degree)
    lines = paths(reps)
    return compiled(tensor_product(*reps, lines)), len(lines)


def dense(degree: int) -> Built:
    """One coefficient tensor of (L+1)^2 cubed: contracted with the harmonics, then row by row.

    All paths have one weight for all channels: with weights of its own each channel would need a
    tensor of its own.
    """
    reps = representations(degree)
    size, lines = (degree + 1) ** 2, paths(reps)
    tensor = torch.from_numpy(coefficients(degree, lines)).float()
    flat = tensor.permute(1, 0, 2).reshape(size, size * size).contiguous()
    x, y = torch.randn(ROWS, CHANNELS, size), torch.randn(ROWS, size)
    return lambda: torch.bmm(x, (y @ flat).reshape(ROWS, size, size)), len(lines)


def coefficients(degree: int, lines: list[Instruction]) -> np.ndarray:
    """Σ over paths of a random weight times the coupling, shape (size, size, size)."""
    size = (degree + 1) ** 2
    out, rng = np.zeros((size, size, size)), np.random.default_rng(0)
    for line in lines:
        l1, l2, l3 = line.i_in1, line.i_in2, line.i_out
        a, b, c = (slice(l * l, (l + 1) ** 2) for l in (l1, l2, l3))  # noqa: E741
        weight = line.path_weight * rng.standard_normal()
        out[a, b, c] += weight * clebsch_gordan(l1, l2, l3)
    return out


def on_the_grid(degree: int) -> Built:
    # A weight for each term of three operands, of which two scalings cancel.
    return compiled(gaunt(*representations(degree)).program), 3 * (degree + 1) - 2


def in_frames(degree: int) -> Built:
    product = so2(*representations(degree), connection="uvu")
    return compiled(product.program), product.weight_numel // CHANNELS


def by_e3nn(degree: int) -> Built:
    from e3nn import o3

    if degree > 11:
        raise NotImplementedError("e3nn has no couplings above l = 11")
    reps = representations(degree)
    lines = paths(reps)
    product = o3.TensorProduct(
        *map(str, reps),
        [(line.i_in1, line.i_in2, line.i_out, "uvu", True) for line in lines],
    )
    x, y = torch.randn(ROWS, reps[0].dim), torch.randn(ROWS, reps[1].dim)
    return lambda: product(x, y), len(lines)


CONTENDERS: dict[str, Callable[[int], Built]] = {
    "CG sparse, Schur": sparse,
    "SO(2), Schur": in_frames,
    "Gaunt grid, Schur": on_the_grid,
    "CG dense": dense,
    "CG, e3nn": by_e3nn,
}


def transform(method: Any) -> Callable[[int], Built]:
    """A Gaunt product of one channel, without weights, in PyTorch."""

    def built(degree: int) -> Built:
        rep = Irreps.spherical_harmonics(degree)
        return compiled(gaunt(rep, rep, rep, method, None).program, 32, "torch"), 1

    return built


def contraction(degree: int) -> Built:
    """The dense contraction of 32 rows of one channel."""
    size = (degree + 1) ** 2
    tensor = torch.randn(size, size * size)
    x, y = torch.randn(32, 1, size), torch.randn(32, size)
    return lambda: torch.bmm(x, (y @ tensor).reshape(32, size, size)), 1


TRANSFORMS: dict[str, tuple[Callable[[int], Built], tuple[int, ...]]] = {
    "grid": (transform("grid"), (2, 4, 8, 12, 16, 24, 32)),
    "torus (2D Fourier)": (transform("fourier"), (2, 4, 8, 12, 16)),
    "dense": (contraction, (2, 4, 6, 8, 10, 12)),
}


def measured(name: str, build: Callable[[int], Built], degrees: Any) -> Curve:
    """One contender at every degree, until it takes too long or does not exist."""
    curve = Curve(name)
    for degree in degrees:
        start = process_time()
        try:
            call, freedom = build(degree)
            with torch.no_grad():
                curve.points[degree] = shortest(call)
        except (ImportError, NotImplementedError) as error:
            print(f"  {name} at l = {degree}: {error}")
            break
        seconds = process_time() - start
        curve.notes[degree] = {"freedom": freedom, "construction": seconds}
        if curve.slow or (name == "CG, e3nn" and seconds > CONSTRUCTION):
            break
    return curve


def main() -> None:
    """Measure, print, draw."""
    options = parser(__doc__, "product_scaling")
    options.add_argument("--degrees", nargs="+", type=int, default=DEGREES)
    asked = options.parse_args()
    one_core()
    torch.set_num_threads(1)
    curves = [measured(name, build, asked.degrees) for name, build in CONTENDERS.items()]
    print(f"{ROWS} rows, {CHANNELS} channels")
    print("\n".join(table(curves, "l", 4, shift=1)))
    ours = curves[0]
    for other in curves[1:]:
        for slow, fast in ((ours, other), (other, ours)):
            if (found := crossing(slow, fast)) is not None:
                print(f"{fast.name} beats {slow.name} from l = {found} on")
    print("free maps of a channel:")
    for curve in curves:
        print(f"  {curve.name:20s}", {d: int(note["freedom"]) for d, note in curve.notes.items()})
    transforms = [
        measured(name, build, [d for d in degrees if d <= 3 * max(asked.degrees)])
        for name, (build, degrees) in TRANSFORMS.items()
    ]
    print("\nin PyTorch, 32 rows of one channel")
    print("\n".join(table(transforms, "l", 8, shift=1)))
    both = set(transforms[0].points) & set(transforms[1].points)
    ratios = {d: round(transforms[1].points[d] / transforms[0].points[d], 2) for d in sorted(both)}
    print(f"torus / grid: {ratios}")
    names = [(c.name, {d: 1e6 * t / ROWS for d, t in c.points.items()}) for c in curves]
    free = [(c.name, {d: note["freedom"] for d, note in c.notes.items()}) for c in curves]
    each = [
        (c.name, {d: 1e6 * c.points[d] / ROWS / c.notes[d]["freedom"] for d in c.points})
        for c in curves
    ]
    panels = [
        ("Time", "degree l", "µs a row of 16 channels", names),
        ("Expressivity", "degree l", "free maps of a channel", free),
        ("Time for each free map", "degree l", "µs a row", each),
    ]
    draw(asked.picture, panels, logarithmic=False)
    write(asked.json, [asdict(curve) for curve in (*curves, *transforms)])


if __name__ == "__main__":
    main()
