"""What no frame can be made of is said, and nothing at all is served."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from schur.errors import DtypeError, NumberError, SchurError, ShapeError
from schur.nn.frames import (
    AllElements,
    Equivariant,
    InvariantSlotAttention,
    LearnedFrames,
    LearnedImageFrames,
    MinimisedFrames,
    PrincipalFrames,
    WeightedFrames,
)

from .clouds import normal, plain

NETWORK = torch.nn.Linear(3, 3)
METHODS = {
    "average": "E(3)",
    "blended": "E(3)",
    "weighted": "SE(3)",
    "learned": "SE(3)",
    "scaling": "E(3)",
    "minimised": "SO(3)",
}


@pytest.mark.parametrize(("method", "group"), METHODS.items())
def test_no_clouds_whole_numbers_and_other_layouts(method: str, group: str) -> None:
    torch.manual_seed(0)
    model = Equivariant(plain(6, 3, 3), group, method, outputs="vectors").double()
    x = normal(4, 6, 3)
    assert model(x[:0]).shape == (0, 3)
    strided = x.permute(2, 1, 0).contiguous().permute(2, 1, 0)
    torch.testing.assert_close(model(strided), model(x), rtol=0, atol=1e-12)
    with pytest.raises(ShapeError, match="needs clouds"):
        model.report(x[:0])
    with pytest.raises(DtypeError, match="floating-point"):
        model(torch.ones(2, 6, 3, dtype=torch.int64))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("value", ["nan", "inf"])
def test_what_is_no_number(method: str, value: str) -> None:
    model = Equivariant(plain(6, 3, 3), METHODS[method], method, outputs="vectors").double()
    x = normal(2, 6, 3)
    x[1, 2, 0] = float(value)
    with pytest.raises(NumberError):
        model(x)


@pytest.mark.parametrize("method", ["average", "weighted", "learned"])
def test_what_a_mask_hides_may_be_no_number(method: str) -> None:
    def summed(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.where(mask[..., None], x, 0.0).sum(1)

    kinds = ["points", "mask"]
    model = Equivariant(summed, METHODS[method], method, inputs=kinds, outputs="vectors").double()
    x, mask = normal(2, 6, 3), torch.ones(2, 6, dtype=torch.bool)
    mask[1, 4:] = False
    expected = model(x, mask)
    hidden = torch.where(mask[..., None], x, float("nan"))
    torch.testing.assert_close(model(hidden, mask), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("group", ["C4", "D4", "C8"])
def test_no_images(group: str) -> None:
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(49, 3))
    for method in ("average", "learned"):
        model = Equivariant(net, group, method, inputs="images")
        assert model(torch.zeros(0, 1, 7, 7)).shape == (0, 3)


# Of the right types: others are refused too, but here the hook that checks types is before.
WRONG: dict[str, Callable[..., object]] = {
    "no frames at a time": lambda: Equivariant(NETWORK, "E(3)", chunk=0),
    "a word with an error": lambda: PrincipalFrames("O(3)", drawn="sometimes"),
    "a word for elements": lambda: AllElements("C4", drawn="often"),
    "below zero": lambda: PrincipalFrames("O(3)", tie=-1.0),
    "not a number": lambda: PrincipalFrames("O(3)", tie=float("nan")),
    "as sharp as one": lambda: WeightedFrames("O(3)", sharpness=1.0),
    "no hidden channels": lambda: LearnedFrames("O(3)", hidden=0),
    "no channels": lambda: LearnedImageFrames("C4", channels=0),
    "steps back": lambda: MinimisedFrames("O(1,3)", steps=-3),
    "no steps and no seed": lambda: MinimisedFrames("O(1,3)", seed=-1),
    "no slots": lambda: InvariantSlotAttention(8, 0, 16),
    "a negative extent": lambda: InvariantSlotAttention(8, 2, 16, start=-0.5),
}


@pytest.mark.parametrize("make", WRONG.values(), ids=list(WRONG))
def test_what_no_frames_are_made_by(make: Callable[..., object]) -> None:
    with pytest.raises(SchurError) as caught:
        make()
    assert "got:" in str(caught.value) and "expected:" in str(caught.value)
