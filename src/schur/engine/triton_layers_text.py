"""Triton text of linear layers inside a kernel: values made where they are read, and used up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from schur.engine.nest import Entry
from schur.engine.triton_kernels import Kernel
from schur.engine.triton_layers import Layer, Layers, Term

# Products of a sum in one line: Triton reads an expression recursively.
_PRODUCTS = 8


class LayersText:
    """What one kernel does for layers.

    Args:
        layers: those of the pass.
        kernels: of the pass, as far as they come before this one, and this one.
        loads: the entries that it reads.
        slots: number of each value among the kernel's arguments.
        width: channels in a block.
        compute: the number type that is computed in.
        load: text that loads a number or a vector of an operand from a place, with a mask or not.
        mask: the mask of an extent, or None where none is needed.
        say: takes lines.
    """

    def __init__(
        self,
        layers: Layers,
        kernels: Sequence[Kernel],
        loads: Iterable[Entry],
        slots: Mapping[str, int],
        width: int,
        compute: str,
        load: Callable[[str, str, str | None], str],
        mask: Callable[[int], str | None],
        say: Callable[..., None],
    ) -> None:
        made = [{root.component for root in kernel.roots} for kernel in kernels]
        self.slots, self.width, self.compute = slots, width, compute
        self.load, self.mask, self.say = load, mask, say
        values = {layer.value for layer in layers.inlined}
        self.entries = sorted(
            {entry for entry in loads if entry.operand in values},
            key=lambda entry: (entry.operand, entry.offset, entry.letters),
        )
        read = {entry.operand for entry in self.entries}
        self.inlined = [layer for layer in layers.inlined if layer.value in read]
        self.spread = _used(layers.spread, made[-1])
        self.summed = _used(layers.summed, made[-1])
        # What an earlier kernel has stored is added to.
        self.begun: set[tuple[str, int]] = set()
        for earlier in made[:-1]:
            self.begun |= {
                (la.hidden, t.hidden) for la, ts in _used(layers.spread, earlier) for t in ts
            }
            self.begun |= {
                (la.matrix, t.matrix) for la, ts in _used(layers.summed, earlier) for t in ts
            }

    def memory(self, read: set[str], made: set[str]) -> tuple[set[str], set[str]]:
        """Values that are read from memory and written there, from those read and made."""
        for layer in self.inlined:
            read = read - {layer.value} | {layer.hidden, layer.matrix}
        for layer, _ in self.spread:
            read, made = read | {layer.matrix}, made - {layer.value} | {layer.hidden}
        for layer, _ in self.summed:
            read, made = read | {layer.hidden}, made - {layer.value} | {layer.matrix}
        return read, made

    def takes(self, name: str) -> bool:
        """Whether a value is used up here and does not go to memory."""
        return any(layer.value == name for layer, _ in (*self.spread, *self.summed))

    def make(self) -> dict[Entry, str]:
        """Make the entries that are read, for one row; their names."""
        names = {entry: f"w{self.slots[entry.operand]}_{entry.offset}" for entry in self.entries}
        for name in dict.fromkeys(names.values()):
            self.say(f"{name} = tl.full(({self.width},), 0.0, {self.compute})")
        for layer in self.inlined:
            offsets = {entry.offset for entry in self.entries if entry.operand == layer.value}
            terms = [term for term in layer.terms if term.offset in offsets]
            self.say(f"for k in range({layer.width}):")
            for start in sorted({term.hidden for term in terms}):
                place = f"p{self.slots[layer.hidden]} + {start} + k"
                self.say(f"    h{start} = {self.load(place, layer.hidden, None)}")
            for term in terms:
                name = f"w{self.slots[layer.value]}_{term.offset}"
                number = _scaled(term, f"h{term.hidden}")
                self.say(f"    {name} += {number} * {self._row_of_matrix(layer, term)}")
        return names

    def use(self) -> None:
        """What layers make of the values of one row."""
        for layer, terms in self.spread:
            for start in sorted({term.hidden for term in terms}):
                self._spread(layer, [term for term in terms if term.hidden == start])
        for layer, terms in self.summed:
            slot = self.slots[layer.hidden]
            for start in sorted({term.hidden for term in terms}):
                place = f"p{slot} + {start} + k{slot}"
                numbers = self.load(place, layer.hidden, f"k{slot} < {layer.width}")
                self.say(f"h{start} = {numbers}")
            for term in terms:
                number = _scaled(term, f"h{term.hidden}[:, None]")
                value = f"a{self.slots[layer.value]}_{term.offset}_v"
                self.say(f"{self._total(layer, term)} += {number} * {value}[None, :]")

    def clear(self) -> None:
        """Sums over the rows of an item, before its first."""
        for layer, terms in self.summed:
            columns = _power_of_two(layer.width)
            self.say(f"k{self.slots[layer.hidden]} = tl.arange(0, {columns})")
            for name in dict.fromkeys(self._total(layer, term) for term in terms):
                self.say(f"{name} = tl.full(({columns}, {self.width}), 0.0, {self.compute})")

    def store(self) -> None:
        """Sums over the rows of an item, after its last."""
        for layer, terms in self.summed:
            k = f"k{self.slots[layer.hidden]}[:, None]"
            for total, term in {self._total(layer, term): term for term in terms}.items():
                channels = self.mask(term.extent)
                place = f"p{self.slots[layer.matrix]} + {term.matrix} + {k} * {term.extent}"
                mask = f"({k} < {layer.width})"
                mask += "" if channels is None else f" & {channels}[None, :]"
                self._add((layer.matrix, term.matrix), f"{place} + c[None, :]", total, mask)

    def _spread(self, layer: Layer, terms: Sequence[Term]) -> None:
        self.say(f"for k in range({layer.width}):")
        products = [
            f"{_scaled(term, f'a{self.slots[layer.value]}_{term.offset}_v')} * "
            f"{self._row_of_matrix(layer, term)}"
            for term in terms
        ]
        for start in range(0, len(products), _PRODUCTS):
            before = "t + " if start else ""
            self.say(f"    t = {before}{' + '.join(products[start : start + _PRODUCTS])}")
        start = terms[0].hidden
        place = f"p{self.slots[layer.hidden]} + {start} + k"
        self._add((layer.hidden, start), place, "tl.sum(t, 0)", None, "    ")

    def _add(
        self, key: tuple[str, int], place: str, value: str, mask: str | None, indent: str = ""
    ) -> None:
        """Store, or add where a layer before has stored."""
        masked = "" if mask is None else f", mask={mask}"
        if key in self.begun:
            value = f"{self.load(place, key[0], mask)} + {value}"
        self.begun.add(key)
        self.say(f"{indent}tl.store({place}, {value}{masked})")

    def _row_of_matrix(self, layer: Layer, term: Term) -> str:
        place = f"p{self.slots[layer.matrix]} + {term.matrix} + k * {term.extent} + c"
        return self.load(place, layer.matrix, self.mask(term.extent))

    def _total(self, layer: Layer, term: Term) -> str:
        return f"g{self.slots[layer.value]}_{self.slots[layer.matrix]}_{term.matrix}"


def _used(layers: Iterable[Layer], made: set[tuple[str, int]]) -> list[tuple[Layer, list[Term]]]:
    """The layers with those of their terms whose value is made."""
    found = [
        (layer, [term for term in layer.terms if (layer.value, term.offset) in made])
        for layer in layers
    ]
    return [(layer, terms) for layer, terms in found if terms]


def _scaled(term: Term, text: str) -> str:
    return text if term.scale == 1.0 else f"{term.scale!r} * {text}"


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()
