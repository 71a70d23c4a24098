"""Every path that the irreps allow, with all channels mixed."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from schur.engine import Routine
from schur.engine.block_map import BlockMap, BlockPath
from schur.nn.blockwise import block_linear
from schur.nn.tensor_product import TensorProduct
from schur.products import Instruction, fully_connected, tensor_product
from schur.reps import Irreps

# Up to this many products of channels a row, they are made first and mixed by matrix products.
_OUTER_LIMIT = 1 << 16


class FullyConnectedTensorProduct(TensorProduct):
    """The sum over all paths of the product with a weight for every triple of channels.

        out[k, w] = Σ_paths a Σ_{ijuv} C[i, j, k] weight[u, v, w] x[i, u] y[j, v]

    Shared weights are a matrix between the pairs uv and w: the channels' products are made once
    and the rest is left to matrix products.

    Args:
        rep_in1, rep_in2, rep_out: the representations.
        irrep_normalization, path_normalization: see `TensorProduct`.
        **kwargs: further arguments of `TensorProduct`.

    Source: as `e3nn.o3.FullyConnectedTensorProduct`.

    Example:
        >>> layer = FullyConnectedTensorProduct("8x0e+8x1o", "0e+1o", "8x0e+8x1o")
        >>> layer
        FullyConnectedTensorProduct(8x0e+8x1o x 1x0e+1x1o -> 8x0e+8x1o, 4 paths, 256 weights)
    """

    def __init__(
        self,
        rep_in1: Irreps | str,
        rep_in2: Irreps | str,
        rep_out: Irreps | str,
        irrep_normalization: str = "component",
        path_normalization: str = "element",
        **kwargs: Any,
    ) -> None:
        first, second, out = Irreps(rep_in1), Irreps(rep_in2), Irreps(rep_out)
        kwargs["irrep_normalization"] = irrep_normalization
        kwargs["path_normalization"] = path_normalization
        super().__init__(first, second, out, fully_connected(first, second, out), **kwargs)
        self._blocks: BlockMap | None = None
        active = [line for line in self.instructions if 0 not in line.path_shape]
        if self.shared_weights and self.routine is not None:
            outer, blocks = _decomposed(first, second, out, active, self.weight_numel)
            if outer.dim <= _OUTER_LIMIT:
                lines = [
                    line._replace(
                        i_out=k,
                        connection_mode="uvuv",
                        has_weight=False,
                        path_weight=1.0,
                        path_shape=line.path_shape[:2],
                    )
                    for k, line in enumerate(active)
                ]
                program = tensor_product(first, second, outer, lines)
                self.routine = Routine(program, self.routine.backend)
                self._blocks = blocks

    def _product(self, routine: Routine, x: Tensor, y: Tensor, weight: Tensor | None) -> Tensor:
        if self._blocks is None or weight is None:
            return super()._product(routine, x, y, weight)
        return block_linear(super()._product(routine, x, y, None), weight, self._blocks)


def _decomposed(
    first: Irreps, second: Irreps, out: Irreps, lines: list[Instruction], weight_numel: int
) -> tuple[Irreps, BlockMap]:
    """The representation of the channels' products, and the map from there to the output."""
    outer = Irreps([(first[p.i_in1].mul * second[p.i_in2].mul, out[p.i_out].ir) for p in lines])
    paths, start_weight = [], 0
    for line, place, (pairs, ir) in zip(lines, outer.slices(), outer, strict=True):
        mul, start_out = out[line.i_out].mul, out.slices()[line.i_out].start
        paths.append(
            BlockPath(place.start, start_out, ir.dim, pairs, mul, start_weight, line.path_weight)
        )
        start_weight += pairs * mul
    return outer, BlockMap(tuple(paths), outer.dim, out.dim, weight_numel)
