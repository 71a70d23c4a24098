"""A map taken apart at its middle: contract the input, mix channels, copy to the output.

A diagram factors through its blocks. The blocks within the input are summed (contract), what is
left are the values of the through blocks (mix), and each is written wherever the output's blocks
put it (copy). The first costs at most n^k, the second at most n^min(k, l), the third at most n^l.

A determinant is taken apart in the same way: its legs within the input are contracted against the
sign of their order, which leaves one number for each *set* of values, and a set and its complement
are coupled by one sign. That is the expansion of Laplace, with n! / (n - a)! terms for a legs
in place of n!.

Source: Pearce-Crump, "An algorithm for computing with Brauer's group equivariant neural network
layers", https://arxiv.org/abs/2304.14165.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from math import comb, prod

import numpy as np
from jaxtyping import Float

from schur.groups.permutation_group import sign
from schur.products.diagrams.diagram import Diagram
from schur.products.diagrams.matrices import check_reading

Terms = tuple[np.ndarray, np.ndarray]  # components (terms, 2) and coefficients (terms,)


class Part(ABC):
    """What a map does within its input, or within its output. Equal parts are done once."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many values there are between this part and the other one."""

    @property
    @abstractmethod
    def is_trivial(self) -> bool:
        """Whether the values are the tensor itself."""

    @abstractmethod
    def terms(self) -> Terms:
        """Which entry of the tensor goes with which value, and with which coefficient."""


@dataclass(frozen=True, eq=False)
class Factoring:
    """A map as below, couplings, above.

    Args:
        above, below: what it does within its output and within its input.
        couplings: which value of `below` goes to which of `above`, and with which coefficient.
    """

    above: Part
    below: Part
    couplings: Terms

    def dense(self, rows: int, columns: int) -> Float[np.ndarray, "{rows} {columns}"]:
        """The matrix of the map."""
        out, read = np.zeros((rows, self.above.size)), np.zeros((columns, self.below.size))
        middle = np.zeros((self.above.size, self.below.size))
        for target, (components, coefficients) in (
            (out, self.above.terms()),
            (read, self.below.terms()),
            (middle.T, self.couplings),
        ):
            np.add.at(target, tuple(components.T), coefficients)
        return out @ middle @ read.T


@dataclass(frozen=True)
class Side(Part):
    """One row of a diagram.

    Args:
        n: dimension of the space.
        symplectic: as in `matrix`.
        order: number of indices.
        through: for each block with a vertex on the other side its indices on this one.
        legs: the blocks within this side that the determinant reads.
        rest: the other blocks within this side.
    """

    n: int
    symplectic: bool
    order: int
    through: tuple[tuple[int, ...], ...]
    legs: tuple[tuple[int, ...], ...]
    rest: tuple[tuple[int, ...], ...]

    @property
    def is_trivial(self) -> bool:
        return self.through == tuple((i,) for i in range(self.order))

    @property
    def size(self) -> int:
        """Indices of through blocks, times sets of legs' values."""
        return self.n ** len(self.through) * comb(self.n, len(self.legs))

    def terms(self) -> Terms:
        n, blocks = self.n, [*self.through, *self.legs, *self.rest]
        values = np.indices((n,) * len(blocks)).reshape(len(blocks), n ** len(blocks))
        coefficients = np.ones(values.shape[1])
        entry = np.zeros(values.shape[1], np.int64)
        for block, value in zip(blocks, values, strict=True):
            for place, vertex in enumerate(block):
                paired = self.symplectic and place == 1 and block in self.rest
                entry += (value ^ 1 if paired else value) * n ** (self.order - 1 - vertex)
            if self.symplectic and block in self.rest:
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


@dataclass(frozen=True)
class Whole(Part):
    """A tensor of `size` numbers as it is."""

    numbers: int

    @property
    def is_trivial(self) -> bool:
        return True

    @property
    def size(self) -> int:
        return self.numbers

    def terms(self) -> Terms:
        every = np.arange(self.numbers)
        return np.stack([every, every], 1), np.ones(self.numbers)


@dataclass(frozen=True)
class Placed:
    """A part of a power of R^n that lies at some axes of a larger tensor.

    Args:
        part: what is done there.
        n: dimension of the space.
        axes: which axes of the larger tensor, in the order of the part's indices.
        offset: where the part's indices start on each of them.
    """

    part: Part
    n: int
    axes: tuple[int, ...]
    offset: int


@dataclass(frozen=True)
class Joined(Part):
    """Parts side by side on the axes of one tensor; the last one's values run fastest.

    Args:
        shape: extents of the tensor's axes.
        placed: the parts; together they have each axis once.
    """

    shape: tuple[int, ...]
    placed: tuple[Placed, ...]

    @property
    def size(self) -> int:
        return prod(one.part.size for one in self.placed)

    @property
    def is_trivial(self) -> bool:
        axes = [axis for one in self.placed for axis in one.axes]
        filled = all(self.shape[axis] == one.n for one in self.placed for axis in one.axes)
        return filled and axes == sorted(axes) and all(one.part.is_trivial for one in self.placed)

    def terms(self) -> Terms:
        strides = np.cumprod([1, *reversed(self.shape[1:])])[::-1]
        total: Terms = np.zeros((1, 2), np.int64), np.ones(1)
        for one in self.placed:
            components, coefficients = one.part.terms()
            entry, rest = np.zeros(len(components), np.int64), components[:, 0]
            for axis in reversed(one.axes):
                entry += (rest % one.n + one.offset) * strides[axis]
                rest = rest // one.n
            total = side_by_side(
                total, (np.stack([entry, components[:, 1]], 1), coefficients), (1, one.part.size)
            )
        return total


def side_by_side(first: Terms, second: Terms, extents: tuple[int, int]) -> Terms:
    """Each of the one with each of the other; components count on in steps of `extents`."""
    components = first[0][:, None] * np.array(extents) + second[0][None]
    return components.reshape(-1, 2), np.multiply.outer(first[1], second[1]).reshape(-1)


def factoring(diagram: Diagram, n: int, symplectic: bool = False) -> Factoring:
    """A diagram taken apart.

    Raises:
        RepresentationError: as `matrix` says.
    """
    check_reading(diagram, n, symplectic)
    above, below = _sides(diagram, n, symplectic)
    return Factoring(above, below, _couplings(diagram, n, above, below))


def _sets(values: np.ndarray, n: int) -> Terms:
    """For each column of values the rank of its set, and the sign of its order; 0 if two agree."""
    ranks = {chosen: rank for rank, chosen in enumerate(combinations(range(n), len(values)))}
    columns = [tuple(column) for column in values.T.tolist()]
    rank = [ranks.get(tuple(sorted(column)), 0) for column in columns]
    signs = [sign([sorted(c).index(v) for v in c]) if len(set(c)) == len(c) else 0 for c in columns]
    return np.array(rank, np.int64), np.array(signs, np.float64)


def _sides(diagram: Diagram, n: int, symplectic: bool) -> tuple[Side, Side]:
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
        found.append(Side(n, symplectic, len(row), through, legs, rest))
    return found[0], found[1]


def _couplings(diagram: Diagram, n: int, above: Side, below: Side) -> Terms:
    """Which value of the input's side goes to which of the output's, and with which sign."""
    through = [b for b in diagram.blocks if b[0] < diagram.l <= b[-1]]
    # The blocks come in the order of their output vertices; the input's side has its own.
    shifted = [tuple(v - diagram.l for v in b if v >= diagram.l) for b in through]
    order = [shifted.index(block) for block in below.through]
    if not diagram.legs:
        values = np.indices((n,) * len(through)).reshape(len(through), n ** len(through))
        one = np.arange(n ** len(through))
        other = np.zeros_like(one)
        for place in order:
            other = other * n + values[place]
        return np.stack([other, one], 1), np.ones(len(one))
    components, coefficients = [], []
    for values in product(range(n), repeat=len(through)):
        one, other = 0, 0
        for value in values:
            one = one * n + value
        for place in order:
            other = other * n + values[place]
        known = {b[0]: v for b, v in zip(through, values, strict=True) if b[0] in diagram.legs}
        for rank_above, rank_below, factor in _signs(diagram, known, above, below):
            components.append(
                [
                    other * comb(n, len(below.legs)) + rank_below,
                    one * comb(n, len(above.legs)) + rank_above,
                ]
            )
            coefficients.append(factor)
    return np.array(components, np.int64).reshape(-1, 2), np.array(coefficients, np.float64)


def _signs(
    diagram: Diagram, known: dict[int, int], above: Side, below: Side
) -> Iterator[tuple[int, int, int]]:
    """The determinant on sets of values: their ranks and the sign, where the through legs have
    the values `known`."""
    if len(set(known.values())) < len(known):
        return
    n = above.n
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
