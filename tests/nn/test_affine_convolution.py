"""Convolutions on affine groups: exact for maps of the grid, convergent for others."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.errors import NumberError, RepresentationError, ShapeError
from schur.groups import Affine, Euclidean, GeneralLinear, SpecialLinear, Unitary
from schur.nn import (
    AffineConvolution,
    AffineLift,
    AffineShiftConvolution,
    nearby_elements,
    sampled_elements,
)
from tests.nn.laws import normal

EPS = float(np.finfo(np.float64).eps)
PLANE = Affine(GeneralLinear(2))
SIGNED = [
    np.array([[a, 0], [0, b]]) @ p
    for a, b in product((1, -1), repeat=2)
    for p in (np.eye(2), np.eye(2)[::-1])
]


def moved(f: Tensor, a: np.ndarray) -> Tensor:
    """f(A⁻¹ x) about the centre of a square image, for A that permutes its pixels."""
    n = f.shape[-1]
    centre = (n - 1) / 2
    x = np.stack(np.meshgrid(np.arange(n), np.arange(n), indexing="ij"), -1) - centre
    source = np.rint(x @ np.linalg.inv(a).T + centre).astype(int)
    return f[..., source[..., 0], source[..., 1]]


@pytest.mark.parametrize("group", [PLANE, Affine(SpecialLinear(2)), Euclidean(2)], ids=str)
def test_exact_where_pixels_and_samples_are_permuted(group: Affine) -> None:
    torch.manual_seed(0)
    lift = AffineLift(group, 2, 3).double()
    shifts = AffineShiftConvolution(group, 3, 3).double()
    further = AffineConvolution(group, 3, 2).double()
    h, w = sampled_elements(group, np.random.default_rng(0), 5, 0.3)
    f = normal(2, 2, 9, 9)
    with torch.no_grad():
        out = further(shifts(lift(f, h), h), h, w)
    assert float(out.std()) > 1e-3
    for a in SIGNED:
        if not group.linear.contains(a):
            continue
        turned = torch.from_numpy(a) @ h
        with torch.no_grad():
            found = further(shifts(lift(moved(f, a), turned), turned), turned, w)
        assert float((found - moved(out, a)).abs().max()) < 1e4 * EPS * float(out.abs().max())


def test_without_extent_on_the_group_elements_do_not_meet() -> None:
    torch.manual_seed(0)
    shifts = AffineShiftConvolution(PLANE, 2, 3).double().requires_grad_(False)
    lift = AffineLift(PLANE, 2, 3).double().requires_grad_(False)
    lift.load_state_dict(shifts.state_dict())
    h, _ = sampled_elements(PLANE, np.random.default_rng(0), 4, 0.3)
    f = normal(2, 4, 2, 7, 7)
    out = shifts(f, h)
    for i in range(4):
        alone = lift(f[:, i], h[i : i + 1])[:, 0]
        assert torch.allclose(out[:, i], alone, rtol=0, atol=1e3 * EPS)
    assert float((out[:, 0] - lift(f[:, 1], h[:1])[:, 0]).abs().max()) > 0.1


def test_elements_near_the_identity() -> None:
    group, rng = Affine(GeneralLinear(2, positive=True)), np.random.default_rng(0)
    h = nearby_elements(group, rng, 4000, turn=0.3, stretch=0.5).numpy()
    linear = group.linear
    assert isinstance(linear, GeneralLinear)
    k, s = linear.polar(h)
    angles, sizes = np.arctan2(k[:, 1, 0], k[:, 0, 0]), np.linalg.norm(s, axis=-1)
    for x in (np.abs(angles) / 0.3, (sizes / 0.5) ** 3):
        # Uniform on [0, 1]: deviation 1/√12, so that 4000 of them have a mean this near to 1/2.
        assert x.max() <= 1 + 1e3 * EPS and abs(x.mean() - 0.5) < 4 / np.sqrt(12 * 4000)
    turns = nearby_elements(Euclidean(3), rng, 500, turn=0.3).numpy()
    cosines = (np.trace(turns, axis1=1, axis2=2) - 1) / 2
    assert np.all(Euclidean(3).linear.contains(turns, 1e-12))
    assert np.cos(0.3) - 1e3 * EPS < cosines.min() < np.cos(0.28)
    with pytest.raises(NumberError, match="neighbourhood"):
        nearby_elements(group, rng, 3, turn=-0.1)


def test_shifts_of_pixels() -> None:
    lift = AffineLift(PLANE, 1, 2).double().requires_grad_(False)
    h, _ = sampled_elements(PLANE, np.random.default_rng(0), 3, 0.2)
    f = torch.zeros(1, 1, 16, 16, dtype=torch.float64)
    f[..., 5:9, 6:10] = normal(4, 4)
    out = lift(f, h)
    there = lift(f.roll((2, -1), (-2, -1)), h)
    assert torch.allclose(there, out.roll((2, -1), (-2, -1)), rtol=0, atol=1e3 * EPS)


def blobs(x: np.ndarray) -> np.ndarray:
    """A smooth image on the plane."""
    centres = np.array([[0.2, 0.1], [-0.4, 0.3], [0.1, -0.3]])
    sizes = np.array([1.0, -0.7, 0.5])
    square = np.sum((x[..., None, :] - centres) ** 2, -1)
    return np.exp(-square / 0.18) @ sizes


def sampled(pixels: int, a: np.ndarray) -> Tensor:
    """blobs(A⁻¹ x) on [-1.5, 1.5]² in an odd number of pixels."""
    line = np.linspace(-1.5, 1.5, pixels)
    x = np.stack(np.meshgrid(line, line, indexing="ij"), -1)
    return torch.from_numpy(blobs(x @ np.linalg.inv(a).T))[None, None]


def test_any_linear_map_of_a_smooth_image() -> None:
    # A leaves the centre where it is: there out[A h] of the moved image is out[h] of the image.
    a = np.array([[1.2, 0.3], [-0.1, 0.8]])
    h = 0.9 * np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.8, -0.3], [0.2, 1.1]]])
    errors = []
    for pixels in (25, 49):
        torch.manual_seed(0)
        lift = AffineLift(PLANE, 1, 4, radius=0.18 * (pixels - 1)).double().requires_grad_(False)
        middle = (0, slice(None), slice(None), pixels // 2, pixels // 2)
        before = lift(sampled(pixels, np.eye(2)), torch.from_numpy(h))[middle]
        after = lift(sampled(pixels, a), torch.from_numpy(a @ h))[middle]
        errors.append(float((after - before).norm() / before.norm()))
        # The size of a pixel on the scale of the kernel is in the measure |det h|.
        wrong = after * abs(np.linalg.det(a))
        assert float((wrong - before).norm() / before.norm()) > 0.005
    assert errors[1] < 1e-3 and errors[1] < 0.5 * errors[0]


def on_the_group(h: Tensor, a: np.ndarray) -> Tensor:
    """A smooth function of h, moved by A."""
    back = torch.from_numpy(np.linalg.inv(a)) @ h
    return (1.5 + torch.tanh(back[:, 0, 0] - back[:, 1, 0]))[None, :, None, None, None]


class Flat(torch.nn.Module):
    """A kernel of one value: only its support and the measure are left."""

    def __init__(self) -> None:
        super().__init__()
        self.value = torch.nn.Parameter(torch.ones(1))

    def forward(self, places: Tensor) -> Tensor:
        return self.value.expand(*places.shape[:-1], 1)


def test_the_samples_need_the_haar_measure() -> None:
    # Independent samples of f and of the moved f give the same at h = 1 and at A; with the measure
    # of polar coordinates left out what is found depends on where on the group one is.
    group = Affine(GeneralLinear(2, positive=True))
    torch.manual_seed(0)
    layer = AffineConvolution(group, 1, 1, radius=0.9, reach=1.0).double()
    layer.kernel = Flat().double()
    found = {}
    for place, a in enumerate((np.eye(2), np.diag([1.9, 1 / 1.9]))):
        h, w = sampled_elements(group, np.random.default_rng(place), 20_000, 0.9)
        linear = group.linear
        assert isinstance(linear, GeneralLinear)
        naive = w / torch.from_numpy(linear.polar_density(linear.polar(h.numpy())[1]))
        f, at = on_the_group(h, a), torch.from_numpy(a)[None]
        with torch.no_grad():
            found[place] = [float(layer(f, h, each, at)) for each in (w, naive)]
    haar, naive = (found[1][i] / found[0][i] for i in (0, 1))
    assert abs(haar - 1) < 0.06 and abs(naive - 1) > 0.12


def test_derivatives_reach_the_kernels() -> None:
    group = Euclidean(2)
    lift, further = AffineLift(group, 1, 2), AffineConvolution(group, 2, 2)
    h, w = sampled_elements(group, np.random.default_rng(0), 4)
    out = further(torch.relu(lift(torch.randn(2, 1, 6, 6), h)), h, w)
    assert out.shape == (2, 4, 2, 6, 6) and out.dtype == torch.float32
    out.square().mean().backward()
    for layer in (lift, further):
        assert all(p.grad is not None and bool(p.grad.any()) for p in layer.parameters())


def test_lines_and_volumes() -> None:
    for n in (1, 3):
        group = Affine(GeneralLinear(n))
        h, w = sampled_elements(group, np.random.default_rng(0), 3, 0.2)
        f = torch.randn(2, 1, *[5] * n)
        lifted = AffineLift(group, 1, 2, radius=1.5)(f, h)
        out = AffineConvolution(group, 2, 1, radius=1.5)(lifted, h, w, at=h[:2])
        assert out.shape == (2, 2, 1, *[5] * n)


def test_misuse() -> None:
    with pytest.raises(RepresentationError, match="dimensions"):
        AffineLift(Affine(GeneralLinear(4)), 1, 1)
    lift = AffineLift(PLANE, 1, 1)
    h, _ = sampled_elements(PLANE, np.random.default_rng(0), 3)
    with pytest.raises(ShapeError, match="pixels"):
        lift(torch.zeros(2, 2, 5, 5), h)
    with pytest.raises(ShapeError, match="pixels"):
        AffineShiftConvolution(PLANE, 1, 1)(torch.zeros(2, 3, 2, 5, 5), h)
    with pytest.raises(RepresentationError, match="real matrices"):
        Affine(Unitary(2))
