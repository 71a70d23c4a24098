"""The tensor product of irreps, and message passing with it, as programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Int64

from schur.forms import Block, Factor, Form, Mode, Operand, Path, Program, Statement
from schur.products.instructions import (
    CONNECTIONS,
    Instruction,
    channelwise,
    lengths_of,
    normalised,
)
from schur.reps import Irreps, sparse_clebsch_gordan


@dataclass(frozen=True)
class Placement:
    """Where the rows of a product's operands come from and go to.

    Args:
        in1: name of the index at which the first input is read; None for one row each.
        out: name of the index at which the output is summed; None for one row each.
        weight: `"shared"` by all rows, or one `"row"` each, or the name of the index at which it
            is read.
    """

    in1: str | None = None
    out: str | None = None
    weight: str = "shared"


ROWS = Placement()


def tensor_product(
    rep_in1: Irreps,
    rep_in2: Irreps,
    rep_out: Irreps,
    instructions: Sequence[Instruction],
    placement: Placement = ROWS,
) -> Program:
    """The weighted tensor product of two representations.

        out[k, w] = Σ_paths a Σ_{ijuv} C[i, j, k] weight[u, v, w] x[i, u] y[j, v]

    with the coupling C of `clebsch_gordan`, a the path's coefficient, and the channel letters of
    the path's connection mode.

    Args:
        rep_in1, rep_in2, rep_out: the representations.
        instructions: the paths, as `normalised` returns them.
        placement: rows, gathered inputs and summed outputs.

    Returns:
        A program of inputs `x`, `y`, `weight` (in so far as the paths read them) and, for the
        modes over pairs, `x_pairs` and `y_pairs`: the columns `pair_columns` of x and y.  Its
        output is `out`; where two paths write one block with different channel shapes, `out2` and
        so on are to be added to it.

    Source: Geiger and Smidt, "e3nn: Euclidean neural networks" (2022), eq. 9 and section 4.

    Example:
        >>> vectors = Irreps("8x1o")
        >>> cross = normalised(vectors, vectors, Irreps("8x1e"), [(0, 0, 0, "uuu", False)])
        >>> print(tensor_product(vectors, vectors, Irreps("8x1e"), cross))
        out = form(x, y)
        <BLANKLINE>
        form(x, y, out): 1 path, 6 terms
          x    row  3x8 (1o)
          y    row  3x8 (1o)
          out  row  3x8 (1e)
          out[k,u] += x[i,u] * y[j,u]    6 terms    0: 1o x 1o -> 1e
    """
    return _program(rep_in1, rep_in2, rep_out, tuple(instructions), placement)


def convolution(
    rep_in: Irreps, rep_edge: Irreps, keep: Irreps, weights: str = "row"
) -> tuple[Program, Irreps, tuple[Instruction, ...]]:
    """Gather at the senders, multiply by weights and edge attributes, sum at the receivers.

        out[n, k, u] = Σ_{e -> n} Σ_{ij} C[i, j, k] weight[e, u] x[sender(e), i, u] y[e, j]

    Args:
        rep_in: representation of the nodes.
        rep_edge: representation of the edges.
        keep: the irreps that survive; its multiplicities do not matter.
        weights: `"row"` for weights of each edge, or the name of an index at which they are read.

    Returns:
        The program (inputs `x` at `senders`, `y` and `weight` one row an edge; output `out` at
        `receivers`), the representation of the output with one block a path, and the paths.

    Source: Thomas et al., "Tensor field networks" (2018), section 4.1; the depth-wise form is that
    of Batzner et al., "E(3)-equivariant graph neural networks ..." (2022), eq. 8.

    Example:
        >>> program, rep, paths = convolution(Irreps("8x0e"), Irreps("0e+1o"), Irreps("0e+1o"))
        >>> rep, [operand.name for operand in program.inputs]
        (8x0e+8x1o, ['x', 'y', 'weight'])
    """
    rep_out, lines = channelwise(rep_in, rep_edge, keep)
    paths = normalised(rep_in, rep_edge, rep_out, lines)
    placement = Placement(in1="senders", out="receivers", weight=weights)
    return tensor_product(rep_in, rep_edge, rep_out, paths, placement), rep_out, paths


def pair_columns(
    rep: Irreps, instructions: Sequence[Instruction], side: Literal["in1", "in2"]
) -> Int64[np.ndarray, " columns"]:
    """The columns of an input that the operand `x_pairs` (`y_pairs`) is made of.

    For each block that a mode over pairs reads: for each component, the channels u (for in2: v)
    of all pairs u < v.

    Example:
        >>> rep = Irreps("3x0e")
        >>> square = normalised(rep, rep, rep, [(0, 0, 0, "uvu<v", False)])
        >>> pair_columns(rep, square, "in1"), pair_columns(rep, square, "in2")
        (array([0, 0, 1]), array([1, 2, 2]))
    """
    parts = [np.zeros(0, np.int64)]
    for place in _paired(instructions, side):
        mul, ir = rep[place]
        channels = np.triu_indices(mul, 1)[0 if side == "in1" else 1]
        start = rep.slices()[place].start
        parts.append((start + mul * np.arange(ir.dim)[:, None] + channels).reshape(-1))
    return np.concatenate(parts)


@lru_cache(maxsize=512)
def _program(
    rep_in1: Irreps,
    rep_in2: Irreps,
    rep_out: Irreps,
    instructions: tuple[Instruction, ...],
    placement: Placement,
) -> Program:
    active = [line for line in instructions if 0 not in line.path_shape]
    mode1: Mode = "row" if placement.in1 is None else "indexed"
    inputs = [
        Operand("x", _blocks(rep_in1), mode1, placement.in1),
        Operand("y", _blocks(rep_in2)),
        weight_operand(_weight_blocks(rep_in1, rep_in2, active), placement.weight),
        Operand("x_pairs", _pair_blocks(rep_in1, active, "in1"), mode1, placement.in1),
        Operand("y_pairs", _pair_blocks(rep_in2, active, "in2")),
    ]
    statements = []
    for number, (lines, channels) in enumerate(_by_layout(rep_in1, rep_in2, rep_out, active)):
        blocks = [
            Block(block.components, channels.get(place, block.channels), block.label)
            for place, block in enumerate(_blocks(rep_out))
        ]
        out = Operand(
            "out" if number == 0 else f"out{number + 1}",
            tuple(blocks),
            "row" if placement.out is None else "indexed",
            placement.out,
        )
        paths = tuple(
            _path(rep_in1, rep_in2, rep_out, active, position, out.name) for position in lines
        )
        read = {factor.operand for path in paths for factor in path.factors}
        operands = tuple(operand for operand in inputs if operand.name in read)
        statements.append(Statement(Form((*operands, out), paths), out.name))
    needed = {name for statement in statements for name in statement.sources}
    return Program(
        tuple(operand for operand in inputs if operand.name in needed),
        tuple(statements),
        tuple(statement.target for statement in statements),
    )


def weight_operand(blocks: tuple[Block, ...], where: str) -> Operand:
    """The operand of a product's weights, placed as `Placement.weight` says."""
    if where == "shared" or where == "row":
        return Operand("weight", blocks, where)
    return Operand("weight", blocks, "indexed", where)


def _path(
    rep_in1: Irreps,
    rep_in2: Irreps,
    rep_out: Irreps,
    active: list[Instruction],
    position: int,
    out: str,
) -> Path:
    """One instruction as a path: the coupling's entries, times the path's coefficient."""
    line = active[position]
    ir1, ir2, ir_out = rep_in1[line.i_in1].ir, rep_in2[line.i_in2].ir, rep_out[line.i_out].ir
    lengths = lengths_of(rep_in1, rep_in2, rep_out, line)
    letters = CONNECTIONS[line.connection_mode]
    paired = letters.in1 == "p"
    x = Factor("x", line.i_in1, _kept(letters.in1, lengths))
    y = Factor("y", line.i_in2, _kept(letters.in2, lengths))
    if paired:
        x = Factor("x_pairs", _paired(active, "in1").index(line.i_in1), x.letters)
        y = Factor("y_pairs", _paired(active, "in2").index(line.i_in2), y.letters)
    factors = [x, y]
    components, values = sparse_clebsch_gordan(ir1.l, ir2.l, ir_out.l)
    if line.has_weight:
        block = sum(other.has_weight for other in active[:position])
        factors.append(Factor("weight", block, _kept(letters.weight, lengths)))
        components = np.insert(components, 2, 0, axis=1)
    factors.append(Factor(out, line.i_out, _kept(letters.out, lengths)))
    label = f"{position}: {ir1} x {ir2} -> {ir_out}"
    return Path(tuple(factors), components, line.path_weight * values, label)


def _by_layout(
    rep_in1: Irreps, rep_in2: Irreps, rep_out: Irreps, active: list[Instruction]
) -> list[tuple[list[int], dict[int, tuple[int, ...]]]]:
    """Paths grouped so that each group writes every output block with one channel shape."""
    groups: list[tuple[list[int], dict[int, tuple[int, ...]]]] = []
    for position, line in enumerate(active):
        lengths = lengths_of(rep_in1, rep_in2, rep_out, line)
        letters = _kept(CONNECTIONS[line.connection_mode].out, lengths)
        channels = tuple(lengths[c] for c in letters)
        for lines, layout in groups:
            if layout.setdefault(line.i_out, channels) == channels:
                lines.append(position)
                break
        else:
            groups.append(([position], {line.i_out: channels}))
    return groups


def _blocks(rep: Irreps) -> tuple[Block, ...]:
    """The blocks of a representation; a single copy has no channel axis and broadcasts."""
    return tuple(Block(ir.dim, () if mul == 1 else (mul,), str(ir)) for mul, ir in rep)


def _weight_blocks(
    rep_in1: Irreps, rep_in2: Irreps, active: list[Instruction]
) -> tuple[Block, ...]:
    blocks = []
    for line in active:
        if line.has_weight:
            channels = tuple(length for length in line.path_shape if length != 1)
            blocks.append(
                Block(1, channels, f"{rep_in1[line.i_in1].ir} x {rep_in2[line.i_in2].ir}")
            )
    return tuple(blocks)


def _pair_blocks(
    rep: Irreps, active: list[Instruction], side: Literal["in1", "in2"]
) -> tuple[Block, ...]:
    blocks = []
    for place in _paired(active, side):
        mul, ir = rep[place]
        pairs = mul * (mul - 1) // 2
        blocks.append(Block(ir.dim, () if pairs == 1 else (pairs,), str(ir)))
    return tuple(blocks)


def _paired(instructions: Sequence[Instruction], side: Literal["in1", "in2"]) -> list[int]:
    """The terms of an input that a mode over pairs reads, each once."""
    places = [
        line.i_in1 if side == "in1" else line.i_in2
        for line in instructions
        if CONNECTIONS[line.connection_mode].in1 == "p" and 0 not in line.path_shape
    ]
    return list(dict.fromkeys(places))


def _kept(letters: str, lengths: dict[str, int]) -> str:
    """The letters of more than one channel; the others have no axis."""
    return "".join(c for c in letters if lengths[c] != 1)
