"""Maps as programs of contract, mix and copy.

Maps that agree within the input share the first step, those that agree within the output the last;
the channels are mixed in the middle, where tensors are smallest.

Source: Pearce-Crump, "An algorithm for computing with Brauer's group equivariant neural network
layers", https://arxiv.org/abs/2304.14165.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement
from schur.products.diagrams.diagram import Diagram
from schur.products.diagrams.factoring import Factoring, Part, Terms, factoring
from schur.products.diagrams.matrices import matrix


def diagram_form(diagram: Diagram, n: int, channels: int = 1, symplectic: bool = False) -> Form:
    """The bilinear form out · D x with one term for each entry of the matrix that is not zero.

    Example:
        >>> print(diagram_form(Diagram(2, 0, [[0, 1]]), 3))
        form(x, out): 1 path, 3 terms
          x    row  9x1
          out  row  1x1
          out[u] += x[i,u]    3 terms
    """
    dense = matrix(diagram, n, symplectic)
    x = Operand("x", (Block(n**diagram.k, (channels,)),))
    out = Operand("out", (Block(n**diagram.l, (channels,)),))
    factors = (Factor("out", 0, "u"), Factor("x", 0, "u"))
    return Form((x, out), (Path.dense(factors, dense),))


def diagram_program(
    diagram: Diagram, n: int, channels: int = 1, symplectic: bool = False
) -> Program:
    """The same map as contract, permute and copy, in n^max(k, l) terms at most.

    Example:
        >>> from schur.forms import cost
        >>> worst = Diagram(3, 3, [[v] for v in range(6)])
        >>> print(cost(diagram_program(worst, 10), {"rows": 1}))
        2,001 operations, 1,000 numbers in, 1,000 out
        >>> print(cost(diagram_form(worst, 10).open("out"), {"rows": 1}))
        1,000,000 operations, 1,000 numbers in, 1,000 out
    """
    extents = n**diagram.k, n**diagram.l
    return _assembled([factoring(diagram, n, symplectic)], [], extents, (channels, channels))


def linear_program(
    maps: Sequence[Factoring],
    biases: Sequence[Factoring],
    extents: tuple[int, int],
    channels: tuple[int, int],
) -> Program:
    """out[:, w] = Σ_d D_d Σ_u weight[d, u, w] x[:, u]  +  Σ_b bias[b, w] B_b.

    Args:
        maps: the D_d.
        biases: the B_b, maps of one number.
        extents: how many components input and output have.
        channels: numbers of channels of the input and of the output.

    Returns:
        A program of inputs `x`, `weight` (one block a map; absent without maps), `bias` (likewise)
        and output `out`.
    """
    return _assembled(maps, biases, extents, channels, weighted=True)


def _assembled(
    maps: Sequence[Factoring],
    biases: Sequence[Factoring],
    extents: tuple[int, int],
    channels: tuple[int, int],
    weighted: bool = False,
) -> Program:
    width_in, width_out = channels
    x = Operand("x", (Block(extents[0], (width_in,)),))
    out = Operand("out", (Block(extents[1], (width_out,)),))
    weight = Operand("weight", (Block(1, (width_in, width_out)),) * len(maps), "shared")
    bias = Operand("bias", (Block(1, (width_out,)),) * len(biases), "shared")
    read: dict[Part, Operand] = {}
    written: dict[Part, Operand] = {}
    paths: dict[Part, list[Path]] = {}
    for number, one in enumerate((*maps, *biases)):
        above, below = one.above, one.below
        terms, coefficients = one.couplings
        if above not in written:
            named = Operand(f"z{len(written)}", (Block(above.size, (width_out,)),))
            written[above] = out if above.is_trivial else named
        target = Factor(written[above].name, 0, "w" if weighted else "u")
        if number >= len(maps):
            factors = [Factor("bias", number - len(maps), "w"), target]
            terms = np.column_stack([np.zeros(len(terms), np.int64), terms[:, 1]])
        else:
            if below not in read:
                named = Operand(f"y{len(read)}", (Block(below.size, (width_in,)),))
                read[below] = x if below.is_trivial else named
            factors = [Factor(read[below].name, 0, "u"), target]
            if weighted:
                factors.insert(1, Factor("weight", number, "uw"))
                terms = np.column_stack([terms[:, 0], np.zeros(len(terms), np.int64), terms[:, 1]])
        paths.setdefault(above, []).append(Path(factors, terms, coefficients))
    statements = [
        _between(x, value, part.terms(), swap=False)
        for part, value in read.items()
        if value is not x
    ]
    everything = {o.name: o for o in (*read.values(), *written.values(), weight, bias)}
    for part, value in written.items():
        used = dict.fromkeys(f.operand for path in paths[part] for f in path.factors)
        form = Form(tuple(everything[name] for name in used), tuple(paths[part]))
        statements.append(Statement(form, value.name))
    statements += [
        _between(out, value, part.terms(), swap=True)
        for part, value in written.items()
        if value is not out
    ]
    inputs = [x]
    inputs += [weight] if weighted and maps else []
    inputs += [bias] if biases else []
    return Program(tuple(inputs), tuple(statements), ("out",))


def _between(tensor: Operand, value: Operand, terms: Terms, swap: bool) -> Statement:
    """Contract the tensor to the value or, swapped, copy the value to the tensor."""
    factors = (Factor(tensor.name, 0, "u"), Factor(value.name, 0, "u"))
    form = Form((tensor, value), (Path(factors, *terms),))
    return Statement(form, tensor.name if swap else value.name)
