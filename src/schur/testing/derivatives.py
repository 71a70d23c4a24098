"""Are derivatives right, to third order?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck

from schur.testing.law import LawError

TensorFunction = Callable[..., Tensor]


def assert_derivatives(
    function: TensorFunction,
    inputs: Sequence[Tensor],
    order: int = 3,
    fast: bool = False,
    seed: int = 0,
) -> None:
    """Compare derivatives with finite differences, order by order.

    The first order is `gradcheck`, the second `gradgradcheck`; the third is `gradgradcheck` of the
    gradient of a random functional ⟨v, f⟩.

    Args:
        function: takes tensors, gives one tensor.
        inputs: where; float64.  Those that require a gradient are differentiated by, or all of
            them if none does.
        order: the highest order, 1 to 3.
        fast: compare along random directions only.
        seed: of the generator that draws v.

    Raises:
        LawError: if a derivative is wrong; the order is named.

    Example:
        >>> assert_derivatives(torch.sin, [torch.rand(2, dtype=torch.float64)])
    """
    chosen = any(tensor.requires_grad for tensor in inputs)
    given = [
        tensor.detach().clone().requires_grad_(tensor.requires_grad or not chosen)
        for tensor in inputs
    ]
    for degree in range(1, order + 1):
        try:
            _check(function, given, degree, fast, seed)
        except GradcheckError as error:
            raise LawError(
                f"the derivative of order {degree} is wrong", got=str(error).strip()
            ) from error


def _check(
    function: TensorFunction, given: list[Tensor], degree: int, fast: bool, seed: int
) -> None:
    if degree == 1:
        gradcheck(function, given, fast_mode=fast)
    elif degree == 2:
        gradgradcheck(function, given, fast_mode=fast)
    else:
        gradgradcheck(_gradient(function, seed), given, fast_mode=fast)


def _gradient(function: TensorFunction, seed: int) -> Callable[..., tuple[Tensor, ...]]:
    """The gradient of ⟨v, f⟩ with a fixed random v, as a function to differentiate further."""

    def gradient(*inputs: Tensor) -> tuple[Tensor, ...]:
        out = function(*inputs)
        generator = torch.Generator().manual_seed(seed)
        v = torch.randn(out.shape, dtype=out.dtype, generator=generator).to(out.device)
        wanted = [tensor for tensor in inputs if tensor.requires_grad]
        found = torch.autograd.grad(out, wanted, v, create_graph=True, materialize_grads=True)
        # A gradient that does not depend on the inputs has nothing to be checked.
        return tuple(g if g.requires_grad else g + 0 * wanted[0].sum() for g in found)

    return gradient
