"""Wigner matrices of a frame as a program: polynomials of its nine entries."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from schur.errors import RepresentationError
from schur.forms import Block, Factor, Form, Operand, Path, Program, Statement
from schur.reps import clebsch_gordan


def wigner_of_frame(lmax: int) -> Program:
    """The program from rotation matrices to D^0(R) … D^lmax(R).

    Built degree by degree: with A = √(2l+1) C, the isometry of l into 1 ⊗ (l-1),

        (R ⊗ D^{l-1}) A = A D^l,

    and most rows of A have one entry.  No angle occurs, so no derivative is singular at a pole.
    For an exactly orthogonal R the result is exact but for rounding.

    Args:
        lmax: the highest degree.

    Returns:
        A program with row operands: input `frame` (R, row by row) and output `wigner`, one block
        of (2l+1)² components for each degree, row by row.  A frame of zeros gives D^0 = 1 and
        zeros.

    Raises:
        RepresentationError: if the degree is negative.

    Source: Ivanic and Ruedenberg, J. Phys. Chem. 100, 6342 (1996), for a recurrence in the
    entries of R; here by the coupling instead.

    Example:
        >>> from schur.forms import evaluate
        >>> quarter = np.array([[0.0, -1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]])  # about z
        >>> out = evaluate(wigner_of_frame(2), {"frame": quarter})["wigner"]
        >>> out.shape
        (1, 35)
        >>> (out[0, 10:].reshape(5, 5)[0] + 0.0).round(12)  # xz becomes yz
        array([ 0.,  0.,  0., -1.,  0.])
    """
    if lmax < 0:
        raise RepresentationError("a degree is zero or more", got=lmax)
    return _wigner_of_frame(lmax)


@lru_cache(maxsize=32)
def _wigner_of_frame(lmax: int) -> Program:
    frame = Operand("frame", (Block(9),))
    blocks = tuple(Block((2 * degree + 1) ** 2, (), f"D{degree}") for degree in range(lmax + 1))
    out = Operand("wigner", blocks)
    one = Path((Factor("wigner", 0),), [[0]], [1.0])
    statements, copies, last = [], [one], frame
    for degree in range(1, lmax + 1):
        if degree > 1:
            target = Operand(f"degree{degree}", (blocks[degree],))
            statements.append(_raise_degree(frame, last, target, degree))
            last = target
        same = np.repeat(np.arange(blocks[degree].components)[:, None], 2, axis=1)
        factors = (Factor(last.name), Factor("wigner", degree))
        copies.append(Path(factors, same, np.ones(len(same))))
    read = {factor.operand for path in copies for factor in path.factors}
    made = [frame, *(statement.form.by_name[statement.target] for statement in statements)]
    operands = (*(operand for operand in made if operand.name in read), out)
    statements.append(Statement(Form(operands, tuple(copies)), "wigner"))
    return Program((frame,), tuple(statements), ("wigner",))


def _raise_degree(frame: Operand, lower: Operand, target: Operand, degree: int) -> Statement:
    """D^l from R and D^{l-1}: (R ⊗ D^{l-1}) A = A D^l, read off in a few rows of A.

    The isometry A is the coupling times √(2l+1).  Multiplication by y keeps the order m, so its
    row (y, m) has one entry, unless |m| = l; there z + i x times the highest order has.
    """
    isometry = clebsch_gordan(1, degree - 1, degree) * (2 * degree + 1) ** 0.5
    components, coefficients = [], []
    for i, j, a, factor in _left_inverse(isometry):
        p, q, b = np.nonzero(isometry)
        row = np.stack([3 * i + p, (2 * degree - 1) * j + q, (2 * degree + 1) * a + b], axis=1)
        components.append(row)
        coefficients.append(factor * isometry[p, q, b])
    factors = (Factor("frame"), Factor(lower.name), Factor(target.name))
    path = Path(factors, np.concatenate(components), np.concatenate(coefficients)).simplified()
    operands = (frame, target) if lower.name == "frame" else (frame, lower, target)
    return Statement(Form(operands, (path,)), target.name)


def _left_inverse(
    isometry: Float64[np.ndarray, "3 low high"],
) -> Iterator[tuple[int, int, int, float]]:
    """Entries (i, j, a, value) of a sparse B with Bᵀ A = 1."""
    degree = isometry.shape[2] // 2
    for a in range(1, 2 * degree):
        yield 1, a - 1, a, 1.0 / float(isometry[1, a - 1, a])
    # Of each extreme order there are two rows, which another order shares with equal or opposite
    # entries; their weighted sum is free of it.
    for a in (0, 2 * degree):
        column = isometry[:, :, a]
        for i, j in zip(*np.nonzero(column), strict=True):
            yield int(i), int(j), a, float(column[i, j])
