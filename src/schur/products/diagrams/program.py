"""Diagrams as programs: contract the input, mix channels, copy to the output.

A diagram factors through its blocks. The blocks within the input are summed (contract), what is
left are the values of the through blocks (mix), and each is written wherever the output's blocks
put it (copy). The first costs at most n^k, the second at most n^min(k, l), the third at most n^l.
Diagrams that agree within the input share the first step, those that agree within the output the
last; the channels are mixed in the middle, where tensors are smallest.

A determinant is taken apart in the same way: its legs within the input are contracted against the
sign of their order, which leaves one number for each *set* of values, and a set and its complement
are coupled by one sign. That is the expansion of Laplace, with n! / (n - a)! terms for a legs
in place of n!.

Source: Pearce-Crump, "An algorithm for computing with Brauer's group equivariant neural network
layers", https://arxiv.org/abs/2304.14165.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import comb

import numpy as np

from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement
from schur.groups.permutation_group import sign
from schur.products.diagrams.diagram import Diagram
from schur.products.diagrams.matrices import check_reading, matrix

Terms = tuple[np.ndarray, np.ndarray]  # components (terms, 2) and coefficients (terms,)


@dataclass(frozen=True, order=True)
class Side:
    """What a diagram does within its input, or within its output.

    Args:
        order: number of indices.
        through: for each block with a vertex on the other side its indices on this one.
        legs: the blocks within this side that the determinant reads.
        rest: the other blocks within this side.
    """

    order: int
    through: tuple[tuple[int, ...], ...]
    legs: tuple[tuple[int, ...], ...]
    rest: tuple[tuple[int, ...], ...]

    @property
    def is_trivial(self) -> bool:
        """Whether the values are the tensor itself."""
        return self.through == tuple((i,) for i in range(self.order))

    def size(self, n: int) -> int:
        """How many values there are: indices of through blocks, times sets of legs' values."""
        return n ** len(self.through) * comb(n, len(self.legs))

    def terms(self, n: int, symplectic: bool) -> Terms:
        """Which entry of the tensor goes with which value, and with which coefficient."""
        blocks = [*self.through, *self.legs, *self.rest]
        values = np.indices((n,) * len(blocks)).reshape(len(blocks), n ** len(blocks))
        coefficients = np.ones(values.shape[1])
        entry = np.zeros(values.shape[1], np.int64)
        for block, value in zip(blocks, values, strict=True):
            for place, vertex in enumerate(block):
                paired = symplectic and place == 1 and block in self.rest
                entry += (value ^ 1 if paired else value) * n ** (self.order - 1 - vertex)
            if symplectic and block in self.rest:
                coefficients *= 1 - 2 * (value % 2)  # ω[i, i ^ 1]
        first = len(self.through)
        number = np.zeros(values.shape[1], np.int64)
        for value in values[:first]:
            number = number * n + value
        if self.legs:
            ranks, signs = _sets(values[first : first + len(self.legs)], n)
            number = number * comb(n, len(self.legs)) + ranks
            coefficients = coefficients * signs
        keep = coefficients != 0
        return np.stack([entry, number], 1)[keep], coefficients[keep]


def _sets(values: np.ndarray, n: int) -> Terms:
    """For each column of values the rank of its set, and the sign of its order; 0 if two agree."""
    ranks = {chosen: rank for rank, chosen in enumerate(combinations(range(n), len(values)))}
    columns = [tuple(column) for column in values.T.tolist()]
    rank = [ranks.get(tuple(sorted(column)), 0) for column in columns]
    signs = [sign([sorted(c).index(v) for v in c]) if len(set(c)) == len(c) else 0 for c in columns]
    return np.array(rank, np.int64), np.array(signs, np.float64)


def sides(diagram: Diagram) -> tuple[Side, Side]:
    """The output's and the input's side of a diagram."""
    rows = (range(diagram.l), range(diagram.l, diagram.l + diagram.k))
    found = []
    for row in rows:
        kinds: tuple[list[tuple[int, ...]], ...] = ([], [], [])
        for block in diagram.blocks:
            here = tuple(v - row.start for v in block if v in row)
            if here:
                kind = 0 if len(here) < len(block) else 1 if block[0] in diagram.legs else 2
                kinds[kind].append(here)
        through, legs, rest = (tuple(sorted(kind)) for kind in kinds)
        found.append(Side(len(row), through, legs, rest))
    return found[0], found[1]


def couplings(diagram: Diagram, n: int) -> Terms:
    """Which value of the input's side goes to which of the output's, and with which sign."""
    above, below = sides(diagram)
    through = [b for b in diagram.blocks if b[0] < diagram.l <= b[-1]]
    # The blocks come in the order of their output vertices; the input's side has its own.
    shifted = [tuple(v - diagram.l for v in b if v >= diagram.l) for b in through]
    order = [shifted.index(block) for block in below.through]
    components, coefficients = [], []
    for values in product(range(n), repeat=len(through)):
        one, other = 0, 0
        for value in values:
            one = one * n + value
        for place in order:
            other = other * n + values[place]
        known = {b[0]: v for b, v in zip(through, values, strict=True) if b[0] in diagram.legs}
        for rank_above, rank_below, factor in _signs(diagram, known, above, below, n):
            components.append(
                [
                    other * comb(n, len(below.legs)) + rank_below,
                    one * comb(n, len(above.legs)) + rank_above,
                ]
            )
            coefficients.append(factor)
    return np.array(components, np.int64).reshape(-1, 2), np.array(coefficients, np.float64)


def _signs(
    diagram: Diagram, known: dict[int, int], above: Side, below: Side, n: int
) -> Iterator[tuple[int, int, int]]:
    """The determinant on sets of values: their ranks and the sign, where the through legs have
    the values `known`."""
    if not diagram.legs:
        yield 0, 0, 1
        return
    if len(set(known.values())) < len(known):
        return
    free = [v for v in range(n) if v not in known.values()]
    upper = list(combinations(range(n), len(above.legs)))
    lower = {chosen: rank for rank, chosen in enumerate(combinations(range(n), len(below.legs)))}
    for rank, chosen in enumerate(upper):
        rest = [v for v in free if v not in chosen]
        if len(rest) + len(chosen) > len(free):
            continue  # a value that a through leg has
        for other in combinations(rest, len(below.legs)):
            ascending = {True: iter(chosen), False: iter(other)}
            arrangement = [
                known[leg] if leg in known else next(ascending[leg < diagram.l])
                for leg in diagram.legs
            ]
            arrangement += [v for v in range(n) if v not in arrangement]
            yield rank, lower[other], sign(arrangement)


def diagram_form(diagram: Diagram, n: int, channels: int = 1, symplectic: bool = False) -> Form:
    """The bilinear form out · D x with one term for each entry of the matrix that is not zero.

    Example:
        >>> print(diagram_form(Diagram(2, 0, [[0, 1]]), 3))
        form(x, out): 1 path, 3 terms
          x    row  9x1
          out  row  1x1
          out[u] += x[i,u]    3 terms
    """
    dense = matrix(diagram, n, symplectic)
    x = Operand("x", (Block(n**diagram.k, (channels,)),))
    out = Operand("out", (Block(n**diagram.l, (channels,)),))
    factors = (Factor("out", 0, "u"), Factor("x", 0, "u"))
    return Form((x, out), (Path.dense(factors, dense),))


def diagram_program(
    diagram: Diagram, n: int, channels: int = 1, symplectic: bool = False
) -> Program:
    """The same map as contract, permute and copy, in n^max(k, l) terms at most.

    Example:
        >>> from schur.forms import cost
        >>> worst = Diagram(3, 3, [[v] for v in range(6)])
        >>> print(cost(diagram_program(worst, 10), {"rows": 1}))
        2,001 operations, 1,000 numbers in, 1,000 out
        >>> print(cost(diagram_form(worst, 10).open("out"), {"rows": 1}))
        1,000,000 operations, 1,000 numbers in, 1,000 out
    """
    return _assembled([diagram], [], n, (diagram.k, diagram.l), (channels, channels), symplectic)


def linear_program(
    diagrams: Sequence[Diagram],
    biases: Sequence[Diagram],
    n: int,
    orders: tuple[int, int],
    channels: tuple[int, int],
    symplectic: bool = False,
) -> Program:
    """out[:, w] = Σ_d D_d Σ_u weight[d, u, w] x[:, u]  +  Σ_b bias[b, w] B_b.

    Args:
        diagrams: the D_d, from order k to order l.
        biases: the B_b, from order 0 to order l.
        n: dimension of the space.
        orders: k and l.
        channels: numbers of channels of the input and of the output.
        symplectic: as in `matrix`.

    Returns:
        A program of inputs `x`, `weight` (one block a diagram; absent without diagrams), `bias`
        (likewise) and output `out`.
    """
    return _assembled(diagrams, biases, n, orders, channels, symplectic, weighted=True)


def _assembled(
    diagrams: Sequence[Diagram],
    biases: Sequence[Diagram],
    n: int,
    orders: tuple[int, int],
    channels: tuple[int, int],
    symplectic: bool,
    weighted: bool = False,
) -> Program:
    width_in, width_out = channels
    for diagram in (*diagrams, *biases):
        check_reading(diagram, n, symplectic)
    x = Operand("x", (Block(n ** orders[0], (width_in,)),))
    out = Operand("out", (Block(n ** orders[1], (width_out,)),))
    weight = Operand("weight", (Block(1, (width_in, width_out)),) * len(diagrams), "shared")
    bias = Operand("bias", (Block(1, (width_out,)),) * len(biases), "shared")
    read: dict[Side, Operand] = {}
    written: dict[Side, Operand] = {}
    paths: dict[Side, list[Path]] = {}
    for number, diagram in enumerate((*diagrams, *biases)):
        above, below = sides(diagram)
        terms, coefficients = couplings(diagram, n)
        if above not in written:
            named = Operand(f"z{len(written)}", (Block(above.size(n), (width_out,)),))
            written[above] = out if above.is_trivial else named
        target = Factor(written[above].name, 0, "w" if weighted else "u")
        if number >= len(diagrams):
            factors = [Factor("bias", number - len(diagrams), "w"), target]
            terms = np.column_stack([np.zeros(len(terms), np.int64), terms[:, 1]])
        else:
            if below not in read:
                named = Operand(f"y{len(read)}", (Block(below.size(n), (width_in,)),))
                read[below] = x if below.is_trivial else named
            factors = [Factor(read[below].name, 0, "u"), target]
            if weighted:
                factors.insert(1, Factor("weight", number, "uw"))
                terms = np.column_stack([terms[:, 0], np.zeros(len(terms), np.int64), terms[:, 1]])
        paths.setdefault(above, []).append(Path(factors, terms, coefficients))
    statements = [
        _between(x, value, side.terms(n, symplectic), swap=False)
        for side, value in read.items()
        if value is not x
    ]
    everything = {o.name: o for o in (*read.values(), *written.values(), weight, bias)}
    for side, value in written.items():
        used = dict.fromkeys(f.operand for path in paths[side] for f in path.factors)
        form = Form(tuple(everything[name] for name in used), tuple(paths[side]))
        statements.append(Statement(form, value.name))
    statements += [
        _between(out, value, side.terms(n, symplectic), swap=True)
        for side, value in written.items()
        if value is not out
    ]
    inputs = [x]
    inputs += [weight] if weighted and diagrams else []
    inputs += [bias] if biases else []
    return Program(tuple(inputs), tuple(statements), ("out",))


def _between(tensor: Operand, value: Operand, terms: Terms, swap: bool) -> Statement:
    """Contract the tensor to the value or, swapped, copy the value to the tensor."""
    factors = (Factor(tensor.name, 0, "u"), Factor(value.name, 0, "u"))
    form = Form((tensor, value), (Path(factors, *terms),))
    return Statement(form, tensor.name if swap else value.name)
