"""Sp(n): matrices that keep an antisymmetric form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.errors import RepresentationError
from schur.groups.group import Answers, check_size, no_word
from schur.groups.matrix_logarithm import matrix_logarithm
from schur.groups.reductive import Reductive
from schur.groups.unitary import Unitary


@dataclass(frozen=True)
class Symplectic(Reductive):
    """Real matrices of n rows, n even, with gᵀ ω g = ω.

    ω has ω[2i, 2i+1] = 1 = -ω[2i+1, 2i] and zeros elsewhere: positions and momenta alternate. The
    Lie algebra is ω times the symmetric matrices. The group is not compact.

    Args:
        size: n, even, at least 2.

    Example:
        >>> Symplectic(4).dim
        10
        >>> Symplectic(2).omega()
        array([[ 0.,  1.],
               [-1.,  0.]])
    """

    size: int

    is_compact = False

    def __post_init__(self) -> None:
        check_size("symplectic matrices of n rows", self.size)
        if self.size % 2:
            raise RepresentationError(
                "symplectic matrices of n rows", got=self.size, expected="n even, n >= 2"
            )

    @property
    def n(self) -> int:
        return self.size

    def omega(self) -> Float[np.ndarray, "n n"]:
        """The antisymmetric form ω."""
        return np.kron(np.eye(self.size // 2), np.array([[0.0, 1.0], [-1.0, 0.0]]))

    def generators(self) -> Float[np.ndarray, "k n n"]:
        rows, columns = np.triu_indices(self.size)
        symmetric = np.zeros((len(rows), self.size, self.size))
        symmetric[np.arange(len(rows)), rows, columns] = 1.0
        symmetric[np.arange(len(rows)), columns, rows] = 1.0
        return self.omega() @ symmetric

    def sample_compact(
        self, rng: np.random.Generator, count: int
    ) -> Float[np.ndarray, "{count} n n"]:
        """U(n / 2), each complex entry a + i b as the block [[a, b], [-b, a]]."""
        u = Unitary(self.size // 2).sample(rng, count)
        g = np.kron(np.real(u), np.eye(2)) + np.kron(
            np.imag(u), np.array([[0.0, 1.0], [-1.0, 0.0]])
        )
        return g

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        defect = np.swapaxes(g, -1, -2) @ self.omega() @ g - self.omega()
        size = np.maximum(1.0, np.abs(g).max(axis=(-2, -1))) ** 2
        real = np.all(np.abs(np.imag(np)(g)) <= tolerance, axis=(-2, -1))
        return real & (np.abs(defect).max(axis=(-2, -1)) <= tolerance * size)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch n n"]:
        return -self.omega() @ np.swapaxes(g, -1, -2) @ self.omega()

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch k"], Int[np.ndarray, "*batch w"]]:
        """Coordinates of the principal logarithm.

        Raises:
            NumberError: a matrix is no element, or has a negative real eigenvalue: then it has no
                principal logarithm, and may not be an exponential at all.
        """
        self.require(g)
        symmetric = -self.omega() @ matrix_logarithm(np.real(g))
        rows, columns = np.triu_indices(self.size)
        return symmetric[..., rows, columns], no_word(g.shape[:-2])

    def __str__(self) -> str:
        return f"Sp({self.size})"
