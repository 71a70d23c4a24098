"""C text of a pass in lanes: a vector holds one number of as many rows as it has lanes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schur.engine.c_arithmetic import literal, sum_text, value_text
from schur.engine.lanes import Lanes
from schur.engine.nest import Node
from schur.forms import Operand, Program

_WIDTHS = (2, 4, 8, 16)
# Rows of up to this many numbers are packed tightly into vectors. Longer ones are written, and if
# longer than a tile read, in tiles of whole vectors; others are read 16 bytes of each at a time.
_PACKED = 6
# A block of more multiply-adds is cut into functions of about so many, so that compile time stays
# linear; but not where what several functions need, and each makes, comes to so many times all.
_FUNCTION_OPERATIONS = 1500
_MOST_REPEATED = 1.3
# Numbers of a tile; as many as the widest vector has lanes.
_TILE = 16

# `load_columns` reads as many numbers of W rows as 16 bytes hold.
COLUMNS = """\
typedef T Q __attribute__((vector_size(16)));
#define COLUMNS ((int)(16 / sizeof(T)))
static inline Q load_quarter(const T *p) { Q q; memcpy(&q, p, sizeof q); return q; }
static inline V stacked(const T *p, int stride) {
  const Q a = load_quarter(p);
#if BYTES == 16
  return a;
#else
  const int step = COLUMNS * stride;
  const Q b = load_quarter(p + step);
#if BYTES == 32
  return JOINED_2(a, b);
#else
  const Q c = load_quarter(p + 2 * step), d = load_quarter(p + 3 * step);
  return JOINED_4(JOINED_2(a, b), JOINED_2(c, d));
#endif
#endif
}
static inline __attribute__((always_inline)) void load_columns(const T *p, int stride, V *r) {
  V v[COLUMNS];
  for (int j = 0; j < COLUMNS; ++j) v[j] = stacked(p + j * stride, stride);
  exchange_columns(v);
  for (int j = 0; j < COLUMNS; ++j) r[j] = v[j];
}
"""


def transposition() -> str:
    """`transpose(V r[W])`: exchanges rows and lanes by log2(W) rounds of shuffles."""
    return "\n".join(_exchange("transpose", width, width) for width in _WIDTHS)


def columns(itemsize: int) -> str:
    """`load_columns` for numbers of that size."""
    count = 16 // itemsize
    joined = [
        f"#define JOINED_{parts}(a, b) __builtin_shufflevector(a, b, "
        + ", ".join(map(str, range(parts * count)))
        + ")"
        for parts in (2, 4)
    ]
    widths = [width for width in _WIDTHS if width >= count]
    exchanges = [_exchange("exchange_columns", width, count) for width in widths]
    return "\n".join([*joined, *exchanges, COLUMNS])


def _exchange(name: str, width: int, count: int) -> str:
    """A function that exchanges `count` vectors with the lanes of each `count` of their lanes."""
    lines = [
        f"#if WIDTH == {width}",
        f"static inline __attribute__((always_inline)) void {name}(V *r) {{",
    ]
    step = 1
    while step < count:
        low = [k if not k & step else width + k - step for k in range(width)]
        high = [k + step if not k & step else width + k for k in range(width)]
        for row in range(count):
            if not row & step:
                pair = f"r[{row}], r[{row | step}]"
                first, second = (", ".join(map(str, lanes)) for lanes in (low, high))
                lines.append(
                    f"  {{ const V a = __builtin_shufflevector({pair}, {first}),"
                    f" b = __builtin_shufflevector({pair}, {second});"
                    f" r[{row}] = a; r[{row | step}] = b; }}"
                )
        step *= 2
    return "\n".join([*lines, "}", "#endif"])


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


@dataclass(frozen=True)
class _Piece:
    """Places `start` to `stop` of an output's rows, made together and then written."""

    output: Operand
    start: int
    stop: int
    values: tuple[Node | float, ...]

    def store(self, slot: int, made: str) -> list[str]:
        """Writes what is in the vectors `made`."""
        size, stop = self.output.size, self.stop
        if size <= _PACKED:
            return [f"pack_{size}(p{slot}, {made});"]
        place = f"p{slot} + l * {size} + k"
        source = f"{made} + k - {self.start}"
        lines = ["#pragma GCC unroll 4"] if len(self.values) <= _TILE else []
        lines += [
            f"for (int k = {self.start}; k + W <= {stop}; k += W) {{",
            f"  transpose({source});",
            "  #pragma GCC unroll 16",
            f"  for (int l = 0; l < W; ++l) store({place}, ({source})[l]);",
            "}",
        ]
        if stop % _TILE == 0:
            return lines
        return [
            *lines,
            f"if ({stop} % W) {{",
            f"  const int k = {stop} / W * W;",
            f"  transpose({source});",
            "  #pragma GCC unroll 16",
            f"  for (int l = 0; l < W; ++l) store_part({place}, ({source})[l], {stop} % W);",
            "}",
        ]


class LanesText:
    """The text of one pass in lanes."""

    def __init__(self, program: Program, number: int, dtype: str) -> None:
        self.program, self.number, self.dtype = program, number, dtype
        self.lanes = Lanes(program)
        self.slots = {name: k for k, name in enumerate(program.values)}
        self.inputs = list(program.inputs)
        self.outputs = [program.values[name] for name in program.outputs]
        pieces = [
            _Piece(output, start, stop, tuple(self.lanes.outputs[output.name][start:stop]))
            for output in self.outputs
            for start in range(0, output.size, _TILE)
            for stop in [min(start + _TILE, output.size)]
        ]
        nodes = self._nodes(v for piece in pieces for v in piece.values)
        read = {self.lanes.graph.loads[n].operand for n in nodes if n in self.lanes.graph.loads}
        self.read = [operand for operand in self.inputs if operand.name in read]
        functions = self._functions(pieces, self._operations(nodes))
        self.is_cut = functions is not None
        self.pieces = functions or pieces

    def text(self) -> str:
        sizes = {operand.size for operand in [*self.inputs, *self.outputs]}
        packed = [packing(size) for size in sorted(sizes) if size <= _PACKED]
        itemsize = {"float": 4, "double": 8}[self.dtype]
        moves = [transposition(), columns(itemsize), *packed]
        return "\n".join([*moves, self._block(), self._walk()])

    def functions(self) -> list[tuple[str, str]]:
        """Declaration and text of the functions that a large block is cut into."""
        found = []
        for k, piece in enumerate(self.pieces) if self.is_cut else ():
            hidden = '__attribute__((noinline, visibility("hidden")))'
            read = [f"const V *restrict r{self.slots[operand.name]}" for operand in self.read]
            head = f"{hidden} void lanes_{self.number}_{k}({', '.join([*read, 'V *restrict o'])})"
            text = [f"{head} {{", *self._made(piece, "o", set()), "}", ""]
            found.append((head, "\n".join(text)))
        return found

    def _nodes(self, values: Iterable[Node | float]) -> list[Node]:
        return self.lanes.graph.reachable(v for v in values if not isinstance(v, float))

    def _operations(self, nodes: Iterable[Node]) -> int:
        return sum(len(self.lanes.graph.sums.get(n, ())) for n in nodes)

    def _functions(self, pieces: Sequence[_Piece], total: int) -> list[_Piece] | None:
        """Larger pieces, one for each function; None where one function makes all of them."""
        if total <= _FUNCTION_OPERATIONS:
            return None
        found: list[_Piece] = []
        inside: set[Node] = set()
        made = 0
        for piece in pieces:
            joins = found and found[-1].output is piece.output
            if joins and self._operations(inside) < _FUNCTION_OPERATIONS:
                values = found[-1].values + piece.values
                found[-1] = _Piece(piece.output, found[-1].start, piece.stop, values)
            else:
                found.append(piece)
                made += self._operations(inside)
                inside = set()
            inside.update(self._nodes(piece.values))
        made += self._operations(inside)
        return found if made <= _MOST_REPEATED * total else None

    def _block(self) -> str:
        """The function for as many rows as there are lanes."""
        parameters = [f"const T *restrict p{self.slots[operand.name]}" for operand in self.inputs]
        parameters += [f"T *restrict p{self.slots[operand.name]}" for operand in self.outputs]
        head = f"void lanes_{self.number}({', '.join(parameters)})"
        lines = [f"static __attribute__((noinline)) {head} {{"]
        for operand in self.read:
            lines += self._load(operand)
        if self.is_cut:
            longest = max(len(piece.values) for piece in self.pieces)
            lines.append(f"V o[{longest + _TILE}];")
        known: set[Node] = set()
        read = "".join(f"r{self.slots[operand.name]}, " for operand in self.read)
        for k, piece in enumerate(self.pieces):
            made = "o" if self.is_cut else f"o{k}"
            if self.is_cut:
                lines.append(f"lanes_{self.number}_{k}({read}{made});")
            else:
                lines += [f"V {made}[{_TILE}];", *self._made(piece, made, known)]
            lines += piece.store(self.slots[piece.output.name], made)
        return "\n".join([*lines, "}", ""])

    def _made(self, piece: _Piece, made: str, known: set[Node]) -> list[str]:
        """The values of a piece, each sum that is not known yet in a variable before its use."""
        graph = self.lanes.graph
        lines = []
        for k, value in enumerate(piece.values):
            for n in self._nodes([value]):
                if n in known or n in graph.constants:
                    continue
                known.add(n)
                if n in graph.loads:
                    entry = graph.loads[n]
                    text = f"r{self.slots[entry.operand]}[{entry.offset}]"
                else:
                    text = sum_text(graph, n, self.dtype)
                lines.append(f"const V n{n} = {text};")
            lines.append(f"{made}[{k}] = {self._value(value)};")
        return lines

    def _load(self, operand: Operand) -> list[str]:
        """The numbers of W rows as vectors, one for each place in a row."""
        slot, size = self.slots[operand.name], operand.size
        lines = [f"V r{slot}[{size}];"]
        if size <= _PACKED:
            return [*lines, f"unpack_{size}(p{slot}, r{slot});"]
        if size > _TILE:
            place = f"p{slot} + l * {size} + k"
            lines[0] = f"V r{slot}[{size} + W];"
            return [
                *lines,
                "#pragma GCC unroll 4",
                f"for (int k = 0; k < {size}; k += W) {{",
                "  #pragma GCC unroll 16",
                "  for (int l = 0; l < W; ++l)",
                f"    if (k + W <= {size}) r{slot}[k + l] = load({place});",
                f"    else r{slot}[k + l] = load_part({place}, {size} % W);",
                f"  transpose(r{slot} + k);",
                "}",
            ]
        # The last columns end where the row does; some of them are read twice.
        return [
            *lines,
            "#pragma GCC unroll 16",
            f"for (int k = 0; k + COLUMNS <= {size}; k += COLUMNS)"
            f" load_columns(p{slot} + k, {size}, r{slot} + k);",
            f"if ({size} % COLUMNS) load_columns(p{slot} + {size} - COLUMNS, {size},"
            f" r{slot} + {size} - COLUMNS);",
        ]

    def _value(self, value: Node | float) -> str:
        if isinstance(value, float):
            return f"(V){{0}} + {literal(value, self.dtype)}"
        return value_text(self.lanes.graph, value, self.dtype)

    def _walk(self) -> str:
        """All rows in blocks; the rest of the last block goes through padded copies."""
        read = [f"call->values[{self.slots[o.name]}] + r * {o.size}LL" for o in self.inputs]
        written = [f"call->values[{self.slots[o.name]}] + r * {o.size}LL" for o in self.outputs]
        call = f"lanes_{self.number}"
        lines = [
            f"void pass_{self.number}(const Call *call, const Item *item) {{",
            "  int64_t r = item->row;",
            "  if (call->stream) {",
            *self._streamed(read, written),
            "  }",
            f"  for (; r + W <= item->row_end; r += W) {call}({', '.join(read + written)});",
            "  const int64_t rest = item->row_end - r;",
            "  if (!rest) return;",
        ]
        for operand in [*self.inputs, *self.outputs]:
            slot, size = self.slots[operand.name], operand.size
            lines.append(f"  T c{slot}[{size} * W]; memset(c{slot}, 0, sizeof c{slot});")
        for operand, place in zip(self.inputs, read, strict=True):
            copied = f"rest * {operand.size} * sizeof(T)"
            lines.append(f"  memcpy(c{self.slots[operand.name]}, {place}, {copied});")
        padded = ", ".join(f"c{self.slots[o.name]}" for o in [*self.inputs, *self.outputs])
        lines.append(f"  {call}({padded});")
        for operand, place in zip(self.outputs, written, strict=True):
            copied = f"rest * {operand.size} * sizeof(T)"
            lines.append(f"  memcpy({place}, c{self.slots[operand.name]}, {copied});")
        return "\n".join([*lines, "}", ""])

    def _streamed(self, read: list[str], written: list[str]) -> list[str]:
        """Whole blocks made near by and then written past the caches, from end to end."""
        slots = [self.slots[operand.name] for operand in self.outputs]
        sizes = [operand.size for operand in self.outputs]
        lines = [
            f"    T s{slot}[{size} * W] __attribute__((aligned(64)));"
            for slot, size in zip(slots, sizes, strict=True)
        ]
        near = ", ".join([*read, *(f"s{slot}" for slot in slots)])
        lines += [
            "    for (; r + W <= item->row_end; r += W) {",
            f"      lanes_{self.number}({near});",
        ]
        for slot, size, place in zip(slots, sizes, written, strict=True):
            lines.append(
                f"      for (int k = 0; k < {size}; ++k)"
                f" store_streaming((V *)({place}) + k, load(s{slot} + k * W));"
            )
        return [*lines, "    }", "    FENCE;"]
