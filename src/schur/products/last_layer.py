"""A product whose weights are made by a linear layer, as one program."""

from __future__ import annotations

import numpy as np

from schur.errors import FormError
from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement


def with_last_layer(program: Program, width: int, weight: str = "weight") -> Program:
    """The program with the weights of its rows made from fewer numbers,

        weight[e, p, u] = Σ_k hidden[e, k] matrix[p, k, u]

    for each block p of the weights.  It is the last layer of a radial network taken into the
    product: on a GPU neither `weight` nor its gradient reaches memory where every block has more
    than one channel; elsewhere both are made as arrays, as if the layer stood apart.

    Args:
        program: a product with one line of weights for each row.
        width: how many numbers `hidden` has.
        weight: name of the operand that holds the weights.

    Returns:
        The program with the inputs `hidden` (a line for each row) and `matrix` (shared; for each
        block of the weights an array of shape (width, *channels)) in place of `weight`.

    Raises:
        FormError: if the program has no such weights.

    Example:
        >>> from schur.products import convolution
        >>> from schur.reps import Irreps
        >>> program, _, _ = convolution(Irreps("8x0e+8x1o"), Irreps("0e+1o"), Irreps("0e+1o"))
        >>> layered = with_last_layer(program, 4)
        >>> [(operand.name, operand.size) for operand in layered.inputs]
        [('x', 32), ('y', 4), ('hidden', 4), ('matrix', 128)]
    """
    made = program.values.get(weight)
    if made is None or made.mode != "row" or weight not in [o.name for o in program.inputs]:
        raise FormError(
            f"the program has no weights {weight!r} of rows",
            got=[f"{operand.name} ({operand.mode})" for operand in program.inputs],
            expected=f"an input {weight!r} with one line for each row",
        )
    if any(block.components != 1 for block in made.blocks):
        raise FormError("weights have one component", got=made.blocks, expected="invariants")
    hidden = Operand("hidden", (Block(1, (width,)),))
    blocks = tuple(Block(1, (width, *block.channels), block.label) for block in made.blocks)
    matrix = Operand("matrix", blocks, "shared")
    paths = []
    for number, block in enumerate(made.blocks):
        letters = "uvw"[: len(block.channels)]
        factors = (
            Factor("hidden", 0, "k"),
            Factor("matrix", number, "k" + letters),
            Factor(weight, number, letters),
        )
        paths.append(Path.dense(factors, np.ones((1, 1, 1)), f"weights {number}"))
    layer = Statement(Form((hidden, matrix, made), tuple(paths)), weight)
    inputs = [operand for operand in program.inputs if operand.name != weight]
    return Program((*inputs, hidden, matrix), (layer, *program.statements), program.outputs)
