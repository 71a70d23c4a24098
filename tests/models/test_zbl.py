"""The repulsion of nuclei and the transforms of distances, against formulas written anew."""

from __future__ import annotations

from math import exp, tanh

import ase.data
import pytest
import torch

from schur.models.distance_transforms import AgnesiTransform, SoftTransform
from schur.models.zbl import ZBL

NUMBERS = (1, 8, 29)
RADII = [float(ase.data.covalent_radii[z]) for z in NUMBERS]
DISTANCES = torch.tensor([0.05, 0.2, 0.6, 1.1], dtype=torch.float64)
PAIRS = [(0, 0), (0, 1), (1, 2), (2, 2)]


def zbl(r: float, first: int, second: int, p: int) -> float:
    """Energy of a pair, one number at a time."""
    z, w = NUMBERS[first], NUMBERS[second]
    x = r / (0.4543 * 0.529 / (z**0.3 + w**0.3))
    phi = 0.1818 * exp(-3.2 * x) + 0.5099 * exp(-0.9423 * x)
    phi += 0.2802 * exp(-0.4028 * x) + 0.02817 * exp(-0.2016 * x)
    t = r / (RADII[first] + RADII[second])
    if t >= 1:
        return 0.0
    fade = 1 - (p + 1) * (p + 2) / 2 * t**p + p * (p + 2) * t ** (p + 1)
    return 14.3996 * z * w / r * phi * (fade - p * (p + 1) / 2 * t ** (p + 2))


def ends(pair: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    first, second = (torch.full((len(DISTANCES),), k) for k in pair)
    return first, second


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("p", [5, 6])
def test_zbl_is_its_formula_and_symmetric(pair: tuple[int, int], p: int) -> None:
    layer, (first, second) = ZBL(NUMBERS, p), ends(pair)
    expected = torch.tensor([zbl(float(r), *pair, p) for r in DISTANCES], dtype=torch.float64)
    assert torch.allclose(layer(DISTANCES, first, second), expected, rtol=1e-13, atol=1e-13)
    assert torch.equal(layer(DISTANCES, first, second), layer(DISTANCES, second, first))


def test_zbl_repels_and_ends_smoothly_at_the_sum_of_radii() -> None:
    layer = ZBL(NUMBERS, 5)
    end = 2 * RADII[1]
    r = torch.linspace(0.1, end + 0.3, 200, dtype=torch.float64, requires_grad=True)
    energies = layer(r, *[torch.ones(200, dtype=torch.int64)] * 2)
    (slope,) = torch.autograd.grad(energies.sum(), r)
    inside = r < end
    assert (energies[inside] > 0).all() and (slope[inside] < 0).all()
    assert (energies[~inside] == 0).all() and (slope[~inside] == 0).all()
    steps = torch.tensor([0.02, 0.01], dtype=torch.float64)
    close = layer(end - steps, *[torch.ones(2, dtype=torch.int64)] * 2)
    assert close[0] / close[1] == pytest.approx(8.0, rel=0.1)  # a root of the third order


@pytest.mark.parametrize("pair", PAIRS)
def test_agnesi_is_its_formula(pair: tuple[int, int]) -> None:
    a, q, p = 1.0805, 0.9183, 4.5791
    r0 = (RADII[pair[0]] + RADII[pair[1]]) / 2
    xs = [float(r) / r0 for r in DISTANCES]
    expected = [1 / (1 + a * x**q / (1 + x ** (q - p))) for x in xs]
    found = AgnesiTransform(NUMBERS)(DISTANCES, *ends(pair))
    assert found.tolist() == pytest.approx(expected, rel=1e-13)


def test_agnesi_falls_from_one_without_an_infinite_slope() -> None:
    r = torch.linspace(0, 6, 100, dtype=torch.float64, requires_grad=True)
    values = AgnesiTransform(NUMBERS)(r, *[torch.zeros(100, dtype=torch.int64)] * 2)
    (slope,) = torch.autograd.grad(values.sum(), r)
    assert values[0] == 1 and (values.diff() < 0).all()
    assert slope.isfinite().all() and slope[0] == 0


@pytest.mark.parametrize("pair", PAIRS)
def test_soft_is_its_formula(pair: tuple[int, int]) -> None:
    r0 = RADII[pair[0]] + RADII[pair[1]]
    low, high = 3 / 4 * r0, 4 / 3 * r0
    expected = [
        low + (r - low) * (1 + tanh(4 / (high - low) * (r - (low + high) / 2))) / 2
        for r in DISTANCES.tolist()
    ]
    assert SoftTransform(NUMBERS)(DISTANCES, *ends(pair)).tolist() == pytest.approx(
        expected, rel=1e-13
    )


def test_number_types_are_those_of_the_distances() -> None:
    r, zero = torch.ones(1), torch.zeros(1, dtype=torch.int64)
    layers = ZBL(NUMBERS, 5), AgnesiTransform(NUMBERS), SoftTransform(NUMBERS)
    assert all(layer(r, zero, zero).dtype == torch.float32 for layer in layers)
