"""The form: an invariant multilinear function of blocks of components and channels.

    F(v_1, ..., v_n)
        = sum_rows sum_terms c_term * prod_k v_k[index_k(row), component_k(term), channels_k]

A form says what is computed and nothing of how: it knows no group, no backend and no layout other
than the one of `Block`.  Everything else in the library is made of forms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Float64, Int64

from schur.errors import FormError

if TYPE_CHECKING:
    from schur.forms.program import Program

Mode = Literal["shared", "row", "indexed"]


@dataclass(frozen=True)
class Block:
    """A rectangle of numbers inside a row: `components` times the product of `channels`.

    In memory components come first and channels last, contiguous: entry (m, u) of a block with
    `channels=(U,)` lies at `m * U + u` from the block's start.

    Example:
        >>> Block(3, (64,), "1o").size
        192
    """

    components: int
    channels: tuple[int, ...] = ()
    label: str = ""

    def __post_init__(self) -> None:
        if self.components < 1 or any(extent < 0 for extent in self.channels):
            raise FormError(
                "a block needs at least one component and no negative channel extent",
                got=(self.components, self.channels),
                expected="components >= 1, channels >= 0",
            )

    @property
    def size(self) -> int:
        """How many numbers the block holds."""
        return self.components * prod(self.channels)


@dataclass(frozen=True)
class Operand:
    """A named array that a form reads, or, when its slot is open, writes.

    Args:
        name: unique within a form or program.
        blocks: the blocks of one row, in order of memory.
        mode: `"shared"` (one row for all: weights), `"row"` (one for each row: an edge, a batch
            entry) or `"indexed"` (a table read at `index[row]`; as open slot it is the sum over
            the rows that point to an entry).
        index: name of the index array of an indexed operand.
    """

    name: str
    blocks: tuple[Block, ...]
    mode: Mode = "row"
    index: str | None = None

    def __post_init__(self) -> None:
        if (self.mode == "indexed") != (self.index is not None):
            raise FormError(
                f"operand {self.name!r}: an index name goes with mode 'indexed' and with no other",
                got=f"mode={self.mode!r}, index={self.index!r}",
                expected="mode='indexed' with index='name', or another mode with index=None",
            )

    @cached_property
    def offsets(self) -> tuple[int, ...]:
        """Where each block starts within a row."""
        starts = [0]
        for block in self.blocks:
            starts.append(starts[-1] + block.size)
        return tuple(starts[:-1])

    @cached_property
    def size(self) -> int:
        """How many numbers one row holds."""
        return sum(block.size for block in self.blocks)

    def renamed(self, name: str) -> Operand:
        """The same layout and mode under another name."""
        return Operand(name, self.blocks, self.mode, self.index)


@dataclass(frozen=True, order=True)
class Factor:
    """One factor of a path's product: which block of which operand, with which channel letters."""

    operand: str
    block: int = 0
    letters: str = ""


@dataclass(frozen=True, eq=False, init=False)
class Path:
    """Terms that share their blocks and channel letters.

    Args:
        factors: what is multiplied.  An operand may occur more than once.
        components: for each term the component that each factor reads, shape (terms, factors).
        coefficients: for each term its coefficient, shape (terms,).
        label: how a reader would name the path; paths of one label are scheduled together.
    """

    factors: tuple[Factor, ...]
    components: Int64[np.ndarray, "terms factors"]
    coefficients: Float64[np.ndarray, " terms"]
    label: str = ""

    def __init__(
        self,
        factors: Sequence[Factor],
        components: np.ndarray | Sequence[Sequence[int]],
        coefficients: np.ndarray | Sequence[float],
        label: str = "",
    ) -> None:
        given = np.array(components).reshape(-1, len(factors))
        if given.size and given.dtype.kind not in "iu":
            raise FormError("a path's components must be integers", got=given.dtype)
        components = given.astype(np.int64)
        coefficients = np.array(coefficients, dtype=np.float64).reshape(-1)
        if len(components) != len(coefficients):
            raise FormError(
                "a path needs one coefficient for each term",
                got=f"{len(components)} terms and {len(coefficients)} coefficients",
            )
        if not np.all(np.isfinite(coefficients)):
            raise FormError("a path's coefficients must be finite", got=coefficients)
        components.flags.writeable = False
        coefficients.flags.writeable = False
        object.__setattr__(self, "factors", tuple(factors))
        object.__setattr__(self, "label", label)
        object.__setattr__(self, "components", components)
        object.__setattr__(self, "coefficients", coefficients)

    @classmethod
    def dense(
        cls, factors: Sequence[Factor], tensor: Float64[np.ndarray, "..."], label: str = ""
    ) -> Path:
        """The path with the coefficients `tensor`, one axis for each factor; zeros dropped."""
        components = np.argwhere(tensor)
        return cls(tuple(factors), components, tensor[tuple(components.T)], label)

    @property
    def letters(self) -> str:
        """The distinct channel letters, in order of appearance."""
        return "".join(dict.fromkeys("".join(factor.letters for factor in self.factors)))

    def positions(self, operand: str) -> tuple[int, ...]:
        """Where the operand occurs among the factors."""
        return tuple(k for k, factor in enumerate(self.factors) if factor.operand == operand)

    def simplified(self) -> Path:
        """Factors in canonical order, equal terms added up, zero terms dropped."""
        order = sorted(range(len(self.factors)), key=lambda k: self.factors[k])
        factors = tuple(self.factors[k] for k in order)
        components = self.components[:, order]
        start = 0
        while start < len(factors):  # equal factors commute: sort their components in each term
            stop = start + factors.count(factors[start])
            components[:, start:stop] = np.sort(components[:, start:stop], axis=1)
            start = stop
        distinct, group = np.unique(components, axis=0, return_inverse=True)
        coefficients = np.zeros(len(distinct))
        np.add.at(coefficients, group.reshape(-1), self.coefficients)
        keep = coefficients != 0
        return Path(factors, distinct[keep], coefficients[keep], self.label)


@dataclass(frozen=True, eq=False)
class Form:
    """A sum of paths over named operands.

    Raises:
        FormError: if a path names an operand, block or component that is not there, if a letter
            has two extents, or if the letters of a factor do not fit its block.

    Example:
        >>> vector = Block(3, (8,), "1o")
        >>> dot = Form(
        ...     (Operand("x", (vector,)), Operand("y", (vector,)),
        ...      Operand("out", (Block(1, (8,)),))),
        ...     (Path((Factor("x", 0, "u"), Factor("y", 0, "u"), Factor("out", 0, "u")),
        ...           np.array([[0, 0, 0], [1, 1, 0], [2, 2, 0]]), np.ones(3)),),
        ... )
        >>> print(dot.open("out"))
        out = form(x, y)
        <BLANKLINE>
        form(x, y, out): 1 path, 3 terms
          x    row  3x8 (1o)
          y    row  3x8 (1o)
          out  row  1x8
          out[u] += x[i,u] * y[j,u]    3 terms
    """

    operands: tuple[Operand, ...]
    paths: tuple[Path, ...]

    def __post_init__(self) -> None:
        names = [operand.name for operand in self.operands]
        if len(set(names)) != len(names):
            raise FormError("operand names must differ", got=names)
        for path in self.paths:
            self._check_path(path)

    def _check_path(self, path: Path) -> None:
        by_name = self.by_name
        extents: dict[str, int] = {}
        for k, factor in enumerate(path.factors):
            operand = by_name.get(factor.operand)
            if operand is None or not 0 <= factor.block < len(operand.blocks):
                raise FormError(
                    "a path names a block that is not there",
                    got=factor,
                    expected={name: f"{len(o.blocks)} blocks" for name, o in by_name.items()},
                )
            block = operand.blocks[factor.block]
            if len(factor.letters) != len(block.channels) or len(set(factor.letters)) != len(
                factor.letters
            ):
                raise FormError(
                    "a factor needs one letter, each once, for each channel axis of its block",
                    got=factor,
                    expected=f"{len(block.channels)} distinct letters",
                )
            if not all("a" <= letter <= "z" for letter in factor.letters):
                raise FormError("channel letters are a to z", got=factor.letters)
            for letter, extent in zip(factor.letters, block.channels, strict=True):
                if extents.setdefault(letter, extent) != extent:
                    raise FormError(
                        f"channel letter {letter!r} has two extents in one path",
                        got=(extents[letter], extent),
                        expected="one extent",
                    )
            column = path.components[:, k]
            if len(column) and (column.min() < 0 or column.max() >= block.components):
                raise FormError(
                    f"a term of {factor} reads a component outside its block",
                    got=(int(column.min()), int(column.max())),
                    expected=f"0 to {block.components - 1}",
                )

    @cached_property
    def by_name(self) -> dict[str, Operand]:
        """The operands by name."""
        return {operand.name: operand for operand in self.operands}

    def extents(self, path: Path) -> dict[str, int]:
        """The extent of each channel letter of a path."""
        found: dict[str, int] = {}
        for factor in path.factors:
            channels = self.by_name[factor.operand].blocks[factor.block].channels
            found.update(zip(factor.letters, channels, strict=True))
        return found

    @property
    def terms(self) -> int:
        """How many terms all paths hold together."""
        return sum(len(path.coefficients) for path in self.paths)

    def reads(self, name: str) -> bool:
        """Whether any path reads the operand."""
        return any(path.positions(name) for path in self.paths)

    def is_linear_in(self, name: str) -> bool:
        """Whether every path reads the operand exactly once."""
        return all(len(path.positions(name)) == 1 for path in self.paths)

    def polarised(self, name: str, replacement: Operand) -> Form:
        """The derivative along `replacement`: one occurrence of `name` replaced, summed over all.

        For an operand that each path reads once this fills its slot with `replacement`; for one
        that is read several times it is the product rule.  Paths without the operand drop out.
        """
        merged: dict[tuple[str, tuple[Factor, ...]], list[Path]] = {}
        for path in self.paths:
            for k in path.positions(name):
                old = path.factors[k]
                factors = list(path.factors)
                factors[k] = Factor(replacement.name, old.block, old.letters)
                new = Path(tuple(factors), path.components, path.coefficients, path.label)
                if len(path.positions(name)) > 1:
                    new = new.simplified()
                merged.setdefault((new.label, new.factors), []).append(new)
        paths = tuple(_merge(group) for group in merged.values())
        used = {factor.operand for path in paths for factor in path.factors}
        operands = [operand for operand in self.operands if operand.name in used]
        if replacement.name not in {operand.name for operand in operands}:
            operands.append(replacement)
        return Form(tuple(operands), paths)

    def open(self, name: str) -> Program:
        """The map from the other operands to the slot `name`: the gradient of the form by it.

        The output carries the operand's name; where the form reads the operand more than once the
        operand itself stays an input and the output is called `d_<name>`.
        """
        from schur.forms.program import Program, Statement

        if name not in self.by_name:
            raise FormError("no such operand to open", got=name, expected=list(self.by_name))
        if self.is_linear_in(name):
            form, target = self, name
        else:
            target = f"d_{name}"
            form = self.polarised(name, self.by_name[name].renamed(target))
        inputs = tuple(operand for operand in form.operands if operand.name != target)
        return Program(inputs, (Statement(form, target),), (target,))

    @cached_property
    def digest(self) -> str:
        """A hash of the content: equal forms, and only they, have equal digests."""
        hasher = hashlib.sha256()
        for operand in self.operands:
            hasher.update(repr(operand).encode())
        for path in self.paths:
            hasher.update(repr((path.factors, path.label, path.components.shape)).encode())
            hasher.update(path.components.tobytes())
            hasher.update(path.coefficients.tobytes())
        return hasher.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Form) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __str__(self) -> str:
        from schur.forms.printer import describe_form

        return describe_form(self)


def _merge(paths: Iterable[Path]) -> Path:
    """One path for several with equal factors."""
    group = list(paths)
    if len(group) == 1:
        return group[0]
    return Path(
        group[0].factors,
        np.concatenate([path.components for path in group]),
        np.concatenate([path.coefficients for path in group]),
        group[0].label,
    ).simplified()
