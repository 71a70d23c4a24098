"""Every irrep of the one with every irrep of the other."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from schur.nn.tensor_product import TensorProduct
from schur.products import full
from schur.reps import Irrep, Irreps


class FullTensorProduct(TensorProduct):
    """The tensor product itself, in irreps and without weights: z_uv = x_u ⊗ y_v.

    Args:
        rep_in1, rep_in2: the representations; simplified.
        filter_ir_out: irreps of the output to keep; all if not given.
        irrep_normalization: see `TensorProduct`.
        **kwargs: further arguments of `TensorProduct`.

    Attributes:
        rep_out: one block for each pair of terms and irrep of their product, sorted.

    Source: as `e3nn.o3.FullTensorProduct`.

    Example:
        >>> FullTensorProduct("2x1o", "3x1o", ["0e", "2e"]).rep_out
        6x0e+6x2e
    """

    def __init__(
        self,
        rep_in1: Irreps | str,
        rep_in2: Irreps | str,
        filter_ir_out: Iterable[Irrep | str] | None = None,
        irrep_normalization: str = "component",
        **kwargs: Any,
    ) -> None:
        first, second = Irreps(rep_in1).simplify(), Irreps(rep_in2).simplify()
        keep = None if filter_ir_out is None else [Irrep(ir) for ir in filter_ir_out]
        rep_out, paths = full(first, second, keep)
        kwargs["irrep_normalization"] = irrep_normalization
        super().__init__(first, second, rep_out, paths, **kwargs)
