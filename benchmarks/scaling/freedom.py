"""The settings of "The price of freedom" (Xie et al. 2025) on one core, beside e3nn-jax.

    python -m benchmarks.scaling.freedom                                  # l to 7
    python -m benchmarks.scaling.freedom --settings SISO SIMO --degrees 1 2 3

Batch 10,000, one channel, float32, forward or, with `--backward`, the gradient by the first factor
of the mean square of the difference from a target. SISO: l x l -> l. SIMO: l x l -> 0 … 2l. MIMO:
all degrees up to l twice, to every degree up to 2l. Parities are those of harmonics, so that of
SIMO and MIMO only couplings of even degree sum are left; for SISO with odd l the published parities
leave none, and here the even parity comes out. Every coupling is a block of its own in the result.

e3nn-jax is its `tensor_product`, compiled by XLA as a whole; "sparse" is the sparse product of
that paper, which reads four of its entries for each pair of orders, on e3nn-jax's coefficients.
Each contender keeps its own order of blocks: e3nn-jax sorts by degree, Schur keeps that of paths.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.scaling.curves import Curve, draw, one_core, parser, write
from schur.engine import Routine
from schur.products import Instruction, normalised, tensor_product
from schur.reps import Irrep, Irreps, clebsch_gordan

ROWS, CHECKED = 10_000, 32
# Turns of each, with so many runs; after the least number only until so many seconds have passed.
TURNS, LEAST_TURNS, RUNS, ENOUGH = 12, 4, 3, 1.0
SLOW = 0.3  # seconds; who takes longer has one turn

Path = tuple[int, int, Irrep]
Call = Callable[[], Any]
Built = tuple[Call, Callable[[Any], np.ndarray]]  # and what reads its result in our order


class Setting(NamedTuple):
    """What is multiplied, what may come out, and the couplings between them."""

    rep: Irreps
    paths: list[Path]

    @property
    def out(self) -> Irreps:
        return Irreps([(1, ir) for _, _, ir in self.paths])


def setting(name: str, degree: int) -> Setting:
    """SISO, SIMO or MIMO of a degree."""
    one = Irreps([(1, Irrep(degree, (-1) ** degree))])
    rep = Irreps.spherical_harmonics(degree) if name == "MIMO" else one
    allowed = {Irrep(degree, 1)}
    if name != "SISO":
        allowed = {ir for _, ir in Irreps.spherical_harmonics(2 * degree)}
    paths = [
        (i, j, ir)
        for i, (_, a) in enumerate(rep)
        for j, (_, b) in enumerate(rep)
        for ir in a * b
        if ir in allowed
    ]
    return Setting(rep, paths)


def operands(rep: Irreps) -> list[np.ndarray]:
    """Random numbers, the same for every contender."""
    rng = np.random.default_rng(0)
    return [rng.standard_normal((ROWS, rep.dim)).astype(np.float32) for _ in range(2)]


def target(given: Setting) -> np.ndarray:
    """What the product is compared with, in the order of the paths."""
    return np.random.default_rng(1).standard_normal((ROWS, given.out.dim)).astype(np.float32)


def exact(given: Setting, backward: bool) -> np.ndarray:
    """√(2l+1) Σ C x y of the first rows in float64, coupling by coupling, or the gradient by x."""
    x, y = (values[:CHECKED].astype(np.float64) for values in operands(given.rep))
    blocks = given.rep.slices()
    products, by_first = [], []
    for i, j, ir in given.paths:
        coupling = clebsch_gordan(given.rep[i].ir.l, given.rep[j].ir.l, ir.l)
        second = np.sqrt(ir.dim) * np.einsum("rb,abc->rac", y[:, blocks[j]], coupling)
        products.append(np.einsum("ra,rac->rc", x[:, blocks[i]], second))
        by_first.append(second)
    out = np.concatenate(products, 1)
    if not backward:
        return out
    apart = 2 * (out - target(given)[:CHECKED]) / (ROWS * out.shape[1])
    gradient = np.zeros_like(x)
    for (i, _, _), second, columns in zip(given.paths, by_first, given.out.slices(), strict=True):
        gradient[:, blocks[i]] += np.einsum("rac,rc->ra", second, apart[:, columns])
    return gradient


def by_schur(given: Setting, backward: bool) -> Built:
    lines = [Instruction(i, j, k, "uuu", False) for k, (i, j, _) in enumerate(given.paths)]
    reps = given.rep, given.rep, given.out
    routine = Routine(tensor_product(*reps, normalised(*reps, lines)))
    x, y = map(torch.from_numpy, operands(given.rep))
    if not backward:
        return lambda: routine(x, y), lambda out: out.numpy()
    wanted = torch.from_numpy(target(given))
    x.requires_grad_()

    def gradient() -> torch.Tensor:
        loss = torch.nn.functional.mse_loss(routine(x, y), wanted)
        return torch.autograd.grad(loss, x)[0]

    return gradient, lambda out: out.numpy()


def by_e3nn_jax(given: Setting, backward: bool) -> Built:
    import e3nn_jax as e3nn

    allowed = [e3nn.Irrep(ir.l, ir.p) for _, _, ir in given.paths]

    def product(x: Any, y: Any) -> Any:
        first, second = (e3nn.IrrepsArray(str(given.rep), values) for values in (x, y))
        return e3nn.tensor_product(first, second, filter_ir_out=allowed).array

    columns = sorted_columns(given)
    call = compiled_by_jax(product, given, backward, target(given)[:, columns])
    if backward:
        return call, np.asarray
    return call, lambda out: np.asarray(out)[:, np.argsort(columns)]


def by_diagonals(given: Setting, backward: bool) -> Built:
    import e3nn_jax as e3nn
    import jax

    blocks = given.rep.slices()
    sparse = [
        diagonals(np.sqrt(ir.dim) * e3nn.clebsch_gordan(given.rep[i].ir.l, given.rep[j].ir.l, ir.l))
        for i, j, ir in given.paths
    ]

    def product(x: Any, y: Any) -> Any:
        parts = []
        for (i, j, _), (places, coefficients) in zip(given.paths, sparse, strict=True):
            second = y[:, blocks[j]][:, places]
            terms = x[:, None, blocks[i], None] * second * coefficients
            parts.append(terms.sum((1, 2)))
        return jax.numpy.concatenate(parts, 1)

    return compiled_by_jax(product, given, backward, target(given)), np.asarray


def compiled_by_jax(
    product: Callable[[Any, Any], Any], given: Setting, backward: bool, wanted: np.ndarray
) -> Call:
    """The product, or the gradient of the loss by x, as one function of XLA."""
    import jax

    x, y, wanted = map(jax.numpy.asarray, (*operands(given.rep), wanted))
    if not backward:
        forward = jax.jit(product)
        return lambda: jax.block_until_ready(forward(x, y))

    def loss(x: Any, y: Any, wanted: Any) -> Any:
        return jax.numpy.mean((product(x, y) - wanted) ** 2)

    gradient = jax.jit(jax.grad(loss))
    return lambda: jax.block_until_ready(gradient(x, y, wanted))


def sorted_columns(given: Setting) -> np.ndarray:
    """Where e3nn-jax, which sorts blocks by irrep, takes its columns from those of the paths."""
    order = sorted(range(len(given.paths)), key=lambda k: (given.paths[k][2].l, k))
    return np.concatenate([np.r_[given.out.slices()[k]] for k in order])


def diagonals(coupling: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the real coupling is not zero: at m2 = ±m1 ± m3, for each pair of orders.

    Returns:
        Places of m2 and coefficients there, shape (4, 2 l1 + 1, 2 l3 + 1); none counts twice.
    """
    left = np.array(coupling, dtype=np.float32)
    l1, l2, l3 = (size // 2 for size in left.shape)
    places = np.zeros((4, 2 * l1 + 1, 2 * l3 + 1), np.int32)
    coefficients = np.zeros(places.shape, np.float32)
    for k, (s, t) in enumerate([(1, 1), (1, -1), (-1, 1), (-1, -1)]):
        for m1 in range(-l1, l1 + 1):
            for m3 in range(-l3, l3 + 1):
                m2 = s * m1 + t * m3
                if abs(m2) <= l2:
                    place = (l1 + m1, l2 + m2, l3 + m3)
                    places[k, l1 + m1, l3 + m3] = l2 + m2
                    coefficients[k, l1 + m1, l3 + m3] = left[place]
                    left[place] = 0
    return places, coefficients


CONTENDERS: dict[str, Callable[[Setting, bool], Built]] = {
    "Schur": by_schur,
    "e3nn-jax": by_e3nn_jax,
    "e3nn-jax, sparse": by_diagonals,
}


def measured(given: Setting, names: list[str], backward: bool = False) -> dict[str, dict[str, Any]]:
    """Seconds of a processor for each contender, taking turns, after a check of the numbers."""
    expected = exact(given, backward)
    calls: dict[str, Call] = {}
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        start = process_time()
        try:
            calls[name], read = CONTENDERS[name](given, backward)
            result = read(calls[name]())[:CHECKED]
        except ImportError as error:
            print(f"  {name}: not installed ({error.name})")
            continue
        error = float(np.linalg.norm(result - expected) / np.linalg.norm(expected))
        if not error < 1e-5:
            raise ArithmeticError(f"{name} is off by {error:.1e}")
        found[name] = {"error": error, "construction": process_time() - start, "all": []}
    total = 0.0
    for turn in range(TURNS):
        if turn >= LEAST_TURNS and total > ENOUGH:
            break
        for name, call in calls.items():
            if turn and min(found[name]["all"]) > SLOW:
                continue
            call()  # not timed: it finds the caches full of what the others left there
            for _ in range(RUNS):
                start = process_time()
                call()
                found[name]["all"].append(process_time() - start)
                total += found[name]["all"][-1]
    return found


def main() -> None:
    """Measure, print, draw."""
    options = parser(__doc__, "price_of_freedom")
    options.add_argument("--degrees", nargs="+", type=int, default=list(range(1, 8)))
    options.add_argument("--settings", nargs="+", default=["SISO", "SIMO", "MIMO"])
    options.add_argument("--contenders", nargs="+", default=list(CONTENDERS), choices=CONTENDERS)
    options.add_argument("--backward", action="store_true", help="a gradient instead")
    asked = options.parse_args()
    one_core()
    torch.set_num_threads(1)
    report: dict[str, Any] = {}
    panels = []
    for name in asked.settings:
        curves = {contender: Curve(contender) for contender in asked.contenders}
        print(f"{name}: milliseconds, and how many times longer than Schur")
        for degree in asked.degrees:
            given = setting(name, degree)
            found = measured(given, asked.contenders, asked.backward)
            report[f"{name} {degree}"] = found | {"outputs": given.out.dim}
            ours = min(found["Schur"]["all"])
            cells = [f"l = {degree:2d}  outputs {given.out.dim:5d}"]
            for contender, row in found.items():
                shortest = min(row["all"])
                curves[contender].points[degree] = 1e3 * shortest
                times = "" if contender == "Schur" else f" ({shortest / ours:.1f} x)"
                cells.append(f"{contender} {1e3 * shortest:.3f}{times}")
            print("  ".join(cells), flush=True)
            write(asked.json, report)
        drawn = [(curve.name, curve.points) for curve in curves.values() if curve.points]
        panels.append((name, "degree l", "ms for 10,000 rows", drawn))
    draw(asked.picture, panels, logarithmic=False)


if __name__ == "__main__":
    main()
