"""What a group is: Lie algebra generators, further generators, elements as matrices."""

from __future__ import annotations

from abc import ABC, abstractmethod
from numbers import Integral
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float, Inexact, Int

from schur.errors import NumberError, RepresentationError, ShapeError
from schur.groups.matrix_exponential import matrix_exponential

if TYPE_CHECKING:
    from schur.groups.direct_product import DirectProduct

# A matrix that came through float32 is off its group by a few of these.
MEMBERSHIP_TOLERANCE = 64 * float(np.finfo(np.float32).eps)

# One truth value for each matrix; numpy makes a scalar of a batch of none.
Answers = np.ndarray | np.bool_


class Group(ABC):
    """A group of matrices, given by what generates it.

    A group is `dim` generators X_a of its Lie algebra (none for a finite group) together with
    finitely many elements h_j that reach its other components. Its elements are plain arrays of
    shape (…, n, n), the matrices of the defining representation, so that `g @ h` is the product.

    A new group is a subclass that says `n`, `generators`, `discrete`, `sample`, `contains` and
    `factor`; everything else has a default. Groups are values: they compare and hash by what
    they are.
    """

    is_compact: bool = True
    is_complex: bool = False

    @property
    @abstractmethod
    def n(self) -> int:
        """Number of rows of the defining matrices."""

    @property
    def dim(self) -> int:
        """Dimension of the Lie algebra; 0 for a finite group."""
        return len(self.generators())

    @abstractmethod
    def generators(self) -> Inexact[np.ndarray, "k n n"]:
        """Basis X_a of the Lie algebra in the defining representation."""

    def discrete(self) -> Inexact[np.ndarray, "d n n"]:
        """Elements h_j that together with the exponentials generate the group."""
        return np.zeros((0, self.n, self.n), dtype=self.dtype)

    @abstractmethod
    def sample(self, rng: np.random.Generator, count: int) -> Inexact[np.ndarray, "{count} n n"]:
        """Independent elements, distributed by the Haar measure where it is finite.

        Args:
            rng: source of randomness.
            count: number of elements.
        """

    def contains(
        self, g: Inexact[np.ndarray, "*batch n n"], tolerance: float = MEMBERSHIP_TOLERANCE
    ) -> Bool[np.ndarray, "*batch"]:
        """Whether each matrix is an element, up to `tolerance` in the largest entry."""
        self._check_matrices(g)
        finite = np.all(np.isfinite(g), axis=(-2, -1))
        readable = np.where(finite[..., None, None], g, 0.0)
        return np.asarray(finite & self._is_member(readable, tolerance))

    @abstractmethod
    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        """What `contains` answers, for finite matrices of n rows."""

    @abstractmethod
    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch k"], Int[np.ndarray, "*batch w"]]:
        """Write each element as exp(Σ_a c_a X_a) h_{w_1} h_{w_2} ….

        Returns:
            The coordinates c, and a word of indices into `discrete()`, filled up with -1.
        """

    def exponentials(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> list[tuple[Float[np.ndarray, "*batch k"], Int[np.ndarray, "*batch w"]]]:
        """Write each element as a product of terms such as `factor` gives, one or more.

        Groups in which an element need not be an exponential have more than one.
        """
        return [self.factor(g)]

    @property
    def dtype(self) -> np.dtype:
        """Number type of the defining matrices: complex128 or float64."""
        return np.dtype(np.complex128 if self.is_complex else np.float64)

    def identity(self) -> Inexact[np.ndarray, "n n"]:
        """The unit element."""
        return np.eye(self.n, dtype=self.dtype)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch n n"]:
        """The inverse of each element."""
        return np.linalg.inv(g)

    def algebra(
        self, coordinates: Float[np.ndarray, "*batch k"]
    ) -> Inexact[np.ndarray, "*batch n n"]:
        """The element Σ_a c_a X_a of the Lie algebra."""
        return np.tensordot(coordinates, self.generators(), axes=1)

    def exp(self, coordinates: Float[np.ndarray, "*batch k"]) -> Inexact[np.ndarray, "*batch n n"]:
        """The element exp(Σ_a c_a X_a).

        Raises:
            ShapeError: the last axis is not one number for each generator.
            NumberError: a coordinate is not finite.
        """
        self._check_coordinates(coordinates)
        return matrix_exponential(self.algebra(coordinates))

    def log(self, g: Inexact[np.ndarray, "*batch n n"]) -> Float[np.ndarray, "*batch k"]:
        """Coordinates c of minimal length with exp(Σ_a c_a X_a) = g.

        Raises:
            NumberError: a matrix is no element, or lies outside the identity's component.
        """
        coordinates, word = self.factor(g)
        if np.any(word >= 0):
            raise NumberError(
                f"an element outside the identity's component of {self} has no logarithm",
                got=g,
                remedy="use factor(g), which splits off the discrete part",
            )
        return coordinates

    def require(self, g: Inexact[np.ndarray, "*batch n n"]) -> None:
        """Raise unless every matrix is an element of the group.

        Raises:
            ShapeError: the matrices have the wrong size.
            NumberError: a matrix is no element.
        """
        member = self.contains(g)
        if not np.all(member):
            raise NumberError(
                f"a matrix is no element of {self}",
                got=g[~member][0],
                expected=f"an element, to {MEMBERSHIP_TOLERANCE:.0e} in each entry",
            )

    def structure_constants(self) -> Float[np.ndarray, "k k k"]:
        """Coefficients f with [X_a, X_b] = Σ_c f_abc X_c.

        Example:
            >>> from schur.groups import SO3
            >>> SO3().structure_constants()[0, 1].round(12) + 0.0
            array([0., 0., 1.])
        """
        x = self.generators()
        count = len(x)
        brackets = np.einsum("aij,bjk->abik", x, x) - np.einsum("bij,ajk->abik", x, x)
        columns = x.reshape(count, self.n**2).T
        solution = np.linalg.pinv(columns) @ brackets.reshape(count**2, self.n**2).T
        return np.ascontiguousarray(np.real(solution.T)).reshape(count, count, count)

    def __mul__(self, other: Group) -> DirectProduct:
        from schur.groups.direct_product import DirectProduct

        return DirectProduct((self, other))

    def __str__(self) -> str:
        return type(self).__name__

    def _check_matrices(self, g: np.ndarray) -> None:
        if g.ndim < 2 or g.shape[-2:] != (self.n, self.n):
            raise ShapeError(
                f"elements of {self} are matrices of {self.n} rows",
                got=g.shape,
                expected=f"(…, {self.n}, {self.n})",
            )

    def _check_coordinates(self, coordinates: np.ndarray) -> None:
        if coordinates.ndim < 1 or coordinates.shape[-1] != self.dim:
            raise ShapeError(
                f"one coordinate for each generator of {self}",
                got=coordinates.shape,
                expected=f"(…, {self.dim})",
            )
        if not np.all(np.isfinite(coordinates)):
            raise NumberError(
                f"coordinates of {self} that are not finite", got=coordinates, expected="numbers"
            )


def check_size(what: str, n: int) -> None:
    """Raise unless n is a size.

    Raises:
        RepresentationError: it is below one, or no whole number.
    """
    if not isinstance(n, Integral) or n < 1:
        raise RepresentationError(what, got=repr(n), expected="a whole number n >= 1")


def no_word(batch: tuple[int, ...]) -> Int[np.ndarray, "..."]:
    """The empty words of elements that need no discrete generator."""
    return np.zeros((*batch, 0), dtype=np.int64)


def is_orthogonal(g: np.ndarray, tolerance: float) -> Answers:
    """Whether g g† = 1 to `tolerance` in each entry."""
    defect = g @ np.conj(np.swapaxes(g, -1, -2)) - np.eye(g.shape[-1])
    return np.all(np.abs(defect) <= tolerance, axis=(-2, -1))
