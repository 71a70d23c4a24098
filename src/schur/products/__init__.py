"""Products of representations as programs, one file a product."""

from schur.products.clebsch_gordan import Placement, convolution, pair_columns, tensor_product
from schur.products.instructions import (
    Instruction,
    channelwise,
    elementwise,
    full,
    fully_connected,
    normalised,
)

__all__ = [
    "Instruction",
    "Placement",
    "channelwise",
    "convolution",
    "elementwise",
    "full",
    "fully_connected",
    "normalised",
    "pair_columns",
    "tensor_product",
]
