"""Programs without channels as straight-line expressions over the components of a row.

Every value is expanded in place, so that a chain of recurrences and all its derivatives become one
list of multiply-adds, evaluated for as many rows at a time as a vector has lanes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from sys import float_info

from schur.engine.nest import Entry, Graph, Node
from schur.forms import Program

Product = tuple[Node, ...]

# Coefficients that differ by less, relative to their size, are one number.
_ROUNDING = 4 * float_info.epsilon


class Lanes:
    """The expressions of a program's outputs.

    Attributes:
        graph: the shared expressions; loads are components of inputs.
        outputs: for each output its components' values.
    """

    def __init__(self, program: Program) -> None:
        candidates = [_Expander(program, rule) for rule in ("common", "last", "alike")]
        best = min(candidates, key=lambda made: made.size())
        self.graph = best.graph
        self.outputs = best.outputs


class _Expander:
    """Every output as a nest of sums, by one of three rules.

    `"common"` takes the factor of most products out first, `"last"` the one made last. `"alike"`
    first adds up the products that have the same coefficient: of a coupling of two equal irreps,
    for example, each sum x_i y_j + x_j y_i serves all degrees that come out.
    """

    def __init__(self, program: Program, rule: str) -> None:
        self.program, self.rule = program, rule
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
        found = {key: c for key, c in products.items() if c != 0.0}
        return self._alike(found) if self.rule == "alike" else self._horner(found)

    def _alike(self, products: dict[Product, float]) -> Node | float:
        """A multiple of one sum for each size of coefficients; signs go with the products."""
        constant = products.pop((), 0.0)
        pairs: list[tuple[Node, Node | float]] = []
        for same in _by_size(products):
            leading = same[min(same)]
            signs = {key: 1.0 if (c > 0) == (leading > 0) else -1.0 for key, c in same.items()}
            value = self._horner(signs)
            assert not isinstance(value, float), "products have factors"
            pairs.append((value, leading))
        if not pairs:
            return constant
        if constant:
            pairs.append((self.graph.constant(constant), 1.0))
        return self.graph.sum(pairs)

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
        if self.rule != "common":
            return max(max(product) for product in products)
        count = Counter(node for product in products for node in set(product))
        return max(count, key=lambda node: (count[node], node))


def _by_size(products: Mapping[Product, float]) -> list[dict[Product, float]]:
    """The products, those together whose coefficients differ by rounding and sign at most."""
    found: list[dict[Product, float]] = []
    size = 0.0
    for key in sorted(products, key=lambda key: (abs(products[key]), key)):
        if not found or abs(products[key]) > size * (1 + _ROUNDING):
            found.append({})
            size = abs(products[key])
        found[-1][key] = products[key]
    return found


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
