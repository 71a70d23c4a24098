"""Spherical harmonics of tensors, differentiable to any order, in e3nn's notation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf, nan
from typing import Any, TypeVar

import torch
import torch.autograd.forward_ad as forward_ad
from jaxtyping import Float
from torch import Tensor

from schur.engine import Routine, recording
from schur.errors import DtypeError, NumberError, RepresentationError, ShapeError
from schur.harmonics import inverse_length_gradient, solid_harmonics, squared_length
from schur.reps import Irreps
from schur.reps.euler import quarter_turn

_Asked = int | str | tuple[int, ...]
_Function = TypeVar("_Function", bound=Callable[..., Any])

_routines: dict[str, Routine] = {}
_squared_length = Routine(squared_length())
_inverse_length_gradient = Routine(inverse_length_gradient())


def _constant_in_graphs(function: _Function) -> _Function:
    """`torch.compiler.assume_constant_result`, without the second that loading the tracer takes."""
    setattr(function, "_dynamo_marked_constant", True)  # noqa: B010
    return function


def spherical_harmonics(
    l: int | Sequence[int] | str | Irreps,  # noqa: E741
    x: Float[Tensor, "... 3"],
    normalize: bool,
    normalization: str = "integral",
) -> Float[Tensor, "... components"]:
    """Real spherical harmonics Y_l of vectors, as `e3nn.o3.spherical_harmonics`.

    Without `normalize` these are the solid harmonics |x|^l Y_l(x/|x|), polynomials of degree l.
    Every derivative is one pass of a compiled routine.  The polar axis is y; Y_1 is
    proportional to (x, y, z).

    The direction of a vector without length is undefined.  There, with `normalize`, degree zero
    keeps its constant, all else is zero, and so are all derivatives (no infinities reach the
    other entries of a batch).  A vector counts as having no length where its square falls below
    the smallest normal number: 1e-19 in float32, 1.5e-154 in float64.

    Args:
        l: a degree, several, or irreps such as `"0e + 1o + 2e"`, whose multiplicities repeat a
            degree.  Parities are (-1)^l for a vector; `"0e + 1e + 2e"` says x is a pseudovector.
        x: vectors, of any leading shape.
        normalize: whether to divide each vector by its length.
        normalization: of the result on the unit sphere.  `"integral"`: orthonormal;
            `"component"`: ‖Y_l‖² = 2l+1; `"norm"`: ‖Y_l‖ = 1.

    Returns:
        The degrees side by side, 2l+1 components each, orders from -l to l.

    Raises:
        RepresentationError: if a degree is negative, a parity does not fit, or there is no such
            normalisation.
        ShapeError: if the last axis of x has not three entries.
        DtypeError: if x holds no floating-point numbers.
        NumberError: if a direction is needed and a vector on the CPU holds NaN or infinity, or is
            too long to be squared.  On other devices, in compiled graphs and inside torch.func,
            which cannot stop, the result is NaN.

    Example:
        >>> spherical_harmonics("0e + 1o", torch.tensor([3.0, 0.0, 4.0]), True, "norm")
        tensor([1.0000, 0.6000, 0.0000, 0.8000])
    """
    if x.ndim == 0 or x.shape[-1] != 3:
        raise ShapeError(
            "spherical harmonics need vectors", got=tuple(x.shape), expected="(..., 3)"
        )
    if not x.dtype.is_floating_point:
        raise DtypeError(
            "spherical harmonics need floating-point numbers",
            got=x.dtype,
            expected="float32 or float64",
            remedy="convert with .to(torch.float64)",
        )
    routine = _routines[_prepared(_key(l), normalization, normalize)]
    rows = x.reshape(-1, 3)
    values = routine(rows, inverse_length(rows)) if normalize else routine(rows)
    return values.reshape(*x.shape[:-1], values.shape[-1])


def harmonic_degrees(l: int | Sequence[int] | str | Irreps) -> tuple[int, ...]:  # noqa: E741
    """The degrees that `spherical_harmonics` makes of its argument `l`.

    Raises:
        RepresentationError: if a parity is neither that of a vector's harmonics, (-1)^l, nor
            everywhere that of a pseudovector's, +1.

    Example:
        >>> harmonic_degrees(2), harmonic_degrees([0, 2]), harmonic_degrees("0e + 2x1o")
        ((2,), (0, 2), (0, 1, 1))
    """
    if isinstance(l, int):
        return (l,)
    if isinstance(l, (list, tuple, range)) and all(isinstance(degree, int) for degree in l):
        return tuple(int(degree) for degree in l)
    irreps = Irreps(l)
    pseudo = any(term.ir.l % 2 == 1 and term.ir.p == 1 for term in irreps)
    wrong = [str(t.ir) for t in irreps if t.ir.p != (1 if pseudo else (-1) ** t.ir.l)]
    if wrong:
        raise RepresentationError(
            "no vector has spherical harmonics of these parities",
            got=str(irreps),
            expected="0e + 1o + 2e + 3o ... of a vector, or 0e + 1e + 2e ... of a pseudovector",
            remedy=f"leave out {', '.join(wrong)}, or mend the parity",
        )
    return tuple(irreps.ls)


def wigner_D(
    l: int,  # noqa: E741
    alpha: Float[Tensor, "..."],
    beta: Float[Tensor, "..."],
    gamma: Float[Tensor, "..."],
) -> Float[Tensor, "... m m"]:
    """The Wigner matrix D^l of the rotation R_y(α) R_x(β) R_y(γ), as `e3nn.o3.wigner_D`.

    Defined by Y_l(R r) = D^l(R) Y_l(r); orthogonal, and for l = 1 the rotation matrix itself.
    Differentiable in the angles; no matrix exponential, so accurate at any degree.

    Args:
        l: degree.
        alpha, beta, gamma: angles in radians, of shapes that broadcast.

    Raises:
        RepresentationError: if the degree is negative.
        DtypeError: if the angles are no floating-point numbers of one type.

    Example:
        >>> quarter, none = torch.tensor(torch.pi / 2), torch.tensor(0.0)
        >>> (wigner_D(1, none, quarter, none) @ torch.tensor([0.0, 1.0, 0.0])).round() + 0.0
        tensor([0., 0., 1.])
    """
    types = {angle.dtype for angle in (alpha, beta, gamma)}
    if len(types) > 1 or not alpha.dtype.is_floating_point:
        raise DtypeError(
            "the angles of a rotation need one floating-point type",
            got=[str(angle.dtype) for angle in (alpha, beta, gamma)],
            expected="all float32 or all float64",
        )
    quarter = torch.tensor(_quarter_turn(l), dtype=alpha.dtype, device=alpha.device)
    tilt = quarter.mT @ _turn(beta, quarter)
    return _turn(alpha, _turn(-gamma, tilt.mT).mT)


@_constant_in_graphs
def _quarter_turn(degree: int) -> list[list[float]]:
    return quarter_turn(degree).tolist()


def _turn(
    angle: Float[Tensor, "..."], matrix: Float[Tensor, "... m n"]
) -> Float[Tensor, "... m n"]:
    """`schur.reps.euler.turn` on tensors."""
    degree = matrix.shape[-2] // 2
    orders = torch.arange(-degree, degree + 1, dtype=angle.dtype, device=angle.device)
    phase = (angle[..., None] * orders)[..., None]
    return phase.cos() * matrix - phase.sin() * matrix.flip(-2)


def _key(l: Any) -> _Asked:  # noqa: E741
    """The argument `l` as a value that can be hashed and that a compiled graph can hold."""
    if isinstance(l, (int, str)):
        return l
    if isinstance(l, (list, tuple, range)) and all(isinstance(degree, int) for degree in l):
        return tuple(l)
    return str(l)


@_constant_in_graphs
def _prepared(asked: _Asked, normalization: str, directions: bool) -> str:
    """The name in `_routines` of a routine that is there: a constant for a compiled graph."""
    name = f"{asked!r}, {normalization}, {directions}"
    if name not in _routines:
        program = solid_harmonics(harmonic_degrees(asked), normalization, scaled=directions)
        _routines[name] = Routine(program)
    return name


def inverse_length(rows: Float[Tensor, "n 3"]) -> Float[Tensor, "n 1"]:
    """1/|x|, and zero with zero derivatives where x has no length."""
    if (
        torch.compiler.is_compiling()
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
    ):
        # Operations that any transform knows and a compiler fuses; nothing can be checked here.
        squared = (rows * rows).sum(-1, keepdim=True)
        squared = squared.masked_fill(squared.detach() == inf, nan)
        short = squared.detach() < torch.finfo(squared.dtype).tiny
        return squared.masked_fill(short, 1.0).rsqrt().masked_fill(short, 0.0)
    return _InverseLength.apply(rows)


class _InverseLength(torch.autograd.Function):
    """`inverse_length` for eager code: one routine a derivative, and a check of its input."""

    @staticmethod
    def forward(ctx: Any, *args: Tensor) -> Tensor:
        (rows,) = args
        squared = _squared_length(rows)
        if _are_lengths(squared):
            inverse = squared.rsqrt_()
        else:
            squared = squared.masked_fill(squared == inf, nan)  # 1/inf would pass for a number
            short = squared < torch.finfo(squared.dtype).tiny
            inverse = squared.rsqrt().masked_fill(short, 0.0)
        ctx.save_for_backward(rows, inverse)
        return inverse

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        rows, inverse = ctx.saved_tensors
        return _inverse_length_gradient(rows, inverse, *grad_outputs)


def _are_lengths(squared: Tensor) -> bool:
    """Whether it is known that all squared lengths are finite and not zero; raises if one is not.

    One reduction, that every call on the CPU pays; another device would have to be waited for.
    """
    if recording.active() is not None:
        return True  # of later values nothing is known; a length of zero gives no number
    if squared.device.type != "cpu" or squared.numel() == 0:
        return False
    low, high = (float(bound) for bound in squared.aminmax())
    if low >= torch.finfo(squared.dtype).tiny and high < inf:
        return True
    bad = (~torch.isfinite(squared)).reshape(-1).nonzero().reshape(-1).tolist()
    if bad:
        raise NumberError(
            "a direction is needed of vectors that are not finite, or too long to be squared",
            got=f"{len(bad)} of {len(squared)} vectors, the first at row {bad[0]}",
            expected="finite vectors shorter than the square root of the largest number",
        )
    return False
