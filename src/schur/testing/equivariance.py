"""Does a function commute with rotations and reflections?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from schur.reps import Irreps
from schur.tensors import GeometricTensor, rotate
from schur.testing.law import LawError


def random_orthogonal(
    generator: torch.Generator, proper: bool | None = None
) -> Float64[Tensor, "3 3"]:
    """An orthogonal matrix by Haar's measure; of determinant +1 or -1 if `proper` says so.

    Example:
        >>> R = random_orthogonal(torch.Generator().manual_seed(0), proper=False)
        >>> round(float(torch.linalg.det(R)), 6)
        -1.0
    """
    Q, triangle = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=generator))
    Q = Q * torch.diagonal(triangle).sign()
    if proper is not None and (torch.linalg.det(Q) > 0) != proper:
        Q = -Q
    return Q


def equivariance_error(
    function: Callable[..., Any],
    reps_in: Sequence[Irreps | str | None],
    rep_out: Irreps | str,
    arguments: Sequence[Any],
    improper: bool = True,
    samples: int = 4,
    seed: int = 0,
) -> float:
    """The largest |f(R x) - R f(x)|, as a share of the largest |f(x)|.

    Args:
        function: takes the arguments, gives one array of `rep_out`.
        reps_in: for each argument its representation, or None for what no rotation changes.
        rep_out: the representation of the result.
        arguments: what the function is tried on.
        improper: whether every other sample is a reflection times a rotation.
        samples: how many orthogonal matrices are drawn.
        seed: of the generator that draws them.

    Example:
        >>> x, y = torch.randn(2, 3, dtype=torch.float64)
        >>> cross = lambda x, y: torch.linalg.cross(x, y)
        >>> equivariance_error(cross, ["1o", "1o"], "1e", [x, y]) < 1e-14
        True
        >>> equivariance_error(cross, ["1o", "1o"], "1o", [x, y]) > 1
        True
    """
    generator = torch.Generator().manual_seed(seed)
    reference = _plain(function(*arguments))
    size = max(float(reference.abs().max()), torch.finfo(reference.dtype).tiny)
    worst = 0.0
    for sample in range(samples):
        R = random_orthogonal(generator, proper=not (improper and sample % 2))
        moved = [
            argument if rep is None else _rotated(argument, Irreps(rep), R)
            for argument, rep in zip(arguments, reps_in, strict=True)
        ]
        expected = rotate(reference, Irreps(rep_out), R.to(reference.dtype))
        difference = _plain(function(*moved)) - expected
        error = float(difference.abs().max()) / size
        if not error <= worst:  # written so that a NaN stays
            worst = error
    return worst


def assert_equivariant(
    function: Callable[..., Any],
    reps_in: Sequence[Irreps | str | None],
    rep_out: Irreps | str,
    arguments: Sequence[Any],
    tolerance: float | None = None,
    improper: bool = True,
    seed: int = 0,
) -> None:
    """Raise unless `equivariance_error` is within rounding.

    Args:
        tolerance: allowed error; 64 eps √(largest dimension) if not given.

    Raises:
        LawError: if it is not.

    Example:
        >>> x = torch.randn(2, 3, dtype=torch.float64)
        >>> assert_equivariant(lambda x: 2 * x, ["1o"], "1o", [x])
    """
    error = equivariance_error(function, reps_in, rep_out, arguments, improper, seed=seed)
    allowed = tolerance
    if allowed is None:
        dims = [Irreps(rep).dim for rep in (*reps_in, rep_out) if rep is not None]
        eps = torch.finfo(_plain(function(*arguments)).dtype).eps
        allowed = 64 * eps * max(dims) ** 0.5
    if not error <= allowed:
        raise LawError(
            "the function is not equivariant",
            got=f"a relative error of {error:.2e}",
            expected=f"at most {allowed:.1e}",
        )


def _plain(value: Any) -> Tensor:
    return (value.data if isinstance(value, GeometricTensor) else value).detach()


def _rotated(argument: Any, rep: Irreps, R: Tensor) -> Any:
    if isinstance(argument, GeometricTensor):
        return argument.rotate(R.to(argument.dtype))
    return rotate(argument, rep, R.to(argument.dtype))
