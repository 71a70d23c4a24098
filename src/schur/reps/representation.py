"""What a representation is, and the operations that every one has."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Inexact

from schur.groups import Group, Homomorphism

if TYPE_CHECKING:
    from schur.reps.decomposition import Decomposition
    from schur.reps.direct_sum import DirectSum
    from schur.reps.dual import Dual
    from schur.reps.powers import ExteriorPower, SymmetricPower
    from schur.reps.restriction import Restriction
    from schur.reps.tensor_product import TensorProduct


class Representation(ABC):
    """A map ρ from a group to matrices with ρ(g h) = ρ(g) ρ(h), as an immutable value.

    A new one is a subclass that says `group`, `dim`, `generators` and `_matrix`.
    """

    __slots__ = ()

    @property
    @abstractmethod
    def group(self) -> Group:
        """The group that is represented."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of rows of the matrices."""

    @abstractmethod
    def generators(self) -> Inexact[np.ndarray, "k dim dim"]:
        """Matrices dρ(X_a) of the generators of the Lie algebra, d/dt ρ(exp(t X_a)) at t = 0."""

    def discrete(self) -> Inexact[np.ndarray, "d dim dim"]:
        """Matrices ρ(h_j) of the group's discrete generators."""
        return self._matrix(self.group.discrete())

    @abstractmethod
    def _matrix(self, g: np.ndarray) -> np.ndarray:
        """ρ(g) for matrices that are known to be elements."""

    def _character(self, g: np.ndarray) -> np.ndarray | np.number:
        return np.trace(self._matrix(g), axis1=-2, axis2=-1)

    def matrix(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch dim dim"]:
        """ρ(g) for a batch of group elements in their defining matrices.

        Raises:
            ShapeError: the matrices have the wrong size.
            NumberError: a matrix is no element of the group.

        Example:
            >>> from schur.reps import Irreps
            >>> Irreps("0o + 1o").matrix(-np.eye(3)).diagonal()
            array([-1., -1., -1., -1.])
        """
        g = np.asarray(g)
        self.group.require(g)
        return self._matrix(g)

    def character(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch"]:
        """Trace of ρ(g), for a batch of group elements.

        Raises:
            ShapeError: the matrices have the wrong size.
            NumberError: a matrix is no element of the group.

        Example:
            >>> from schur.reps import Irreps
            >>> float(Irreps("2x1o").character(-np.eye(3)))
            -6.0
        """
        g = np.asarray(g)
        self.group.require(g)
        return np.asarray(self._character(g))

    def tensor(self, other: Representation | str) -> TensorProduct:
        """The tensor product ρ ⊗ σ on Kronecker products of vectors.

        Example:
            >>> from schur.reps import Irreps
            >>> Irreps("1o").tensor("1o").decompose().irreps
            1x0e+1x1e+1x2e
        """
        from schur.reps.tensor_product import TensorProduct

        return TensorProduct((self, self._like(other)))

    def plus(self, other: Representation | str) -> DirectSum:
        """The direct sum ρ ⊕ σ on concatenated vectors."""
        from schur.reps.direct_sum import DirectSum

        return DirectSum((self, self._like(other)))

    def dual(self) -> Dual:
        """The dual representation, g -> ρ(g^-1)ᵀ."""
        from schur.reps.dual import Dual

        return Dual(self)

    def symmetric_power(self, degree: int) -> SymmetricPower:
        """The symmetric tensors of a degree, in an orthonormal basis.

        Example:
            >>> from schur.reps import Irreps
            >>> Irreps("1o").symmetric_power(3).decompose().irreps
            1x1o+1x3o
        """
        from schur.reps.powers import SymmetricPower

        return SymmetricPower(self, degree)

    def exterior_power(self, degree: int) -> ExteriorPower:
        """The antisymmetric tensors of a degree, in an orthonormal basis.

        Example:
            >>> from schur.reps import Irreps
            >>> Irreps("1o").exterior_power(2).decompose().irreps
            1x1e
        """
        from schur.reps.powers import ExteriorPower

        return ExteriorPower(self, degree)

    def restrict(self, to: Group | Homomorphism) -> Restriction:
        """The same matrices as a representation of a subgroup, or pulled back along a map.

        Example:
            >>> from schur.reps import Irreps
            >>> from schur.groups import SO2
            >>> Irreps("2e").restrict(SO2()).decompose().irreps
            SO2Irrep(m=0) + SO2Irrep(m=1) + SO2Irrep(m=2)
        """
        from schur.reps.restriction import Restriction, homomorphism_between

        phi = to if isinstance(to, Homomorphism) else homomorphism_between(to, self.group)
        return Restriction(self, phi)

    def decompose(self) -> Decomposition:
        """Irreps and the basis in which the matrices are block-diagonal; see `decompose`."""
        from schur.reps.decomposition import decompose

        return decompose(self)

    def __add__(self, other: Any) -> Representation:
        return self.plus(other)

    def __mul__(self, other: Any) -> Any:
        return self.tensor(other)

    def __rmul__(self, times: int) -> Representation:
        """Copies: `3 * rep` is rep ⊕ rep ⊕ rep."""
        from schur.reps.direct_sum import DirectSum

        return DirectSum((self,) * times)

    def _like(self, other: Representation | str) -> Representation:
        if isinstance(other, Representation):
            return other
        from schur.reps.irreps import Irreps

        return Irreps(other)
