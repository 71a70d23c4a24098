"""Learned frames of clouds: exact, degenerate where they must be, better than principal axes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from schur.nn.frames import Equivariant, LearnedFrames
from schur.nn.frames.learned import gram_schmidt
from schur.testing import assert_derivatives

from .clouds import cube, line, normal, plain

EXACT = 1e-10


def model(group: str, d: int = 3, points: int = 6, outputs: str = "vectors") -> Equivariant:
    torch.manual_seed(0)
    return Equivariant(plain(points, d, d), group, "learned", outputs=outputs).double()


@pytest.mark.parametrize("group", ["SO(2)", "E(2)", "SO(3)", "O(3)", "SE(3)", "E(3)", "SO(4)"])
@pytest.mark.parametrize("outputs", ["scalars", "vectors"])
def test_exact(group: str, outputs: str) -> None:
    d = int(group[-2])
    report = model(group, d, outputs=outputs).report(normal(5, 6, d))
    assert max(report.errors) < EXACT and report.frames == 1


def test_the_check_sees_vectors_that_do_not_turn_along() -> None:
    """Planted: a network on raw coordinates in place of an equivariant one."""

    class Fixed(torch.nn.Module):
        def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
            return plain(6, 3, 6)(x).unflatten(1, (2, 3))

    framing = LearnedFrames("SO(3)", Fixed())
    assert min(Equivariant(plain(6, 3, 3), "SO(3)", framing).report(normal(5, 6, 3)).errors) > 0.01


def test_frames_are_elements() -> None:
    R = LearnedFrames("SO(4)").double()(normal(5, 6, 4)).pose.matrix.detach()
    torch.testing.assert_close(R @ R.mT, torch.eye(4).expand(5, 4, 4).double(), rtol=0, atol=1e-13)
    torch.testing.assert_close(torch.linalg.det(R), torch.ones(5).double(), rtol=0, atol=1e-13)


def test_no_frame_for_a_cloud_with_symmetries() -> None:
    """No continuous choice exists for all clouds: a line and a cube break it, and it is said."""
    for cloud in (line(), cube()):
        wrapped = model("SE(3)", points=8)
        report = wrapped.report(cloud[None])
        assert report.margins[0] < 1e-6 and report.degenerate == 1
        assert report.error > 0.01
        assert bool(wrapped(cloud[None]).isfinite().all())


def test_masks() -> None:
    torch.manual_seed(0)
    framing = LearnedFrames("SE(3)").double()
    x, mask = normal(2, 6, 3), torch.ones(2, 6, dtype=torch.bool)
    mask[1, 4:] = False
    padded = torch.where(mask[..., None], x, 7.0)
    torch.testing.assert_close(
        framing(padded, mask).pose.matrix[1:], framing(x[1:, :4]).pose.matrix, rtol=0, atol=1e-12
    )


def test_derivatives() -> None:
    assert_derivatives(model("SE(3)"), [normal(2, 6, 3)], order=2, fast=True)


def test_gram_schmidt_of_dependent_vectors() -> None:
    axes, share = gram_schmidt(torch.tensor([[[1.0, 2, 3], [2.0, 4, 6]], [[1, 0, 0], [1, 1, 0.0]]]))
    gram = axes @ axes.mT
    torch.testing.assert_close(gram, torch.eye(2).expand(2, 2, 2), rtol=0, atol=1e-6)
    torch.testing.assert_close(share, torch.tensor([0.0, 0.5**0.5]))


def test_the_prior_pulls_frames_to_the_unit() -> None:
    torch.manual_seed(0)
    clouds = normal(32, 8, 3).float() + torch.tensor([2.0, 0, 0])
    clouds[:, 0] += torch.tensor([6.0, 0, 0])
    clouds[:, 1] += torch.tensor([0, 4.0, 0])
    wrapped = Equivariant(plain(8, 3, 1).float(), "SE(3)", "learned")
    optimiser = torch.optim.Adam(wrapped.framing.parameters(), 1e-2)
    first = float(wrapped.prior_loss(clouds).detach())
    for _ in range(60):
        optimiser.zero_grad()
        wrapped.prior_loss(clouds).backward()
        optimiser.step()
    assert float(wrapped.prior_loss(clouds).detach()) < 0.3 * first


def shapes(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Four random shapes of 8 points made round, so that their principal axes are noise."""
    generator = torch.Generator().manual_seed(seed)
    means = torch.randn(4, 8, 3, generator=torch.Generator().manual_seed(99))
    means = means - means.mean(1, keepdim=True)
    root = torch.linalg.cholesky(torch.linalg.inv(means.mT @ means / 8))
    means = means @ root
    labels = torch.randint(4, (count,), generator=generator)
    x = means[labels] + 0.1 * torch.randn(count, 8, 3, generator=generator)
    turns, upper = torch.linalg.qr(torch.randn(count, 3, 3, generator=generator))
    turns = turns * upper.diagonal(dim1=-2, dim2=-1).sign()[:, None]
    order = torch.argsort(torch.rand(count, 8, generator=generator), -1)
    return (x @ turns).gather(1, order[..., None].expand(-1, -1, 3)), labels


def held_out_accuracy(method: str, seed: int) -> float:
    torch.manual_seed(seed)
    point = torch.nn.Sequential(
        torch.nn.Linear(3, 32), torch.nn.SiLU(), torch.nn.Linear(32, 32), torch.nn.SiLU()
    )
    head = torch.nn.Linear(32, 4)
    net = Equivariant(lambda x: head(point(x).mean(1)), "O(3)", method)
    parameters = [*point.parameters(), *head.parameters(), *net.framing.parameters()]
    optimiser = torch.optim.Adam(parameters, 1e-2)
    for step in range(160):
        x, labels = shapes(64, 1000 * seed + step)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(x), labels).backward()
        # Near dependent vectors the derivative of a frame is large.
        torch.nn.utils.clip_grad_norm_(parameters, 0.5)
        optimiser.step()
    x, labels = shapes(400, 10**6 + seed)
    with torch.no_grad():
        return float((net(x).argmax(-1) == labels).double().mean())


def test_learned_frames_beat_principal_axes_on_round_shapes() -> None:
    """One frame each, learned or by principal axes with a rule for signs; three seeds."""
    learned, principal = (
        torch.tensor([held_out_accuracy(method, seed) for seed in range(3)])
        for method in ("learned", "scaling")
    )
    spread = float((learned.var() + principal.var()).sqrt())
    assert float(learned.mean() - principal.mean()) > max(2 * spread, 0.05)
