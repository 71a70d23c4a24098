"""The boundary to torch: arrays that know how they transform, and graphs that know their sort."""

from schur.tensors.edge_frames import edge_frames, edge_wigner
from schur.tensors.geometric import GeometricTensor, checked, concatenate, direct_sum, wrapped
from schur.tensors.graph import Graph, check_edge_index
from schur.tensors.rotation import irrep_matrices, rotate

__all__ = [
    "GeometricTensor",
    "Graph",
    "check_edge_index",
    "checked",
    "concatenate",
    "direct_sum",
    "edge_frames",
    "edge_wigner",
    "irrep_matrices",
    "rotate",
    "wrapped",
]
