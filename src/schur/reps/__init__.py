"""Representations as values, their couplings and the equivariant maps between them."""

from schur.reps.clebsch_gordan import (
    clebsch_gordan,
    complex_clebsch_gordan,
    sparse_clebsch_gordan,
)
from schur.reps.irrep import Irrep, MulIrrep
from schur.reps.irreps import Irreps, SortedIrreps

__all__ = [
    "Irrep",
    "Irreps",
    "MulIrrep",
    "SortedIrreps",
    "clebsch_gordan",
    "complex_clebsch_gordan",
    "sparse_clebsch_gordan",
]
