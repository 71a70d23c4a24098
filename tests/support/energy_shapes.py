"""A small model of every architecture."""

from __future__ import annotations

from schur.models.ecomformer import EComFormerConfig
from schur.models.egnn import EGNNConfig
from schur.models.equiformer_v2 import EquiformerV2Config
from schur.models.escn import ESCNConfig
from schur.models.faenet import FAENetConfig
from schur.models.mace import MACEConfig
from schur.models.nequip import NequIPConfig
from schur.models.ponita import PONITAConfig
from schur.models.registry import ModelConfig
from schur.models.se3_transformer import SE3TransformerConfig
from schur.models.tensor_field_network import TensorFieldNetworkConfig
from schur.models.tensornet import TensorNetConfig

SHAPES: list[ModelConfig] = [
    MACEConfig(hidden="2x0e + 2x1o", edge_lmax=1, correlation=2, radial_hidden=(4,)),
    NequIPConfig(layers=2, features=2, radial_hidden=(4,)),
    EGNNConfig(layers=2, features=2),
    TensorNetConfig(features=2, radial_hidden=(4,)),
    TensorFieldNetworkConfig(layers=2, lmax=1, features=2, radial_hidden=(4,)),
    SE3TransformerConfig(layers=2, lmax=1, features=2, heads=1, radial_hidden=(4,)),
    ESCNConfig(layers=2, lmax=1, order=1, channels=2, radial_hidden=(4,)),
    EComFormerConfig(layers=2, features=2, radial_hidden=(4,)),
    EquiformerV2Config(layers=2, lmax=1, order=1, channels=2, radial_hidden=(4,)),
    PONITAConfig(features=2, layers=1, kernel_hidden=(4,)),
    FAENetConfig(features=2, layers=1, frames="all"),
]
