"""Fourth-order tensors of elasticity: Mandel's matrices, and what irreps they are made of."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float64, Shaped

from schur.errors import ShapeError
from schur.reps.cartesian import symmetric_traceless_basis
from schur.reps.clebsch_gordan import clebsch_gordan
from schur.reps.irreps import Irreps

ELASTICITY = Irreps("2x0e + 2x2e + 1x4e")
"""Fourth-order tensors C_ijkl = C_jikl = C_klij: 21 numbers."""

_PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


@lru_cache(maxsize=1)
def mandel_basis() -> Float64[np.ndarray, "6 3 3"]:
    """Six symmetric matrices B_a, orthonormal: a strain ε has the Mandel components B_a : ε.

    The order is that of Voigt, xx, yy, zz, yz, xz, xy; the last three components are √2 ε_yz and
    so on. So lengths agree, |ε|² = Σ_ij ε_ij², and a rotation turns the six by an **orthogonal**
    matrix. It does not in Voigt's notation, with its factors 2 and 1: there the square or the
    exponential of a stiffness is no tensor.

    Source: Mandel, International Journal of Solids and Structures 1, 273 (1965).

    Example:
        >>> basis = mandel_basis()
        >>> np.allclose(np.einsum("aij,bij->ab", basis, basis), np.eye(6))
        True
    """
    basis = np.zeros((6, 3, 3))
    for a, (i, j) in enumerate(_PAIRS):
        basis[a, i, j] = basis[a, j, i] = 1.0 if i == j else 0.5**0.5
    basis.flags.writeable = False
    return basis


def to_mandel(tensor: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "*batch 6 6"]:
    """M_ab = B_a : C : B_b, a tensor of elasticity as a symmetric matrix.

    Args:
        tensor: C, shape (..., 3, 3, 3, 3).

    Raises:
        ShapeError: not four axes of length 3, or not symmetric under exchanges of i, j and of
            ij, kl, which is what a matrix keeps.

    Example:
        >>> unit = np.eye(3)
        >>> to_mandel(np.einsum("ij,kl->ijkl", unit, unit))[0]
        array([1., 1., 1., 0., 0., 0.])
    """
    C = np.asarray(tensor)
    if C.shape[-4:] != (3, 3, 3, 3):
        raise ShapeError(
            "a tensor of elasticity has four indices", got=C.shape, expected="(..., 3, 3, 3, 3)"
        )
    fault = max(
        float(np.abs(C - np.moveaxis(C, (-4, -3, -2, -1), order)).max(initial=0))
        for order in ((-3, -4, -2, -1), (-2, -1, -4, -3))
    )
    if fault > 1e-9 * float(np.abs(C).max(initial=0)):
        raise ShapeError(
            "this tensor is not one of elasticity",
            got=f"components that differ by {fault:.1e}",
            expected="C_ijkl = C_jikl = C_klij",
        )
    basis = mandel_basis()
    return np.einsum("aij,...ijkl,bkl->...ab", basis, C, basis)


def from_mandel(matrix: Float[np.ndarray, "*batch 6 6"]) -> Float[np.ndarray, "*batch 3 3 3 3"]:
    """C = Σ_ab M_ab B_a ⊗ B_b.

    Example:
        >>> C = from_mandel(np.eye(6))
        >>> np.round([C[0, 1, 0, 1], C[0, 1, 1, 0], C[0, 0, 1, 1]], 12)
        array([0.5, 0.5, 0. ])
    """
    basis = mandel_basis()
    return np.einsum("...ab,aij,bkl->...ijkl", matrix, basis, basis)


def voigt_to_mandel(stiffness: Float[np.ndarray, "*batch 6 6"]) -> Float[np.ndarray, "*batch 6 6"]:
    """A stiffness in Voigt's notation (as papers and ASE print it): √2 for each shear index.

    Example:
        >>> voigt_to_mandel(np.eye(6)).diagonal().round(3)
        array([1., 1., 1., 2., 2., 2.])
    """
    factors = np.array([1.0] * 3 + [2**0.5] * 3)
    return np.asarray(stiffness) * np.outer(factors, factors)


def mandel_rotation(R: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "6 6"]:
    """The orthogonal matrix that turns Mandel components when R turns space.

    Example:
        >>> turn = mandel_rotation(np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]))
        >>> turn @ np.array([1.0, 0, 0, 0, 0, 0])  # a strain along x comes to lie along y
        array([0., 1., 0., 0., 0., 0.])
    """
    basis = mandel_basis()
    return np.einsum("aij,ik,jl,bkl->ab", basis, R, R, basis)


@lru_cache(maxsize=1)
def elasticity_basis() -> Float64[np.ndarray, "6 6 21"]:
    """The orthonormal matrices that carry `ELASTICITY`, in Mandel form.

        M = Σ_k x_k E_k,     |M|² = Σ x_k²,     D(R) x  <->  Q(R) M Q(R)ᵀ

    Strains are 0e + 2e, and symmetric matrices on them 0e (both from 0e), 2e (one of each) and
    0e + 2e + 4e (both from 2e). Degree 4 is needed: without it every material looks the same
    along the edges and the diagonals of a cube.

    Returns:
        A read-only array; the last axis in Schur's layout, channels last.

    Source: Backus, Reviews of Geophysics 8, 633 (1970).

    Example:
        >>> basis = elasticity_basis()
        >>> np.allclose(np.einsum("abk,abn->kn", basis, basis), np.eye(21))
        True
    """
    trace = np.eye(3).reshape(9, 1) / 3**0.5
    strains = np.concatenate([trace, symmetric_traceless_basis(2)], 1)
    to = mandel_basis().reshape(6, 9) @ strains  # from 0e + 2e to Mandel components
    blocks: dict[int, list[np.ndarray]] = {0: [], 2: [], 4: []}
    for l1, l2 in ((0, 0), (0, 2), (2, 2)):
        for degree in range(l2 - l1, l1 + l2 + 1, 2):
            blocks[degree].append(_coupled(l1, l2, degree))
    columns = [np.stack(blocks[degree], -1).reshape(6, 6, -1) for degree in (0, 2, 4)]
    basis = np.einsum("ai,ijk,bj->abk", to, np.concatenate(columns, -1), to)
    basis.flags.writeable = False
    return basis


def _coupled(l1: int, l2: int, degree: int) -> Float64[np.ndarray, "6 6 components"]:
    """The symmetric matrices on 0e + 2e that couple l1 and l2 to a degree, orthonormal."""
    places = {0: slice(0, 1), 2: slice(1, 6)}
    matrices = np.zeros((6, 6, 2 * degree + 1))
    matrices[places[l1], places[l2]] = clebsch_gordan(l1, l2, degree) * (2 * degree + 1) ** 0.5
    both = matrices + matrices.transpose(1, 0, 2)
    return both / 2 if l1 == l2 else both / 2**0.5
