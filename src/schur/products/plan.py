"""Which products can express what is asked, what each costs, and which one to take."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from schur.decompositions import expressivity
from schur.errors import RepresentationError
from schur.forms import Program, cost
from schur.products.cartesian import cartesian
from schur.products.clebsch_gordan import tensor_product
from schur.products.gaunt import gaunt
from schur.products.instructions import Instruction, normalised
from schur.products.matrix_product import matrix_product
from schur.products.product import Product, Triple
from schur.products.so2 import so2
from schur.products.vector_gaunt import vector_gaunt
from schur.reps import Irreps

Clock = Callable[[Program, int], float]
"""Measures the seconds that a program takes on so many rows."""

_BYTES = 4  # of a number in single precision


@dataclass(frozen=True)
class Needs:
    """What a product has to be able to do.

    Args:
        couplings: `"all"` that O(3) allows, or only those of `"even"` degree sum, for which no
            product of two vectors is a vector.
        weights: a free weight for each `"path"` (coupling of three terms), or products of one
            weight for each `"term"` of each operand, which are fewer.
        second: whether the second factor may be `"any"` tensor, or is always the harmonics of one
            `"direction"` for each row.

    Raises:
        RepresentationError: for another word.
    """

    couplings: str = "all"
    weights: str = "path"
    second: str = "any"

    def __post_init__(self) -> None:
        for name, allowed in (
            ("couplings", ("all", "even")),
            ("weights", ("path", "term")),
            ("second", ("any", "direction")),
        ):
            if getattr(self, name) not in allowed:
                raise RepresentationError(
                    f"{name} of a product's needs", got=getattr(self, name), expected=allowed
                )


@dataclass(frozen=True)
class Candidate:
    """One way to compute a product.

    Args:
        name: of the method.
        program: what it runs; None where it does not exist for these representations.
        obstacle: why it cannot be taken; empty where it can.
        reached: how many of the couplings asked for it reaches.
        freedom: dimension of the set of maps that its weights reach, for one channel.
        operations, bytes: for all rows, as `schur.forms.cost` counts them, in single precision.
        seconds: measured for all rows; None where nothing was.
    """

    name: str
    program: Program | None
    obstacle: str = ""
    reached: int = 0
    freedom: int = 0
    operations: int = 0
    bytes: int = 0
    seconds: float | None = None


@dataclass(frozen=True)
class Plan:
    """The candidates for a product, in order, and the one to take.

    Args:
        rep_in1, rep_in2, rep_out: the representations.
        needs: what was asked for.
        rows: for how many rows costs are.
        asked: the couplings that must be within reach.
        candidates: every method, those that cannot be taken with the reason.
        chosen: the one to take.
        reason: why, in a sentence.
    """

    rep_in1: Irreps
    rep_in2: Irreps
    rep_out: Irreps
    needs: Needs
    rows: int
    asked: tuple[Triple, ...]
    candidates: tuple[Candidate, ...]
    chosen: Candidate
    reason: str


def plan(
    rep_in1: Irreps,
    rep_in2: Irreps,
    rep_out: Irreps | None = None,
    needs: Needs | None = None,
    rows: int = 1024,
    clock: Clock | None = None,
    methods: Sequence[str] | None = None,
) -> Plan:
    """List the methods for a product, count and measure them, and choose.

    Channel by channel, weights shared by all rows.  A method that reaches fewer couplings than
    asked for, or has fewer free weights, is listed with what it lacks and never chosen.

    Args:
        rep_in1: the first input, of one multiplicity.
        rep_in2: the second, of the same multiplicity or of single irreps.
        rep_out: the output, of the multiplicity of the first; every irrep that comes out if not
            given.
        needs: what has to be within reach; everything, if not given.
        rows: how many rows the counts and times are for.
        clock: measures a program, for example `schur.engine.seconds`.  Without it the method of
            fewest operations is chosen.
        methods: names of those to consider, keys of `METHODS`; all if not given.

    Raises:
        RepresentationError: if multiplicities do not fit, or nothing couples.

    Example:
        >>> rep = Irreps("8x0e+8x1o+8x2e")
        >>> plan(rep, rep, rep).chosen.name
        'Clebsch-Gordan'
        >>> plan(rep, rep, rep, Needs(weights="term")).chosen.name
        'Cartesian'
    """
    wanted = needs or Needs()
    out = _every_output(rep_in1, rep_in2) if rep_out is None else rep_out
    asked = _couplings(rep_in1, rep_in2, out, wanted)
    candidates = tuple(
        _candidate(name, METHODS[name], (rep_in1, rep_in2, out), asked, wanted, rows, clock)
        for name in _known(methods)
    )
    fit = [candidate for candidate in candidates if not candidate.obstacle]
    if not fit:
        raise RepresentationError(
            "none of these methods can express what is asked",
            got={candidate.name: candidate.obstacle for candidate in candidates},
            remedy="consider all methods, or need less",
        )
    if clock is None:
        best = min(fit, key=lambda candidate: candidate.operations)
        measure = f"takes the fewest operations, {best.operations / rows:,.0f} a row"
    else:
        best = min(fit, key=lambda candidate: candidate.seconds or 0.0)
        measure = f"is the fastest here, {1e6 * (best.seconds or 0.0) / rows:.3g} µs a row"
    reason = f"{best.name} {measure}, of {len(fit)} that can reach all {len(asked)} couplings"
    if wanted.weights == "path":
        reason += " with a free weight for each path"
    return Plan(rep_in1, rep_in2, out, wanted, rows, asked, candidates, best, reason)


def _known(methods: Sequence[str] | None) -> Sequence[str]:
    """The names to consider."""
    wrong = [name for name in methods or () if name not in METHODS]
    if wrong:
        raise RepresentationError("there is no such method", got=wrong, expected=list(METHODS))
    return list(METHODS) if methods is None else methods


def _every_output(rep_in1: Irreps, rep_in2: Irreps) -> Irreps:
    found = {ir for _, ir1 in rep_in1 for _, ir2 in rep_in2 for ir in tuple(ir1 * ir2)}
    return Irreps([(max(mul for mul, _ in rep_in1), ir) for ir in sorted(found)])


def _couplings(
    rep_in1: Irreps, rep_in2: Irreps, rep_out: Irreps, needs: Needs
) -> tuple[Triple, ...]:
    """The distinct triples of irreps that must be within reach."""
    found = dict.fromkeys(
        (ir1, ir2, ir)
        for _, ir1 in rep_in1
        for _, ir2 in rep_in2
        for _, ir in rep_out
        if ir in tuple(ir1 * ir2) and (needs.couplings == "all" or (ir1.l + ir2.l + ir.l) % 2 == 0)
    )
    if not found:
        raise RepresentationError(
            "nothing of this output couples", got=f"{rep_in1} x {rep_in2} -> {rep_out}"
        )
    return tuple(found)


Reps = tuple[Irreps, Irreps, Irreps]


@dataclass(frozen=True)
class _Built:
    """A method for given representations: its program, what it misses, and its freedom."""

    program: Program
    missing: tuple[Triple, ...]
    freedom: int
    by_path: bool


def _lines(reps: Reps) -> list[Instruction]:
    """Every path, channel by channel."""
    rep1, rep2, out = reps
    single = all(mul == 1 for mul, _ in rep2)
    return [
        Instruction(i, j, k, "uvu" if single else "uuu", True)
        for i, (_, ir1) in enumerate(rep1)
        for j, (_, ir2) in enumerate(rep2)
        for k, (_, ir) in enumerate(out)
        if ir in tuple(ir1 * ir2)
    ]


def _sparse(reps: Reps, needs: Needs) -> _Built:
    lines = normalised(*reps, _lines(reps))
    return _Built(tensor_product(*reps, lines), (), len(lines), True)


def _by_so2(reps: Reps, needs: Needs) -> _Built:
    if needs.second != "direction":
        raise RepresentationError("needs harmonics of a direction as second factor")
    product = so2(*reps, connection="uvu")
    freedom = sum(len(pair.even) + len(pair.odd) for pair in product.pairs)
    return _Built(product.program, (), freedom, True)


def _by_algebra(build: Callable[..., Product], **options: object) -> Callable[..., _Built]:
    """A product with a weight for each term; what it reaches is found on single channels."""

    @lru_cache(maxsize=64)
    def reach(*singles: Irreps) -> tuple[tuple[Triple, ...], int]:
        product = build(*singles, **options)
        return product.missing, expressivity(product.program).freedom

    def built(reps: Reps, needs: Needs) -> _Built:
        program = build(*reps, **options).program
        missing, freedom = reach(*(Irreps([(1, ir) for _, ir in rep]) for rep in reps))
        return _Built(program, missing, freedom, False)

    return built


METHODS: dict[str, Callable[[Reps, Needs], _Built]] = {
    "Clebsch-Gordan": _sparse,
    "SO(2)": _by_so2,
    "Gaunt, grid": _by_algebra(gaunt, method="grid"),
    "Gaunt, Fourier": _by_algebra(gaunt, method="fourier"),
    "Gaunt, coefficients": _by_algebra(gaunt, method="coefficients"),
    "Gaunt of vectors": _by_algebra(vector_gaunt),
    "matrix product": _by_algebra(matrix_product),
    "Cartesian": _by_algebra(cartesian),
}
"""The methods in the order in which they are listed."""


def _candidate(
    name: str,
    build: Callable[[Reps, Needs], _Built],
    reps: Reps,
    asked: tuple[Triple, ...],
    needs: Needs,
    rows: int,
    clock: Clock | None,
) -> Candidate:
    try:
        built = build(reps, needs)
    except RepresentationError as error:
        if name == "Clebsch-Gordan":  # which exists for whatever is a product
            raise
        return Candidate(name, None, str(error).splitlines()[0])
    lacking = [triple for triple in asked if triple in built.missing]
    obstacle = ""
    if lacking:
        a, b, c = lacking[0]
        obstacle = f"does not reach {a} x {b} -> {c}"
        obstacle += f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""
    elif needs.weights == "path" and not built.by_path:
        obstacle = "has a weight for each term, not for each path"
    counted = cost(built.program, {"rows": rows})
    return Candidate(
        name,
        built.program,
        obstacle,
        len(asked) - len(lacking),
        built.freedom,
        counted.operations,
        _BYTES * (counted.read + counted.written),
        None if clock is None else clock(built.program, rows),
    )
