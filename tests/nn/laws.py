"""What every layer is held to: agreement with a reference, equivariance, derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from schur.reps import Irreps

EPS = torch.finfo(torch.float64).eps


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers from a generator of their own."""
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def reference(cls: Any, *args: Any, **kwargs: Any) -> Any:
    """A module of e3nn with constants in float64, which it takes from torch's default."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        return cls(*args, **kwargs)
    finally:
        torch.set_default_dtype(before)


def in_double(layer: Any) -> Any:
    """The layer in float64, its weights drawn anew from a generator of their own."""
    layer = layer.double()
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return layer


def assert_same_function(
    ours: Callable[..., Tensor],
    theirs: Callable[..., Tensor],
    arguments: Sequence[Tensor],
    reps_in: Sequence[Irreps | None],
    rep_out: Irreps,
    tolerance: float = 1e-12,
) -> None:
    """Values and gradients of a function in Schur's layout and one in e3nn's.

    Arguments are in Schur's layout; those with a representation are converted for `theirs`.
    """
    left = [argument.detach().clone().requires_grad_() for argument in arguments]
    right = [argument.detach().clone().requires_grad_() for argument in arguments]
    converted = [
        tensor if rep is None else rep.to_e3nn(tensor)
        for tensor, rep in zip(right, reps_in, strict=True)
    ]
    one, other = ours(*left), rep_out.from_e3nn(theirs(*converted))
    assert_close(one, other, tolerance)
    if not other.requires_grad:
        return  # nothing depends on the arguments
    cotangent = normal(*one.shape, seed=11)
    ours_by = torch.autograd.grad(one, left, cotangent, materialize_grads=True)
    theirs_by = torch.autograd.grad(other, right, cotangent, materialize_grads=True)
    for first, second in zip(ours_by, theirs_by, strict=True):
        assert_close(first, second, tolerance)


def assert_close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """The largest difference as a share of the largest value."""
    assert found.shape == expected.shape
    if expected.numel():
        size = float(expected.detach().abs().max())
        error = float((found - expected).detach().abs().max())
        assert error <= tolerance * max(size, 1e-300), f"relative error {error / size:.2e}"
