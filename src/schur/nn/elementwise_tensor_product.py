"""Irrep by irrep."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from schur.engine import Routine
from schur.nn.tensor_product import TensorProduct
from schur.products import cut_columns, elementwise
from schur.reps import Irrep, Irreps


class ElementwiseTensorProduct(TensorProduct):
    """The product of each irrep of the one with its counterpart in the other: z_u = x_u ⊗ y_u.

    Args:
        rep_in1, rep_in2: representations of equally many irreps; simplified.
        filter_ir_out: irreps of the output to keep; all if not given.
        irrep_normalization: see `TensorProduct`.
        **kwargs: further arguments of `TensorProduct`.

    Attributes:
        rep_out: where multiplicities differ, blocks are cut to the shorter ones.

    Raises:
        RepresentationError: if the numbers of irreps differ.

    Source: as `e3nn.o3.ElementwiseTensorProduct`.

    Example:
        >>> ElementwiseTensorProduct("5x1o + 5x1e", "10x1e", ["0e", "0o"]).rep_out
        5x0o+5x0e
    """

    def __init__(
        self,
        rep_in1: Irreps | str,
        rep_in2: Irreps | str,
        filter_ir_out: Iterable[Irrep | str] | None = None,
        irrep_normalization: str = "component",
        **kwargs: Any,
    ) -> None:
        given = Irreps(rep_in1).simplify(), Irreps(rep_in2).simplify()
        keep = None if filter_ir_out is None else [Irrep(ir) for ir in filter_ir_out]
        first, second, rep_out, paths = elementwise(*given, keep)
        kwargs["irrep_normalization"] = irrep_normalization
        super().__init__(first, second, rep_out, paths, **kwargs)
        # The product reads the blocks of the arguments in pieces.
        for name, rep, cut in (("_cut_in1", given[0], first), ("_cut_in2", given[1], second)):
            columns = torch.from_numpy(cut_columns(rep, cut)) if rep != cut else None
            self.register_buffer(name, columns, persistent=False)
        self.rep_in1, self.rep_in2 = given

    def _product(self, routine: Routine, x: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        left, right = self.get_buffer("_cut_in1"), self.get_buffer("_cut_in2")
        x = x if left is None else x.index_select(1, left)
        y = y if right is None else y.index_select(1, right)
        return super()._product(routine, x, y, weight)
