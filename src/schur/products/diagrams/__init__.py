"""Equivariant maps between tensor powers, by Schur-Weyl duality: diagrams in place of matrices."""

from schur.products.diagrams.algebra import Combination, compose, tensor, transpose
from schur.products.diagrams.basis import equivariant_maps
from schur.products.diagrams.counting import dimension, stirling2
from schur.products.diagrams.diagram import (
    Diagram,
    determinants,
    jellyfish,
    pairings,
    partitions,
)
from schur.products.diagrams.factoring import Factoring, factoring
from schur.products.diagrams.homomorphisms import Pattern, homomorphism_tensor, multigraphs
from schur.products.diagrams.maps import (
    DiagramMaps,
    EquivariantMaps,
    OrbitMaps,
)
from schur.products.diagrams.matrices import matrix
from schur.products.diagrams.orbits import orbits
from schur.products.diagrams.product_maps import ProductMaps
from schur.products.diagrams.program import diagram_form, diagram_program, linear_program

__all__ = [
    "Combination",
    "Diagram",
    "DiagramMaps",
    "EquivariantMaps",
    "Factoring",
    "OrbitMaps",
    "Pattern",
    "ProductMaps",
    "compose",
    "determinants",
    "diagram_form",
    "diagram_program",
    "dimension",
    "equivariant_maps",
    "factoring",
    "homomorphism_tensor",
    "jellyfish",
    "linear_program",
    "matrix",
    "multigraphs",
    "orbits",
    "pairings",
    "partitions",
    "stirling2",
    "tensor",
    "transpose",
]
