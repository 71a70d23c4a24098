"""Values of rows that need not reach memory: results and gradients of a linear layer.

A layer multiplies what a row has by a matrix that all rows share,

    value[r, u] = Σ_k hidden[r, k] matrix[k, u].

A kernel that reads `value` can make it on the spot, and a kernel that makes `value` can put it
into the sums for `hidden` and for `matrix`, so that an array with one line a row and one column for
each path and channel does not exist: neither the weights of the edges nor their gradients.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schur.forms import Path, Program, Statement

# Wider layers would not leave registers for the rest.
_WIDEST = 128


@dataclass(frozen=True)
class Term:
    """`value[u] += scale hidden[k] matrix[k, u]` for one component of the value.

    Args:
        offset: of the component within a line of the value.
        extent: how many channels u it has.
        hidden, matrix: where the numbers of the others begin.
    """

    offset: int
    extent: int
    hidden: int
    matrix: int
    scale: float


@dataclass(frozen=True)
class Layer:
    """One statement of a layer, whichever of the three it makes."""

    value: str
    hidden: str
    matrix: str
    width: int
    terms: tuple[Term, ...]


@dataclass(frozen=True)
class Fusion:
    """What becomes of a program's layers.

    Args:
        rest: the program without them; values that they make are inputs of it.
        inlined: what is made where it is read.
        spread: layers that make `hidden` from a value as soon as that is there.
        summed: layers that make `matrix` from it, summed over the rows.
    """

    rest: Program
    inlined: tuple[Layer, ...] = ()
    spread: tuple[Layer, ...] = ()
    summed: tuple[Layer, ...] = ()

    @property
    def consumed(self) -> set[str]:
        """The values that only layers read."""
        return {layer.value for layer in (*self.spread, *self.summed)}


@dataclass(frozen=True)
class Layers:
    """The layers that the kernels of a pass take in; see `Fusion`."""

    inlined: tuple[Layer, ...] = ()
    spread: tuple[Layer, ...] = ()
    summed: tuple[Layer, ...] = ()

    def of(self, name: str) -> list[Layer]:
        """Those that make something of a value."""
        return [layer for layer in (*self.spread, *self.summed) if layer.value == name]


@dataclass
class _Found:
    makers: list[Statement] = field(default_factory=list)
    readers: list[Statement] = field(default_factory=list)


def fusion(program: Program) -> Fusion:
    """The layers of a program that can be taken into the kernels around them.

    They read nothing else that the program makes, and what they make of a value is read by nobody:
    the order of the passes is that of the rest alone.
    """
    given = {operand.name for operand in program.inputs}
    read = {name for statement in program.statements for name in statement.sources}
    layers: dict[int, Layer] = {}
    values: dict[str, _Found] = {}
    for number, statement in enumerate(program.statements):
        layer = _layer(program, statement)
        if layer is not None:
            others = set(statement.sources) - {layer.value}
            ends = statement.target == layer.value or statement.target not in read
            if not (others <= given and ends):
                layer = None
        if layer is not None:
            layers[number] = layer
        values.setdefault(statement.target, _Found()).makers.append(statement)
        for name in statement.sources:
            values.setdefault(name, _Found()).readers.append(statement)
    made = {name: found for name, found in values.items() if found.makers}
    inner = {name for name in made if name not in program.outputs}
    by_statement = {id(program.statements[k]): layer for k, layer in layers.items()}

    def all_layers(statements: list[Statement], name: str) -> bool:
        found = [by_statement.get(id(statement)) for statement in statements]
        return all(layer is not None and layer.value == name for layer in found)

    inlined = {n for n in inner if all_layers(made[n].makers, n) and made[n].readers}
    consumed = {n for n in inner - inlined if made[n].readers and all_layers(made[n].readers, n)}
    # A target of layers is left to them only if nothing else adds to it.
    for name in consumed.copy():
        for statement in made[name].readers:
            others = [by_statement.get(id(other)) for other in made[statement.target].makers]
            if any(layer is None or layer.value not in consumed for layer in others):
                consumed.discard(name)
    gone: dict[int, Layer] = {
        id(s): layer
        for s in program.statements
        if (layer := by_statement.get(id(s))) is not None
        and (s.target in inlined or (layer.value in consumed and s.target != layer.value))
    }
    if not gone:
        return Fusion(program)
    kept = tuple(s for s in program.statements if id(s) not in gone)
    outside = {s.target for s in program.statements if id(s) in gone}
    outputs = tuple(name for name in program.outputs if name not in outside)
    inputs = (*program.inputs, *(program.values[name] for name in sorted(inlined)))
    at = {id(s): s for s in program.statements}
    spread = [k for k in gone if at[k].target == gone[k].hidden]
    return Fusion(
        Program(inputs, kept, (*outputs, *sorted(consumed))),
        tuple(gone[k] for k in gone if at[k].target in inlined),
        tuple(gone[k] for k in spread),
        tuple(gone[k] for k in gone if at[k].target == gone[k].matrix),
    )


def _layer(program: Program, statement: Statement) -> Layer | None:
    """The statement as a layer, if it is one."""
    operands = statement.form.by_name
    shared = [name for name, operand in operands.items() if operand.mode == "shared"]
    rows = [name for name, operand in operands.items() if operand.mode == "row"]
    if len(operands) != 3 or len(shared) != 1 or len(rows) != 2 or not statement.form.paths:
        return None
    (matrix,) = shared
    for value, hidden in (rows, rows[::-1]):
        terms = [_terms(program, path, value, hidden, matrix) for path in statement.form.paths]
        widths = {width for found in terms for width, _ in found or ()}
        if None in terms or len(widths) != 1 or max(widths) > _WIDEST:
            continue
        every = tuple(term for found in terms for _, term in found or ())
        return Layer(value, hidden, matrix, widths.pop(), every)
    return None


def _terms(
    program: Program, path: Path, value: str, hidden: str, matrix: str
) -> list[tuple[int, Term]] | None:
    """The terms of one path with the width of the layer, or None where it has other letters."""
    factors = {factor.operand: factor for factor in path.factors}
    if len(path.factors) != 3 or set(factors) != {value, hidden, matrix}:
        return None
    u, k, both = (factors[name].letters for name in (value, hidden, matrix))
    if len(u) != 1 or len(k) != 1 or u == k or both != k + u:
        return None
    places = {name: k for k, name in enumerate(factor.operand for factor in path.factors)}
    found = []
    for row, scale in zip(path.components.tolist(), path.coefficients, strict=True):
        starts = {}
        for name, factor in factors.items():
            operand = program.values[name]
            block = operand.blocks[factor.block]
            width = block.size // block.components
            starts[name] = operand.offsets[factor.block] + row[places[name]] * width
        width, extent = program.values[matrix].blocks[factors[matrix].block].channels
        term = Term(starts[value], extent, starts[hidden], starts[matrix], float(scale))
        found.append((width, term))
    return found
