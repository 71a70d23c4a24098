"""Triton text of a pass in lanes: one row for each thread, every value in registers."""

from __future__ import annotations

from schur.engine.c_arithmetic import products_text, value_text
from schur.engine.lanes import Lanes
from schur.engine.nest import Graph, Node
from schur.forms import Program

# Rows of a program, one a thread.
ROWS, WARPS = 128, 4
# Multiply-adds in one kernel; outputs beyond get kernels of their own.
_OPERATIONS = 1500


class LanesText:
    """The kernels of a program without channels.

    Args:
        program: all of whose values have one line a row.
        name: begins the names of the functions.
        compute: the number type that is computed in.
        cast: whether memory holds another one.
    """

    def __init__(self, program: Program, name: str, compute: str, cast: bool) -> None:
        self.program, self.name = program, name
        self.compute, self.cast = f"tl.{compute}", cast
        made = Lanes(program)
        self.graph: Graph = made.graph
        self.slots = {each: k for k, each in enumerate(program.values)}
        self.kernels = self._cut(made.outputs)

    def _cut(
        self, outputs: dict[str, list[Node | float]]
    ) -> list[list[tuple[str, int, Node | float]]]:
        """Components of outputs, as many in a kernel as its length allows."""
        kernels: list[list[tuple[str, int, Node | float]]] = [[]]
        known: set[Node] = set()
        length = 0
        for name, values in outputs.items():
            for k, value in enumerate(values):
                below = [] if isinstance(value, float) else self.graph.reachable([value])
                new = sum(len(self.graph.sums.get(n, ())) for n in below if n not in known)
                if length and length + new > _OPERATIONS:
                    kernels.append([])
                    known, length = set(), 0
                    new = sum(len(self.graph.sums.get(n, ())) for n in below)
                kernels[-1].append((name, k, value))
                known |= set(below)
                length += new
        return kernels

    def values(self, number: int) -> list[str]:
        """The names of the values whose memory a kernel is given."""
        made = self.kernels[number]
        roots = [value for _, _, value in made if not isinstance(value, float)]
        used = {
            self.graph.loads[n].operand
            for n in self.graph.reachable(roots)
            if n in self.graph.loads
        }
        used |= {name for name, _, _ in made}
        return [name for name in self.program.values if name in used]

    def text(self, number: int) -> str:
        """One kernel."""
        made = self.kernels[number]
        sizes = {name: operand.size for name, operand in self.program.values.items()}
        arguments = [f"v{self.slots[name]}" for name in self.values(number)]
        lines = [
            "@triton.jit(do_not_specialize=['rows', 'grain'])",
            f"def {self.name}_{number}({', '.join([*arguments, 'rows', 'grain'])}):",
            f"    r = tl.program_id(0).to(tl.int64) * {ROWS} + tl.arange(0, {ROWS})",
            "    m = r < rows",
        ]
        for name in self.values(number):
            slot = self.slots[name]
            lines.append(f"    p{slot} = v{slot} + r * {sizes[name]}")
        roots = [value for _, _, value in made if not isinstance(value, float)]
        for node in self.graph.reachable(roots):
            if node in self.graph.loads:
                entry = self.graph.loads[node]
                place = f"p{self.slots[entry.operand]} + {entry.offset}"
                text = f"tl.load({place}, mask=m, other=0.0)"
                lines.append(
                    f"    n{node} = {text}" + (f".to({self.compute})" if self.cast else "")
                )
            elif node in self.graph.sums:
                products = products_text(self.graph, node, "double")
                for start in range(0, len(products), 8):
                    before = f"n{node} + " if start else ""
                    some = " + ".join(products[start : start + 8])
                    lines.append(f"    n{node} = {before}{some}")
        for name, k, value in made:
            text = value_text(self.graph, value, "double")
            if isinstance(value, float) or value in self.graph.constants:
                text = f"tl.full((), {text}, {self.compute})"  # and not float32
            lines.append(f"    tl.store(p{self.slots[name]} + {k}, {text}, mask=m)")
        return "\n".join([*lines, ""])
