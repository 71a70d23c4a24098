"""From a program to passes: which statements run together, and in which order rows are walked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from schur.forms import Program, Statement


@dataclass(frozen=True)
class Pass:
    """Statements made in one walk over the rows.

    Args:
        walk: the index whose order the rows follow, so that sums at its entries stay in cache
            and belong to one thread; `None` for the rows' own order.
        statements: what is computed; none reads what another of the same pass makes, unless
            the pass runs in lanes.
        lanes: whether a vector holds one number of many rows instead of many channels of one.
            Then the whole program is one pass and intermediate values never reach memory.
    """

    walk: str | None
    statements: tuple[Statement, ...]
    lanes: bool = False

    @property
    def targets(self) -> tuple[str, ...]:
        """The values that the pass makes."""
        return tuple(dict.fromkeys(statement.target for statement in self.statements))


@lru_cache(maxsize=4096)
def schedule(program: Program) -> tuple[Pass, ...]:
    """Group a program's statements into as few passes as possible.

    A sum at an index fixes the walk; what has one line a row, and what is shared by all rows,
    joins the walk at the same depth that reads most of the same values.

    Example:
        >>> import numpy as np
        >>> from schur.forms import Block, Factor, Form, Operand, Path, derive
        >>> block = (Block(1, (4,)),)
        >>> x, out = Operand("x", block, "indexed", "i"), Operand("out", block, "indexed", "j")
        >>> w = Operand("w", block)
        >>> factors = tuple(Factor(name, 0, "u") for name in ("x", "w", "out"))
        >>> product = Form((x, w, out), (Path.dense(factors, np.ones((1, 1, 1))),)).open("out")
        >>> [(p.walk, p.targets) for p in schedule(derive(product))]
        [('i', ('grad_x', 'grad_w'))]
    """
    if _fits_lanes(program):
        return (Pass(None, program.statements, lanes=True),)
    by_target: dict[str, list[Statement]] = {}
    for statement in program.statements:  # by last statement: then sources come before targets
        by_target[statement.target] = [*by_target.pop(statement.target, []), statement]
    depth: dict[str, int] = {}
    for target, statements in by_target.items():
        sources = {name for statement in statements for name in statement.sources}
        depth[target] = 1 + max((depth.get(name, 0) for name in sources), default=0)
    passes: list[Pass] = []
    for level in range(1, max(depth.values(), default=0) + 1):
        passes += _level({t: by_target[t] for t in by_target if depth[t] == level}, program)
    return tuple(passes)


def _fits_lanes(program: Program) -> bool:
    """Whether every value has one line a row and no channels, as polynomials of positions have."""
    return bool(program.statements) and all(
        operand.mode == "row" and all(block.size == block.components for block in operand.blocks)
        for operand in program.values.values()
    )


def _level(by_target: dict[str, list[Statement]], program: Program) -> list[Pass]:
    """The passes of targets that do not depend on each other."""
    walks: dict[str | None, list[Statement]] = {}
    free: list[str] = []
    for target, statements in by_target.items():
        index = program.values[target].index
        if index is None:
            free.append(target)
        else:
            walks.setdefault(index, []).extend(statements)
    if free and not walks:
        walks[None] = []
    homes = {walk: {n for s in statements for n in s.sources} for walk, statements in walks.items()}
    for target in free:
        sources = {name for statement in by_target[target] for name in statement.sources}
        best = max(homes, key=lambda walk: len(homes[walk] & sources))
        walks[best].extend(by_target[target])
    return [Pass(walk, tuple(statements)) for walk, statements in walks.items()]
