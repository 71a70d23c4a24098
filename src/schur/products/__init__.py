"""Products of representations as programs, one file a product."""

from schur.products.clebsch_gordan import Placement, convolution, pair_columns, tensor_product
from schur.products.instructions import (
    Instruction,
    channelwise,
    cut_columns,
    elementwise,
    full,
    fully_connected,
    normalised,
)
from schur.products.symmetric_power import (
    SymmetricBasis,
    symmetric_basis,
    symmetric_contraction,
)

__all__ = [
    "Instruction",
    "Placement",
    "SymmetricBasis",
    "channelwise",
    "convolution",
    "cut_columns",
    "elementwise",
    "full",
    "fully_connected",
    "normalised",
    "pair_columns",
    "symmetric_basis",
    "symmetric_contraction",
    "tensor_product",
]
