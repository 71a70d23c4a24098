"""Groups by generators and elements: what symmetry means before any representation."""

from schur.groups.admissible import Admissible, admissible_activations
from schur.groups.affine import Affine, Euclidean
from schur.groups.alt import Alt
from schur.groups.direct_product import DirectProduct
from schur.groups.graph import graph_automorphisms
from schur.groups.group import Group
from schur.groups.homomorphism import SO2_IN_SO3, SO3_IN_O3, SU2_ONTO_SO3, Homomorphism
from schur.groups.linear import GeneralLinear, SpecialLinear
from schur.groups.matrix_exponential import matrix_exponential
from schur.groups.matrix_group import MatrixGroup
from schur.groups.matrix_logarithm import matrix_logarithm
from schur.groups.o2 import O2
from schur.groups.o3 import O3
from schur.groups.orthogonal import Orthogonal, SpecialOrthogonal
from schur.groups.permutation_group import PermutationGroup, Permuting
from schur.groups.plane import Cyclic, Dihedral
from schur.groups.pseudo_orthogonal import Lorentz, PseudoOrthogonal
from schur.groups.reductive import Reductive
from schur.groups.se3 import SE3
from schur.groups.so2 import SO2
from schur.groups.so3 import SO3
from schur.groups.su2 import SU2
from schur.groups.sym import Sym
from schur.groups.symplectic import Symplectic
from schur.groups.unitary import SpecialUnitary, Unitary

__all__ = [
    "O2",
    "O3",
    "SE3",
    "SO2",
    "SO2_IN_SO3",
    "SO3",
    "SO3_IN_O3",
    "SU2",
    "SU2_ONTO_SO3",
    "Admissible",
    "Affine",
    "Alt",
    "Cyclic",
    "Dihedral",
    "DirectProduct",
    "Euclidean",
    "GeneralLinear",
    "Group",
    "Homomorphism",
    "Lorentz",
    "MatrixGroup",
    "Orthogonal",
    "PermutationGroup",
    "Permuting",
    "PseudoOrthogonal",
    "Reductive",
    "SpecialLinear",
    "SpecialOrthogonal",
    "SpecialUnitary",
    "Sym",
    "Symplectic",
    "Unitary",
    "admissible_activations",
    "graph_automorphisms",
    "matrix_exponential",
    "matrix_logarithm",
]
