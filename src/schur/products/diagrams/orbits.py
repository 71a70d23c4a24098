"""Permutation groups: the orbits of index tuples."""

from __future__ import annotations

import numpy as np
from jaxtyping import Int

from schur.errors import NumberError
from schur.forms import Block, Factor, Form, Operand, Path, Program
from schur.groups import Permuting

# Index tuples that are held at once, at most.
LARGEST_TABLE = 2**24


def orbits(group: Permuting, order: int) -> Int[np.ndarray, "..."]:
    """For each tuple of `order` indices the number of its orbit.

    Each map that commutes with the group is constant on orbits, so they are a basis of all maps.
    The labels are spread along the generators until they rest, at a cost of n^order a round.

    Returns:
        Integers of shape (n, …, n), numbered from 0 in the order of first appearance.

    Raises:
        NumberError: n^order is above 2^24.

    Source: Pearce-Crump, "Graph automorphism group equivariant neural networks",
    https://arxiv.org/abs/2307.07810; Burnside's lemma counts them.

    Example:
        >>> from schur.groups import Sym
        >>> orbits(Sym(3), 2)
        array([[0, 1, 1],
               [1, 0, 1],
               [1, 1, 0]])
    """
    n = group.n
    if n**order > LARGEST_TABLE:
        raise NumberError(
            "too many index tuples to sort into orbits",
            got=f"{n}^{order} = {n**order}",
            expected=f"at most {LARGEST_TABLE}",
        )
    labels = np.arange(n**order).reshape((n,) * order)
    while True:
        before = labels
        for images in group.permutations():
            moved = labels[np.ix_(*[list(images)] * order)] if order else labels
            labels = np.minimum(labels, moved)
            # The label of a label: chains of any length halve each time.
            labels = labels.reshape(-1)[labels]
        if np.array_equal(labels, before):
            break
    _, numbers = np.unique(labels, return_inverse=True)
    return numbers.reshape((n,) * order)


def orbit_program(
    labels: Int[np.ndarray, "rows columns"],
    bias_labels: Int[np.ndarray, "..."] | None,
    channels: tuple[int, int],
) -> Program:
    """out[i, w] = Σ_j Σ_u weight[orbit(i, j), u, w] x[j, u]  +  bias[orbit(i), w].

    The cost is that of the dense matrix, n^(k+l): a group without structure has no diagrams
    to factor.

    Args:
        labels: orbits of tuples, shape (n^l, n^k).
        bias_labels: orbits of tuples of l indices; None for no bias.
        channels: numbers of channels of the input and of the output.
    """
    width_in, width_out = channels
    rows, columns = labels.shape
    x = Operand("x", (Block(columns, (width_in,)),))
    out = Operand("out", (Block(rows, (width_out,)),))
    count = int(labels.max()) + 1
    weight = Operand("weight", (Block(count, (width_in, width_out)),), "shared")
    i, j = np.indices(labels.shape).reshape(2, -1)
    factors = (Factor("x", 0, "u"), Factor("weight", 0, "uw"), Factor("out", 0, "w"))
    paths = [Path(factors, np.stack([j, labels[i, j], i], 1), np.ones(len(i)))]
    operands = [x, weight]
    if bias_labels is not None:
        flat = bias_labels.reshape(-1)
        bias = Operand("bias", (Block(int(flat.max()) + 1, (width_out,)),), "shared")
        terms = np.stack([flat, np.arange(len(flat))], 1)
        paths.append(Path((Factor("bias", 0, "w"), Factor("out", 0, "w")), terms, np.ones(rows)))
        operands.append(bias)
    return Form((*operands, out), tuple(paths)).open("out")
