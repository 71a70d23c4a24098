"""Expressions as C text."""

from __future__ import annotations

from schur.engine.nest import Graph, Node


def literal(value: float, dtype: str) -> str:
    """A coefficient, to the last digit of the number type."""
    return f"{float(value)!r}f" if dtype == "float" else repr(float(value))


def value_text(graph: Graph, value: Node | float, dtype: str, prefix: str = "n") -> str:
    """A number or the variable that holds a node."""
    if isinstance(value, float):
        return literal(value, dtype)
    if value in graph.constants:
        return literal(graph.constants[value], dtype)
    return f"{prefix}{value}"


def sum_text(graph: Graph, node: Node, dtype: str) -> str:
    """`a * b + c * d + ...`; the compiler makes fused multiply-adds of it."""
    return " + ".join(products_text(graph, node, dtype))


def products_text(graph: Graph, node: Node, dtype: str, prefix: str = "n") -> list[str]:
    """The products whose sum a node is."""
    return [_product(graph, a, b, dtype, prefix) for a, b in graph.sums[node]]


def _product(graph: Graph, a: Node, b: Node | float, dtype: str, prefix: str) -> str:
    left = value_text(graph, a, dtype, prefix)
    if isinstance(b, float) and b in (1.0, -1.0):
        return left if b > 0 else f"-{left}"
    return f"{left} * {value_text(graph, b, dtype, prefix)}"
