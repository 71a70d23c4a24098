"""Layers: one a file, with e3nn's normalisations, on plain and on geometric tensors."""

from schur.nn.activation import Activation
from schur.nn.affine_convolution import (
    AffineConvolution,
    AffineLift,
    AffineShiftConvolution,
)
from schur.nn.affine_samples import nearby_elements, sampled_elements
from schur.nn.attention import Attention
from schur.nn.batch_norm import BatchNorm
from schur.nn.convolution import Convolution
from schur.nn.cutoffs import CosineCutoff, PolynomialCutoff
from schur.nn.diagram_linear import DiagramLinear
from schur.nn.dropout import Dropout
from schur.nn.edge_frame_convolution import EdgeFrameConvolution
from schur.nn.ego_subgraphs import EgoGroup, ego_subgraphs
from schur.nn.elementwise_tensor_product import ElementwiseTensorProduct
from schur.nn.equivariant_linear import EquivariantLinear
from schur.nn.frame_maps import FrameLinear, IntoFrames, OutOfFrames
from schur.nn.full_tensor_product import FullTensorProduct
from schur.nn.fully_connected_tensor_product import FullyConnectedTensorProduct
from schur.nn.gate import Gate
from schur.nn.graph_polynomials import GraphPolynomials
from schur.nn.hypergraph_tensor import hypergraph_tensor
from schur.nn.kernel_attention import KernelAttention
from schur.nn.layer_norm import LayerNorm
from schur.nn.linear import Linear
from schur.nn.log_polar import LogPolar, PoseTransformer, turned_and_scaled
from schur.nn.norm_activation import NormActivation
from schur.nn.pair_product import PairProduct
from schur.nn.permutation_linear import PermutationLinear
from schur.nn.permutation_network import PermutationNetwork
from schur.nn.radial_basis import RadialBasis
from schur.nn.radial_mlp import RadialMLP
from schur.nn.second_moment import second_moment_scale
from schur.nn.separable_layer_norm import SeparableLayerNorm
from schur.nn.set_embedding import SetEmbedding
from schur.nn.sphere_activation import SphereActivation
from schur.nn.subgraph_network import SubgraphNetwork
from schur.nn.symmetric_contraction import SymmetricContraction
from schur.nn.tensor_product import TensorProduct

__all__ = [
    "Activation",
    "AffineConvolution",
    "AffineLift",
    "AffineShiftConvolution",
    "Attention",
    "BatchNorm",
    "Convolution",
    "CosineCutoff",
    "DiagramLinear",
    "Dropout",
    "EdgeFrameConvolution",
    "EgoGroup",
    "ElementwiseTensorProduct",
    "EquivariantLinear",
    "FrameLinear",
    "FullTensorProduct",
    "FullyConnectedTensorProduct",
    "Gate",
    "GraphPolynomials",
    "IntoFrames",
    "KernelAttention",
    "LayerNorm",
    "Linear",
    "LogPolar",
    "NormActivation",
    "OutOfFrames",
    "PairProduct",
    "PermutationLinear",
    "PermutationNetwork",
    "PolynomialCutoff",
    "PoseTransformer",
    "RadialBasis",
    "RadialMLP",
    "SeparableLayerNorm",
    "SetEmbedding",
    "SphereActivation",
    "SubgraphNetwork",
    "SymmetricContraction",
    "TensorProduct",
    "ego_subgraphs",
    "hypergraph_tensor",
    "nearby_elements",
    "sampled_elements",
    "second_moment_scale",
    "turned_and_scaled",
]
