"""What no frame can be made of is said, and nothing at all is served."""

from __future__ import annotations

import pytest
import torch

from schur.errors import DtypeError, NumberError, ShapeError
from schur.nn.frames import Equivariant

from .clouds import normal, plain

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
