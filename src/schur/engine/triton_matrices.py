"""Paths that mix channels by a matrix which all rows share: what matrix units are for.

Such a path multiplies numbers of rows with one letter each, u and w or u, v and w, by a matrix that
has all of these letters; where v has one channel it has no letter.  Whichever factor is the target,
rows are taken in blocks, and of the letters the two longest become the sides of matrix products:

    across   out[r, t] = Σ_oa P[r, a] M[a, o, t]           P = Σ terms of the other rows, for each o
    inner    out[r, o] = Σ_a A[r, a] (Σ_b B[r, b] M[b, o, a])
    outer    M[a, o, t] = Σ_r P[r, a] T[r, t]

The derivative of such a path is another one, so that this serves derivatives of every order.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from schur.engine.schedule import Pass
from schur.engine.triton_layers import Layers
from schur.forms import Form, Path, Program, Statement

# Matrices with a shorter side are multiplied number by number.
SHORTEST = 8
# Blocks that are multiplied in one kernel: more would not fit into its registers.
_PRODUCTS = 10
Kind = Literal["across", "inner", "outer"]


@dataclass(frozen=True)
class Slot:
    """One factor of a path.

    Args:
        operand: whose block it is.
        offset: where the block begins within a line.
        letters, extents: of its channels.
    """

    operand: str
    offset: int
    letters: str
    extents: tuple[int, ...]

    def place(self, component: int) -> int:
        """Where a component begins within a line."""
        return self.offset + component * prod(self.extents)

    def stride(self, letter: str) -> int:
        """How far apart the numbers of a letter lie."""
        return prod(self.extents[self.letters.index(letter) + 1 :])


@dataclass(frozen=True)
class MatrixPath:
    """A path, with its factors in their parts.

    Args:
        kind: which of the three it is.
        matrix: the factor that has all letters.
        by: the other factors by their letter.
        loop: the letter o, which is enumerated; empty where that factor has but one channel, and
            None where there is no such factor.
        across: the letter of the left side, summed over but in an `outer` path.
        along: the letter of the right side.
        terms: component of the matrix, components by letter in the order of `by`, coefficient.
    """

    kind: Kind
    matrix: Slot
    by: dict[str, Slot]
    loop: str | None
    across: str
    along: str
    terms: tuple[tuple[int, tuple[int, ...], float], ...]

    def used(self, letter: str) -> list[int]:
        """The components that are read, or made, of the factor with a letter."""
        place = list(self.by).index(letter)
        return sorted({parts[place] for _, parts, _ in self.terms})

    def made(self, operand: str) -> str:
        """The letter of an operand."""
        return next(letter for letter, slot in self.by.items() if slot.operand == operand)

    @property
    def products(self) -> int:
        """How many blocks are multiplied for one of the matrix."""
        letter = self.across if self.kind == "inner" else self.along
        place = list(self.by).index(letter)
        return len({(m, parts[place]) for m, parts, _ in self.terms})

    def extent(self, letter: str | None) -> int:
        """Of a letter; one where there is none."""
        return 1 if not letter else self.matrix.extents[self.matrix.letters.index(letter)]


@dataclass(frozen=True)
class MatrixProduct:
    """What one kernel makes: a block of the target, from all paths that add to it likewise."""

    kind: Kind
    target: Slot
    paths: tuple[MatrixPath, ...]

    @property
    def components(self) -> list[int]:
        """Those of the target that are made."""
        if self.kind == "outer":
            return sorted({m for path in self.paths for m, _, _ in path.terms})
        return sorted({k for path in self.paths for k in path.used(path.made(self.target.operand))})

    def axes(self) -> tuple[int, int]:
        """Which axes of a matrix that is made are its left and its right side."""
        path = self.paths[0]
        letters = path.matrix.letters
        return letters.index(path.across), letters.index(path.along)


def extracted(
    program: Program, work: Pass, layers: Layers
) -> tuple[Pass, list[list[MatrixProduct]]]:
    """A pass without the paths that matrix units take, and those as products.

    No block is made by two products of one list.
    """
    if work.lanes:
        return work, []
    kept: list[Statement] = []
    found: dict[tuple[object, ...], list[MatrixPath]] = {}
    inlined = {layer.value for layer in layers.inlined}
    for statement in work.statements:
        rest: list[Path] = []
        free = not layers.of(statement.target) and not inlined & set(statement.sources)
        for path in statement.form.paths:
            made = _matrix_path(program, statement, path) if free else None
            if made is None:
                rest.append(path)
            else:
                target = _target(made, statement.target)
                axes = MatrixProduct(made.kind, target, (made,)).axes()
                key = (target.operand, target.offset, made.kind)
                found.setdefault((*key, axes) if made.kind == "outer" else key, []).append(made)
        if rest or not statement.form.paths:
            whole = len(rest) == len(statement.form.paths)
            form = statement.form if whole else Form(statement.form.operands, tuple(rest))
            kept.append(Statement(form, statement.target))
    rounds: list[list[MatrixProduct]] = []
    for key, paths in ((key, some) for key, every in found.items() for some in _cut(every)):
        product = MatrixProduct(paths[0].kind, _target(paths[0], str(key[0])), tuple(paths))
        for made in rounds:
            others = {(each.target.operand, each.target.offset) for each in made}
            if made[0].kind == product.kind and key[:2] not in others:
                made.append(product)
                break
        else:
            rounds.append([product])
    return Pass(work.walk, tuple(kept), work.lanes), rounds


def _cut(paths: list[MatrixPath]) -> list[list[MatrixPath]]:
    """Paths to one block, as many in a kernel as it takes."""
    parts: list[list[MatrixPath]] = []
    for path in paths:
        if parts and sum(each.products for each in [*parts[-1], path]) <= _PRODUCTS:
            parts[-1].append(path)
        else:
            parts.append([path])
    return parts


def _target(path: MatrixPath, name: str) -> Slot:
    return next(slot for slot in (path.matrix, *path.by.values()) if slot.operand == name)


def _matrix_path(program: Program, statement: Statement, path: Path) -> MatrixPath | None:
    """The path in its parts, if matrix units can take it."""
    slots = []
    for factor in path.factors:
        operand = program.values[factor.operand]
        block = operand.blocks[factor.block]
        slots.append(
            Slot(operand.name, operand.offsets[factor.block], factor.letters, block.channels)
        )
    longest = max(range(len(slots)), key=lambda k: len(slots[k].letters), default=0)
    rows = [slot for k, slot in enumerate(slots) if k != longest]
    if not (len(rows) in (2, 3) and all(len(slot.letters) <= 1 for slot in rows)):
        return None
    matrix, by = slots[longest], {slot.letters: slot for slot in rows}
    alike = len(by) == len(rows) and sorted(filter(None, by)) == sorted(matrix.letters)
    sides = len(matrix.letters) - (len(rows) == 3 and "" not in by)
    if not alike or sides != 2 or program.values[matrix.operand].mode != "shared":
        return None
    target = program.values[statement.target]
    if target.mode != ("shared" if target.name == matrix.operand else "row"):
        return None  # sums at an index are made number by number
    extent = dict(zip(matrix.letters, matrix.extents, strict=True))
    made = next((k for k, slot in by.items() if slot.operand == target.name), None)
    loop = "" if "" in by else None
    if loop is None and len(rows) == 3:  # the shortest, of equal ones not the target's
        loop = min(extent, key=lambda letter: (extent[letter], letter == made))
    sides = [letter for letter in matrix.letters if letter != loop]
    if min(extent[letter] for letter in sides) < SHORTEST or 0 in extent.values():
        return None
    kind: Kind = "outer" if made is None else "inner" if made == loop else "across"
    if kind == "across" and sides[0] == made:
        sides.reverse()
    places = {slot: k for k, slot in enumerate(slots)}
    order = [places[slot] for slot in by.values()]
    terms = tuple(
        (int(row[longest]), tuple(int(row[k]) for k in order), float(scale))
        for row, scale in zip(path.components, path.coefficients, strict=True)
    )
    return MatrixPath(kind, matrix, by, loop, sides[0], sides[1], terms)
