"""Frames along edges: rotations everywhere, derivatives that are finite and right at the poles."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from schur.engine import Routine
from schur.errors import ShapeError
from schur.harmonics import wigner_d_of_rotation
from schur.products import normalised, so2, tensor_product
from schur.reps import Irreps
from schur.tensors import edge_frames, edge_wigner
from schur.tensors.harmonics import spherical_harmonics
from schur.testing import assert_derivatives

EPS = torch.finfo(torch.float64).eps
# Both poles, beside them at many distances, both sides of the seam of the charts, and elsewhere.
DIRECTIONS = torch.tensor(
    [
        [0.0, 1.0, 0.0],
        [0.0, -1.0, 0.0],
        [0.0, -2.5, 0.0],
        *[[t, s, -2 * t] for t in (1e-300, 1e-16, 1e-9, 1e-4) for s in (1.0, -1.0)],
        [1.0, 0.0, 0.5],
        [1.0, -0.0, 0.5],
        [1.0, 1e-16, 0.5],
        [1.0, -1e-16, 0.5],
        [0.3, 0.7, -0.2],
        [-0.4, -0.1, 0.6],
    ],
    dtype=torch.float64,
)
REP = Irreps("0e+1o+2e+1e")


def test_frames_are_rotations_onto_the_directions() -> None:
    R = edge_frames(DIRECTIONS)
    assert float((R @ R.mT - torch.eye(3)).abs().max()) <= 8 * EPS
    assert float((torch.linalg.det(R) - 1).abs().max()) <= 16 * EPS
    unit = DIRECTIONS / DIRECTIONS.norm(dim=-1, keepdim=True)
    assert float((R[..., 1] - unit).abs().max()) <= 4 * EPS


@pytest.mark.parametrize("lmax", [0, 1, 3, 5])
def test_wigner_matrices_are_those_of_the_frames(lmax: int) -> None:
    """Against the factorised matrices by Euler angles, an algorithm of its own."""
    blocks = edge_wigner(DIRECTIONS, lmax).split([(2 * k + 1) ** 2 for k in range(lmax + 1)], -1)
    R = edge_frames(DIRECTIONS).numpy()
    for degree, block in enumerate(blocks):
        expected = torch.from_numpy(wigner_d_of_rotation(degree, R)).flatten(1)
        assert float((block - expected).abs().max()) <= 64 * EPS


def both_products() -> tuple[Callable[..., Tensor], Callable[..., Tensor], Tensor]:
    """A function of vectors by frames, the same by harmonics, and features."""
    rep2 = Irreps.spherical_harmonics(4)
    lines = normalised(
        REP,
        rep2,
        REP,
        [
            (i, j, k, "uvu", True)
            for i, (_, a) in enumerate(REP)
            for j, (_, b) in enumerate(rep2)
            for k, (_, c) in enumerate(REP)
            if c in tuple(a * b)
        ],
    )
    product = so2(REP, rep2, REP, connection="uvu")
    full = Routine(tensor_product(REP, rep2, REP, lines))
    reduced = Routine(product.program)
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(product.weight_numel, dtype=torch.float64, generator=generator)
    x = torch.randn(len(DIRECTIONS), REP.dim, dtype=torch.float64, generator=generator)
    own = torch.from_numpy(product.from_paths(w.numpy(), lines))

    def by_frames(r: Tensor, x: Tensor) -> Tensor:
        return reduced(x, edge_wigner(r, 2), own)

    def by_harmonics(r: Tensor, x: Tensor) -> Tensor:
        return full(x, spherical_harmonics(rep2, r, True, "component"), w)

    return by_frames, by_harmonics, x


def test_values_and_derivatives_are_those_of_harmonics_everywhere() -> None:
    """Harmonics are polynomials and know no pole: the reference for first and second order."""
    by_frames, by_harmonics, x = both_products()
    results = []
    for function in (by_frames, by_harmonics):
        r = DIRECTIONS.clone().requires_grad_()
        out = function(r, x)
        cotangent = torch.linspace(-1, 2, out.numel(), dtype=torch.float64).reshape(out.shape)
        (first,) = torch.autograd.grad(out, r, cotangent, create_graph=True)
        (second,) = torch.autograd.grad(first, r, torch.cos(cotangent[:, :3]))
        results.append((out.detach(), first.detach(), second))
    for found, expected in zip(*results, strict=True):
        assert bool(torch.isfinite(found).all())
        assert float((found - expected).abs().max()) <= 1e-13 * float(expected.abs().max())


def test_derivatives_at_the_poles_by_finite_differences() -> None:
    by_frames, _, x = both_products()
    poles = DIRECTIONS[:3]
    assert_derivatives(lambda r: by_frames(r, x[:3]), [poles], fast=True)


def test_frames_by_azimuth_fail_there() -> None:
    """The companion: beside a pole an azimuth turns without bound, and these frames do not."""
    r = torch.tensor([[1e-9, 1.0, -2e-9]], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(torch.atan2(r[:, 0], r[:, 2]).sum(), r)
    assert float(slope.abs().max()) > 1e8
    (slope,) = torch.autograd.grad(edge_frames(r).cos().sum(), r)
    assert float(slope.abs().max()) < 10


def test_no_direction() -> None:
    r = torch.zeros(1, 3, dtype=torch.float64, requires_grad=True)
    wigner = edge_wigner(r, 2)
    assert wigner[0, 0] == 1 and not wigner[0, 1:].any()
    (slope,) = torch.autograd.grad(wigner.sum(), r)
    assert not slope.any()


def test_errors() -> None:
    with pytest.raises(ShapeError, match="vectors"):
        edge_frames(torch.ones(3, 2))
