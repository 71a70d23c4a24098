"""Which irreps a tensor product couples, with which multiplicities, weights and normalisation.

The bookkeeping of e3nn's `TensorProduct`: instructions in the same order, with the same
coefficients, so that weights of existing models carry over.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from math import prod, sqrt
from typing import Literal, NamedTuple, cast

import numpy as np
from jaxtyping import Int64

from schur.errors import RepresentationError
from schur.reps import Irrep, Irreps

ConnectionMode = Literal["uvw", "uvu", "uvv", "uuw", "uuu", "uvuv", "uvu<v", "u<vw"]


class Connection(NamedTuple):
    """The channel letters of one connection mode; `p` runs over the pairs u < v."""

    in1: str
    in2: str
    weight: str
    out: str
    summed: str


CONNECTIONS: dict[str, Connection] = {
    "uvw": Connection("u", "v", "uvw", "w", "uv"),
    "uvu": Connection("u", "v", "uv", "u", "v"),
    "uvv": Connection("u", "v", "uv", "v", "u"),
    "uuw": Connection("u", "u", "uw", "w", "u"),
    "uuu": Connection("u", "u", "u", "u", ""),
    "uvuv": Connection("u", "v", "uv", "uv", ""),
    "uvu<v": Connection("p", "p", "p", "p", ""),
    "u<vw": Connection("p", "p", "pw", "w", "p"),
}


class Instruction(NamedTuple):
    """Couple `in1[i_in1]` with `in2[i_in2]` into `out[i_out]`.

    Args:
        i_in1, i_in2, i_out: which term of each representation.
        connection_mode: how multiplicities are treated, one of `CONNECTIONS`.
        has_weight: whether the path has weights.
        path_weight: a factor on the variance of the path as it is written down; after
            `normalised` the coefficient that multiplies the coupling.
        path_shape: shape of the path's weights; set by `normalised`.
    """

    i_in1: int
    i_in2: int
    i_out: int
    connection_mode: ConnectionMode
    has_weight: bool
    path_weight: float = 1.0
    path_shape: tuple[int, ...] = ()


def lengths_of(
    rep_in1: Irreps, rep_in2: Irreps, rep_out: Irreps, line: Instruction
) -> dict[str, int]:
    """The extent of each channel letter of an instruction."""
    mul1, mul2 = rep_in1[line.i_in1].mul, rep_in2[line.i_in2].mul
    return {"u": mul1, "v": mul2, "w": rep_out[line.i_out].mul, "p": mul1 * (mul2 - 1) // 2}


def normalised(
    rep_in1: Irreps,
    rep_in2: Irreps,
    rep_out: Irreps,
    instructions: Iterable[Sequence[object]],
    in1_var: Sequence[float] | None = None,
    in2_var: Sequence[float] | None = None,
    out_var: Sequence[float] | None = None,
    irrep_normalization: str = "component",
    path_normalization: str = "element",
) -> tuple[Instruction, ...]:
    """Check instructions, and put in their weights' shapes and coefficients.

    The coefficient of a path with variance factor s into a block of dimension d is √(s d / n) for
    `irrep_normalization="component"` (√(s d1 d2 / n) for `"norm"`), where n counts the products
    that are summed: over all paths into the block for `path_normalization="element"`; in this path
    alone, times the number of paths, for `"path"`.

    Raises:
        RepresentationError: if an instruction couples what does not couple.

    Source: Geiger and Smidt, "e3nn: Euclidean neural networks" (2022), section 4.

    Example:
        >>> rep = Irreps("2x0e + 2x1o")
        >>> for line in normalised(rep, rep, Irreps("4x0e"), [(1, 1, 0, "uvw", True)]):
        ...     print(line.path_shape, line.path_weight)
        (2, 2, 4) 0.5
    """
    read = [_checked(rep_in1, rep_in2, rep_out, tuple(line)) for line in instructions]
    variance1 = _variances("in1_var", in1_var, rep_in1)
    variance2 = _variances("in2_var", in2_var, rep_in2)
    variance_out = _variances("out_var", out_var, rep_out)
    _one_of("irrep_normalization", irrep_normalization, ("component", "norm", "none"))
    _one_of("path_normalization", path_normalization, ("element", "path", "none"))

    def products(line: Instruction) -> float:
        lengths = lengths_of(rep_in1, rep_in2, rep_out, line)
        summed = prod(lengths[c] for c in CONNECTIONS[line.connection_mode].summed)
        return variance1[line.i_in1] * variance2[line.i_in2] * summed

    def coefficient(line: Instruction) -> float:
        ir1, ir2, ir_out = rep_in1[line.i_in1].ir, rep_in2[line.i_in2].ir, rep_out[line.i_out].ir
        square = {"component": ir_out.dim, "norm": ir1.dim * ir2.dim, "none": 1}
        together = [other for other in read if other.i_out == line.i_out]
        number = {
            "element": sum(products(other) for other in together),
            "path": products(line) * len(together),
            "none": 1.0,
        }[path_normalization]
        scale = variance_out[line.i_out] * line.path_weight / (number if number > 0 else 1.0)
        return sqrt(square[irrep_normalization] * scale)

    return tuple(line._replace(path_weight=coefficient(line)) for line in read)


def fully_connected(rep_in1: Irreps, rep_in2: Irreps, rep_out: Irreps) -> list[Instruction]:
    """Every path that the irreps allow, fully connected, in e3nn's order.

    Example:
        >>> len(fully_connected(Irreps("8x0e+8x1o"), Irreps("0e+1o"), Irreps("8x0e+8x1o")))
        4
    """
    return [
        Instruction(i1, i2, i_out, "uvw", True)
        for i1, (_, ir1) in enumerate(rep_in1)
        for i2, (_, ir2) in enumerate(rep_in2)
        for i_out, (_, ir_out) in enumerate(rep_out)
        if ir_out in ir1 * ir2
    ]


def channelwise(
    rep_in1: Irreps, rep_in2: Irreps, keep: Collection[Irrep] | Irreps
) -> tuple[Irreps, list[Instruction]]:
    """The depth-wise product with one block for each path whose irrep is in `keep`.

    Paths come in the order of in1, then in2, then the degree of the output.

    Example:
        >>> rep, paths = channelwise(Irreps("8x0e+8x1o"), Irreps("0e+1o"), Irreps("0e+1o"))
        >>> rep, len(paths)
        (8x0e+8x1o+8x1o+8x0e, 4)
    """
    return _one_block_each(rep_in1, rep_in2, keep, lambda mul1, mul2: mul1, "uvu", True)


def full(
    rep_in1: Irreps, rep_in2: Irreps, keep: Collection[Irrep] | None = None
) -> tuple[Irreps, list[Instruction]]:
    """Every pair of irreps into every irrep it contains, unweighted; output blocks sorted.

    Example:
        >>> full(Irreps("2x1o"), Irreps("3x1o"))[0]
        6x0e+6x1e+6x2e
    """
    rep, lines = _one_block_each(
        rep_in1, rep_in2, keep, lambda mul1, mul2: mul1 * mul2, "uvuv", False
    )
    ordered = rep.sort()
    return ordered.irreps, [line._replace(i_out=ordered.p[line.i_out]) for line in lines]


def elementwise(
    rep_in1: Irreps, rep_in2: Irreps, keep: Collection[Irrep] | None = None
) -> tuple[Irreps, Irreps, Irreps, list[Instruction]]:
    """The u-th irrep of one with the u-th of the other; blocks are cut where multiplicities differ.

    Returns:
        Both inputs as they were cut, the output, and the instructions.

    Example:
        >>> elementwise(Irreps("5x1o + 5x1e"), Irreps("10x1e"), [Irrep("0e"), Irrep("0o")])[2]
        5x0o+5x0e
    """
    if rep_in1.num_irreps != rep_in2.num_irreps:
        raise RepresentationError(
            "an elementwise product needs as many irreps on the left as on the right",
            got=f"{rep_in1.num_irreps} in {rep_in1}, {rep_in2.num_irreps} in {rep_in2}",
            expected="equal numbers",
        )
    left, right = list(rep_in1.simplify()), list(rep_in2.simplify())
    cut1: list[tuple[int, Irrep]] = []
    cut2: list[tuple[int, Irrep]] = []
    rest1 = rest2 = 0
    ir1 = ir2 = Irrep("0e")
    while left or right or rest1 or rest2:
        if not rest1:
            rest1, ir1 = left.pop(0)
        if not rest2:
            rest2, ir2 = right.pop(0)
        mul = min(rest1, rest2)
        cut1.append((mul, ir1))
        cut2.append((mul, ir2))
        rest1, rest2 = rest1 - mul, rest2 - mul
    out: list[tuple[int, Irrep]] = []
    lines: list[Instruction] = []
    for i, ((mul, ir1), (_, ir2)) in enumerate(zip(cut1, cut2, strict=True)):
        for ir in ir1 * ir2:
            if keep is None or ir in keep:
                lines.append(Instruction(i, i, len(out), "uuu", False))
                out.append((mul, ir))
    return Irreps(cut1), Irreps(cut2), Irreps(out), lines


def cut_columns(rep: Irreps, cut: Irreps) -> Int64[np.ndarray, " dim"]:
    """The columns of an array of `rep` in the order of `cut`, which divides its terms further.

    Example:
        >>> cut_columns(Irreps("3x1o"), Irreps("1x1o+2x1o"))
        array([0, 3, 6, 1, 2, 4, 5, 7, 8])
    """
    parts = [np.zeros(0, np.int64)]
    place = channel = 0
    for mul, ir in cut:
        if mul == 0:
            continue
        while place < len(rep) and channel == rep[place].mul:
            place, channel = place + 1, 0
        if place == len(rep) or rep[place].ir != ir or channel + mul > rep[place].mul:
            raise RepresentationError("one does not divide the other", got=cut, expected=rep)
        start, width = rep.slices()[place].start, rep[place].mul
        columns = np.arange(ir.dim)[:, None] * width + np.arange(channel, channel + mul)
        parts.append((start + columns).reshape(-1))
        channel += mul
    return np.concatenate(parts)


def _one_block_each(
    rep_in1: Irreps,
    rep_in2: Irreps,
    keep: Collection[Irrep] | Irreps | None,
    multiplicity: Callable[[int, int], int],
    mode: ConnectionMode,
    has_weight: bool,
) -> tuple[Irreps, list[Instruction]]:
    out: list[tuple[int, Irrep]] = []
    lines: list[Instruction] = []
    for i1, (mul1, ir1) in enumerate(rep_in1):
        for i2, (mul2, ir2) in enumerate(rep_in2):
            for ir in ir1 * ir2:
                if keep is None or ir in keep:
                    lines.append(Instruction(i1, i2, len(out), mode, has_weight))
                    out.append((multiplicity(mul1, mul2), ir))
    return Irreps(out), lines


def _checked(
    rep_in1: Irreps, rep_in2: Irreps, rep_out: Irreps, line: tuple[object, ...]
) -> Instruction:
    """The instruction with its weights' shape; an error where it makes no sense."""
    if not 5 <= len(line) <= 7:
        raise RepresentationError(
            "an instruction has five or six entries",
            got=line,
            expected="(i_in1, i_in2, i_out, connection_mode, has_weight[, path_weight])",
        )
    read = Instruction(*cast("tuple[int, int, int, ConnectionMode, bool]", line[:6]))
    for name, rep, place in (
        ("i_in1", rep_in1, read.i_in1),
        ("i_in2", rep_in2, read.i_in2),
        ("i_out", rep_out, read.i_out),
    ):
        if not 0 <= place < len(rep):
            raise RepresentationError(
                f"{name} names a term that {rep} does not have",
                got=place,
                expected=f"0 to {len(rep) - 1}",
            )
    _one_of("connection_mode", read.connection_mode, tuple(CONNECTIONS))
    term1, term2, out = rep_in1[read.i_in1], rep_in2[read.i_in2], rep_out[read.i_out]
    if out.ir not in term1.ir * term2.ir:
        raise RepresentationError(
            f"{term1.ir} and {term2.ir} do not couple to {out.ir}",
            got=read[:3],
            expected=f"one of {', '.join(map(str, term1.ir * term2.ir))}",
        )
    if read.path_weight < 0:
        raise RepresentationError(
            "path_weight scales a variance and cannot be negative", got=read.path_weight
        )
    lengths = lengths_of(rep_in1, rep_in2, rep_out, read)
    _check_multiplicities(read, term1.mul, term2.mul, out.mul, lengths)
    shape = tuple(lengths[c] for c in CONNECTIONS[read.connection_mode].weight)
    return read._replace(path_shape=shape)


def _check_multiplicities(
    line: Instruction, mul1: int, mul2: int, mul_out: int, lengths: dict[str, int]
) -> None:
    mode = line.connection_mode
    letters = CONNECTIONS[mode]
    expected_out = prod(lengths[c] for c in letters.out)
    if letters.in1 == letters.in2 and mul1 != mul2:
        raise RepresentationError(
            f"mode {mode!r} needs equal multiplicities in both inputs", got=(mul1, mul2)
        )
    if mul_out != expected_out:
        raise RepresentationError(
            f"mode {mode!r} makes another multiplicity than the output block has",
            got=mul_out,
            expected=expected_out,
        )
    if not line.has_weight and "w" in letters.weight and (mode != "uuw" or mul_out != 1):
        raise RepresentationError(
            f"mode {mode!r} needs weights",
            got="has_weight=False",
            remedy="set has_weight=True, or for 'uuw' an output multiplicity of 1",
        )


def _variances(name: str, given: Sequence[float] | None, rep: Irreps) -> list[float]:
    values = [1.0] * len(rep) if given is None else [float(value) for value in given]
    if len(values) != len(rep):
        raise RepresentationError(
            f"{name} needs one number for each term of {rep}", got=len(values), expected=len(rep)
        )
    return values


def _one_of(name: str, got: str, allowed: tuple[str, ...]) -> None:
    if got not in allowed:
        raise RepresentationError(f"unknown {name}", got=repr(got), expected=", ".join(allowed))
