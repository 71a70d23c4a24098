"""What a product can express, and forms as sums of products of factors."""

from schur.decompositions.canonical import Canonical, canonical, canonical_from
from schur.decompositions.expressivity import Expressivity, expressivity, interactions
from schur.decompositions.trilinear import Trilinear, trilinear
from schur.decompositions.tucker import Tucker, tucker

__all__ = [
    "Canonical",
    "Expressivity",
    "Trilinear",
    "Tucker",
    "canonical",
    "canonical_from",
    "expressivity",
    "interactions",
    "trilinear",
    "tucker",
]
