"""Representations as values, their couplings and the equivariant maps between them."""

from schur.reps.cartesian import cartesian_basis, symmetric_traceless_basis
from schur.reps.clebsch_gordan import (
    clebsch_gordan,
    complex_clebsch_gordan,
    sparse_clebsch_gordan,
)
from schur.reps.coupling import coupling_basis
from schur.reps.decomposition import Decomposition, decompose
from schur.reps.direct_sum import DirectSum
from schur.reps.dual import Dual
from schur.reps.elementary import Defining, GeneratedRepresentation, Trivial
from schur.reps.intertwiners import intertwiners
from schur.reps.irreducible import Irreducible
from schur.reps.irrep import Irrep, MulIrrep
from schur.reps.irreps import Irreps, SortedIrreps
from schur.reps.plane import O2Irrep, SO2Irrep
from schur.reps.powers import ExteriorPower, SymmetricPower
from schur.reps.representation import Representation
from schur.reps.restriction import Restriction, homomorphism_between
from schur.reps.rotation import SO3Irrep
from schur.reps.spin import SU2Irrep
from schur.reps.tensor_product import OuterProduct, TensorProduct

__all__ = [
    "Decomposition",
    "Defining",
    "DirectSum",
    "Dual",
    "ExteriorPower",
    "GeneratedRepresentation",
    "Irreducible",
    "Irrep",
    "Irreps",
    "MulIrrep",
    "O2Irrep",
    "OuterProduct",
    "Representation",
    "Restriction",
    "SO2Irrep",
    "SO3Irrep",
    "SU2Irrep",
    "SortedIrreps",
    "SymmetricPower",
    "TensorProduct",
    "Trivial",
    "cartesian_basis",
    "clebsch_gordan",
    "complex_clebsch_gordan",
    "coupling_basis",
    "decompose",
    "homomorphism_between",
    "intertwiners",
    "sparse_clebsch_gordan",
    "symmetric_traceless_basis",
]
