"""C text of a pass in lanes: a vector holds one number of as many rows as it has lanes."""

from __future__ import annotations

from collections.abc import Sequence

from schur.engine.c_arithmetic import literal, sum_text
from schur.engine.lanes import Lanes
from schur.engine.nest import Node
from schur.forms import Operand, Program

_WIDTHS = (2, 4, 8, 16)
# Rows of up to this many numbers are packed tightly into vectors; longer ones go in tiles.
_PACKED = 9


def transposition() -> str:
    """`transpose(V r[W])`: exchanges rows and lanes by log2(W) rounds of shuffles."""
    lines = []
    for width in _WIDTHS:
        lines.append(f"#if WIDTH == {width}")
        lines.append("static inline __attribute__((always_inline)) void transpose(V *r) {")
        step = 1
        while step < width:
            low = [k if not k & step else width + k - step for k in range(width)]
            high = [k + step if not k & step else width + k for k in range(width)]
            for row in range(width):
                if not row & step:
                    pair = f"r[{row}], r[{row | step}]"
                    first, second = (", ".join(map(str, lanes)) for lanes in (low, high))
                    lines.append(
                        f"  {{ const V a = __builtin_shufflevector({pair}, {first}),"
                        f" b = __builtin_shufflevector({pair}, {second});"
                        f" r[{row}] = a; r[{row | step}] = b; }}"
                    )
            step *= 2
        lines += ["}", "#endif"]
    return "\n".join(lines)


def packing(size: int) -> str:
    """`unpack_<size>` and `pack_<size>`: W rows of `size` numbers, contiguous, to vectors and back.

    Each vector is put together from the others one shuffle at a time.
    """
    lines = []
    for width in _WIDTHS:
        rows = [[divmod(lane * size + k, width) for lane in range(width)] for k in range(size)]
        flat = [
            [divmod(vector * width + lane, size)[::-1] for lane in range(width)]
            for vector in range(size)
        ]
        lines += [
            f"#if WIDTH == {width}",
            f"static inline void unpack_{size}(const T *p, V *r) {{",
            *(f"  const V v{k} = load(p + {k} * W);" for k in range(size)),
            *(f"  r[{k}] = {_gathered(places, width)};" for k, places in enumerate(rows)),
            "}",
            f"static inline void pack_{size}(T *p, const V *r) {{",
            *(f"  const V v{k} = r[{k}];" for k in range(size)),
            *(
                f"  store(p + {k} * W, {_gathered(places, width)});"
                for k, places in enumerate(flat)
            ),
            "}",
            "#endif",
        ]
    return "\n".join(lines)


def _gathered(places: Sequence[tuple[int, ...]], width: int) -> str:
    """The vector whose lane l is lane `places[l][1]` of vector `places[l][0]`."""
    sources = list(dict.fromkeys(vector for vector, _ in places))
    text = f"v{sources[0]}"
    lanes = [lane if vector == sources[0] else 0 for vector, lane in places]
    if lanes != list(range(width)) or len(sources) > 1:
        text = f"__builtin_shufflevector({text}, {text}, {', '.join(map(str, lanes))})"
    for source in sources[1:]:
        chosen = [
            width + lane if vector == source else position
            for position, (vector, lane) in enumerate(places)
        ]
        text = f"__builtin_shufflevector({text}, v{source}, {', '.join(map(str, chosen))})"
    return text


class LanesText:
    """The text of one pass in lanes."""

    def __init__(self, program: Program, number: int, dtype: str) -> None:
        self.program, self.number, self.dtype = program, number, dtype
        self.lanes = Lanes(program)
        self.slots = {name: k for k, name in enumerate(program.values)}
        self.inputs = list(program.inputs)
        self.outputs = [program.values[name] for name in program.outputs]

    def text(self) -> str:
        sizes = {operand.size for operand in [*self.inputs, *self.outputs]}
        packed = [packing(size) for size in sorted(sizes) if size <= _PACKED]
        return "\n".join([transposition(), *packed, self._block(), self._walk()])

    def _parameters(self) -> str:
        read = [f"const T *restrict p{self.slots[operand.name]}" for operand in self.inputs]
        written = [f"T *restrict p{self.slots[operand.name]}" for operand in self.outputs]
        return ", ".join(read + written)

    def _block(self) -> str:
        """The function for as many rows as there are lanes."""
        graph = self.lanes.graph
        values = [v for output in self.outputs for v in self.lanes.outputs[output.name]]
        nodes = graph.reachable(v for v in values if not isinstance(v, float))
        head = f"void lanes_{self.number}({self._parameters()})"
        lines = [f"static __attribute__((noinline)) {head} {{"]
        used = {graph.loads[n].operand for n in nodes if n in graph.loads}
        for operand in self.inputs:
            if operand.name in used:
                lines += self._load(operand)
        for n in nodes:
            if n in graph.loads:
                entry = graph.loads[n]
                lines.append(f"const V n{n} = r{self.slots[entry.operand]}[{entry.offset}];")
            elif n in graph.sums:
                lines.append(f"const V n{n} = {sum_text(graph, n, self.dtype)};")
        for operand in self.outputs:
            lines += self._store(operand)
        return "\n".join([*lines, "}", ""])

    def _load(self, operand: Operand) -> list[str]:
        """The components of W rows as vectors: whole tiles through the transposition."""
        slot, size = self.slots[operand.name], operand.size
        if size <= _PACKED:
            return [f"V r{slot}[{size}];", f"unpack_{size}(p{slot}, r{slot});"]
        place = f"p{slot} + l * {size} + k"
        return [
            f"V r{slot}[{size} + W];",
            "#pragma GCC unroll 64",
            f"for (int k = 0; k < {size}; k += W) {{",
            "  #pragma GCC unroll 16",
            "  for (int l = 0; l < W; ++l)",
            f"    if (k + W <= {size}) r{slot}[k + l] = load({place});",
            f"    else r{slot}[k + l] = load_part({place}, {size} % W);",
            f"  transpose(r{slot} + k);",
            "}",
        ]

    def _store(self, operand: Operand) -> list[str]:
        slot, size = self.slots[operand.name], operand.size
        lines = [f"{{ V o[{size} + W];"]
        for k, value in enumerate(self.lanes.outputs[operand.name]):
            lines.append(f"o[{k}] = {self._value(value)};")
        if size <= _PACKED:
            return [*lines, f"pack_{size}(p{slot}, o); }}"]
        place = f"p{slot} + l * {size} + k"
        lines += [
            "#pragma GCC unroll 64",
            f"for (int k = 0; k < {size}; k += W) {{",
            "  transpose(o + k);",
            "  #pragma GCC unroll 16",
            "  for (int l = 0; l < W; ++l)",
            f"    if (k + W <= {size}) store({place}, o[k + l]);",
            f"    else store_part({place}, o[k + l], {size} % W);",
            "} }",
        ]
        return lines

    def _value(self, value: Node | float) -> str:
        if isinstance(value, float):
            return f"(V){{0}} + {literal(value, self.dtype)}"
        return f"n{value}"

    def _walk(self) -> str:
        """All rows in blocks; the rest of the last block goes through padded copies."""
        operands = [*self.inputs, *self.outputs]
        whole = ", ".join(f"call->values[{self.slots[o.name]}] + r * {o.size}LL" for o in operands)
        lines = [
            f"void pass_{self.number}(const Call *call, const Item *item) {{",
            "  int64_t r = item->row;",
            f"  for (; r + W <= item->row_end; r += W) lanes_{self.number}({whole});",
            "  const int64_t rest = item->row_end - r;",
            "  if (!rest) return;",
        ]
        for operand in operands:
            slot, size = self.slots[operand.name], operand.size
            lines.append(f"  T c{slot}[{size} * W]; memset(c{slot}, 0, sizeof c{slot});")
        for operand in self.inputs:
            slot, size = self.slots[operand.name], operand.size
            lines.append(
                f"  memcpy(c{slot}, call->values[{slot}] + r * {size}LL,"
                f" rest * {size} * sizeof(T));"
            )
        padded = ", ".join(f"c{self.slots[o.name]}" for o in operands)
        lines.append(f"  lanes_{self.number}({padded});")
        for operand in self.outputs:
            slot, size = self.slots[operand.name], operand.size
            lines.append(
                f"  memcpy(call->values[{slot}] + r * {size}LL, c{slot},"
                f" rest * {size} * sizeof(T));"
            )
        return "\n".join([*lines, "}", ""])
