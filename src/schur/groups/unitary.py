"""U(n) and SU(n)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Complex, Inexact

from schur.groups.group import Answers, check_size, is_orthogonal
from schur.groups.reductive import Reductive


@dataclass(frozen=True)
class Unitary(Reductive):
    """Complex matrices of n rows with g g† = 1.

    The generators are E_jk - E_kj and i (E_jk + E_kj) for j < k, then i E_jj; real coordinates.

    Args:
        size: n, at least 1.

    Example:
        >>> Unitary(3).dim
        9
    """

    size: int

    is_complex = True

    def __post_init__(self) -> None:
        check_size("unitary matrices of n rows", self.size)

    @property
    def n(self) -> int:
        return self.size

    def generators(self) -> Complex[np.ndarray, "k n n"]:
        units = np.eye(self.size**2).reshape((self.size,) * 4).astype(np.complex128)
        x = [
            one
            for j in range(self.size)
            for k in range(j + 1, self.size)
            for one in (units[j, k] - units[k, j], 1j * (units[j, k] + units[k, j]))
        ]
        return np.array(x + self._diagonal(units)).reshape(-1, self.size, self.size)

    def _diagonal(self, units: np.ndarray) -> list[np.ndarray]:
        return [1j * units[j, j] for j in range(self.size)]

    def sample_compact(
        self, rng: np.random.Generator, count: int
    ) -> Complex[np.ndarray, "{count} n n"]:
        shape = (count, self.size, self.size)
        q, r = np.linalg.qr(rng.standard_normal(shape) + 1j * rng.standard_normal(shape))
        diagonal = np.diagonal(r, axis1=-2, axis2=-1)
        # Unique, and so distributed by the Haar measure, where the diagonal of r is positive.
        return q * (diagonal / np.abs(diagonal))[:, None, :]

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch n n"]:
        return np.conj(np.swapaxes(g, -1, -2))

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        return is_orthogonal(g, tolerance)

    def _logarithm(self, g: np.ndarray) -> np.ndarray:
        # Unitary: every element is an exponential; an eigenvalue -1 counts as the angle π. The
        # eigenvectors are those of a hermitian matrix, so orthonormal also where values repeat.
        flat = g.reshape(-1, self.n, self.n)
        return np.array([self._one_logarithm(one) for one in flat]).reshape(g.shape)

    def _one_logarithm(self, g: np.ndarray) -> np.ndarray:
        triangle, frame = _schur(g)
        angles = self._angles(np.angle(np.diagonal(triangle)))
        return (frame * (1j * angles)) @ np.conj(frame.T)

    def _angles(self, angles: np.ndarray) -> np.ndarray:
        return angles

    def __str__(self) -> str:
        return f"U({self.size})"


@dataclass(frozen=True)
class SpecialUnitary(Unitary):
    """Unitary matrices of n rows and determinant one.

    The generators are those of U(n), with i (E_jj - E_(j+1)(j+1)) for the diagonal. For n = 2
    `SU2()` is the same group with generators -i σ_a / 2.

    Args:
        size: n, at least 1.

    Example:
        >>> SpecialUnitary(3).dim
        8
    """

    def _diagonal(self, units: np.ndarray) -> list[np.ndarray]:
        return [1j * (units[j, j] - units[j + 1, j + 1]) for j in range(self.size - 1)]

    def sample_compact(
        self, rng: np.random.Generator, count: int
    ) -> Complex[np.ndarray, "{count} n n"]:
        g = super().sample_compact(rng, count)
        return g * np.linalg.det(g)[:, None, None] ** (-1 / self.size)

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        return is_orthogonal(g, tolerance) & (np.abs(np.linalg.det(g) - 1) <= self.size * tolerance)

    def _angles(self, angles: np.ndarray) -> np.ndarray:
        # They add up to a multiple of 2π; full turns come off the largest.
        turns = round(float(angles.sum()) / (2 * np.pi))
        moved = np.argsort(-np.sign(turns) * angles)[: abs(turns)]
        out = angles.copy()
        out[moved] -= np.sign(turns) * 2 * np.pi
        return out - out.mean()

    def __str__(self) -> str:
        return f"SU({self.size})"


def _schur(g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The diagonal form of a unitary matrix in an orthonormal basis.

    The hermitian matrices (g + g†)/2 and (g - g†)/2i commute; a generic combination has their
    common eigenvectors, unless two eigenvalues of g happen to agree in it.
    """
    real, imaginary = (g + g.conj().T) / 2, (g - g.conj().T) / 2j
    best: tuple[float, np.ndarray, np.ndarray] | None = None
    for angle in (0.3, 1.1, 2.5):
        _, frame = np.linalg.eigh(np.cos(angle) * real + np.sin(angle) * imaginary)
        triangle = frame.conj().T @ g @ frame
        off = float(np.abs(triangle - np.diag(np.diagonal(triangle))).max(initial=0.0))
        if best is None or off < best[0]:
            best = off, triangle, frame
    assert best is not None
    return best[1], best[2]
