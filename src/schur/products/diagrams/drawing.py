"""Diagrams for the eye: three lines of text, or a vector picture."""

from __future__ import annotations

from itertools import pairwise
from string import ascii_lowercase

from schur.products.diagrams.diagram import Diagram

_STEP, _MARGIN, _HEIGHT = 40, 20, 60


def text(diagram: Diagram) -> str:
    """Output above, input below; a letter for each block, a capital where it is a leg.

    Blocks beyond the 26th are numbered.

    Example:
        >>> print(text(Diagram(2, 2, [[0, 3], [1], [2]], legs=[1, 2])))
        a B
         \\
        C a
    """
    names: dict[int, str] = {}
    for number, block in enumerate(diagram.blocks):
        name = ascii_lowercase[number] if number < 26 else str(number)
        for vertex in block:
            names[vertex] = name.upper() if block[0] in diagram.legs else name
    rows = [range(diagram.l), range(diagram.l, diagram.l + diagram.k)]
    upper, lower = (" ".join(names[v] for v in row) for row in rows)
    return "\n".join([upper, _lines(diagram), lower]).rstrip("\n")


def _lines(diagram: Diagram) -> str:
    """Between the rows, for each through block a stroke that shows which way it leans."""
    marks = [" "] * (2 * max(diagram.k, diagram.l))
    for block in diagram.blocks:
        if block[0] < diagram.l <= block[-1]:
            above = block[0]
            below = min(v for v in block if v >= diagram.l) - diagram.l
            stroke = "|" if above == below else "\\" if below > above else "/"
            marks[above + below] = stroke if marks[above + below] == " " else "x"
    return "".join(marks).rstrip()


def svg(diagram: Diagram) -> str:
    """Vertices as dots, blocks as curves between neighbours, the determinant as a ring.

    Example:
        >>> picture = svg(Diagram(1, 1, [[0, 1]]))
        >>> picture.count("<circle"), picture.count("<path")
        (2, 1)
    """
    width = 2 * _MARGIN + _STEP * max(diagram.k - 1, diagram.l - 1, 0)
    height = 2 * _MARGIN + _HEIGHT
    places = {v: (_MARGIN + _STEP * v, _MARGIN) for v in range(diagram.l)}
    for v in range(diagram.k):
        places[diagram.l + v] = (_MARGIN + _STEP * v, _MARGIN + _HEIGHT)
    parts = [
        _curve(places[one], places[other])
        for block in diagram.blocks
        for one, other in pairwise(block)
    ]
    if diagram.legs:
        ring = (width // 2, height // 2)
        parts += [_curve(places[leg], ring) for leg in diagram.legs]
        parts.append(f'<circle cx="{ring[0]}" cy="{ring[1]}" r="6" fill="white" stroke="black"/>')
    parts += [f'<circle cx="{x}" cy="{y}" r="3"/>' for x, y in places.values()]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
    return f'{head} width="{width}" height="{height}">' + "".join(parts) + "</svg>"


def _curve(one: tuple[int, int], other: tuple[int, int]) -> str:
    """A line that leaves both ends towards the middle of the picture."""
    middle = _MARGIN + _HEIGHT // 2
    path = f"M{one[0]} {one[1]} C{one[0]} {middle} {other[0]} {middle} {other[0]} {other[1]}"
    return f'<path d="{path}" fill="none" stroke="black"/>'
