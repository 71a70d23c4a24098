"""Cartesian tensors as sums of irreps: orthogonal changes of basis at any rank."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from schur.errors import RepresentationError
from schur.reps.coupling import coupling_basis
from schur.reps.irreps import Irreps


@lru_cache(maxsize=16)
def cartesian_basis(rank: int) -> tuple[Irreps, Float64[np.ndarray, "dim dim"]]:
    """The irreps of tensors T_{ij…} of a rank, and the orthogonal matrix Q from them to T.

    T flattened (last index fastest, indices in the order x, y, z) is Q times the irreps in
    Schur's layout, and Qᵀ goes back.  Under a rotation every index of T turns; an inversion
    multiplies by (-1)^rank.  Built by coupling one index after the other, so copies of an irrep
    are told apart by the degrees on the way to it, and orthogonal to each other.

    Args:
        rank: the number of indices, zero or more; at rank 4 Q has 81 rows.

    Returns:
        The irreps, sorted and joined, and a read-only Q.

    Raises:
        RepresentationError: if the rank is negative.

    Source: Coope, Snider, McCourt, "Irreducible Cartesian tensors" (1965); the coupled basis is
    that of Shao et al., "High-rank irreducible Cartesian tensor decomposition" (2025).

    Example:
        >>> cartesian_basis(2)[0], cartesian_basis(4)[0]
        (1x0e+1x1e+1x2e, 3x0e+6x1e+6x2e+3x3e+1x4e)
        >>> Q = cartesian_basis(2)[1]
        >>> (Q.T @ np.eye(3).reshape(9)).round(4) + 0.0  # the trace, and nothing else
        array([1.7321, 0. , 0. , 0. , 0. , 0. , 0. , 0. , 0. ])
    """
    if rank < 0:
        raise RepresentationError("the rank of a tensor is zero or more", got=rank)
    irreps, basis = Irreps("0e"), np.eye(1)
    for _ in range(rank):
        irreps, further = coupling_basis(irreps, Irreps("1o"))
        basis = np.kron(basis, np.eye(3)) @ further
    basis.flags.writeable = False
    return irreps, basis


@lru_cache(maxsize=16)
def symmetric_traceless_basis(
    degree: int,
) -> Float64[np.ndarray, "3**{degree} 2*{degree}+1"]:
    """The isometry from the irrep of degree l to symmetric traceless tensors of rank l.

    With it powers of a unit vector are its spherical harmonics, in the normalisation `norm`:

        Σ n_i n_j … Q[ij…, m] = √(l! / (2l-1)!!) Y_lm(n)

    Returns:
        A read-only array; rows are the tensor's entries, last index fastest.

    Raises:
        RepresentationError: if the degree is negative.

    Source: Coope, Snider, McCourt, "Irreducible Cartesian tensors" (1965).

    Example:
        >>> Q = symmetric_traceless_basis(2)
        >>> np.outer([0, 1, 0], [0, 1, 0]).reshape(9) @ Q
        array([0.        , 0.        , 0.81649658, 0.        , 0.        ])
    """
    basis = cartesian_basis(degree)[1]
    highest = basis[:, -(2 * degree + 1) :]  # the one copy of the highest degree stands last
    pole = highest[(3**degree - 1) // 2, degree]  # all indices y, order zero
    signed = highest * np.sign(pole)
    signed.flags.writeable = False
    return signed
