"""C source of a program: the text of the loop nests, with coefficients as literals."""

from __future__ import annotations

from collections.abc import Iterable

from schur.engine.c_arithmetic import sum_text, value_text
from schur.engine.c_lanes import LanesText
from schur.engine.c_sums import lanes_sum
from schur.engine.nest import Entry, Graph, Group, Loop, Node, groups
from schur.engine.schedule import Pass, schedule
from schur.forms import Operand, Program

# Targets without a channel letter up to this size keep one vector for each number through a row
# and are summed across the lanes once; larger ones are summed at once.
_LANES_LIMIT = 512

PREAMBLE = """\
#include <stdint.h>
#include <string.h>
typedef {dtype} T;
#if defined(__AVX512F__)
#define BYTES 64
#elif defined(__AVX__)
#define BYTES 32
#else
#define BYTES 16
#endif
#define W ((int)(BYTES / {itemsize}))
#define WIDTH (BYTES / {itemsize})
typedef T V __attribute__((vector_size(BYTES)));
typedef struct {{ int64_t segment, segment_end, row, row_end, slot, split; }} Item;
typedef struct {{
  T *const *values;
  T *const *partials;
  const int64_t *const *index;
  const int64_t *order;
  const int64_t *start;
  int64_t stream;
}} Call;
static inline V load(const T *p) {{ V v; memcpy(&v, p, sizeof v); return v; }}
static inline void store(T *p, V v) {{ memcpy(p, &v, sizeof v); }}
/* Past the caches: what is written is not read first, and pushes nothing else out. */
#if defined(__clang__)
#define store_streaming(p, v) __builtin_nontemporal_store((v), (V *)(p))
#elif BYTES == 64
#define store_streaming(p, v) __builtin_ia32_movnt{suffix}512((p), (v))
#elif BYTES == 32
#define store_streaming(p, v) __builtin_ia32_movnt{suffix}256((p), (v))
#else
#define store_streaming(p, v) store((p), (v))
#endif
#if defined(__SSE__)
#define FENCE __builtin_ia32_sfence()
#else
#define FENCE __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif
"""

# Vectors that are not full.  What one narrower register holds is moved as such: a masked store is
# not forwarded to the load that follows it, which takes ten times as long where channels are few.
# The header takes as long to read as a small routine to compile, so only a source that needs it
# has it.
PARTS = """\
#if BYTES == 64 && defined(__GNUC__)
#include <immintrin.h>
#define MASK(n) ((1u << (n)) - 1)
#if WIDTH == 16
#define LOAD_MASKED(p, n) (V)_mm512_maskz_loadu_ps(MASK(n), p)
#define STORE_MASKED(p, v, n) _mm512_mask_storeu_ps(p, MASK(n), (__m512)v)
#else
#define LOAD_MASKED(p, n) (V)_mm512_maskz_loadu_pd(MASK(n), p)
#define STORE_MASKED(p, v, n) _mm512_mask_storeu_pd(p, MASK(n), (__m512d)v)
#endif
static inline V load_part(const T *p, int n) {
  if (n * sizeof(T) == 16) return (V)_mm512_zextsi128_si512(_mm_loadu_si128((const void *)p));
  if (n * sizeof(T) == 32) return (V)_mm512_zextsi256_si512(_mm256_loadu_si256((const void *)p));
  return LOAD_MASKED(p, n);
}
static inline void store_part(T *p, V v, int n) {
  if (n * sizeof(T) == 16) _mm_storeu_si128((void *)p, _mm512_castsi512_si128((__m512i)v));
  else if (n * sizeof(T) == 32) _mm256_storeu_si256((void *)p, _mm512_castsi512_si256((__m512i)v));
  else STORE_MASKED(p, v, n);
}
#else
static inline V load_part(const T *p, int n) { V v = {0}; memcpy(&v, p, n * sizeof(T)); return v; }
static inline void store_part(T *p, V v, int n) { memcpy(p, &v, n * sizeof(T)); }
#endif
"""

# Sources longer than this are cut into files that are compiled at the same time.
_FILE_LENGTH = 60_000


def source(program: Program, dtype: str) -> list[str]:
    """C text with one exported function `pass_<k>` for each pass of the program's schedule.

    Args:
        program: what to compute.
        dtype: `"float"` or `"double"`.

    Returns:
        One or several files, to be compiled apart and linked together.
    """
    itemsize = {"float": 4, "double": 8}[dtype]
    functions: list[tuple[str, str]] = []  # declaration and text
    walks: list[str] = []
    for number, work in enumerate(schedule(program)):
        if work.lanes:
            laned = LanesText(program, number, dtype)
            functions += laned.functions()
            walks.append(laned.text())
        else:
            made = _PassText(program, work, number, dtype)
            functions += made.functions()
            walks.append(made.walk())
    declarations = "\n".join(f"{declaration};" for declaration, _ in functions)
    files = [[f"{declarations}\n", *walks]]
    for _, text in functions:
        if sum(map(len, files[-1])) > _FILE_LENGTH:
            files.append([])
        files[-1].append(text)
    texts = ["\n".join(file) for file in files]
    suffix = {"float": "ps", "double": "pd"}[dtype]
    preamble = PREAMBLE.format(dtype=dtype, itemsize=itemsize, suffix=suffix)
    pieces = {"_part(": PARTS, "lanes_sum(": lanes_sum(itemsize)}
    return [
        "".join([preamble, *(piece for word, piece in pieces.items() if word in text), text])
        for text in texts
    ]


class _PassText:
    """The text of one pass: a function for each group, and the walk over the rows."""

    def __init__(self, program: Program, work: Pass, number: int, dtype: str) -> None:
        self.program, self.work, self.number, self.dtype = program, work, number, dtype
        self.groups = groups(work)
        self.slots = {name: k for k, name in enumerate(program.values)}
        self.targets = [program.values[name] for name in work.targets]
        self.sources = [
            program.values[name]
            for name in dict.fromkeys(n for s in work.statements for n in s.sources)
        ]
        self.assigned = {t.name for t in self.targets if t.mode == "row" and self._assigned(t)}
        self.laned = {t.name for t in self.targets if t.size <= _LANES_LIMIT and self._reduced(t)}
        # Rows of whole cache lines, each number written once, may go past the caches.
        self.streamed = {
            t.name
            for t in self.targets
            if t.name in self.assigned
            and all(block.channels and block.channels[-1] % 16 == 0 for block in t.blocks)
        }
        self._parts = [
            _GroupText(self, group, f"pass_{number}_{k}") for k, group in enumerate(self.groups)
        ]

    def _assigned(self, target: Operand) -> bool:
        """Whether every number of a row is stored exactly once, so that nothing need be cleared."""
        seen: list[int] = []
        for group in self.groups:
            for loop in group.loops:
                for entry, _ in loop.stores:
                    if entry.operand == target.name:
                        if any(letter not in entry.letters for letter, _ in group.outer):
                            return False
                        seen.append(entry.offset)
            if any(entry.operand == target.name for entry, _ in group.scalars):
                return False
        expected = sum(block.components for block in target.blocks)
        return not self._reduced(target) and len(seen) == len(set(seen)) == expected

    def _reduced(self, target: Operand) -> bool:
        return any(
            entry.operand == target.name
            for group in self.groups
            for loop in group.loops
            for _, feeds in loop.reductions
            for entry, _ in feeds
        )

    def functions(self) -> list[tuple[str, str]]:
        """Declaration and text of the function of each group."""
        return [(part.head(), part.text()) for part in self._parts]

    def walk(self) -> str:
        """The exported function: the walk over the rows, which calls the groups' functions."""
        name = {operand.name: f"p{self.slots[operand.name]}" for operand in self.targets}
        lines = [f"void pass_{self.number}(const Call *call, const Item *item) {{"]
        for operand in [*self.sources, *self.targets]:
            slot = self.slots[operand.name]
            constant = "const " if operand in self.sources else ""
            lines.append(f"  {constant}T *const b{slot} = call->values[{slot}];")
        for k in range(len(self.program.indices)):
            lines.append(f"  const int64_t *const i{k} = call->index[{k}]; (void)i{k};")
        for operand in self.targets:
            if operand.mode == "shared":
                slot, size = self.slots[operand.name], operand.size
                place = f"call->partials[{slot}] + item->slot * {size}LL"
                lines.append(f"  T *const {name[operand.name]} = {place};")
                lines.append(f"  memset({name[operand.name]}, 0, {size} * sizeof(T));")
        body = self._row()
        if self.work.walk is None:
            lines.append("  for (int64_t r = item->row; r < item->row_end; ++r) {")
            lines.append("    const int64_t ahead = r + 1 < item->row_end ? r + 1 : r;")
            lines += [f"    {line}" for line in body] + ["  }"]
        else:
            lines += self._segments(body)
        if self.streamed:
            lines.append("  if (call->stream) FENCE;")
        return "\n".join([*lines, "}", ""])

    def _segments(self, body: list[str]) -> list[str]:
        """The walk over the entries of the summed index, each cleared once and then added to."""
        lines = ["  for (int64_t s = item->segment; s < item->segment_end; ++s) {"]
        for operand in self.targets:
            if operand.mode == "indexed":
                slot, size = self.slots[operand.name], operand.size
                lines.append(
                    f"    T *const p{slot} = item->split < 0 ? b{slot} + s * {size}LL"
                    f" : call->partials[{slot}] + item->split * {size}LL;"
                )
                lines.append(f"    memset(p{slot}, 0, {size} * sizeof(T));")
        lines.append("    const int64_t first = item->split < 0 ? call->start[s] : item->row;")
        lines.append(
            "    const int64_t last = item->split < 0 ? call->start[s + 1] : item->row_end;"
        )
        lines.append("    for (int64_t q = first; q < last; ++q) {")
        lines.append("      const int64_t r = call->order[q];")
        lines.append("      const int64_t ahead = q + 1 < last ? call->order[q + 1] : r;")
        return lines + [f"      {line}" for line in body] + ["    }", "  }"]

    def _row(self) -> list[str]:
        lines = []
        numbers = {index: k for k, index in enumerate(self.program.indices)}
        for operand in self.sources:
            slot, size = self.slots[operand.name], operand.size
            where = {"shared": "0", "row": "r"}.get(operand.mode)
            if operand.index is not None:
                where = f"i{numbers[operand.index]}[r]"
            lines.append(f"const T *const p{slot} = b{slot} + {where} * {size}LL;")
            if operand.mode == "row":
                lines.append(f"const T *const f{slot} = b{slot} + ahead * {size}LL;")
        for operand in self.targets:
            slot, size = self.slots[operand.name], operand.size
            if operand.mode == "row":
                lines.append(f"T *const p{slot} = b{slot} + r * {size}LL;")
                if operand.name not in self.assigned:
                    lines.append(f"memset(p{slot}, 0, {size} * sizeof(T));")
            if operand.name in self.laned:
                lines.append(f"V l{slot}[{size}]; memset(l{slot}, 0, sizeof l{slot});")
        lines += [part.call() for part in self._parts]
        for operand in self.targets:
            if operand.name in self.laned:
                slot, size = self.slots[operand.name], operand.size
                lines.append(
                    f"for (int k = 0; k < {size}; ++k) p{slot}[k] += lanes_sum(l{slot}[k], W);"
                )
        return lines


class _GroupText:
    """The function of one group."""

    def __init__(self, owner: _PassText, group: Group, name: str) -> None:
        self.owner, self.group, self.name = owner, group, name
        self.graph: Graph = group.graph
        loads = self._loads()
        self.read = sorted({owner.slots[entry.operand] for entry in loads})
        streamed = (
            {
                entry.operand
                for entry in loads
                if owner.program.values[entry.operand].mode == "row"
                and group.vector in entry.letters
            }
            if group.vector
            else set()
        )
        self.ahead = sorted(owner.slots[operand] for operand in streamed)
        written = {entry.operand for entry in self._stored()}
        self.written = sorted(owner.slots[operand] for operand in written)
        reduced = {entry.operand for entry in self._fed()}
        self.lanes = sorted(owner.slots[o] for o in reduced if o in owner.laned)
        self.written = sorted({*self.written, *(owner.slots[o] for o in reduced - owner.laned)})

    def _roots(self) -> Iterable[Node]:
        for loop in self.group.loops:
            yield from (value for _, value in loop.stores if not isinstance(value, float))
            for value, feeds in loop.reductions:
                yield value
                yield from (factor for _, factor in feeds if not isinstance(factor, float))
        yield from (value for _, value in self.group.scalars if not isinstance(value, float))

    def _loads(self) -> list[Entry]:
        return [
            self.graph.loads[n]
            for n in self.graph.reachable(self._roots())
            if n in self.graph.loads
        ]

    def _stored(self) -> list[Entry]:
        stores = [entry for loop in self.group.loops for entry, _ in loop.stores]
        return stores + [entry for entry, _ in self.group.scalars]

    def _fed(self) -> list[Entry]:
        return [e for loop in self.group.loops for _, feeds in loop.reductions for e, _ in feeds]

    def call(self) -> str:
        arguments = [f"p{k}" for k in self.read + self.written] + [f"l{k}" for k in self.lanes]
        arguments += [f"f{k}" for k in self.ahead]
        if any(map(self._streams, self._stored())):
            arguments.append("call->stream")
        return f"{self.name}({', '.join(arguments)});"

    def head(self) -> str:
        parameters = [f"const T *restrict p{k}" for k in self.read]
        parameters += [f"T *restrict p{k}" for k in self.written]
        parameters += [f"V *restrict l{k}" for k in self.lanes]
        parameters += [f"const T *f{k}" for k in self.ahead]
        if any(map(self._streams, self._stored())):
            parameters.append("int64_t stream")
        hidden = '__attribute__((noinline, visibility("hidden")))'
        return f"{hidden} void {self.name}({', '.join(parameters)})"

    def text(self) -> str:
        lines = [f"{self.head()} {{"]
        nodes = self.graph.reachable(self._roots())
        # Constants are written where they are used.
        scalars = [n for n in nodes if not self.graph.vector[n] and n not in self.graph.constants]
        depth = len(self.group.outer)
        for level in range(depth + 1):
            if level:
                letter, extent = self.group.outer[level - 1]
                lines.append(f"for (int {letter}_ = 0; {letter}_ < {extent}; ++{letter}_) {{")
            lines += [
                f"const T n{n} = {self._expression(n)};"
                for n in scalars
                if self.graph.level[n] == level
            ]
        for loop in self.group.loops:
            lines += self._loop(loop)
        for entry, value in self.group.scalars:
            lines.append(f"{self._place(entry)} += {self._value(value)};")
        return "\n".join([*lines, "}" * (depth + 1), ""])

    def _loop(self, loop: Loop) -> list[str]:
        extent = self.group.extent
        lines = ["{"]
        lines += [f"V s{k} = {{0}};" for k in range(len(loop.reductions))]
        lines.append(f"for (int c = 0; c + W <= {extent}; c += W) {{")
        lines += self._body(loop, part=False)
        lines.append("}")
        if extent % 16:  # 16 lanes are the most that any machine has
            lines += [f"#if {extent} % WIDTH", f"{{ const int c = {extent} / W * W;"]
            lines += [*self._body(loop, part=True), "}", "#endif"]
        for k, (_, feeds) in enumerate(loop.reductions):
            for entry, factor in feeds:
                # Node 1 is equal to the number 1.0, and a factor all the same.
                one = isinstance(factor, float) and factor == 1.0
                value = f"s{k}" if one else f"s{k} * {self._value(factor)}"
                if entry.operand in self.owner.laned:
                    slot = self.owner.slots[entry.operand]
                    lines.append(f"l{slot}[{self._offset(entry)}] += {value};")
                else:
                    lines.append(f"{self._place(entry)} += lanes_sum({value}, {extent});")
        return [*lines, "}"]

    def _body(self, loop: Loop, part: bool) -> list[str]:
        """One vector of channels: loads, sums, then stores, so that no store delays a load."""
        roots = [value for _, value in loop.stores] + [value for value, _ in loop.reductions]
        nodes = self.graph.reachable(n for n in roots if not isinstance(n, float))
        rest = f", {self.group.extent} % W" if part else ""
        suffix = "_part" if part else ""
        lines = []
        for n in nodes:
            if not self.graph.vector[n]:
                continue
            if n in self.graph.loads:
                slot = self.owner.slots[self.graph.loads[n].operand]
                place = f"p{slot} + {self._offset(self.graph.loads[n])}"
                if slot in self.ahead and not part:
                    lines.append(
                        f"__builtin_prefetch(f{slot} + {self._offset(self.graph.loads[n])});"
                    )
                lines.append(f"const V n{n} = load{suffix}({place}{rest});")
            else:
                lines.append(f"const V n{n} = {self._expression(n)};")
        lines += [f"s{k} += n{value};" for k, (value, _) in enumerate(loop.reductions)]
        for entry, value in loop.stores:
            place = f"p{self.owner.slots[entry.operand]} + {self._offset(entry)}"
            text = self._value(value)
            if entry.operand in self.owner.assigned:
                vector = (
                    text
                    if not isinstance(value, float) and self.graph.vector[value]
                    else f"(V){{0}} + {text}"
                )
            else:
                vector = f"load{suffix}({place}{rest}) + {text}"
            kept = f"store{suffix}({place}, {vector}{rest});"
            if self._streams(entry):
                kept = f"if (stream) store_streaming({place}, {vector}); else {kept}"
            lines.append(kept)
        return lines

    def _streams(self, entry: Entry) -> bool:
        return entry.operand in self.owner.streamed

    def _expression(self, node: Node) -> str:
        if node in self.graph.loads:
            return self._place(self.graph.loads[node])
        return sum_text(self.graph, node, self.owner.dtype)

    def _value(self, value: Node | float) -> str:
        return value_text(self.graph, value, self.owner.dtype)

    def _place(self, entry: Entry) -> str:
        return f"p{self.owner.slots[entry.operand]}[{self._offset(entry)}]"

    def _offset(self, entry: Entry) -> str:
        terms = [str(entry.offset)]
        stride = 1
        for letter, extent in zip(reversed(entry.letters), reversed(entry.extents), strict=True):
            name = "c" if letter == self.group.vector else f"{letter}_"
            terms.append(name if stride == 1 else f"{name} * {stride}")
            stride *= extent
        return " + ".join(terms)
