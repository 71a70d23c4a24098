"""The product with harmonics of a direction, reduced to SO(2) in a frame along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import prod, sqrt
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float

from schur.errors import RepresentationError
from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement
from schur.products.clebsch_gordan import ROWS, Placement, weight_operand
from schur.products.instructions import Instruction
from schur.products.product import Triple
from schur.reps import Irreps, clebsch_gordan

Connection = Literal["uvw", "uvu"]


class Pair(NamedTuple):
    """The map from one term of the input to one term of the output, in the frame of an edge.

    At each order m it is a rotation times a number: `even` weights multiply m into m, `odd` ones
    mix m and -m with opposite signs.

    Args:
        i_in, i_out: which terms.
        even, odd: the orders that have such a weight; the weights stand in this order.
    """

    i_in: int
    i_out: int
    even: tuple[int, ...]
    odd: tuple[int, ...]


class FrameMatrix(NamedTuple):
    """Weights in the frame as one matrix, for `lines` neighbouring lines of channels.

    Args:
        start_in, start_out: columns at which the lines begin in the frame, before and after.
        lines: how many lines.
        mul_in, mul_out: shape of the matrix.
        start_weight: where it stands in the weights.
        scale: what multiplies it.
    """

    start_in: int
    start_out: int
    lines: int
    mul_in: int
    mul_out: int
    start_weight: int
    scale: float


class Use(NamedTuple):
    """One use of a matrix: from order `before` to order `after`, and the lines that follow."""

    before: int
    after: int
    lines: int = 1
    sign: float = 1.0


@dataclass(frozen=True)
class SO2Product:
    """A product with harmonics of a direction, as a program in the frame of that direction.

    Args:
        program: of inputs `x`, `wigner` (see `wigner_of_frame`; the frame's second column is the
            direction), `scale` if asked for, and `weight`; output `out`.
        rep_in1, rep_in2, rep_out: of the features, of the harmonics and of the output.
        order: the highest order m that is kept in the frame.
        connection: `"uvw"` or `"uvu"`, how channels mix.
        pairs: which terms are connected; the blocks of `weight` are these in turn, each with its
            even and odd weights as components and (u, w) or (u,) as channels.
    """

    program: Program
    rep_in1: Irreps
    rep_in2: Irreps
    rep_out: Irreps
    order: int
    connection: Connection
    pairs: tuple[Pair, ...]

    @property
    def lmax(self) -> int:
        """The highest degree that `wigner` has to hold."""
        return max(self.rep_in1.lmax, self.rep_out.lmax)

    @property
    def weight_numel(self) -> int:
        """How many weights there are, of a row or for all."""
        return sum(block.size for block in self._weight_blocks)

    @property
    def is_complete(self) -> bool:
        """Whether no order is cut off, so that every path to harmonics of any degree is there."""
        return self.order >= min(self.rep_in1.lmax, self.rep_out.lmax)

    @cached_property
    def missing(self) -> tuple[Triple, ...]:
        """The triples of irreps that O(3) lets couple and that no weights of this product do.

        In the frame a coupling is one number for each order m and -m; it is out of reach, exactly,
        where it has orders above the cut.
        """
        found = {
            (ir1, ir2, ir): None
            for _, ir1 in self.rep_in1
            for _, ir2 in self.rep_in2
            for _, ir in self.rep_out
            if ir in tuple(ir1 * ir2) and _orders(ir1.l, ir2.l, ir.l) > self.order
        }
        return tuple(found)

    @property
    def weight_shapes(self) -> tuple[tuple[int, int], ...]:
        """Rows and columns of each matrix that the weights hold, in turn; channels in and out."""
        return tuple(
            (prod(block.channels[:-1]), block.channels[-1])
            for block in self._weight_blocks
            for _ in range(block.components)
        )

    @property
    def _weight_blocks(self) -> tuple[Block, ...]:
        return _weight_blocks(self.rep_in1, self.rep_out, self.pairs, self.connection)

    @property
    def into_frames(self) -> Program:
        """The first part of the program: `turned`, the features in the frame of each row.

        A term there has the orders 0, 1, -1, 2, -2 … as its components.
        """
        return self._part(0)

    @property
    def out_of_frames(self) -> Program:
        """The last part of the program: from `mixed`, laid out likewise, to `out`."""
        return self._part(2)

    def _part(self, place: int) -> Program:
        statement = self.program.statements[place]
        read = tuple(o for o in statement.form.operands if o.name != statement.target)
        return Program(read, (statement,), (statement.target,))

    def frame_matrices(self) -> tuple[FrameMatrix, ...]:
        """The middle part of the program for `"uvw"`, from `turned` to `mixed`, as matrices.

        All matrices into one place in `mixed` have the same number of lines.

        Raises:
            RepresentationError: for `"uvu"`, where weights are no matrices.

        Example:
            >>> product = so2(Irreps("4x0e+4x1o"), Irreps("0e+1o+2e"), Irreps("8x1o"))
            >>> [(m.start_in, m.start_out, m.lines) for m in product.frame_matrices()]
            [(0, 0, 1), (4, 0, 1), (8, 8, 2)]
        """
        if self.connection != "uvw":
            raise RepresentationError(
                "these weights are no matrices", got=repr(self.connection), expected="'uvw'"
            )
        starts = [_starts(rep, self.order) for rep in (self.rep_in1, self.rep_out)]
        turning = {(pair.i_out, m) for pair in self.pairs for m in pair.odd}
        found, numel = list[FrameMatrix](), 0
        for i, k, even, odd in self.pairs:
            mul, mul_out = self.rep_in1[i].mul, self.rep_out[k].mul
            kept = [_kept(m, apart=(k, m) in turning) for m in even]
            for uses in [*kept, *((Use(-m, m), Use(m, -m, sign=-1.0)) for m in odd)]:
                for before, after, lines, sign in uses:
                    here = starts[0][i] + _line(before) * mul
                    there = starts[1][k] + _line(after) * mul_out
                    scale = sign * self._summed(k, abs(before)) ** -0.5
                    found.append(FrameMatrix(here, there, lines, mul, mul_out, numel, scale))
                numel += mul * mul_out
        return tuple(found)

    def change_of_weights(
        self, instructions: Sequence[Instruction]
    ) -> Float[np.ndarray, "components paths"]:
        """From the weights of paths of the full product to the weights here, channel by channel.

        In the frame the harmonics of degree f (of normalisation `component`) are √(2f+1) at order
        0 and nothing else, so a path from l1 by f to l with coefficient a adds to weight m

            a √(2f+1) C[m, 0, ±m] / c,

        c the normalisation here.  Rows are the components of all pairs in turn.  With harmonics
        of every degree that couples, the square of each pair is invertible where no order is cut.

        Args:
            instructions: paths as `normalised` returns them, harmonics second and of
                multiplicity one, in the mode of `connection`.

        Raises:
            RepresentationError: if a path is of another mode or connects terms that no pair does.
        """
        starts = np.cumsum([0, *(len(pair.even) + len(pair.odd) for pair in self.pairs)])
        places = {(pair.i_in, pair.i_out): k for k, pair in enumerate(self.pairs)}
        matrix = np.zeros((int(starts[-1]), len(instructions)))
        for column, line in enumerate(instructions):
            place = places.get((line.i_in1, line.i_out))
            if place is None or line.connection_mode != self.connection:
                raise RepresentationError(
                    "no pair of this product does what the path does",
                    got=line,
                    expected=f"mode {self.connection!r} between terms with common orders",
                )
            pair = self.pairs[place]
            harmonics = self.rep_in2[line.i_in2]
            l1, l2 = self.rep_in1[line.i_in1].ir.l, harmonics.ir.l
            l3 = self.rep_out[line.i_out].ir.l
            coupling = line.path_weight * sqrt(2 * l2 + 1) * clebsch_gordan(l1, l2, l3)[:, l2]
            values = [coupling[l1 + m, l3 + m] for m in pair.even]
            values += [coupling[l1 - m, l3 + m] for m in pair.odd]
            counts = [self._summed(line.i_out, m) for m in (*pair.even, *pair.odd)]
            rows = slice(int(starts[place]), int(starts[place + 1]))
            matrix[rows, column] = np.array(values) * np.sqrt(counts)
        return matrix

    def from_paths(
        self,
        weights: Float[np.ndarray, "*rows numel"],
        instructions: Sequence[Instruction],
    ) -> Float[np.ndarray, "*rows weights"]:
        """The weights with which this product is the full one with the weights given.

        Args:
            weights: of the paths in turn, each with channels (u,) or (u, w).
            instructions: as for `change_of_weights`.

        Example:
            >>> from schur.products import normalised
            >>> reps = Irreps("1o"), Irreps("0e+2e"), Irreps("1o")
            >>> lines = [(0, 0, 0, "uvu", True), (0, 1, 0, "uvu", True)]
            >>> product, paths = so2(*reps, connection="uvu"), normalised(*reps, lines)
            >>> product.from_paths(np.array([1.0, 0.0]), paths).round(4)
            array([0.7071, 0.7071])
        """
        matrix = self.change_of_weights(instructions)
        ends = np.cumsum([0, *(prod(line.path_shape) for line in instructions)])
        parts, row = [np.zeros((*weights.shape[:-1], 0))], 0
        for pair, block in zip(self.pairs, self._weight_blocks, strict=True):
            lines = [
                k for k, line in enumerate(instructions) if (line.i_in1, line.i_out) == pair[:2]
            ]
            width = block.size // block.components
            read = [weights[..., ends[k] : ends[k + 1]] for k in lines]
            given = np.stack(read, -2) if read else np.zeros((*weights.shape[:-1], 0, width))
            mixed = matrix[row : row + block.components, lines] @ given
            parts.append(mixed.reshape(*weights.shape[:-1], block.size))
            row += block.components
        return np.concatenate(parts, -1)

    def _summed(self, i_out: int, m: int) -> int:
        return _summed(self.rep_in1, self.pairs, self.connection, i_out, m)


def so2(
    rep_in1: Irreps,
    rep_in2: Irreps,
    rep_out: Irreps,
    order: int | None = None,
    connection: Connection = "uvw",
    group: Literal["O3", "SO3"] = "O3",
    placement: Placement = ROWS,
    scaled: bool = False,
) -> SO2Product:
    """Multiply features with harmonics of a direction r: rotate, mix orders, rotate back.

        out = D(R) · W · D(R)ᵀ x,    R e_y = r

    In the frame of r the harmonics are constants, and what is left of the symmetry is SO(2): W
    mixes only components of one |m|, and has 2 min(l, l') + 1 numbers for degrees l and l'.  The
    result does not depend on how the frame is rolled about r.  With all orders this is the full
    product with harmonics of all degrees up to l + l' (`SO2Product.change_of_weights`); each
    pair costs O(l) instead of O(l³) multiplications, and the rotation O(l²) a channel.

    Args:
        rep_in1: of the features.
        rep_in2: of the harmonics, multiplicity one.  They are not read: weights for harmonics
            that are left out here are there nevertheless, and can be zero.
        rep_out: of the output.
        order: keep |m| <= order in the frame; all of them if not given.  Fewer orders are exactly
            as equivariant, and express less.
        connection: `"uvw"` for weights from every channel to every channel, `"uvu"` for weights
            that scale each channel.
        group: `"O3"` keeps the weights that the parities of the terms allow.  `"SO3"` ignores
            parities: all weights, and no equivariance under reflections.
        placement: rows, gathered inputs and summed outputs.
        scaled: whether an input `scale`, a number for each row, term of `rep_in1` and channel,
            multiplies the features first: a function of the distance, say.

    Returns:
        Program and description.  With weights of variance one, and inputs of variance one, every
        component that is kept has variance one.

    Raises:
        RepresentationError: if `rep_in2` are no harmonics of a direction, or `"uvu"` connects
            terms of different multiplicities.

    Source: Passaro and Zitnick, "Reducing SO(3) convolutions to SO(2) for efficient equivariant
    GNNs" (2023), section 4.

    Example:
        >>> product = so2(Irreps("4x0e+4x1o"), Irreps("0e+1o+2e"), Irreps("8x0e+8x1o"))
        >>> product.pairs[-1], product.weight_numel
        (Pair(i_in=1, i_out=1, even=(0, 1), odd=()), 160)
    """
    _check_harmonics(rep_in2)
    degrees = [rep.lmax for rep in (rep_in1, rep_out) if any(mul for mul, _ in rep)]
    highest = min(degrees, default=0) if order is None else order
    if highest < 0:
        raise RepresentationError("an order is zero or more", got=order)
    pairs = _pairs(rep_in1, rep_out, highest, connection, group)
    program = _program(rep_in1, rep_out, pairs, highest, connection, placement, scaled)
    return SO2Product(program, rep_in1, rep_in2, rep_out, highest, connection, pairs)


def _orders(l1: int, l2: int, l3: int) -> int:
    """The highest order m of a coupling with harmonics of a direction, in its frame."""
    at_zero = clebsch_gordan(l1, l2, l3)[:, l2]
    orders = abs(np.arange(-l1, l1 + 1))[:, None] + 0 * at_zero.astype(int)
    return int(orders[abs(at_zero) > 1e-12].max(initial=0))


def _check_harmonics(rep: Irreps) -> None:
    wrong = [str(term) for term in rep if term.mul != 1 or term.ir.p != (-1) ** term.ir.l]
    if wrong:
        raise RepresentationError(
            "the second factor of an SO(2) product is harmonics of one direction",
            got=f"{rep}, with {', '.join(wrong)}",
            expected="0e + 1o + 2e + 3o ..., each once",
            remedy="use tensor_product, which takes any second factor",
        )


def _pairs(
    rep_in: Irreps, rep_out: Irreps, order: int, connection: Connection, group: str
) -> tuple[Pair, ...]:
    """Every pair of terms that has a weight."""
    found = []
    for i, (mul, ir) in enumerate(rep_in):
        for k, (mul_out, ir_out) in enumerate(rep_out):
            highest = min(ir.l, ir_out.l, order)
            # A reflection that keeps the direction takes m to ±m: what it allows.
            natural = ir.p * ir_out.p == (-1) ** (ir.l + ir_out.l)
            even = tuple(range(highest + 1)) if natural or group == "SO3" else ()
            odd = tuple(range(1, highest + 1)) if not natural or group == "SO3" else ()
            if not (even or odd) or not (mul and mul_out):
                continue
            if connection == "uvu" and mul != mul_out:
                raise RepresentationError(
                    "connection 'uvu' needs equal multiplicities",
                    got=f"{rep_in[i]} to {rep_out[k]}",
                    remedy="use connection='uvw'",
                )
            found.append(Pair(i, k, even, odd))
    return tuple(found)


def _summed(
    rep_in: Irreps, pairs: tuple[Pair, ...], connection: Connection, i_out: int, m: int
) -> int:
    """How many products are added up in a component of order m of an output term."""
    return sum(
        (pair.even.count(m) + pair.odd.count(m))
        * (rep_in[pair.i_in].mul if connection == "uvw" else 1)
        for pair in pairs
        if pair.i_out == i_out
    )


def _weight_blocks(
    rep_in: Irreps, rep_out: Irreps, pairs: tuple[Pair, ...], connection: Connection
) -> tuple[Block, ...]:
    blocks = []
    for i, k, even, odd in pairs:
        channels = (rep_in[i].mul, rep_out[k].mul) if connection == "uvw" else (rep_in[i].mul,)
        label = f"{rep_in[i].ir} -> {rep_out[k].ir}"
        blocks.append(Block(len(even) + len(odd), channels, label))
    return tuple(blocks)


@lru_cache(maxsize=128)
def _program(
    rep_in: Irreps,
    rep_out: Irreps,
    pairs: tuple[Pair, ...],
    order: int,
    connection: Connection,
    placement: Placement,
    scaled: bool,
) -> Program:
    x = Operand("x", rep_in.blocks(), "row" if placement.in1 is None else "indexed", placement.in1)
    out = Operand(
        "out", rep_out.blocks(), "row" if placement.out is None else "indexed", placement.out
    )
    lmax = max((ir.l for rep in (rep_in, rep_out) for _, ir in rep), default=0)
    wigner = Operand(
        "wigner",
        tuple(Block((2 * l + 1) ** 2, (), f"D{l}") for l in range(lmax + 1)),  # noqa: E741
    )
    weight = weight_operand(_weight_blocks(rep_in, rep_out, pairs, connection), placement.weight)
    turned, mixed = _in_frame("turned", rep_in, order), _in_frame("mixed", rep_out, order)
    scale = Operand("scale", tuple(Block(1, (mul,), str(ir)) for mul, ir in rep_in))
    rotations = (wigner, scale) if scaled else (wigner,)
    into = [
        _rotation(x, turned, rotations, i, rep_in[i].ir.l, order)
        for i in dict.fromkeys(pair.i_in for pair in pairs)
    ]
    paths = [
        _mixing(rep_in, rep_out, pairs, place, order, connection) for place in range(len(pairs))
    ]
    back = [
        _rotation(mixed, out, (wigner,), k, rep_out[k].ir.l, order)
        for k in dict.fromkeys(pair.i_out for pair in pairs)
    ]
    statements = (
        Statement(Form((x, *rotations, turned), tuple(into)), "turned"),
        Statement(Form((turned, weight, mixed), tuple(paths)), "mixed"),
        Statement(Form((mixed, wigner, out), tuple(back)), "out"),
    )
    return Program((x, *rotations, weight), statements, ("out",))


def _line(m: int) -> int:
    """The place of an order among 0, 1, -1, 2, -2 …: matrices of ±m have neighbouring lines."""
    return 2 * abs(m) - (m > 0)


def frame_orders(degree: int, order: int) -> tuple[int, ...]:
    """The orders m of a term in the frame, as they stand among its components there.

    Example:
        >>> frame_orders(3, 2)
        (0, 1, -1, 2, -2)
    """
    kept = range(-min(degree, order), min(degree, order) + 1)
    return tuple(sorted(kept, key=_line))


def _kept(m: int, apart: bool) -> tuple[Use, ...]:
    """The uses of a matrix that keeps orders m and -m, in one where nothing stands between."""
    if m == 0:
        return (Use(0, 0),)
    return (Use(m, m), Use(-m, -m)) if apart else (Use(m, m, lines=2),)


def _starts(rep: Irreps, order: int) -> list[int]:
    """The column in the frame at which each term begins."""
    widths = [(2 * min(ir.l, order) + 1) * mul for mul, ir in rep]
    return [sum(widths[:k]) for k in range(len(widths))]


def _in_frame(name: str, rep: Irreps, order: int) -> Operand:
    """A value in the frame of its row, orders as `_line` has them."""
    blocks = (Block(2 * min(ir.l, order) + 1, (mul,), str(ir)) for mul, ir in rep)
    return Operand(name, tuple(blocks))


def _rotation(
    source: Operand,
    target: Operand,
    by: tuple[Operand, ...],
    block: int,
    degree: int,
    order: int,
) -> Path:
    """One block into the frame, turned[m] = Σ_k D[k, m] x[k], or out of it."""
    kept = np.arange(-min(degree, order), min(degree, order) + 1)
    full, m = (grid.reshape(-1) for grid in np.meshgrid(np.arange(2 * degree + 1), kept))
    entry, short = full * (2 * degree + 1) + degree + m, np.array([_line(int(k)) for k in m])
    into = target.name == "turned"
    columns = {source.name: full if into else short, target.name: short if into else full}
    factors = [Factor(source.name, block, "u")]
    if degree > 0:  # D^0 is 1
        factors.append(Factor("wigner", degree))
        columns["wigner"] = entry
    if len(by) > 1:
        factors.append(Factor("scale", block, "u"))
        columns["scale"] = np.zeros_like(full)
    factors.append(Factor(target.name, block, "u"))
    components = np.stack([columns[factor.operand] for factor in factors], axis=1)
    return Path(factors, components, np.ones(len(full)), f"{block}: {target.name}")


def _mixing(
    rep_in: Irreps,
    rep_out: Irreps,
    pairs: tuple[Pair, ...],
    place: int,
    order: int,
    connection: Connection,
) -> Path:
    """A pair of terms in the frame: orders m and -m by the matrix [[a, -b], [b, a]]."""
    i, k, even, odd = pairs[place]
    terms: list[tuple[int, int, int]] = []
    signs: list[float] = []
    orders: list[int] = []
    for number, m in enumerate(even):
        for signed in {m, -m}:
            terms.append((_line(signed), number, _line(signed)))
            signs.append(1.0)
            orders.append(m)
    for number, m in enumerate(odd, len(even)):
        terms += [(_line(-m), number, _line(m)), (_line(m), number, _line(-m))]
        signs += [1.0, -1.0]
        orders += [m, m]
    counts = [_summed(rep_in, pairs, connection, k, m) for m in orders]
    letters = ("u", "uw", "w") if connection == "uvw" else ("u", "u", "u")
    factors = (
        Factor("turned", i, letters[0]),
        Factor("weight", place, letters[1]),
        Factor("mixed", k, letters[2]),
    )
    label = f"{place}: {rep_in[i].ir} -> {rep_out[k].ir}"
    return Path(factors, np.array(terms), np.array(signs) / np.sqrt(counts), label)
