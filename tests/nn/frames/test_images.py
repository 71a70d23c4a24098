"""Images under C_n and D_n: exact on the lattice, measured off it, and pretrained networks."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.nn.frames import Equivariant, LearnedImageFrames
from schur.nn.frames.image import turn_images
from schur.nn.frames.symmetry import Symmetry

from .clouds import normal
from .glyphs import digits

SIX_AND_NINE = [0, 1, 2, 3, 4, 5, 6, 9]
DISTINCT = [1, 2, 3, 4, 6, 7]  # no two are turns of each other


def network(classes: int, seed: int = 0) -> torch.nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return torch.nn.Sequential(
            torch.nn.Conv2d(1, 8, 3),
            torch.nn.ReLU(),
            torch.nn.Conv2d(8, 16, 3, stride=2),
            torch.nn.ReLU(),
            torch.nn.Flatten(),
            torch.nn.Linear(400, classes),
        )


def turned(images: Tensor, group: str, place: int) -> Tensor:
    elements = Symmetry.of(group).elements
    assert elements is not None
    matrix = torch.from_numpy(elements[place]).to(images)
    return turn_images(images, matrix.expand(len(images), 2, 2))


def test_turning_images() -> None:
    x = normal(3, 2, 7, 7)
    for place in range(4):
        assert torch.equal(turned(x, "C4", place), x.rot90(place, (-2, -1)))
    mirrors = [turned(x, "D4", place) for place in range(4, 8)]
    assert torch.equal(mirrors[0], x.flip(-2)) and torch.equal(mirrors[2], x.flip(-1))
    # The interpolation agrees with the exact way where both exist.
    near = torch.from_numpy(Symmetry.of("C4").elements).to(x)[1] + 1e-13
    torch.testing.assert_close(
        turn_images(x, near.expand(3, 2, 2)), turned(x, "C4", 1), rtol=0, atol=1e-10
    )
    twice = turned(turned(x, "C8", 1), "C8", 7)
    assert float((twice - x).abs().max()) > 0.1


@pytest.mark.parametrize("group", ["C4", "D4", "C2", "D1"])
@pytest.mark.parametrize("method", ["average", "learned"])
@pytest.mark.parametrize("outputs", ["scalars", "images", "vectors"])
def test_exact_on_the_lattice(group: str, method: str, outputs: str) -> None:
    torch.manual_seed(0)
    heads = {"scalars": 5, "vectors": 2}
    net = torch.nn.Conv2d(1, 2, 3, padding=1) if outputs == "images" else network(heads[outputs])
    model = Equivariant(net.double(), group, method, inputs="images", outputs=outputs).double()
    report = model.report(normal(6, 1, 13, 13), samples=8)
    tolerance = 0 if method == "learned" and outputs != "vectors" else 1e-12
    assert max(report.errors) <= tolerance + 1e-13
    assert not report.interpolated


def test_the_check_sees_scores_that_do_not_turn_along() -> None:
    """Planted: an image is turned by the pixels of one corner, not by what its turns score."""

    class Blind(LearnedImageFrames):
        def log_probabilities(self, images: Tensor) -> Tensor:
            return images[:, 0, :2, :2].flatten(1).log_softmax(-1)

    torch.manual_seed(0)
    model = Equivariant(network(5).double(), "C4", Blind("C4"), inputs="images")
    assert max(model.report(normal(6, 1, 13, 13)).errors) > 1e-3


def test_other_turns_are_reported_apart() -> None:
    torch.manual_seed(0)
    model = Equivariant(network(4), "C8", "learned", inputs="images")
    report = model.report(digits(8, DISTINCT, 3)[0], samples=16)
    assert max(report.errors) < 1e-5 and min(report.interpolated) > 1e-3
    assert "interpolated" in str(report)


def test_gradients_reach_the_scores() -> None:
    torch.manual_seed(0)
    model = Equivariant(network(4), "C4", "learned", inputs="images")
    model(digits(8, DISTINCT, 3)[0]).square().sum().backward()
    sizes = [float(p.grad.abs().max()) for p in model.framing.parameters() if p.grad is not None]
    assert sizes and min(sizes) > 0


def trained(net: torch.nn.Module, images: Tensor, labels: Tensor, steps: int) -> torch.nn.Module:
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        batch = torch.randint(len(images), (64,), generator=generator)
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(net(images[batch]), labels[batch]).backward()
        optimiser.step()
    return net.requires_grad_(False)


def accuracy(model: torch.nn.Module, images: Tensor, labels: Tensor) -> float:
    with torch.no_grad():
        return float((model(images).argmax(-1) == labels).double().mean())


def with_prior(net: torch.nn.Module, group: str, images: Tensor, steps: int) -> Equivariant:
    torch.manual_seed(1)
    model = Equivariant(net, group, "learned", inputs="images")
    optimiser = torch.optim.Adam(model.framing.parameters(), 2e-2)
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        batch = images[torch.randint(len(images), (32,), generator=generator)]
        optimiser.zero_grad()
        model.prior_loss(batch).backward()
        optimiser.step()
    return model


@pytest.mark.parametrize("group", ["C4", "C8"])
def test_a_pretrained_network_keeps_its_accuracy_under_turns(group: str) -> None:
    """Mondal et al.: with the prior, accuracy under all turns is that of upright images.

    Of C8 half the turns interpolate, on the way in and on the way back, and so ask for strokes that
    are wider than a pixel.
    """
    smooth = group == "C8"
    images, labels = digits(1000, DISTINCT, 1, 0.05 if smooth else 0.1, smooth)
    net = trained(network(len(DISTINCT)), images, labels, 150)
    held, truth = digits(400, DISTINCT, 2, 0.05 if smooth else 0.1, smooth)
    upright = accuracy(net, held, truth)
    count = int(group[1])
    turns = [turned(held, group, place) for place in range(count)]
    plain = sum(accuracy(net, x, truth) for x in turns) / count
    torch.manual_seed(1)
    untrained = Equivariant(net, group, "learned", inputs="images")
    model = with_prior(net, group, images, 150 if smooth else 250)
    adapted = sum(accuracy(model, x, truth) for x in turns) / count
    assert upright > 0.98 and plain < 0.7
    assert adapted > upright - 0.01
    # Without the prior upright images are turned away from what the network knows.
    assert accuracy(untrained, held, truth) < upright - 0.1
    if group == "C4":  # the same pixels reach the network: not even a bit may differ
        torch.testing.assert_close(model(turns[1]), model(turns[0]), rtol=0, atol=0)


def test_the_cap_that_six_and_nine_set() -> None:
    """A 6 is a turned 9: no invariant function tells them apart, and half of them are lost."""
    images, labels = digits(1000, SIX_AND_NINE, 1)
    net = trained(network(len(SIX_AND_NINE)), images, labels, 150)
    held, truth = digits(400, SIX_AND_NINE, 2)
    model = Equivariant(net, "C2", "average", inputs="images")
    cap = 1 - 0.5 * float((truth >= 6).double().mean())
    assert accuracy(net, held, truth) > 0.98
    assert accuracy(model, held, truth) < cap + 0.05


def test_errors() -> None:
    with pytest.raises(ShapeError, match="square"):
        Equivariant(network(2), "C4", inputs="images")(torch.zeros(2, 1, 13, 12))
    masked = Equivariant(network(2), "C4", "learned", inputs=["images", "mask"])
    with pytest.raises(ShapeError, match="no mask"):
        masked(torch.zeros(2, 1, 13, 13), torch.ones(2, 13, dtype=torch.bool))
    with pytest.raises(RepresentationError, match="only learned frames"):
        Equivariant(network(2), "C4", inputs="images").prior_loss(torch.zeros(2, 1, 13, 13))
