"""Products of tensors against the degree l: time, expressivity, exponents, crossing points.

    python -m benchmarks.scaling.products                           # most of it is compiling
    python -m benchmarks.scaling.products --degrees 1 2 3 4 6 8     # two minutes
    python -m benchmarks.scaling.products --again                   # from the raw numbers

16 channels of all degrees up to L with parity (-1)^l times the harmonics of one direction, to the
same degrees; 256 rows, float32, one core, forward; one weight a path (Clebsch-Gordan), a pair and
order (SO(2)) or a term (Gaunt), and a channel. Compiling and the rotation matrices of the SO(2)
product, which a graph needs once, are outside the timed part. e3nn has no l above 11, and sits out
once it takes over 20 seconds to construct.

Expressivity is that of one channel: the maps that its weights span, and how many of them are free.
Up to l = 3 both are ranks that `schur.decompositions.expressivity` finds; above, the numbers of
couplings and weights that they agree with.

A second table is of transforms alone, in PyTorch: Gaunt products on the grid and on the torus at
high degrees, 32 rows of one channel, and the dense contraction.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
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
from schur.decompositions import Expressivity, expressivity
from schur.engine import Routine
from schur.forms import Program
from schur.products import Instruction, gaunt, normalised, so2, tensor_product
from schur.reps import Irreps, clebsch_gordan

CHANNELS, ROWS = 16, 256
DEGREES = (1, 2, 3, 4, 6, 8, 10, 12)
CONSTRUCTION = 20.0  # seconds a contender may take

Built = Callable[[], object]
Reps = tuple[Irreps, Irreps, Irreps]


def representations(degree: int) -> Reps:
    """Features, harmonics, features."""
    harmonics = Irreps.spherical_harmonics(degree)
    several = Irreps([(CHANNELS, ir) for _, ir in harmonics])
    return several, harmonics, several


def paths(reps: Reps) -> tuple[Instruction, ...]:
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


def clebsch_gordan_program(reps: Reps) -> Program:
    return tensor_product(*reps, paths(reps))


def gaunt_program(reps: Reps) -> Program:
    return gaunt(*reps).program


def so2_program(reps: Reps) -> Program:
    return so2(*reps, connection="uvu").program


def sparse(degree: int) -> Built:
    return compiled(clebsch_gordan_program(representations(degree)))


def dense(degree: int) -> Built:
    """One coefficient tensor of (L+1)^2 cubed: contracted with the harmonics, then row by row.

    All paths have one weight for all channels: with weights of its own each channel would need a
    tensor of its own.
    """
    reps = representations(degree)
    size = (degree + 1) ** 2
    tensor = torch.from_numpy(coefficients(degree, paths(reps))).float()
    flat = tensor.permute(1, 0, 2).reshape(size, size * size).contiguous()
    x, y = torch.randn(ROWS, CHANNELS, size), torch.randn(ROWS, size)
    return lambda: torch.bmm(x, (y @ flat).reshape(ROWS, size, size))


def coefficients(degree: int, lines: Sequence[Instruction]) -> np.ndarray:
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
    return compiled(gaunt_program(representations(degree)))


def in_frames(degree: int) -> Built:
    return compiled(so2_program(representations(degree)))


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
    return lambda: product(x, y)


CONTENDERS: dict[str, Callable[[int], Built]] = {
    "CG sparse, Schur": sparse,
    "SO(2), Schur": in_frames,
    "Gaunt grid, Schur": on_the_grid,
    "CG dense": dense,
    "CG, e3nn": by_e3nn,
}


def couplings(degree: int) -> tuple[int, int]:
    """Of Clebsch-Gordan: a weight for each coupling that parities leave."""
    harmonics = Irreps.spherical_harmonics(degree)
    count = len(paths((harmonics, harmonics, harmonics)))
    return count, count


def couplings_by_terms(degree: int) -> tuple[int, int]:
    """Of the Gaunt product: the same span, from a weight for each term of three operands.

    Two of the weights are only scales of the others.
    """
    return couplings(degree)[0], 3 * (degree + 1) - 2


def weights_in_frames(degree: int) -> tuple[int, int]:
    """Of SO(2): as many as with harmonics to degree 2 l, which in its frame cost no more."""
    harmonics = Irreps.spherical_harmonics(degree)
    count = so2(harmonics, harmonics, harmonics, connection="uvu").weight_numel
    return count, count


# For each product: span and freedom of a degree, its program, and what the program is a map of.
EXPRESSIVITY: dict[str, tuple[Callable[[int], tuple[int, int]], Callable[[Reps], Program], str]] = {
    "Clebsch-Gordan": (couplings, clebsch_gordan_program, "y"),
    "SO(2)": (weights_in_frames, so2_program, "wigner"),
    "Gaunt": (couplings_by_terms, gaunt_program, "y"),
}
RANKED = 3  # ranks are found up to this degree


def expressed(name: str, degree: int) -> Expressivity:
    """What a product reaches: by rank at low degrees, where the count must agree, then by count.

    Raises:
        ArithmeticError: if they do not agree.
    """
    count, build, second = EXPRESSIVITY[name]
    counted = Expressivity(*count(degree))
    if degree <= RANKED:
        harmonics = Irreps.spherical_harmonics(degree)
        found = expressivity(build((harmonics, harmonics, harmonics)), ("x", second))
        if found != counted:
            raise ArithmeticError(f"{name} reaches {found} at l = {degree}, not {counted}")
    return counted


def transform(method: Any) -> Callable[[int], Built]:
    """A Gaunt product of one channel, without weights, in PyTorch."""

    def built(degree: int) -> Built:
        rep = Irreps.spherical_harmonics(degree)
        return compiled(gaunt(rep, rep, rep, method, None).program, 32, "torch")

    return built


def contraction(degree: int) -> Built:
    """The dense contraction of 32 rows of one channel."""
    size = (degree + 1) ** 2
    tensor = torch.randn(size, size * size)
    x, y = torch.randn(32, 1, size), torch.randn(32, size)
    return lambda: torch.bmm(x, (y @ tensor).reshape(32, size, size))


TRANSFORMS: dict[str, tuple[Callable[[int], Built], tuple[int, ...]]] = {
    "grid": (transform("grid"), (2, 4, 8, 12, 14, 16, 20, 24, 32)),
    "torus (2D Fourier)": (transform("fourier"), (2, 4, 8, 12, 16, 20)),
    "dense": (contraction, (2, 4, 6, 8, 10, 12, 14, 16, 20)),
}


def measured(name: str, build: Callable[[int], Built], degrees: Any) -> Curve:
    """One contender at every degree, until it takes too long or does not exist."""
    curve = Curve(name)
    for degree in degrees:
        start = process_time()
        try:
            call = build(degree)
            with torch.no_grad():
                curve.points[degree] = shortest(call)
        except (ImportError, NotImplementedError) as error:
            print(f"  {name} at l = {degree}: {error}")
            break
        seconds = process_time() - start
        curve.notes[degree] = {"construction": seconds}
        if curve.slow or (name == "CG, e3nn" and seconds > CONSTRUCTION):
            break
    return curve


def from_raw(path: Path) -> list[Curve]:
    """The curves of an earlier run."""
    return [
        Curve(
            each["name"],
            {int(degree): seconds for degree, seconds in each["points"].items()},
            {int(degree): note for degree, note in each["notes"].items()},
        )
        for each in json.loads(path.read_text("utf-8"))
    ]


def report(curves: Sequence[Curve], transforms: Sequence[Curve]) -> dict[str, dict[int, Any]]:
    """Prints tables, fits and crossing points; returns what each product expresses."""
    print(f"{ROWS} rows, {CHANNELS} channels")
    print("\n".join(table(curves, "l", 4, shift=1)))
    ours = curves[0]
    for other in curves[1:]:
        for slow, fast in ((ours, other), (other, ours)):
            if (found := crossing(slow, fast)) is not None:
                print(f"{fast.name} beats {slow.name} from l = {found} on")
    degrees = sorted(ours.points)
    reached = {name: {d: expressed(name, d) for d in degrees} for name in EXPRESSIVITY}
    print("maps of a channel, span / free:")
    for name, each in reached.items():
        print(f"  {name:16s}", "  ".join(f"{d}: {e.span}/{e.freedom}" for d, e in each.items()))
    print("\nin PyTorch, 32 rows of one channel")
    print("\n".join(table(transforms, "l", 12, shift=1)))
    low = Curve("dense", {d: t for d, t in transforms[2].points.items() if d <= 12})
    print(f"dense from l = 4 to 12: {low.exponent(4, shift=1):.2f}")
    both = set(transforms[0].points) & set(transforms[1].points)
    ratios = {d: round(transforms[1].points[d] / transforms[0].points[d], 2) for d in sorted(both)}
    print(f"torus / grid: {ratios}")
    print(f"grid beats dense from l = {crossing(transforms[2], transforms[0])} on")
    return reached


def pictured(path: Path, curves: Sequence[Curve], reached: dict[str, dict[int, Any]]) -> None:
    """Time, expressivity, and the one divided by the other."""
    times = [(c.name, {d: 1e6 * t / ROWS for d, t in c.points.items()}) for c in curves]
    # Where parities are those of harmonics the Gaunt product spans what Clebsch-Gordan has free.
    labels = {"Clebsch-Gordan": "Clebsch-Gordan: free, Gaunt: span", "SO(2)": "SO(2): free"}
    maps = [
        (labels.get(name, f"{name}: free"), {d: found.freedom for d, found in each.items()})
        for name, each in reached.items()
    ]
    method = {"SO(2), Schur": "SO(2)", "Gaunt grid, Schur": "Gaunt"}
    ratios = []
    for curve in curves:
        each = reached[method.get(curve.name, "Clebsch-Gordan")]
        points = {d: 1e6 * t / ROWS / each[d].freedom for d, t in curve.points.items()}
        ratios.append((curve.name, points))
    panels = [
        ("Time", "degree l", "µs a row of 16 channels", times),
        ("Expressivity", "degree l", "maps of a channel", maps),
        ("Time for each free map", "degree l", "µs a row", ratios),
    ]
    draw(path, panels, logarithmic=False)


def main() -> None:
    """Measure, print, draw."""
    options = parser(__doc__, "product_scaling")
    options.add_argument("--degrees", nargs="+", type=int, default=DEGREES)
    options.add_argument("--again", action="store_true", help="tables and picture of --json")
    asked = options.parse_args()
    one_core()
    torch.set_num_threads(1)
    if asked.again:
        found = from_raw(asked.json)
        curves, transforms = found[: len(CONTENDERS)], found[len(CONTENDERS) :]
    else:
        curves = [measured(name, build, asked.degrees) for name, build in CONTENDERS.items()]
        transforms = [
            measured(name, build, [d for d in degrees if d <= 3 * max(asked.degrees)])
            for name, (build, degrees) in TRANSFORMS.items()
        ]
    reached = report(curves, transforms)
    pictured(asked.picture, curves, reached)
    if not asked.again:
        write(asked.json, [asdict(curve) for curve in (*curves, *transforms)])


if __name__ == "__main__":
    main()
