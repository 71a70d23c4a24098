"""Mandel's matrices turn by orthogonal ones, and hold exactly 2 x 0e + 2 x 2e + 1 x 4e."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from schur.errors import ShapeError
from schur.reps.elasticity import (
    ELASTICITY,
    elasticity_basis,
    from_mandel,
    mandel_rotation,
    to_mandel,
    voigt_to_mandel,
)
from schur.tensors import rotate

EPS = 2.3e-16
RNG = np.random.default_rng(0)
R = np.linalg.qr(RNG.standard_normal((3, 3)))[0]


def matrix() -> np.ndarray:
    half = np.random.default_rng(1).standard_normal((6, 6))
    return half + half.T


def test_there_and_back_and_all_index_symmetries() -> None:
    M = matrix()
    C = from_mandel(M)
    assert np.abs(to_mandel(C) - M).max() < 16 * EPS
    for order in ((1, 0, 2, 3), (0, 1, 3, 2), (2, 3, 0, 1)):
        assert np.abs(C - C.transpose(order)).max() < 16 * EPS


def test_matrices_turn_as_tensors_of_fourth_order() -> None:
    M, Q = matrix(), mandel_rotation(R)
    turned = np.einsum("ia,jb,kc,ld,abcd->ijkl", R, R, R, R, from_mandel(M))
    assert np.abs(to_mandel(turned) - Q @ M @ Q.T).max() < 256 * EPS
    assert np.abs(Q @ Q.T - np.eye(6)).max() < 16 * EPS


def test_the_matrices_of_voigt_do_not_turn_orthogonally() -> None:
    """The catch: there the square of a stiffness is no tensor, and off by tens of per cent."""
    factors = np.array([1.0] * 3 + [2**0.5] * 3)
    Q = mandel_rotation(R)
    for sign in (1, -1):  # strains with 2 ε_yz, stresses with σ_yz
        turn = Q * factors[:, None] ** sign / factors[None] ** sign
        assert np.abs(turn @ turn.T - np.eye(6)).max() > 0.1
    M = matrix()
    voigt = M / np.outer(factors, factors)
    assert np.allclose(voigt_to_mandel(voigt), M)
    turned = Q @ M @ Q.T
    faults = []
    for scale in (np.ones((6, 6)), np.outer(factors, factors)):
        before, after = ((A / scale) @ (A / scale) for A in (M, turned))
        expected = Q @ (before * scale) @ Q.T / scale
        faults.append(np.abs(after - expected).max() / np.abs(expected).max())
    assert faults[0] < 64 * EPS and faults[1] > 0.05


def test_the_basis_is_orthonormal_complete_and_equivariant() -> None:
    basis = elasticity_basis()
    assert ELASTICITY.dim == 21 == basis.shape[2]
    assert np.abs(np.einsum("abk,abn->kn", basis, basis) - np.eye(21)).max() < 16 * EPS
    M = matrix()
    x = np.einsum("abk,ab->k", basis, M)
    assert np.abs(basis @ x - M).max() < 32 * EPS  # nothing is missing
    turned = rotate(torch.from_numpy(x)[None], ELASTICITY, torch.from_numpy(R))[0].numpy()
    Q = mandel_rotation(R)
    assert np.abs(basis @ turned - Q @ M @ Q.T).max() < 256 * EPS


def test_degree_four_is_needed() -> None:
    """A cubic material has a part of degree 4 and none of degree 2."""
    C11, C12, C44 = 168.0, 121.0, 75.0  # copper, GPa
    voigt = np.diag([C11] * 3 + [C44] * 3) + np.pad(C12 * (1 - np.eye(3)), (0, 3))
    x = np.einsum("abk,ab->k", elasticity_basis(), voigt_to_mandel(voigt))
    parts = [np.linalg.norm(x[place]) for place in ELASTICITY.slices()]
    assert parts[0] > 100 and parts[1] < 1e-12 * parts[0]
    # |4e|² of a cubic material: 2/5 of 3 (C11 - C12 - 2 C44)².
    assert parts[2] == pytest.approx((1.2 * (C11 - C12 - 2 * C44) ** 2) ** 0.5, rel=1e-12)


def test_what_is_no_tensor_of_elasticity() -> None:
    with pytest.raises(ShapeError, match="four indices"):
        to_mandel(np.zeros((3, 3)))
    with pytest.raises(ShapeError, match="not one of elasticity"):
        to_mandel(RNG.standard_normal((3, 3, 3, 3)))
