"""Triton text of `triton_matrices`: blocks of rows times matrices, by the card's matrix units."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from schur.engine.triton_matrices import MatrixPath, MatrixProduct, Slot
from schur.forms import Program

# Sides of matrices are cut into blocks of so many, the least that matrix units take.
SIDE = 16
# Rows of a block, and warps of a program.
ROWS, WARPS = 32, 4
# Products of a sum in one line: Triton reads an expression recursively.
_PRODUCTS = 8


class MatrixText:
    """The kernel of a product, and what a launch passes to it.

    Args:
        program: whose values the kernel reads and makes.
        product: what is made.
        name: of the function.
        compute: the number type that is computed in.
        cast: the values that memory holds in another type.

    Attributes:
        values, indices: the names of what the kernel is given.
        programs: how many programs a block of rows has, or a chunk of them.
    """

    def __init__(
        self,
        program: Program,
        product: MatrixProduct,
        name: str,
        compute: str,
        cast: frozenset[str],
    ) -> None:
        self.program, self.product, self.name = program, product, name
        self.compute, self.cast = f"tl.{compute}", cast
        used = {s.operand for path in product.paths for s in (path.matrix, *path.by.values())}
        self.values = [each for each in program.values if each in used]
        read = [program.values[each] for each in self.values if each != product.target.operand]
        self.indices = [each for each in program.indices if each in {o.index for o in read}]
        self.slots = {each: k for k, each in enumerate(program.values)}
        self.numbers = {each: k for k, each in enumerate(program.indices)}
        first = product.paths[0]
        extents = [first.extent(letter) for letter in (first.loop, first.across, first.along)]
        self.tiles = tuple(-(-extent // SIDE) for extent in extents[1:])
        if product.kind == "outer":
            self.programs = extents[0] * prod(self.tiles)
        else:
            extent = prod(product.target.extents)
            self.programs = extent if product.kind == "inner" else -(-extent // SIDE)
        self.lines: list[str] = []
        self.depth = 1

    def text(self) -> str:
        """One function; `precision` says how float32 is multiplied (see `tl.dot`)."""
        arguments = [f"v{self.slots[each]}" for each in self.values]
        arguments += [f"i{self.numbers[each]}" for each in self.indices]
        arguments += ["rows", "grain", "precision: tl.constexpr"]
        self._say("s = tl.program_id(0).to(tl.int64)")
        self._say(f"b = (s % {self.programs}).to(tl.int32)", f"s = s // {self.programs}")
        {"across": self._across, "inner": self._inner, "outer": self._outer}[self.product.kind]()
        head = "@triton.jit(do_not_specialize=['rows', 'grain'])\n"
        head += f"def {self.name}({', '.join(arguments)}):"
        return "\n".join([head, *self.lines, ""])

    def _across(self) -> None:
        target = self.product.target
        extent, components = target.extents[0], self.product.components
        self._rows(f"s * {ROWS}", "rows")
        self._say(f"t = b * {SIDE} + tl.arange(0, {SIDE})", f"mt = t < {extent}")
        self._clear([f"acc{k}" for k in components], (ROWS, SIDE))
        for number, path in enumerate(self.product.paths):
            along = path.along
            o, a = f"o{number}", f"a{number}"
            with _Loop(self, o, path.extent(path.loop)):
                z = self._scales(number, path, o, skipped=along)
                with _Loop(self, f"{a}_0", path.extent(path.across), SIDE):
                    self._axis(a, path.extent(path.across))
                    self._tiles(number, path.by[path.across], a, path.used(path.across))
                    for m in sorted({m for m, _, _ in path.terms}):
                        self._matrix(number, path, m, {path.across: a, along: "t"}, o)
                    for (m, k), parts in z.items():
                        self._sum(f"p{number}_{m}_{k}", self._left(number, parts))
                        left, right = f"p{number}_{m}_{k}", f"m{number}_{m}"
                        self._dot(f"acc{k}", left, right)
        for k in components:
            self._store(f"{target.place(k)} + t[None, :]", f"acc{k}", "mt[None, :]")

    def _inner(self) -> None:
        target = self.product.target
        components = self.product.components
        self._rows(f"s * {ROWS}", "rows")
        self._clear([f"acc{k}" for k in components], (ROWS,))
        for number, path in enumerate(self.product.paths):
            left, right = path.across, path.along
            used = sorted({(m, self._component(path, c, left)) for m, c, _ in path.terms})
            a, t = f"a{number}", f"t{number}"
            with _Loop(self, f"{t}_0", path.extent(right), SIDE):
                self._axis(t, path.extent(right))
                self._clear([f"q{number}_{m}_{k}" for m, k in used], (ROWS, SIDE))
                with _Loop(self, f"{a}_0", path.extent(left), SIDE):
                    self._axis(a, path.extent(left))
                    self._tiles(number, path.by[left], a, path.used(left))
                    for m in sorted({m for m, _ in used}):
                        self._matrix(number, path, m, {left: a, right: t}, "b")
                    for m, k in used:
                        tile = f"x{number}_{left}{k}"
                        self._dot(f"q{number}_{m}_{k}", tile, f"m{number}_{m}")
                self._tiles(number, path.by[right], t, path.used(right))
                sums: dict[int, list[str]] = {}
                for m, parts, scale in path.terms:
                    k = self._component(path, parts, path.made(target.operand))
                    q = f"q{number}_{m}_{self._component(path, parts, left)}"
                    x = f"x{number}_{right}{self._component(path, parts, right)}"
                    sums.setdefault(k, []).append(f"{scale!r} * {q} * {x}")
                for k, products in sums.items():
                    self._sum(f"w{number}_{k}", products)
                    self._say(f"acc{k} += tl.sum(w{number}_{k}, 1)")
        for k in components:
            place = f"v{self.slots[target.operand]} + r * {self._size(target)} + {target.place(k)}"
            self._say(f"tl.store({place} + b, acc{k}, mask=mr)")

    def _outer(self) -> None:
        first, target = self.product.paths[0], self.product.target
        across, along = (first.extent(letter) for letter in (first.across, first.along))
        components = self.product.components
        self._say(f"o = b // {prod(self.tiles)}", f"b = b % {prod(self.tiles)}")
        self._say(f"a = b // {self.tiles[1]} * {SIDE} + tl.arange(0, {SIDE})")
        self._say(f"t = b % {self.tiles[1]} * {SIDE} + tl.arange(0, {SIDE})")
        self._say(f"ma = a < {across}", f"mt = t < {along}")
        self._clear([f"acc{m}" for m in components], (SIDE, SIDE))
        self._say("last = tl.minimum(s * grain + grain, rows)")
        self._say(f"for r0 in range(s * grain, last, {ROWS}):")
        self.depth += 1
        self._rows("r0", "last")
        for number, path in enumerate(self.product.paths):
            z = self._scales(number, path, "o", skipped=path.along)
            self._tiles(number, path.by[path.across], "a", path.used(path.across))
            self._tiles(number, path.by[path.along], "t", path.used(path.along))
            for (m, k), parts in z.items():
                self._sum(f"p{number}_{m}_{k}", self._left(number, parts))
                left, right = f"tl.trans(p{number}_{m}_{k})", f"x{number}_{path.along}{k}"
                self._dot(f"acc{m}", left, right)
        self.depth -= 1
        strides = {letter: target.stride(letter) for letter in target.letters}
        place = f"a[:, None] * {strides[first.across]} + t[None, :] * {strides[first.along]}"
        place += f" + o * {strides[first.loop]}" if first.loop else ""
        for m in components:
            where = f"v{self.slots[target.operand]} + s * {self._size(target)} + {target.place(m)}"
            self._say(f"tl.store({where} + {place}, acc{m}, mask=ma[:, None] & mt[None, :])")

    def _scales(
        self, number: int, path: MatrixPath, o: str, skipped: str
    ) -> dict[tuple[int, int], dict[int, str]]:
        """What multiplies each tile of the left side, for a component of matrix and `skipped`.

        It is a number for each row, made of the row factor with the letter o, if there is one.
        """
        if path.loop is not None:
            for k in path.used(path.loop):
                place = f"{self._line(path.by[path.loop])} + {path.by[path.loop].place(k)}"
                place += f" + {o}" if path.loop else ""
                self._say(f"y{number}_{k} = {self._load(place, path.by[path.loop], 'mr')}")
        sums: dict[tuple[int, int], dict[int, list[str]]] = {}
        for m, parts, scale in path.terms:
            key = m, self._component(path, parts, skipped)
            a = self._component(path, parts, path.across)
            text = repr(scale)
            if path.loop is not None:
                text += f" * y{number}_{self._component(path, parts, path.loop)}"
            sums.setdefault(key, {}).setdefault(a, []).append(text)
        return {
            key: {
                a: self._scale(f"z{number}_{key[0]}_{key[1]}_{a}", texts, path.loop is not None)
                for a, texts in sorted(by.items())
            }
            for key, by in sorted(sums.items())
        }

    def _scale(self, name: str, texts: Sequence[str], of_rows: bool) -> str:
        if not of_rows:
            return f"({' + '.join(texts)})"
        self._sum(name, texts)
        return f"{name}[:, None]"

    def _left(self, number: int, parts: dict[int, str]) -> list[str]:
        letter = self.product.paths[number].across
        return [f"{scale} * x{number}_{letter}{a}" for a, scale in parts.items()]

    def _sum(self, name: str, products: Sequence[str]) -> None:
        for start in range(0, len(products), _PRODUCTS):
            before = f"{name} + " if start else ""
            self._say(f"{name} = {before}{' + '.join(products[start : start + _PRODUCTS])}")

    def _component(self, path: MatrixPath, parts: Sequence[int], letter: str) -> int:
        return parts[list(path.by).index(letter)]

    def _rows(self, first: str, last: str) -> None:
        """A block of rows, and where their lines begin."""
        self._say(f"r = {first} + tl.arange(0, {ROWS})", f"mr = r < {last}")
        for name in self.indices:
            number = self.numbers[name]
            self._say(f"j{number} = tl.load(i{number} + r, mask=mr, other=0).to(tl.int64)")

    def _line(self, slot: Slot) -> str:
        operand = self.program.values[slot.operand]
        line = "r" if operand.index is None else f"j{self.numbers[operand.index]}"
        if operand.mode == "shared":
            line = "r * 0"
        return f"v{self.slots[slot.operand]} + {line} * {operand.size}"

    def _axis(self, letter: str, extent: int) -> None:
        self._say(f"{letter} = {letter}_0 + tl.arange(0, {SIDE})")
        self._say(f"m{letter} = {letter} < {extent}")

    def _tiles(self, number: int, slot: Slot, axis: str, components: Sequence[int]) -> None:
        """Numbers of rows and of one letter."""
        for k in components:
            place = f"({self._line(slot)} + {slot.place(k)})[:, None] + {axis}[None, :]"
            mask = f"mr[:, None] & m{axis}[None, :]"
            self._say(f"x{number}_{slot.letters}{k} = {self._load(place, slot, mask)}")

    def _matrix(self, number: int, path: MatrixPath, m: int, axes: dict[str, str], o: str) -> None:
        """A block of the matrix, of which `axes` names the two sides."""
        slot = path.matrix
        left, right = axes
        place = f"v{self.slots[slot.operand]} + {slot.place(m)}"
        place += f" + {axes[left]}[:, None] * {slot.stride(left)}"
        place += f" + {axes[right]}[None, :] * {slot.stride(right)}"
        place += f" + {o} * {slot.stride(path.loop)}" if path.loop else ""
        mask = f"m{axes[left]}[:, None] & m{axes[right]}[None, :]"
        self._say(f"m{number}_{m} = {self._load(place, slot, mask)}")

    def _dot(self, total: str, left: str, right: str) -> None:
        kind = f"input_precision=precision, out_dtype={self.compute}"
        self._say(f"{total} = tl.dot({left}, {right}, acc={total}, {kind})")

    def _load(self, place: str, slot: Slot, mask: str) -> str:
        text = f"tl.load({place}, mask={mask}, other=0.0)"
        return f"{text}.to({self.compute})" if slot.operand in self.cast else text

    def _store(self, place: str, value: str, mask: str) -> None:
        target = self.product.target
        line = f"(v{self.slots[target.operand]} + r * {self._size(target)})[:, None]"
        self._say(f"tl.store({line} + {place}, {value}, mask=mr[:, None] & {mask})")

    def _size(self, slot: Slot) -> int:
        return self.program.values[slot.operand].size

    def _clear(self, names: Sequence[str], shape: tuple[int, ...]) -> None:
        for name in names:
            self._say(f"{name} = tl.full({shape}, 0.0, {self.compute})")

    def _say(self, *lines: str) -> None:
        self.lines += ["    " * self.depth + line for line in lines]


class _Loop:
    """Text inside a loop, or where there is but one repetition without one."""

    def __init__(self, text: MatrixText, name: str, extent: int, step: int = 1) -> None:
        self.text, self.name, self.extent, self.step = text, name, extent, step
        self.once = extent <= step

    def __enter__(self) -> None:
        if self.once:
            self.text._say(f"{self.name} = 0")
        else:
            self.text._say(f"for {self.name} in range(0, {self.extent}, {self.step}):")
            self.text.depth += 1

    def __exit__(self, *reason: object) -> None:
        if not self.once:
            self.text.depth -= 1
