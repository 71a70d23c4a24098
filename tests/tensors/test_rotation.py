"""Rotations of arrays, against Wigner matrices made in another way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from schur.errors import NumberError
from schur.harmonics.wigner import wigner_d
from schur.reps import Irreps
from schur.tensors import irrep_matrices, rotate
from schur.testing import random_orthogonal

EPS = torch.finfo(torch.float64).eps


@given(*[st.floats(-3, 3)] * 3)
def test_matrices_are_those_of_euler_angles(alpha: float, beta: float, gamma: float) -> None:
    """Harmonics have the vector irrep in the order (x, y, z) of e3nn's basis (y, z, x)."""
    angles = alpha, abs(beta), gamma
    R = _rotation(*angles)
    for degree, matrix in enumerate(irrep_matrices(8, torch.from_numpy(R))):
        expected = wigner_d(degree, *angles)
        assert np.abs(matrix.numpy() - expected).max() < 32 * EPS * (degree + 1)


def _rotation(alpha: float, beta: float, gamma: float) -> np.ndarray:
    def about(axis: int, angle: float) -> np.ndarray:
        c, s = np.cos(angle), np.sin(angle)
        R = np.eye(3)
        a, b = (axis + 1) % 3, (axis + 2) % 3
        R[a, a], R[a, b], R[b, a], R[b, b] = c, -s, s, c
        return R

    return about(1, alpha) @ about(0, beta) @ about(1, gamma)


def test_homomorphism_and_orthogonality_at_high_degree() -> None:
    generator = torch.Generator().manual_seed(0)
    A, B = (random_orthogonal(generator, proper=True) for _ in range(2))
    for a, b, c in zip(
        irrep_matrices(12, A), irrep_matrices(12, B), irrep_matrices(12, A @ B), strict=True
    ):
        assert float((a @ b - c).abs().max()) < 64 * EPS * len(a)
        assert float((a @ a.T - torch.eye(len(a))).abs().max()) < 64 * EPS * len(a)


def test_improper_elements_act_by_parity() -> None:
    rep = Irreps("2x0e + 0o + 2x1o + 1e + 2e + 2o")
    x = torch.randn(4, rep.dim, dtype=torch.float64)
    turned = rotate(x, rep, -torch.eye(3, dtype=torch.float64))
    for (_, ir), place in zip(rep, rep.slices(), strict=True):
        assert torch.allclose(turned[:, place], ir.p * x[:, place], rtol=8 * EPS, atol=0)


def test_batches_of_rotations_broadcast() -> None:
    rep = Irreps("2x1o + 1e")
    generator = torch.Generator().manual_seed(1)
    R = torch.stack([random_orthogonal(generator) for _ in range(3)])
    x = torch.randn(5, 1, rep.dim, dtype=torch.float64)
    together = rotate(x, rep, R)
    assert together.shape == (5, 3, rep.dim)
    for k in range(3):
        assert torch.allclose(together[:, k], rotate(x[:, 0], rep, R[k]), rtol=0, atol=64 * EPS)


def test_empty_representations() -> None:
    R = torch.eye(3)
    assert rotate(torch.zeros(4, 0), Irreps(""), R).shape == (4, 0)
    assert rotate(torch.ones(4, 1), Irreps("0x3o + 0e"), R).shape == (4, 1)


def test_derivatives_by_data_and_rotation() -> None:
    rep = Irreps("1o + 2e")
    x = torch.randn(2, rep.dim, dtype=torch.float64, requires_grad=True)
    axis = torch.randn(3, dtype=torch.float64, requires_grad=True)

    def turned(x: torch.Tensor, axis: torch.Tensor) -> torch.Tensor:
        zero = torch.zeros((), dtype=torch.float64)
        a, b, c = axis
        skew = torch.stack([zero, -c, b, c, zero, -a, -b, a, zero]).reshape(3, 3)
        return rotate(x, rep, torch.linalg.matrix_exp(skew))

    assert torch.autograd.gradcheck(turned, (x, axis))


def test_errors() -> None:
    x = torch.zeros(2, 3)
    with pytest.raises(NumberError, match="not orthogonal"):
        rotate(x, Irreps("1o"), 2 * torch.eye(3))
    with pytest.raises(NumberError, match="not orthogonal"):
        rotate(x, Irreps("1o"), torch.full((3, 3), torch.nan))
