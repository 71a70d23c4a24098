"""The matrix of a diagram, entry by entry: what every fast program is held against."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from schur.errors import RepresentationError
from schur.groups.permutation_group import sign
from schur.products.diagrams.diagram import Diagram


def matrix(diagram: Diagram, n: int, symplectic: bool = False) -> Float[np.ndarray, "rows columns"]:
    """The map as a dense matrix of shape (n^l, n^k), of exact integers.

    Args:
        diagram: see `Diagram` for its entries.
        n: dimension of the space.
        symplectic: read each pair (p, q), p < q, within the output or within the input as
            ω[i_p, i_q], with ω as in `schur.groups.Symplectic`, in place of an equality.

    Raises:
        RepresentationError: the legs are not n or n - 1; a symplectic reading of other blocks
            than pairs, or of odd n.

    Example:
        >>> matrix(Diagram(1, 1, [[0, 1]]), 2)
        array([[1., 0.],
               [0., 1.]])
        >>> matrix(Diagram(2, 0, [[0, 1]]), 2, symplectic=True)
        array([[ 0.,  1., -1.,  0.]])
    """
    check_reading(diagram, n, symplectic)
    count = diagram.l + diagram.k
    i = np.indices((n,) * count).reshape(count, n**count)
    entries = np.ones(i.shape[1])
    for block in diagram.blocks:
        if symplectic and is_horizontal(diagram, block):
            entries *= _omega(n)[i[block[0]], i[block[1]]]
        else:
            entries *= np.all(i[list(block)] == i[block[0]], axis=0)
    if diagram.legs:
        entries *= _levi_civita(i[list(diagram.legs)], n)
    return entries.reshape(n**diagram.l, n**diagram.k)


def check_reading(diagram: Diagram, n: int, symplectic: bool) -> None:
    """Raise unless the diagram stands for a map of tensors over R^n.

    Raises:
        RepresentationError: as `matrix` says.
    """
    if diagram.legs and len(diagram.legs) not in (n, n - 1):
        raise RepresentationError(
            "a determinant has n legs, of which one may be summed over",
            got=f"{len(diagram.legs)} legs",
            expected=f"{n} or {n - 1} for n = {n}",
        )
    if symplectic and (n % 2 or diagram.legs or not diagram.is_brauer):
        raise RepresentationError(
            "the symplectic reading is of pairs, and of even n",
            got=(diagram.blocks, f"n = {n}"),
            expected="a Brauer diagram",
        )


def is_horizontal(diagram: Diagram, block: tuple[int, ...]) -> bool:
    """Whether a block lies within the output, or within the input."""
    return block[-1] < diagram.l or block[0] >= diagram.l


def _omega(n: int) -> np.ndarray:
    return np.kron(np.eye(n // 2), np.array([[0.0, 1.0], [-1.0, 0.0]]))


def _levi_civita(i: np.ndarray, n: int) -> np.ndarray:
    """ε at columns of n or n - 1 indices; the last of n is summed over where it is missing."""
    values = []
    for column in i.T.tolist():
        rest = [v for v in range(n) if v not in column]
        proper = len(column) + len(rest) == n
        values.append(sign([*column, *rest]) if proper else 0)
    return np.array(values, dtype=np.float64)
