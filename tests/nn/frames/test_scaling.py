"""Multidimensional scaling: distances kept, motions forgotten, and what else is lost."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.errors import NumberError, RepresentationError, ShapeError
from schur.groups import O3
from schur.nn.frames import Equivariant, ScalingFrames, multidimensional_scaling

from .clouds import normal, plain


def moved(x: Tensor, scale: float = 1.0) -> Tensor:
    R = torch.from_numpy(O3().sample(np.random.default_rng(3), 1)[0])
    return scale * x @ R.mT + 5.0


def test_invariant_under_motions_mirrors_and_scaling() -> None:
    x = normal(4, 12, 3)
    z = multidimensional_scaling(torch.cdist(x, x), 3)
    y = moved(x, scale=7.0)
    torch.testing.assert_close(multidimensional_scaling(torch.cdist(y, y), 3), z, rtol=0, atol=1e-9)
    mirrored = x * torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    same = multidimensional_scaling(torch.cdist(mirrored, mirrored), 3)
    torch.testing.assert_close(same, z, rtol=0, atol=1e-9)  # chirality is lost


def test_order_of_points(monkeypatch: pytest.MonkeyPatch) -> None:
    """Coordinates go with their points; planted: the signs that the eigensolver happens to give."""
    x = normal(20, 12, 3)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))

    def difference() -> float:
        z, w = (multidimensional_scaling(torch.cdist(c, c), 3) for c in (x, x[:, order]))
        return float((w - z[:, order]).abs().max())

    assert difference() < 1e-9
    module = import_module("schur.nn.frames.scaling")
    monkeypatch.setattr(module, "_signs", lambda z: torch.ones_like(z[..., 0, :]))
    assert difference() > 0.1


def test_ratios_of_distances_are_kept() -> None:
    x = normal(4, 12, 3)
    z = multidimensional_scaling(torch.cdist(x, x), 3)
    pairs = torch.triu_indices(12, 12, 1)
    ratio = (torch.cdist(z, z) / torch.cdist(x, x))[:, pairs[0], pairs[1]]
    assert float((ratio / ratio[:, :1] - 1).abs().max()) < 1e-10
    unscaled = multidimensional_scaling(torch.cdist(x, x), 5, scaled=False)
    torch.testing.assert_close(
        torch.cdist(unscaled, unscaled), torch.cdist(x, x), rtol=0, atol=1e-6
    )


def test_frames_give_the_same_coordinates() -> None:
    x = normal(4, 12, 3)
    seen = Equivariant(lambda x: x.flatten(1), "E(3)", "scaling")(x).unflatten(1, (12, 3))
    z = multidimensional_scaling(torch.cdist(x, x), 3)
    torch.testing.assert_close(seen, z, rtol=0, atol=1e-9)


def test_wrapped_modules() -> None:
    model = Equivariant(plain(6, 3, 3), "E(3)", "scaling", outputs="points")
    x = normal(4, 6, 3)
    assert max(model.report(x).errors) < 1e-9
    torch.testing.assert_close(model(moved(x, 7.0)), moved(model(x), 7.0), rtol=0, atol=1e-8)


def test_signs_are_not_unique_for_a_symmetric_cloud() -> None:
    half = normal(1, 6, 3)
    symmetric = torch.cat([half, -half], 1)
    report = Equivariant(plain(12, 3, 1), "O(3)", "scaling").report(symmetric)
    assert report.degenerate == 1


def test_one_far_point_moves_all_others() -> None:
    x = normal(1, 12, 3)
    far = x.clone()
    far[:, 0] += 100.0
    z, w = (multidimensional_scaling(torch.cdist(y, y), 3) for y in (x, far))
    assert float((z - w)[:, 1:].abs().mean()) > 0.3


def forms(count: int, seed: int, turned: bool) -> tuple[Tensor, Tensor]:
    """Five analytic shapes, each stretched along its own axes, upright or turned."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(5, (count,), generator=generator)
    u = torch.rand(count, 48, 2, generator=generator)
    angle, h = 2 * torch.pi * u[..., 0], 2 * u[..., 1] - 1
    ring, flat = (1 - h * h).sqrt(), torch.zeros_like(h)
    kinds = [
        torch.stack([ring * angle.cos(), ring * angle.sin(), h], -1),  # sphere
        torch.stack([angle.cos(), angle.sin(), h], -1),  # cylinder
        torch.stack([(1 + h) * angle.cos(), (1 + h) * angle.sin(), h], -1),  # cone
        torch.stack([2 * u[..., 0] - 1, h, flat], -1),  # sheet
        torch.stack(
            [angle.cos() * (2 + h.sign()), angle.sin() * (2 + h.sign()), flat], -1
        ),  # rings
    ]
    x = torch.stack(kinds)[labels, torch.arange(count)]
    x = x * torch.tensor([1.0, 1.4, 2.0])
    if turned:
        Q, upper = torch.linalg.qr(torch.randn(count, 3, 3, generator=generator))
        x = x @ (Q * upper.diagonal(dim1=-2, dim2=-1).sign()[:, None])
    return x, labels


def test_shapes_are_told_apart_as_well_turned_as_upright() -> None:
    def accuracies(invariant: bool) -> list[float]:
        torch.manual_seed(0)
        point = torch.nn.Sequential(
            torch.nn.Linear(3, 48), torch.nn.SiLU(), torch.nn.Linear(48, 48), torch.nn.SiLU()
        )
        head = torch.nn.Linear(48, 5)

        def network(x: Tensor) -> Tensor:
            return head(point(x).amax(1))

        model = Equivariant(network, "E(3)", "scaling") if invariant else network
        optimiser = torch.optim.Adam([*point.parameters(), *head.parameters()], 1e-2)
        for step in range(200):
            x, labels = forms(64, step, turned=False)
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(x), labels).backward()
            optimiser.step()
        found = []
        for turned in (False, True):
            x, labels = forms(500, 10**6, turned)
            with torch.no_grad():
                found.append(float((model(x).argmax(-1) == labels).double().mean()))
        return found

    aligned, turned = accuracies(invariant=True)
    assert aligned > 0.9 and abs(aligned - turned) <= 0.005
    aligned, turned = accuracies(invariant=False)
    assert aligned - turned > 0.3


def test_errors() -> None:
    with pytest.raises(ShapeError, match="square matrix"):
        multidimensional_scaling(torch.zeros(3, 4), 2)
    with pytest.raises(RepresentationError, match="mirror"):
        ScalingFrames("SE(3)")
    with pytest.raises(NumberError, match="coincide"):
        ScalingFrames("E(3)")(torch.ones(1, 4, 3))
