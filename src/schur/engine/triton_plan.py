"""The loop nest of a pass on a GPU: which program computes what, and what stays in registers.

A program is one block of channels of one item.  An item is a row, a chunk of rows that what all
rows share is summed over, or the rows that point to one entry of the walked index.  What an item
sums over its rows is held in registers until they are done, so nothing is added to memory by two
programs and results repeat bit for bit.

A pass becomes one kernel, or several one after another where one would not fit in the registers.
No text is made here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from math import prod
from typing import Literal

from schur.engine.nest import Entry, Graph, Group, Member, Node, group, together
from schur.engine.schedule import Pass, schedule
from schur.forms import Operand, Program

# Multiply-adds in one kernel: longer ones are cut so that compile time stays in proportion.
_OPERATIONS = 1200

Kind = Literal["vector", "reduced", "scalar"]
Component = tuple[str, int]  # operand, offset


@dataclass(frozen=True)
class Root:
    """A value that is added to an entry.

    Args:
        kind: `"vector"` for an entry with a number for each channel, `"reduced"` for a vector
            that is summed over its channels, `"scalar"` for a number.
    """

    entry: Entry
    value: Node | float
    kind: Kind
    factor: Node | float = 1.0

    @property
    def component(self) -> Component:
        """What it is added to, apart from channels."""
        return self.entry.operand, self.entry.offset


@dataclass
class Part:
    """What one kernel computes of one group."""

    group: Group
    roots: list[Root] = field(default_factory=list)


@dataclass
class Nest:
    """Parts inside the same loops over channels, one by one; `extents` of the loops."""

    extents: tuple[int, ...]
    parts: list[Part] = field(default_factory=list)


@dataclass
class Kernel:
    """One launch.

    Args:
        walk: the index whose entries are the items, or None.
        chunked: whether an item is a chunk of rows.
        hoisted: extents of the channels that the grid enumerates, as their sums over the rows
            would not all fit in registers.
        adds: components that an earlier kernel of the pass has stored and this one adds to.
    """

    walk: str | None
    chunked: bool
    hoisted: tuple[int, ...]
    nests: list[Nest] = field(default_factory=list)
    adds: set[Component] = field(default_factory=set)

    @property
    def parts(self) -> Iterator[Part]:
        """All parts."""
        return (part for nest in self.nests for part in nest.parts)

    @property
    def roots(self) -> Iterator[Root]:
        """All values that are made."""
        return (root for part in self.parts for root in part.roots)


@dataclass(frozen=True)
class Launches:
    """The kernels of a pass, one after another, and how many blocks of channels they have."""

    work: Pass
    kernels: tuple[Kernel, ...]
    width: int
    blocks: int


@dataclass(frozen=True)
class Budget:
    """What a program may use.

    Args:
        channels: the most channels in a block.
        registers: vectors of channels and numbers that are alive at a time.
    """

    channels: int = 32
    registers: int = 150


def plan(program: Program, budget: Budget) -> list[Launches]:
    """The kernels of a program's passes, but for the passes in lanes, which have none here."""
    return [_launches(program, work, nests, budget) for work, nests in _nests(program)]


def passes(program: Program) -> list[Pass]:
    """The schedule with what all rows share in passes of its own.

    Those sum over chunks of rows, whatever the order in which the others are walked.
    """
    found: list[Pass] = []
    for work in schedule(program):
        if work.walk is None:
            found.append(work)
            continue
        shared = [s for s in work.statements if program.values[s.target].mode == "shared"]
        rest = [s for s in work.statements if program.values[s.target].mode != "shared"]
        found += [Pass(work.walk, tuple(rest))] if rest else []
        found += [Pass(None, tuple(shared))] if shared else []
    return found


@lru_cache(maxsize=16)
def _nests(program: Program) -> list[tuple[Pass, list[tuple[Group, tuple[str, ...]]]]]:
    """The passes with their groups, which take longest and do not depend on a budget."""
    found = []
    for work in passes(program):
        nests: list[tuple[Group, tuple[str, ...]]] = []
        for members in () if work.lanes else together(work):
            filled = [member for member in members if _has_channels(member)]
            nests += _fitting(program, filled) if filled else []
        found.append((work, nests))
    return found


def _launches(
    program: Program, work: Pass, nests: list[tuple[Group, tuple[str, ...]]], budget: Budget
) -> Launches:
    if work.lanes:
        return Launches(work, (), 0, 1)
    packer = _Packer(program, work, budget)
    for made, hoisted in nests:
        packer.add(made, hoisted)
    widest = max((made.extent for made, _ in nests), default=1)
    width = min(budget.channels, 1 << (widest - 1).bit_length())
    return Launches(work, tuple(packer.kernels), width, -(-widest // width))


def _has_channels(member: Member) -> bool:
    _, operands, path = member
    return all(prod(operands[f.operand].blocks[f.block].channels) for f in path.factors)


def _fitting(program: Program, members: list[Member]) -> list[tuple[Group, tuple[str, ...]]]:
    """Groups whose sums all stay in registers, and the letters that the grid enumerates.

    A sum within a row stays if the channels that it has are those of the outermost loops; a sum
    over rows if it has none of them.  Where a group holds others, each target has its own.
    """
    whole = group(members)
    if all(_stays(program, whole, root.entry) for root in roots(whole)):
        return [(whole, ())]
    apart: dict[tuple[str, str], list[Member]] = {}
    for member in members:
        target, _, path = member
        (slot,) = path.positions(target)
        apart.setdefault((target, path.factors[slot].letters), []).append(member)
    found = []
    for (target, letters), chosen in apart.items():
        made = group(chosen, outermost=letters)
        summed = program.values[target].mode != "row"
        hoisted = tuple(letter for letter, _ in made.outer if letter in letters)
        found.append((made, hoisted if summed else ()))
    return found


def _stays(program: Program, made: Group, entry: Entry) -> bool:
    outer = [letter for letter, _ in made.outer]
    held = [letter in entry.letters for letter in outer]
    if program.values[entry.operand].mode != "row":
        return not any(held)
    return held == sorted(held, reverse=True)


def roots(made: Group) -> list[Root]:
    """Everything that a group adds to its targets."""
    found: list[Root] = []
    for loop in made.loops:
        found += [Root(entry, value, "vector") for entry, value in loop.stores]
        for value, feeds in loop.reductions:
            found += [Root(entry, value, "reduced", factor) for entry, factor in feeds]
    return found + [Root(entry, value, "scalar") for entry, value in made.scalars]


class _Packer:
    """Fills kernels with roots until the budget of one is spent."""

    def __init__(self, program: Program, work: Pass, budget: Budget) -> None:
        self.program, self.work, self.budget = program, work, budget
        self.kernels: list[Kernel] = []
        self.stored: set[Component] = set()  # by earlier kernels
        self.patterns: dict[Component, object] = {}  # of what the last kernel stores
        self.operations = 0

    def add(self, made: Group, hoisted: tuple[str, ...]) -> None:
        extents = tuple(extent for _, extent in made.outer)
        part: Part | None = None
        nodes: set[Node] = set()
        for root in roots(made):
            new = _operations(made.graph, root, nodes)
            if part is None or not self._fits(part, root, new, hoisted):
                part = self._opened(made, extents, hoisted, root, new)
                nodes, new = set(), _operations(made.graph, root, set())
            part.roots.append(root)
            nodes |= set(made.graph.reachable(values_of(root)))
            self.operations += new
            self.patterns[root.component] = _pattern(root, made, hoisted)

    def _opened(
        self, made: Group, extents: tuple[int, ...], hoisted: tuple[str, ...], root: Root, new: int
    ) -> Part:
        """A part of the last kernel that takes the root, or of a new one."""
        part = Part(made)
        kernel = self.kernels[-1] if self.kernels else None
        if kernel is None or not self._joins(kernel, part, root, new, hoisted):
            self.stored |= set(self.patterns)
            chunked = self.work.walk is None and any(
                self.program.values[name].mode == "shared" for name in self.work.targets
            )
            count = len(hoisted)
            kernel = Kernel(self.work.walk, chunked, extents[:count])
            kernel.adds = set(self.stored)
            self.kernels.append(kernel)
            self.operations, self.patterns = 0, {}
        inner = extents[len(hoisted) :]
        nest = next((nest for nest in kernel.nests if nest.extents == inner), None)
        if nest is None:
            nest = Nest(inner)
            kernel.nests.append(nest)
        nest.parts.append(part)
        return part

    def _joins(
        self, kernel: Kernel, part: Part, root: Root, new: int, hoisted: tuple[str, ...]
    ) -> bool:
        return not hoisted and not kernel.hoisted and self._fits(part, root, new, hoisted)

    def _fits(self, part: Part, root: Root, new: int, hoisted: tuple[str, ...]) -> bool:
        pattern = _pattern(root, part.group, hoisted)
        if self.patterns.get(root.component, pattern) != pattern:
            return False
        if self.operations + new > _OPERATIONS:
            return not any(self.kernels[-1].roots)
        nodes = [node for each in (*part.roots, root) for node in values_of(each)]
        needed = alive(part.group.graph, nodes) + self._held(root)
        return needed <= self.budget.registers or not self.operations

    def _held(self, root: Root) -> int:
        """Sums that are kept while the parts of a kernel are computed."""
        kernel = self.kernels[-1]
        every = [*kernel.roots, root]
        components = [each.component for each in every]
        if kernel.walk is not None or kernel.chunked:
            return len(set(components))
        return sum(components.count(component) > 1 for component in set(components))


def _pattern(root: Root, made: Group, hoisted: tuple[str, ...]) -> object:
    """How a component is written; two ways need two kernels."""
    inner = made.outer[len(hoisted) :]
    depth = sum(letter in root.entry.letters for letter, _ in inner)
    extents = tuple(extent for _, extent in inner) if depth else ()
    return root.kind == "vector", root.entry.extents, depth, extents, hoisted


def values_of(root: Root) -> list[Node]:
    """The nodes that a root needs."""
    return [value for value in (root.value, root.factor) if not isinstance(value, float)]


def _operations(graph: Graph, root: Root, known: Iterable[Node]) -> int:
    new = set(graph.reachable(values_of(root))) - set(known)
    return sum(len(graph.sums[node]) for node in new if node in graph.sums)


def alive(graph: Graph, nodes: Iterable[Node]) -> int:
    """The most values alive at a time, where these are made one after another."""
    order = graph.reachable(nodes)
    place = {node: k for k, node in enumerate(order)}
    last = dict(place)
    for node, pairs in graph.sums.items():
        if node in place:
            for a, b in pairs:
                for part in (a,) if isinstance(b, float) else (a, b):
                    last[part] = max(last[part], place[node])
    ends = [0] * (len(order) + 1)
    for node in order:
        ends[last[node]] += node not in graph.constants
    now = most = 0
    for k, node in enumerate(order):
        now += node not in graph.constants
        most = max(most, now)
        now -= ends[k]
    return most


def covered(target: Operand, launches: Launches) -> bool:
    """Whether every number of a target's line is stored."""
    found = {
        root.component
        for kernel in launches.kernels
        for root in kernel.roots
        if root.entry.operand == target.name
    }
    return len(found) == sum(block.components for block in target.blocks if prod(block.channels))


def summed_over_blocks(target: Operand, launches: Launches) -> bool:
    """Whether several blocks of channels add to one number of the target."""
    return launches.blocks > 1 and any(
        root.kind != "vector"
        for kernel in launches.kernels
        for root in kernel.roots
        if root.entry.operand == target.name
    )
