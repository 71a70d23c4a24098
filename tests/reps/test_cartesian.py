"""Cartesian tensors in the basis of irreps: orthogonal, equivariant, complete."""

from __future__ import annotations

from math import factorial

import numpy as np
import pytest

from schur.errors import RepresentationError
from schur.harmonics import harmonic_values
from schur.reps import Irreps, cartesian_basis, symmetric_traceless_basis

EPS = np.finfo(float).eps
RANKS = range(6)


def rotation(seed: int, sign: int) -> np.ndarray:
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))[0]
    return Q * np.sign(np.linalg.det(Q)) * sign


def turned(R: np.ndarray, rank: int) -> np.ndarray:
    """R ⊗ R ⊗ …, the action on flattened tensors."""
    out = np.eye(1)
    for _ in range(rank):
        out = np.kron(out, R)
    return out


@pytest.mark.parametrize("rank", RANKS)
def test_there_and_back_is_exact(rank: int) -> None:
    irreps, Q = cartesian_basis(rank)
    assert irreps.dim == 3**rank
    assert np.abs(Q.T @ Q - np.eye(3**rank)).max() <= 8 * EPS * max(rank, 1)
    T = np.random.default_rng(0).standard_normal(3**rank)
    assert np.abs(Q @ (Q.T @ T) - T).max() <= 16 * EPS * max(rank, 1) * np.abs(T).max()


@pytest.mark.parametrize("rank", RANKS)
@pytest.mark.parametrize("sign", [1, -1])
def test_every_index_turns_as_a_vector(rank: int, sign: int) -> None:
    irreps, Q = cartesian_basis(rank)
    R = rotation(rank, sign)
    error = np.abs(Q.T @ turned(R, rank) @ Q - irreps.matrix(R)).max()
    assert error <= 32 * EPS * max(rank, 1)
    # The companion: the inversion is told apart where it acts, at odd ranks.
    other = np.abs(Q.T @ turned(R, rank) @ Q - irreps.matrix(-R)).max()
    assert (other > 0.5) == (rank % 2 == 1)


def test_multiplicities_are_those_of_vectors_multiplied() -> None:
    """Of the representation (1o)^rank, counted by characters."""
    for rank in RANKS:
        irreps, _ = cartesian_basis(rank)
        for degree in range(rank + 1):
            # ∫ χ_1^rank χ_l over the conjugacy classes of SO(3), exactly by equal steps
            angle = np.arange(64) * (2 * np.pi / 64)
            vector = 1 + 2 * np.cos(angle)
            own = 1 + 2 * np.cos(np.outer(angle, np.arange(1, degree + 1))).sum(1)
            count = np.mean((1 - np.cos(angle)) * vector**rank * own)
            assert irreps.count((degree, (-1) ** rank)) == round(count)


@pytest.mark.parametrize("degree", range(7))
def test_symmetric_traceless_tensors_are_harmonics(degree: int) -> None:
    Q = symmetric_traceless_basis(degree)
    n = np.random.default_rng(1).standard_normal((4, 3))
    n /= np.linalg.norm(n, axis=1, keepdims=True)
    powers = np.ones((4, 1))
    for _ in range(degree):
        powers = np.einsum("za,zi->zai", powers, n).reshape(4, -1)
    double = np.prod(np.arange(2 * degree - 1, 0, -2), initial=1.0)
    expected = np.sqrt(factorial(degree) / double) * harmonic_values([degree], n, "norm")
    assert np.abs(powers @ Q - expected).max() <= 32 * EPS
    assert np.abs(Q.T @ Q - np.eye(2 * degree + 1)).max() <= 32 * EPS


@pytest.mark.parametrize("degree", [2, 3, 4])
def test_they_are_symmetric_and_traceless(degree: int) -> None:
    T = symmetric_traceless_basis(degree).reshape(*[3] * degree, -1)
    for axis in range(degree - 1):
        assert np.abs(T - np.swapaxes(T, axis, axis + 1)).max() <= 16 * EPS
        assert np.abs(np.trace(T, axis1=axis, axis2=axis + 1)).max() <= 16 * EPS


def test_strain_and_elasticity() -> None:
    """Rank 2 and 4 of known content: trace, rotation vector, and 2x0e + 2x2e + 4e."""
    irreps, Q = cartesian_basis(2)
    assert irreps == Irreps("0e+1e+2e")
    spin = np.array([[0.0, -3.0, 2.0], [3.0, 0.0, -1.0], [-2.0, 1.0, 0.0]]).reshape(9)
    parts = Q.T @ spin  # of the axial vector (1, 2, 3)
    assert np.abs(np.abs(parts[1:4]) - np.sqrt(2) * np.array([1.0, 2.0, 3.0])).max() <= 16 * EPS
    assert np.abs(parts[[0, 4, 5, 6, 7, 8]]).max() <= 8 * EPS
    _, Q4 = cartesian_basis(4)
    C = np.random.default_rng(2).standard_normal((3, 3, 3, 3, 200))
    C = C + C.swapaxes(0, 1)
    C = C + C.swapaxes(2, 3)
    C = C + np.transpose(C, (2, 3, 0, 1, 4))
    content = Q4.T @ C.reshape(81, -1)
    irreps, size = cartesian_basis(4)[0], np.abs(content).max()
    ranks = [
        np.linalg.matrix_rank(content[where], tol=1e-9 * size) // ir.dim
        for (_, ir), where in zip(irreps, irreps.slices(), strict=True)
    ]
    assert ranks == [2, 0, 2, 0, 1]


def test_errors() -> None:
    with pytest.raises(RepresentationError, match="zero or more"):
        cartesian_basis(-1)
