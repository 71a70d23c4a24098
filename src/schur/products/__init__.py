"""Products of representations as programs, one file a product."""

from schur.products.cartesian import cartesian
from schur.products.clebsch_gordan import Placement, convolution, pair_columns, tensor_product
from schur.products.gaunt import gaunt
from schur.products.instructions import (
    Instruction,
    channelwise,
    cut_columns,
    elementwise,
    full,
    fully_connected,
    normalised,
)
from schur.products.last_layer import with_last_layer
from schur.products.matrix_product import matrix_product
from schur.products.plan import Candidate, Needs, Plan, plan
from schur.products.product import Product
from schur.products.so2 import SO2Product, so2
from schur.products.symmetric_power import (
    SymmetricBasis,
    symmetric_basis,
    symmetric_contraction,
)
from schur.products.vector_gaunt import vector_gaunt

__all__ = [
    "Candidate",
    "Instruction",
    "Needs",
    "Placement",
    "Plan",
    "Product",
    "SO2Product",
    "SymmetricBasis",
    "cartesian",
    "channelwise",
    "convolution",
    "cut_columns",
    "elementwise",
    "full",
    "fully_connected",
    "gaunt",
    "matrix_product",
    "normalised",
    "pair_columns",
    "plan",
    "so2",
    "symmetric_basis",
    "symmetric_contraction",
    "tensor_product",
    "vector_gaunt",
    "with_last_layer",
]
