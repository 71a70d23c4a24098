"""Values packed into kernels until the registers of one are spent."""

from __future__ import annotations

from collections.abc import Iterable

from schur.engine.nest import Entry, Graph, Group, Node
from schur.engine.triton_kernels import (
    Budget,
    Component,
    Kernel,
    Nest,
    Part,
    Root,
    values_of,
)
from schur.engine.triton_nests import Nests, roots
from schur.forms import Program

# Multiply-adds in one kernel: longer ones are cut so that compile time stays in proportion.
_OPERATIONS = 1200


class Packer:
    """Fills kernels with roots until the budget of one is spent."""

    def __init__(self, program: Program, nests: Nests, budget: Budget) -> None:
        self.program, self.work, self.budget = program, nests.work, budget
        self.layers = nests.layers
        self.inlined = {layer.value for layer in nests.layers.inlined}
        self.made: set[Entry] = set()  # by layers, in the last kernel
        # Each component of a value that is summed into a matrix holds a column of it.
        self.columns = {layer.value: 1 for layer in nests.layers.spread}
        self.columns |= {layer.value: layer.width for layer in nests.layers.summed}
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
            self.made |= self._inlined(part, root)
            self.patterns[root.component] = _pattern(root, made, hoisted)

    def _opened(
        self, made: Group, extents: tuple[int, ...], hoisted: tuple[str, ...], root: Root, new: int
    ) -> Part:
        """A part of the last kernel that takes the root, or of a new one."""
        part = Part(made)
        kernel = self.kernels[-1] if self.kernels else None
        if kernel is None or not self._joins(kernel, part, root, new, hoisted):
            self.stored |= set(self.patterns)
            chunked = self.work.walk is None and (
                bool(self.layers.summed)
                or any(self.program.values[name].mode == "shared" for name in self.work.targets)
            )
            count = len(hoisted)
            kernel = Kernel(self.work.walk, chunked, extents[:count])
            kernel.adds = set(self.stored)
            self.kernels.append(kernel)
            self.operations, self.patterns, self.made = 0, {}, set()
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
        needed = alive(part.group.graph, nodes) + self._held(root) + self._of_layers(part, root)
        return needed <= self.budget.registers or not self.operations

    def _held(self, root: Root) -> int:
        """Sums that are kept while the parts of a kernel are computed."""
        kernel = self.kernels[-1]
        every = [*kernel.roots, root]
        components = [each.component for each in every]
        if kernel.walk is not None or kernel.chunked:
            return len(set(components))
        return sum(components.count(component) > 1 for component in set(components))

    def _of_layers(self, part: Part, root: Root) -> int:
        """Registers for values that layers make, and for what layers make of values."""
        made = {each.component for each in (*self.kernels[-1].roots, root)}
        columns = sum(self.columns.get(name, 0) for name, _ in made)
        return columns + len(self.made | self._inlined(part, root))

    def _inlined(self, part: Part, root: Root) -> set[Entry]:
        graph = part.group.graph
        loads = [graph.loads[n] for n in graph.reachable(values_of(root)) if n in graph.loads]
        return {entry for entry in loads if entry.operand in self.inlined}


def _pattern(root: Root, made: Group, hoisted: tuple[str, ...]) -> object:
    """How a component is written; two ways need two kernels."""
    inner = made.outer[len(hoisted) :]
    depth = sum(letter in root.entry.letters for letter, _ in inner)
    extents = tuple(extent for _, extent in inner) if depth else ()
    return root.kind == "vector", root.entry.extents, depth, extents, hoisted


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
