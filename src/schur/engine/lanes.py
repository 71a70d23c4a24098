"""Programs without channels as straight-line expressions over the components of a row.

Every value is expanded in place, so that a chain of recurrences and all its derivatives become one
list of multiply-adds, evaluated for as many rows at a time as a vector has lanes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from schur.engine.nest import Entry, Graph, Node
from schur.forms import Program

Product = tuple[Node, ...]


class Lanes:
    """The expressions of a program's outputs.

    Attributes:
        graph: the shared expressions; loads are components of inputs.
        outputs: for each output its components' values.
    """

    def __init__(self, program: Program) -> None:
        candidates = [_Expander(program, greedy) for greedy in (True, False)]
        best = min(candidates, key=lambda made: made.size())
        self.graph = best.graph
        self.outputs = best.outputs


class _Expander:
    def __init__(self, program: Program, greedy: bool) -> None:
        self.program, self.greedy = program, greedy
        self.graph = Graph()
        self.terms = _collect(program)
        self.known: dict[tuple[str, int], Node | float] = {}
        self.outputs = {
            name: [self._value(name, k) for k in range(program.values[name].size)]
            for name in program.outputs
        }

    def size(self) -> int:
        """Multiply-adds that the outputs need."""
        roots = [v for values in self.outputs.values() for v in values if not isinstance(v, float)]
        return sum(len(self.graph.sums.get(n, ())) for n in self.graph.reachable(roots))

    def _value(self, name: str, offset: int) -> Node | float:
        """One component of one value, expanded; an explicit stack replaces deep recursion."""
        stack = [(name, offset)]
        while stack:
            key = stack[-1]
            if key in self.known:
                stack.pop()
                continue
            if key not in self.terms:
                self.known[key] = self._leaf(*key)
                continue
            missing = [
                part for parts, _ in self.terms[key] for part in parts if part not in self.known
            ]
            if missing:
                stack.extend(dict.fromkeys(missing))
            else:
                self.known[key] = self._expanded(self.terms[key])
        return self.known[name, offset]

    def _leaf(self, name: str, offset: int) -> Node | float:
        if any(operand.name == name for operand in self.program.inputs):
            return self.graph.load(Entry(name, offset, "", ()), 0, True)
        return 0.0  # a component that no statement adds to

    def _expanded(self, terms: list[tuple[tuple[tuple[str, int], ...], float]]) -> Node | float:
        products: dict[Product, float] = {}
        for parts, coefficient in terms:
            nodes: list[Node] = []
            for part in parts:
                value = self.known[part]
                if isinstance(value, float):
                    coefficient *= value
                else:
                    nodes.append(value)
            key = tuple(sorted(nodes))
            products[key] = products.get(key, 0.0) + coefficient
        return self._horner({key: c for key, c in products.items() if c != 0.0})

    def _horner(self, products: dict[Product, float]) -> Node | float:
        """Nested sums: the factor of most products is taken out first, and again inside."""
        constant = products.pop((), 0.0)
        pairs: list[tuple[Node, Node | float]] = []
        while products:
            factor = self._outermost(products)
            inside: dict[Product, float] = {}
            for product in [p for p in products if factor in p]:
                k = product.index(factor)
                inside[product[:k] + product[k + 1 :]] = products.pop(product)
            pairs.append((factor, self._horner(inside)))
        if not pairs:
            return constant
        if constant:
            pairs.append((self.graph.constant(constant), 1.0))
        return self.graph.sum(pairs)

    def _outermost(self, products: Mapping[Product, float]) -> Node:
        if not self.greedy:
            return max(max(product) for product in products)
        count = Counter(node for product in products for node in set(product))
        return max(count, key=lambda node: (count[node], node))


def _collect(
    program: Program,
) -> dict[tuple[str, int], list[tuple[tuple[tuple[str, int], ...], float]]]:
    """For each component of each made value its terms: what is multiplied, and the coefficient."""
    found: dict[tuple[str, int], list[tuple[tuple[tuple[str, int], ...], float]]] = {}
    for statement in program.statements:
        for path in statement.form.paths:
            (slot,) = path.positions(statement.target)
            starts = [
                program.values[factor.operand].offsets[factor.block] for factor in path.factors
            ]
            for row, coefficient in zip(path.components.tolist(), path.coefficients, strict=True):
                places = [
                    (factor.operand, start + component)
                    for factor, start, component in zip(path.factors, starts, row, strict=True)
                ]
                parts = tuple(places[:slot] + places[slot + 1 :])
                found.setdefault(places[slot], []).append((parts, float(coefficient)))
    return found
