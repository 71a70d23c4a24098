"""Layers: one a file, with e3nn's normalisations, on plain and on geometric tensors."""

from schur.nn.convolution import Convolution
from schur.nn.linear import Linear
from schur.nn.tensor_product import TensorProduct

__all__ = ["Convolution", "Linear", "TensorProduct"]
