"""Functions of scalars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.errors import RepresentationError
from schur.nn.second_moment import ScalarFunction, second_moment_scale
from schur.reps import Irrep, Irreps
from schur.tensors import GeometricTensor, checked, wrapped


class Activation(torch.nn.Module):
    """A function on the scalars of some terms, scaled to a second moment of one.

    An odd scalar allows a function that is even (the result is an even scalar) or odd (it stays
    odd), and no other.

    Args:
        rep_in: the representation.
        acts: for each term a function, or None to leave it as it is.

    Raises:
        RepresentationError: if a function is put on what is no scalar, if the parity of a function
            on an odd scalar is neither even nor odd, or if their number does not fit.

    Source: as `e3nn.nn.Activation`.

    Example:
        >>> Activation("256x0o+16x1e", [torch.abs, None]).rep_out
        256x0e+16x1e
    """

    rep_in: Irreps
    rep_out: Irreps

    def __init__(self, rep_in: Irreps | str, acts: Sequence[ScalarFunction | None]) -> None:
        super().__init__()
        self.rep_in, self.acts = Irreps(rep_in), tuple(acts)
        if len(self.acts) != len(self.rep_in):
            raise RepresentationError(
                "one activation, or None, is needed for each term",
                got=len(self.acts),
                expected=f"{len(self.rep_in)} for {self.rep_in}",
            )
        self.scales = [1.0 if act is None else second_moment_scale(act) for act in self.acts]
        pairs = zip(self.rep_in, self.acts, strict=True)
        self.rep_out = Irreps([(term.mul, _acted(term.ir, act)) for term, act in pairs])

    def forward(self, x: Shaped[Tensor, "..."] | GeometricTensor) -> Any:
        """Evaluate, shape (..., dim) to the same shape."""
        data = checked(x, self.rep_in, "x")
        parts = []
        for place, act, scale in zip(self.rep_in.slices(), self.acts, self.scales, strict=True):
            part = data[..., place]
            if act is not None:
                part = act(part) if scale == 1.0 else scale * act(part)
            parts.append(part)
        out = parts[0] if len(parts) == 1 else torch.cat(parts, -1) if parts else data
        return wrapped(out, self.rep_out, x)

    def extra_repr(self) -> str:
        return f"{self.rep_in} -> {self.rep_out}"


def _acted(ir: Irrep, act: ScalarFunction | None) -> Irrep:
    """The irrep after the function."""
    if act is None:
        return ir
    if ir.l != 0:
        raise RepresentationError(
            "a function of components is not equivariant unless they are scalars",
            got=str(ir),
            expected="0e or 0o",
            remedy="use Gate or NormActivation, or None for this term",
        )
    if ir.p == 1:
        return ir
    x = torch.linspace(0, 10, 256, dtype=torch.float64)
    with torch.no_grad():
        right, left = act(x), act(-x)
    if (right - left).abs().max() < 1e-5:
        return Irrep(0, 1)
    if (right + left).abs().max() < 1e-5:
        return Irrep(0, -1)
    raise RepresentationError(
        "on an odd scalar a function has to be even or odd",
        got=getattr(act, "__name__", repr(act)),
        expected="for example torch.tanh or torch.abs",
    )
