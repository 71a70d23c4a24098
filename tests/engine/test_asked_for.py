"""Forces do not pay for gradients by weights; a loss on forces gets them all the same."""

from __future__ import annotations

import pytest
import torch

from schur.engine import block_products
from schur.nn import Linear


def test_a_gradient_by_positions_makes_none_by_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []
    outer = block_products.outer

    def counted(*args: object) -> torch.Tensor:
        made.append("outer")
        return outer(*args)  # pyright: ignore[reportArgumentType]

    monkeypatch.setattr(block_products, "outer", counted)
    layer = Linear("4x0e+2x1o", "4x0e+2x1o")
    x = torch.randn(3, 10, requires_grad=True)
    energy = layer(torch.sin(x)).square().sum()
    (force,) = torch.autograd.grad(energy, x, create_graph=True)
    assert not made
    force.square().sum().backward()
    assert made and layer.weight is not None and layer.weight.grad is not None
