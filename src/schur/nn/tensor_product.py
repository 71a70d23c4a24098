"""The tensor product with any connections, and its usual special cases' common ground."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from schur.engine import Routine
from schur.engine.routine import Backend
from schur.errors import ShapeError
from schur.products import Placement, normalised, pair_columns, tensor_product
from schur.products.instructions import Instruction
from schur.reps import Irreps
from schur.tensors import GeometricTensor, checked, wrapped


class TensorProduct(torch.nn.Module):
    r"""Couple two geometric tensors along chosen paths.

        out[k, w] = Σ_paths a Σ_{ijuv} C[i, j, k] weight[u, v, w] x[i, u] y[j, v]

    Paths, coefficients and the order of weights are those of `e3nn.o3.TensorProduct`.

    Args:
        rep_in1, rep_in2, rep_out: the representations.
        instructions: for each path `(i_in1, i_in2, i_out, connection_mode, has_weight)` and, if
            wanted, a factor on its variance.  Modes: uvw, uvu, uvv, uuw, uuu, uvuv, uvu<v, u<vw.
        in1_var, in2_var, out_var: variance of each term, 1 if not given.
        irrep_normalization: `"component"`, `"norm"` or `"none"`.
        path_normalization: `"element"`, `"path"` or `"none"`.
        internal_weights: whether the layer holds the weights as a parameter of shape
            (weight_numel,).
        shared_weights: whether all rows use the same weights; if not, weights of shape
            (..., weight_numel) are an argument.
        backend: see `schur.engine.Routine`.

    Raises:
        RepresentationError: if an instruction couples what does not couple.

    Source: Geiger and Smidt, "e3nn: Euclidean neural networks" (2022), section 4.

    Example:
        >>> cross = TensorProduct("16x1o", "16x1o", "16x1e", [(0, 0, 0, "uuu", False)])
        >>> cross(torch.randn(5, 48), torch.randn(5, 48)).shape
        torch.Size([5, 48])
        >>> cross
        TensorProduct(16x1o x 16x1o -> 16x1e, 1 path, 0 weights)
    """

    rep_in1: Irreps
    rep_in2: Irreps
    rep_out: Irreps
    instructions: tuple[Instruction, ...]
    weight_numel: int
    weight: Tensor | None

    def __init__(
        self,
        rep_in1: Irreps | str,
        rep_in2: Irreps | str,
        rep_out: Irreps | str,
        instructions: Iterable[Sequence[Any]],
        in1_var: Sequence[float] | None = None,
        in2_var: Sequence[float] | None = None,
        out_var: Sequence[float] | None = None,
        irrep_normalization: str = "component",
        path_normalization: str = "element",
        internal_weights: bool | None = None,
        shared_weights: bool | None = None,
        backend: Backend = "auto",
    ) -> None:
        super().__init__()
        self.rep_in1, self.rep_in2, self.rep_out = map(Irreps, (rep_in1, rep_in2, rep_out))
        self.instructions = normalised(
            self.rep_in1,
            self.rep_in2,
            self.rep_out,
            instructions,
            in1_var,
            in2_var,
            out_var,
            irrep_normalization,
            path_normalization,
        )
        weighted = [line.path_shape for line in self.instructions if line.has_weight]
        self.weight_numel = sum(torch.Size(shape).numel() for shape in weighted)
        self.shared_weights, self.internal_weights = weight_policy(
            shared_weights, internal_weights, bool(weighted)
        )
        # The channels that come out of a path are the columns.
        self.weight_shapes = tuple(
            (prod(line.path_shape[:-1]), line.path_shape[-1])
            for line in self.instructions
            if line.has_weight
        )
        program = tensor_product(
            self.rep_in1,
            self.rep_in2,
            self.rep_out,
            self.instructions,
            Placement(weight="shared" if self.shared_weights else "row"),
        )
        self.routine = Routine(program, backend) if program.outputs else None
        first = pair_columns(self.rep_in1, self.instructions, "in1")
        second = pair_columns(self.rep_in2, self.instructions, "in2")
        self.register_buffer("_pairs_in1", torch.from_numpy(first), persistent=False)
        self.register_buffer("_pairs_in2", torch.from_numpy(second), persistent=False)
        if self.internal_weights and self.weight_numel > 0:
            self.weight = torch.nn.Parameter(torch.randn(self.weight_numel))
        else:
            self.register_parameter("weight", None)

    def forward(
        self,
        x: Shaped[Tensor, "..."] | GeometricTensor,
        y: Shaped[Tensor, "..."] | GeometricTensor,
        weight: Shaped[Tensor, "..."] | None = None,
    ) -> Any:
        """Evaluate.

        Args:
            x: shape (..., rep_in1.dim).
            y: shape (..., rep_in2.dim); leading axes broadcast.
            weight: shape (weight_numel,) if shared, else (..., weight_numel); only without
                internal weights.

        Returns:
            Shape (..., rep_out.dim); a GeometricTensor if an argument is one.
        """
        left, right = checked(x, self.rep_in1, "x"), checked(y, self.rep_in2, "y")
        used = chosen_weight(self.weight, weight, self.weight_numel, self.shared_weights)
        leads = [left.shape[:-1], right.shape[:-1]]
        if used is not None and not self.shared_weights:
            leads.append(used.shape[:-1])
        lead = broadcast_lead(leads)
        if used is not None and not self.shared_weights:
            used = rows_of(used, lead)
        if self.routine is None:
            out = left.new_zeros(*lead, self.rep_out.dim)
        else:
            rows = rows_of(left, lead), rows_of(right, lead)
            out = self._product(self.routine, *rows, used)
        return wrapped(out.reshape(*lead, self.rep_out.dim), self.rep_out, x, y)

    def _product(self, routine: Routine, x: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        """The product of rows."""
        at_hand = {"x": x, "y": y, "weight": weight}
        names = [operand.name for operand in routine.program.inputs]
        if "x_pairs" in names:
            at_hand["x_pairs"] = x.index_select(1, self.get_buffer("_pairs_in1"))
            at_hand["y_pairs"] = y.index_select(1, self.get_buffer("_pairs_in2"))
        out = routine(*[at_hand[name] for name in names])
        return torch.stack(out).sum(0) if isinstance(out, tuple) else out

    def __repr__(self) -> str:
        count = len(self.instructions)
        return (
            f"{type(self).__name__}({self.rep_in1} x {self.rep_in2} -> {self.rep_out}, "
            f"{count} path{'s' if count != 1 else ''}, {self.weight_numel} weights)"
        )


def weight_policy(
    shared_weights: bool | None, internal_weights: bool | None, any_weights: bool
) -> tuple[bool, bool]:
    """Whether weights are shared and internal, with e3nn's defaults.

    Raises:
        ShapeError: for internal weights that are not shared.
    """
    shared = True if shared_weights is None else shared_weights
    internal = (shared and any_weights) if internal_weights is None else internal_weights
    if internal and not shared:
        raise ShapeError(
            "weights of its own are the same for all rows",
            got="internal_weights=True with shared_weights=False",
            remedy="drop one of the two",
        )
    return shared, internal


def chosen_weight(
    own: Tensor | None, given: Tensor | None, weight_numel: int, shared: bool
) -> Tensor | None:
    """The weights to use, after a check; None where there are none.

    Raises:
        ShapeError: if weights are missing or do not fit.
    """
    weight = own if given is None else given
    if weight_numel == 0:
        return None
    expected = f"({weight_numel},)" if shared else f"(..., {weight_numel})"
    if weight is None:
        raise ShapeError(
            "weights are missing",
            expected=expected,
            remedy="pass weight=..., or build the layer with internal_weights=True",
        )
    if weight.shape[-1:] != (weight_numel,) or (weight.ndim == 1) != shared:
        raise ShapeError(
            "the weights have the wrong shape", got=tuple(weight.shape), expected=expected
        )
    return weight


def broadcast_lead(leads: Sequence[torch.Size]) -> torch.Size:
    """The common leading shape.

    Raises:
        ShapeError: if there is none.
    """
    try:
        return torch.broadcast_shapes(*leads)
    except RuntimeError:
        raise ShapeError(
            "the leading axes of the arguments do not broadcast",
            got=[tuple(lead) for lead in leads],
        ) from None


def rows_of(array: Tensor, lead: torch.Size) -> Tensor:
    """One line for each entry of the leading shape."""
    return array.expand(*lead, array.shape[-1]).reshape(-1, array.shape[-1])
