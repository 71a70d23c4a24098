"""Sp(n): matrices that keep an antisymmetric form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.errors import NumberError, RepresentationError
from schur.groups.group import Answers, Group, no_word


@dataclass(frozen=True)
class Symplectic(Group):
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
        if self.size < 2 or self.size % 2:
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

    def sample(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} n n"]:
        """Exponentials of normal elements of the algebra, of size about one half."""
        return self.exp(rng.standard_normal((count, self.dim)) / (2 * self.size))

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        defect = np.swapaxes(g, -1, -2) @ self.omega() @ g - self.omega()
        size = np.maximum(1.0, np.abs(g).max(axis=(-2, -1))) ** 2
        real = np.all(np.abs(np.imag(g)) <= tolerance, axis=(-2, -1))
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
        flat = np.real(g).reshape(-1, self.size, self.size)
        logs = np.array([_logarithm(one) for one in flat]).reshape(-1, self.size, self.size)
        symmetric = -self.omega() @ logs
        rows, columns = np.triu_indices(self.size)
        return symmetric[:, rows, columns].reshape(*g.shape[:-2], -1), no_word(g.shape[:-2])

    def __str__(self) -> str:
        return f"Sp({self.size})"


def _logarithm(g: np.ndarray) -> np.ndarray:
    """The principal logarithm: square roots until the matrix is near one, then a series."""
    values = np.linalg.eigvals(g)
    if np.any((np.abs(values.imag) < 1e-9) & (values.real < 0)):
        raise NumberError(
            "a matrix with a negative eigenvalue has no principal logarithm",
            got=values,
            expected="no negative real eigenvalue",
        )
    unit, root, doublings = np.eye(len(g)), g, 0
    while np.abs(root - unit).max() > 0.25 / len(g):
        root, doublings = _square_root(root), doublings + 1
    # log r = 2 artanh((r - 1)(r + 1)^-1), whose series has odd powers only.
    step = np.linalg.solve(root + unit, root - unit)
    power, total = step, np.zeros_like(g)
    for k in range(1, 40, 2):
        total, power = total + power / k, power @ step @ step
    return 2.0**doublings * 2.0 * total


def _square_root(g: np.ndarray) -> np.ndarray:
    """The principal square root, by the iteration of Denman and Beavers (1976)."""
    root, other = g, np.eye(len(g))
    for _ in range(60):
        new = (root + np.linalg.inv(other)) / 2
        other = (other + np.linalg.inv(root)) / 2
        change = np.abs(new - root).max()
        root = new
        if change <= 4 * np.finfo(np.float64).eps * np.abs(root).max():
            break
    return root
