"""Triton text of a kernel: the loop nest of `triton_plan`, with coefficients as literals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import prod

from schur.engine.c_arithmetic import products_text, value_text
from schur.engine.nest import Entry, Node
from schur.engine.triton_kernels import Component, Kernel, Kind, Launches, Nest, Part, Root
from schur.engine.triton_layers_text import LayersText
from schur.forms import Program

# Products of a sum in one line: Triton reads an expression recursively.
_PRODUCTS = 8


@dataclass
class _Sum:
    """What becomes of one component of a target in a kernel.

    Args:
        name: begins the names of its registers.
        part, nest: one that makes it.
        level: how many of the nest's loops are outside of it.
        over_rows: whether it is a sum over the rows of an item.
        count: how many values are added.
    """

    name: str
    entry: Entry
    part: Part
    nest: Nest
    level: int
    over_rows: bool
    count: int = 0
    kinds: set[Kind] = field(default_factory=set)


class KernelText:
    """The text of one kernel, and what a launch passes to it.

    Args:
        program: whose values the kernel reads and makes.
        launches: the pass that it belongs to.
        kernel: what it computes.
        name: of the function.
        compute: the number type that is computed in, `"float32"` or `"float64"`.
        cast: the values that memory holds in another type.
        blocked: the targets that have one line for each block of channels.

    Attributes:
        values: the names of the values whose memory the kernel is given.
        indices: the names of the indices, likewise.
    """

    def __init__(
        self,
        program: Program,
        launches: Launches,
        kernel: Kernel,
        name: str,
        compute: str,
        cast: frozenset[str],
        blocked: frozenset[str],
    ) -> None:
        self.program, self.kernel, self.name = program, kernel, name
        self.compute, self.cast, self.blocked = f"tl.{compute}", cast, blocked
        self.width, self.blocks = launches.width, launches.blocks
        self.slots = {each: k for k, each in enumerate(program.values)}
        self.numbers = {each: k for k, each in enumerate(program.indices)}
        loads = [load for part in kernel.parts for load in self._loads(part)]
        self.layers = LayersText(
            launches.layers,
            launches.kernels[: 1 + [each is kernel for each in launches.kernels].index(True)],
            loads,
            self.slots,
            self.width,
            self.compute,
            self._loaded,
            lambda extent: f"m{extent}" if self._partial(extent) else None,
            self._say,
        )
        made = {root.entry.operand for root in kernel.roots}
        read, made = self.layers.memory({load.operand for load in loads}, made)
        self.values = [each for each in program.values if each in read | made]
        self.sources = [each for each in self.values if each in read]
        self.targets = [each for each in self.values if each in made]
        used = {program.values[each].index for each in self.sources}
        self.indices = [each for each in program.indices if each in used]
        self.sums = _sums(program, kernel, self.slots)
        self.prefixes = {id(part): k for k, part in enumerate(kernel.parts)}
        self.lines: list[str] = []
        self.depth = 1

    def text(self) -> str:
        values = [f"v{self.slots[each]}" for each in self.values]
        indices = [f"i{self.numbers[each]}" for each in self.indices]
        strides = [f"b{self.slots[each]}" for each in self.targets if each in self.blocked]
        walk = ["order", "begin", "end"] if self.kernel.walk is not None else []
        numbers = [*strides, "rows", "grain"]
        head = f"@triton.jit(do_not_specialize={numbers})\n"
        head += f"def {self.name}({', '.join([*values, *indices, *walk, *numbers])}):"
        self._item()
        return "\n".join([head, *self.lines, ""])

    def _item(self) -> None:
        """One item: which rows it has, the sums over them, and where these go."""
        kernel = self.kernel
        programs = self.blocks * prod(kernel.hoisted)
        self._say("s = tl.program_id(0).to(tl.int64)")
        self._say(f"b = (s % {programs}).to(tl.int32)", f"s = s // {programs}")
        for position in reversed(range(len(kernel.hoisted))):
            extent = kernel.hoisted[position]
            self._say(f"o{position} = b % {extent}", f"b = b // {extent}")
        self._say(f"c = b * {self.width} + tl.arange(0, {self.width})")
        for extent in sorted({part.group.extent for part in kernel.parts}):
            if self._partial(extent):
                self._say(f"m{extent} = c < {extent}")
        over_rows = [each for each in self.sums.values() if each.over_rows]
        self._clear(over_rows)
        self.layers.clear()
        if kernel.walk is not None:
            self._say("first = tl.load(begin + s)", "last = tl.load(end + s)")
            self._say("for q in range(first, last):")
            self._indented("r = tl.load(order + q)", self._row)
        elif kernel.chunked:
            self._say("first = s * grain", "last = tl.minimum(first + grain, rows)")
            self._say("for r in range(first, last):")
            self._indented(None, self._row)
        else:
            self._say("r = s")
            self._row()
        self._places(name for name in self.targets if self.program.values[name].mode != "row")
        self._store(over_rows)
        self.layers.store()

    def _row(self) -> None:
        for name in self.indices:
            number = self.numbers[name]
            self._say(f"j{number} = tl.load(i{number} + r).to(tl.int64)")
        rows = [name for name in self.targets if self.program.values[name].mode == "row"]
        self._places([*self.sources, *rows])
        known = self._shared_numbers() | self.layers.make()
        kept = [
            each
            for each in self.sums.values()
            if not (each.over_rows or each.level or self._is_direct(each))
        ]
        self._clear(kept)
        for nest in self.kernel.nests:
            self._nest(nest, dict(known))
        self._store(each for each in kept if not self.layers.takes(each.entry.operand))
        self.layers.use()

    def _nest(self, nest: Nest, known: dict[Entry, str]) -> None:
        """Loops over channels one by one: numbers and vectors where they are known, sums inside."""
        if not nest.extents:
            for part in nest.parts:
                self._guarded(part, known)
            return
        hoisted, levels = len(self.kernel.hoisted), len(nest.extents)
        for part in nest.parts:
            self._nodes(part, range(hoisted + 1), known)
        self._loop(nest, hoisted, levels, 1)

    def _loop(self, nest: Nest, hoisted: int, levels: int, level: int) -> None:
        self._say(f"for o{hoisted + level - 1} in range({nest.extents[level - 1]}):")
        self.depth += 1
        here = [
            each
            for each in self.sums.values()
            if each.nest is nest and each.level == level and not self._is_direct(each)
        ]
        self._clear(here)
        for part in nest.parts:
            self._nodes(part, range(hoisted + level, hoisted + level + 1), {})
        if level < levels:
            self._loop(nest, hoisted, levels, level + 1)
        else:
            for part in nest.parts:
                self._add(part)
        self._store(here)
        self.depth -= 1

    def _guarded(self, part: Part, known: dict[Entry, str]) -> None:
        """A part without loops, in the programs whose block of channels it has."""
        blocks = -(-part.group.extent // self.width)
        guard = blocks < self.blocks
        if guard:
            self._say(f"if b < {blocks}:" if blocks > 1 else "if b == 0:")
            self.depth += 1
        levels = range(len(self.kernel.hoisted) + 1)
        self._nodes(part, levels, dict(known) if guard else known)
        self._add(part)
        if guard:
            self.depth -= 1

    def _add(self, part: Part) -> None:
        """The values of a part: into the sums, or to memory where nothing else is added."""
        for root in part.roots:
            total, value = self.sums[root.component], self._product(part, root)
            if self._is_direct(total):
                continue
            line = f"{total.name}{root.kind[0]} += {value}"
            if root.kind == "scalar" and self.blocks > 1:
                line = f"if b == 0: {line}"
            self._say(line)
        for root in part.roots:  # after all loads, so that no store delays one
            total, value = self.sums[root.component], self._product(part, root)
            if self._is_direct(total):
                if isinstance(root.value, float) or root.value in part.group.graph.constants:
                    # A bare number would be taken for one of float32.
                    value = f"tl.full((), {value}, {self.compute})"
                self._store_one(total, f"tl.sum({value}, 0)" if root.kind == "reduced" else value)

    def _is_direct(self, total: _Sum) -> bool:
        """Whether its one value goes to memory where it is made."""
        if total.over_rows or total.count > 1 or total.level < len(total.nest.extents):
            return False
        if self.layers.takes(total.entry.operand):
            return False
        return "scalar" not in total.kinds or self.blocks == 1

    def _product(self, part: Part, root: Root) -> str:
        value = self._value(part, root.value)
        if isinstance(root.factor, float) and root.factor == 1.0:
            return value
        return f"{value} * {self._value(part, root.factor)}"

    def _value(self, part: Part, value: Node | float) -> str:
        return value_text(part.group.graph, value, "double", self._prefix(part))

    def _prefix(self, part: Part) -> str:
        return f"n{self.prefixes[id(part)]}_"

    def _nodes(self, part: Part, levels: range, known: dict[Entry, str]) -> None:
        """The values of these levels; loads of entries already `known` are taken from there."""
        graph, prefix = part.group.graph, self._prefix(part)
        for node in graph.reachable(_nodes_of(part.roots)):
            if graph.level[node] not in levels or node in graph.constants:
                continue
            name = f"{prefix}{node}"
            if node in graph.loads:
                entry = graph.loads[node]
                if entry not in known:
                    self._say(f"{name} = {self._load(part, entry, graph.vector[node])}")
                    known[entry] = name
                else:
                    self._say(f"{name} = {known[entry]}")
                continue
            products = products_text(graph, node, "double", prefix)
            for start in range(0, len(products), _PRODUCTS):
                some = " + ".join(products[start : start + _PRODUCTS])
                self._say(f"{name} = {some}" if not start else f"{name} = {name} + {some}")

    def _shared_numbers(self) -> dict[Entry, str]:
        """Numbers that several parts read, loaded once a row."""
        count = Counter(
            entry
            for part in self.kernel.parts
            for entry in set(self._loads(part))
            if not entry.letters
        )
        known: dict[Entry, str] = {}
        for entry in [entry for entry, times in count.items() if times > 1]:
            known[entry] = f"y{len(known)}"
            place = f"p{self.slots[entry.operand]} + {entry.offset}"
            self._say(f"{known[entry]} = {self._converted(f'tl.load({place})', entry.operand)}")
        return known

    def _loads(self, part: Part) -> list[Entry]:
        graph = part.group.graph
        return [graph.loads[n] for n in graph.reachable(_nodes_of(part.roots)) if n in graph.loads]

    def _load(self, part: Part, entry: Entry, vector: bool) -> str:
        place = f"p{self.slots[entry.operand]} + {self._offset(part, entry)}"
        mask = self._mask(part) if vector else None
        return self._loaded(place, entry.operand, mask)

    def _loaded(self, place: str, operand: str, mask: str | None) -> str:
        text = f"tl.load({place})" if mask is None else f"tl.load({place}, mask={mask}, other=0.0)"
        return self._converted(text, operand)

    def _converted(self, text: str, operand: str) -> str:
        return f"{text}.to({self.compute})" if operand in self.cast else text

    def _mask(self, part: Part) -> str | None:
        return f"m{part.group.extent}" if self._partial(part.group.extent) else None

    def _partial(self, extent: int) -> bool:
        """Whether some program has channels beyond an extent."""
        return extent % self.width > 0 or -(-extent // self.width) < self.blocks

    def _offset(self, part: Part, entry: Entry) -> str:
        place = {letter: k for k, (letter, _) in enumerate(part.group.outer)}
        terms, stride = [str(entry.offset)], 1
        for letter, extent in zip(reversed(entry.letters), reversed(entry.extents), strict=True):
            name = "c" if letter == part.group.vector else f"o{place[letter]}"
            terms.append(name if stride == 1 else f"{name} * {stride}")
            stride *= extent
        return " + ".join(terms)

    def _places(self, names: Iterable[str]) -> None:
        """Where the line of each value begins."""
        for name in names:
            operand, slot = self.program.values[name], self.slots[name]
            made = name in self.targets
            line = {"shared": "s" if made else "0", "row": "r"}.get(operand.mode)
            if operand.index is not None:
                line = "s" if made else f"j{self.numbers[operand.index]}"
            block = f" + b * b{slot}" if name in self.blocked and made else ""
            self._say(f"p{slot} = v{slot} + {line} * {operand.size}{block}")

    def _clear(self, totals: Iterable[_Sum]) -> None:
        """Sums start at zero: a vector for each component, and a number where one is added."""
        for total in totals:
            for kind in sorted(total.kinds):
                shape = "()" if kind == "scalar" else f"({self.width},)"
                self._say(f"{total.name}{kind[0]} = tl.full({shape}, 0.0, {self.compute})")

    def _store(self, totals: Iterable[_Sum]) -> None:
        for total in totals:
            parts = {
                "vector": f"{total.name}v",
                "reduced": f"tl.sum({total.name}r, 0)",
                "scalar": f"{total.name}s",
            }
            self._store_one(total, " + ".join(parts[kind] for kind in sorted(total.kinds)))

    def _store_one(self, total: _Sum, value: str) -> None:
        entry = total.entry
        place = f"p{self.slots[entry.operand]} + {self._offset(total.part, entry)}"
        mask = self._mask(total.part) if "vector" in total.kinds else None
        masked = f", mask={mask}" if mask else ""
        if (entry.operand, entry.offset) in self.kernel.adds:
            before = f"tl.load({place}{masked})"
            value = f"{self._converted(before, entry.operand)} + ({value})"
        self._say(f"tl.store({place}, {value}{masked})")

    def _indented(self, first: str | None, body: Callable[[], None]) -> None:
        self.depth += 1
        if first is not None:
            self._say(first)
        body()
        self.depth -= 1

    def _say(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line for line in lines]


def _sums(program: Program, kernel: Kernel, slots: Mapping[str, int]) -> dict[Component, _Sum]:
    """What a kernel adds up, by component."""
    found: dict[Component, _Sum] = {}
    for nest in kernel.nests:
        for part in nest.parts:
            inner = part.group.outer[len(kernel.hoisted) :]
            for root in part.roots:
                entry = root.entry
                total = found.get(root.component)
                if total is None:
                    name = f"a{slots[entry.operand]}_{entry.offset}_"
                    level = sum(letter in entry.letters for letter, _ in inner)
                    over_rows = program.values[entry.operand].mode != "row"
                    total = _Sum(name, entry, part, nest, level, over_rows)
                    found[root.component] = total
                elif total.nest is not nest:
                    total.count += 1  # kept through the row, whatever the loops
                total.kinds.add(root.kind)
                total.count += 1
    return found


def _nodes_of(roots: Iterable[Root]) -> list[Node]:
    return [
        value
        for root in roots
        for value in (root.value, root.factor)
        if not isinstance(value, float)
    ]
