"""Scalars that open and close the other irreps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.errors import RepresentationError
from schur.nn.activation import Activation
from schur.nn.second_moment import ScalarFunction
from schur.products import elementwise
from schur.reps import Irreps
from schur.tensors import GeometricTensor, checked, wrapped


class Gate(torch.nn.Module):
    r"""Scalars through an activation, other irreps times activated scalars of their own.

        (⊕_i φ_i(x_i)) ⊕ (⊕_j φ_j(g_j) y_j)

    Arguments, order and normalisation are those of `e3nn.nn.Gate`.

    Args:
        rep_scalars: the scalars x.
        act_scalars: for each of its terms an activation or None.
        rep_gates: the scalars g, one for each irrep of `rep_gated`.
        act_gates: for each of its terms an activation or None.
        rep_gated: the irreps y.

    Attributes:
        rep_in: the three together, sorted and simplified.
        rep_out: scalars after activation, then the gated irreps.

    Raises:
        RepresentationError: if scalars are no scalars, or gates and gated irreps differ in number.

    Source: Weiler et al., "3D steerable CNNs" (2018), section 4.3.

    Example:
        >>> gate = Gate("16x0o", [torch.tanh], "32x0o", [torch.tanh], "16x1e+16x1o")
        >>> gate.rep_in, gate.rep_out
        (48x0o+16x1o+16x1e, 16x0o+16x1o+16x1e)
    """

    rep_in: Irreps
    rep_out: Irreps

    def __init__(
        self,
        rep_scalars: Irreps | str,
        act_scalars: Sequence[ScalarFunction | None],
        rep_gates: Irreps | str,
        act_gates: Sequence[ScalarFunction | None],
        rep_gated: Irreps | str,
    ) -> None:
        super().__init__()
        scalars, gates, gated = Irreps(rep_scalars), Irreps(rep_gates), Irreps(rep_gated)
        for name, rep in (("rep_scalars", scalars), ("rep_gates", gates)):
            if any(ir.l for _, ir in rep):
                raise RepresentationError(f"{name} has to hold scalars", got=str(rep))
        if gates.num_irreps != gated.num_irreps:
            raise RepresentationError(
                "each gated irrep needs one gate",
                got=f"{gates.num_irreps} gates for {gated.num_irreps} irreps",
                expected="equal numbers",
            )
        self.act_scalars, self.act_gates = (
            Activation(scalars, act_scalars),
            Activation(gates, act_gates),
        )
        parts = [rep.simplify() for rep in (scalars, gates, gated)]
        ordered = Irreps([term for rep in parts for term in rep]).sort()
        self.rep_in = ordered.irreps.simplify()
        places = _places(self.rep_in, ordered.irreps)
        found = [places[p] for p in ordered.p]
        bounds = [0, *(sum(len(rep) for rep in parts[: k + 1]) for k in range(3))]
        self._pieces = [found[a:b] for a, b in pairwise(bounds)]
        self._cut, _, products, _ = elementwise(parts[2], self.act_gates.rep_out)
        self.rep_out = self.act_scalars.rep_out + products

    def forward(self, x: Shaped[Tensor, "..."] | GeometricTensor) -> Any:
        """Evaluate, shape (..., rep_in.dim) to (..., rep_out.dim)."""
        data = checked(x, self.rep_in, "x")
        scalars, gates, gated = (
            [self._view(data, *piece) for piece in pieces] for pieces in self._pieces
        )
        out = [self.act_scalars(_joined(data, scalars))]
        opened = self.act_gates(_joined(data, gates))
        column = 0
        for block in gated:
            position = 0
            while position < block.shape[-1]:
                mul = self._cut[len(out) - 1].mul
                gate = opened[..., None, column : column + mul]
                out.append((block[..., position : position + mul] * gate).flatten(-2))
                position, column = position + mul, column + mul
        return wrapped(torch.cat(out, -1), self.rep_out, x)

    def _view(self, data: Tensor, term: int, channel: int, mul: int) -> Tensor:
        """Some channels of one term of the input, (..., components, channels)."""
        block = data[..., self.rep_in.slices()[term]]
        whole = block.unflatten(-1, (self.rep_in[term].ir.dim, self.rep_in[term].mul))
        return whole[..., channel : channel + mul]

    def extra_repr(self) -> str:
        return f"{self.rep_in} -> {self.rep_out}"


def _places(joined: Irreps, terms: Irreps) -> list[tuple[int, int, int]]:
    """For each of the sorted terms: the joined term it is part of, first channel, channels."""
    found, place, channel = [], 0, 0
    for mul, _ in terms:
        if channel == joined[place].mul:
            place, channel = place + 1, 0
        found.append((place, channel, mul))
        channel += mul
    return found


def _joined(data: Tensor, scalars: list[Tensor]) -> Tensor:
    """Scalar pieces side by side."""
    if not scalars:
        return data[..., :0]
    return torch.cat([piece.flatten(-2) for piece in scalars], -1)
