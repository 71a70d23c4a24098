"""Layers: one a file, with e3nn's normalisations, on plain and on geometric tensors."""

from schur.nn.activation import Activation
from schur.nn.convolution import Convolution
from schur.nn.cutoffs import CosineCutoff, PolynomialCutoff
from schur.nn.gate import Gate
from schur.nn.linear import Linear
from schur.nn.radial_basis import RadialBasis
from schur.nn.radial_mlp import RadialMLP
from schur.nn.second_moment import second_moment_scale
from schur.nn.symmetric_contraction import SymmetricContraction
from schur.nn.tensor_product import TensorProduct

__all__ = [
    "Activation",
    "Convolution",
    "CosineCutoff",
    "Gate",
    "Linear",
    "PolynomialCutoff",
    "RadialBasis",
    "RadialMLP",
    "SymmetricContraction",
    "TensorProduct",
    "second_moment_scale",
]
