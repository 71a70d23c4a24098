"""O(n) and SO(n) for any n."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.groups.group import Answers, Group, check_size, is_orthogonal, no_word


@dataclass(frozen=True)
class SpecialOrthogonal(Group):
    """Rotations of n dimensions; coordinates belong to the planes (i, j), i < j.

    The generator of a plane turns e_i towards e_j. Of the logarithms of a rotation that turns a
    plane by π it takes any.

    Args:
        size: n, at least 1.

    Example:
        >>> SpecialOrthogonal(4).dim
        6
    """

    size: int

    def __post_init__(self) -> None:
        check_size("orthogonal matrices of n rows", self.size)

    @property
    def n(self) -> int:
        return self.size

    def generators(self) -> Float[np.ndarray, "k n n"]:
        planes = list(combinations(range(self.size), 2))
        x = np.zeros((len(planes), self.size, self.size))
        for a, (i, j) in enumerate(planes):
            x[a, j, i], x[a, i, j] = 1.0, -1.0
        return x

    def sample(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} n n"]:
        g = Orthogonal(self.size).sample(rng, count)
        g[..., 0] *= np.linalg.det(g)[:, None]
        return g

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        return is_orthogonal(g, tolerance) & (np.real(np.linalg.det(g)) > 0)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch n n"]:
        return np.swapaxes(g, -1, -2)

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch k"], Int[np.ndarray, "*batch w"]]:
        self.require(g)
        flat = np.real(g).reshape(-1, self.size, self.size)
        logs = np.array([_logarithm(one) for one in flat]).reshape(g.shape)
        planes = np.array(list(combinations(range(self.size), 2)), dtype=np.int64).reshape(-1, 2)
        return logs[..., planes[:, 1], planes[:, 0]], no_word(g.shape[:-2])

    def __str__(self) -> str:
        return f"SO({self.size})"


@dataclass(frozen=True)
class Orthogonal(Group):
    """Orthogonal matrices of n dimensions: rotations, and the reflection of the first axis.

    Args:
        size: n, at least 1.

    Example:
        >>> Orthogonal(3).discrete()[0].diagonal()
        array([-1.,  1.,  1.])
    """

    size: int

    def __post_init__(self) -> None:
        check_size("orthogonal matrices of n rows", self.size)

    @property
    def n(self) -> int:
        return self.size

    def generators(self) -> Float[np.ndarray, "k n n"]:
        return SpecialOrthogonal(self.size).generators()

    def discrete(self) -> Float[np.ndarray, "1 n n"]:
        return np.diag([-1.0, *[1.0] * (self.size - 1)])[None]

    def sample(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} n n"]:
        q, r = np.linalg.qr(rng.standard_normal((count, self.size, self.size)))
        # Unique, and so distributed by the Haar measure, where the diagonal of r is positive.
        return q * np.sign(np.diagonal(r, axis1=-2, axis2=-1))[:, None, :]

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        return is_orthogonal(g, tolerance)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch n n"]:
        return np.swapaxes(g, -1, -2)

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch k"], Int[np.ndarray, "*batch 1"]]:
        self.require(g)
        improper = np.linalg.det(np.real(g)) < 0
        rotations = np.where(improper[..., None, None], g @ self.discrete()[0], g)
        word = np.where(improper, 0, -1)[..., None]
        return SpecialOrthogonal(self.size).factor(rotations)[0], word

    def __str__(self) -> str:
        return f"O({self.size})"


def _logarithm(g: np.ndarray) -> np.ndarray:
    """A real skew logarithm of a rotation.

    The symmetric part has the cosines as eigenvalues, the skew part the sines. Planes of small and
    of large angles are told apart by the cosine, at the widest gap, so that no plane is cut.
    """
    cosines, vectors = np.linalg.eigh((g + g.T) / 2)
    marks = np.concatenate([[-0.7], cosines[np.abs(cosines) < 0.7], [0.7]])
    widest = int(np.argmax(np.diff(marks)))
    small = cosines > (marks[widest] + marks[widest + 1]) / 2
    return _planes(g, vectors[:, small], False) + _planes(g, vectors[:, ~small], True)


def _planes(g: np.ndarray, basis: np.ndarray, large: bool) -> np.ndarray:
    """The logarithm on an invariant subspace whose planes turn by small, or by large, angles."""
    part = basis.T @ g @ basis
    sines, w = np.linalg.eigh(-0.5j * (part - part.T))
    count = len(sines)
    total = np.zeros_like(part)
    zero = np.abs(sines) <= 1e-14 * max(count, 1)
    for s, v in zip(sines[~zero], w[:, ~zero].T, strict=True):
        if s > 0:  # the other of the pair is its conjugate
            cosine = float(np.real(v.conj() @ part @ v))
            total += np.arctan2(s, cosine) * 2 * np.real(1j * np.outer(v, v.conj()))
    if large and np.any(zero):
        # Half turns: any planes of the real space that is left.
        kept = w[:, ~zero]
        _, axes = np.linalg.eigh(np.real(np.eye(count) - kept @ kept.conj().T))
        axes = axes[:, count - int(zero.sum()) :]
        for one, other in zip(axes.T[::2], axes.T[1::2], strict=True):
            total += np.pi * (np.outer(other, one) - np.outer(one, other))
    return basis @ total @ basis.T
