"""Linear groups with translations: E(n), SE(n), affine groups, the Poincaré group."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.errors import NumberError, RepresentationError
from schur.groups.group import Answers, Group, no_word
from schur.groups.matrix_exponential import matrix_exponential
from schur.groups.orthogonal import Orthogonal, SpecialOrthogonal
from schur.groups.reductive import Reductive


@dataclass(frozen=True)
class Affine(Group):
    """Maps x -> A x + t with A in a real linear group, as matrices [[A, t], [0, 1]].

    Coordinates are those of the linear group, then the translations. `sample` draws A as the
    linear group does and t from the standard normal distribution.

    Args:
        linear: the group of A, real.

    Example:
        >>> from schur.groups import GeneralLinear
        >>> group = Affine(GeneralLinear(2, positive=True))
        >>> str(group), group.n, group.dim
        ('Aff(GL+(2))', 3, 6)
    """

    linear: Group

    is_compact = False

    def __post_init__(self) -> None:
        if self.linear.is_complex:
            raise RepresentationError(
                "affine maps of complex vectors",
                got=str(self.linear),
                expected="a group of real matrices",
            )

    @property
    def n(self) -> int:
        return self.linear.n + 1

    def motion(
        self, linear: Float[np.ndarray, "*batch m m"], translation: Float[np.ndarray, "*batch m"]
    ) -> Float[np.ndarray, "*batch n n"]:
        """The element x -> A x + t."""
        g = np.zeros((*linear.shape[:-2], self.n, self.n))
        g[..., :-1, :-1] = linear
        g[..., :-1, -1] = translation
        g[..., -1, -1] = 1.0
        return g

    def generators(self) -> Float[np.ndarray, "k n n"]:
        m = self.linear.n
        x = np.zeros((self.linear.dim + m, self.n, self.n))
        x[: self.linear.dim, :m, :m] = self.linear.generators()
        x[self.linear.dim :, :m, m] = np.eye(m)
        return x

    def discrete(self) -> Float[np.ndarray, "d n n"]:
        h = self.linear.discrete()
        return self.motion(h, np.zeros(h.shape[:-1]))

    def sample(self, rng: np.random.Generator, count: int) -> Float[np.ndarray, "{count} n n"]:
        return self.motion(
            self.linear.sample(rng, count), rng.standard_normal((count, self.linear.n))
        )

    def sample_weighted(
        self, rng: np.random.Generator, count: int, scale: float = 0.5, reach: float = 1.0
    ) -> tuple[Float[np.ndarray, "{count} n n"], Float[np.ndarray, "{count}"]]:
        """Elements g_i and weights w_i with E[w f(g)] = ∫ f(A, t) dA dt / |det A|.

        That is the left Haar measure, ∫ f(h g) = ∫ f(g). The right one is dA dt, |det A| times as
        much: the two differ wherever A changes volumes. dA is as in `Reductive`, of mass one where
        the linear group is compact.

        Args:
            rng: source of randomness.
            count: number of elements.
            scale: spread of the coordinates of A, for a linear group that is not compact.
            reach: spread of the translations; t = A u with u from N(0, reach²).
        """
        if not reach > 0:
            raise NumberError("the spread of a normal distribution", got=reach, expected="> 0")
        a, weight = self.sample_linear(rng, count, scale)
        u = reach * rng.standard_normal((count, self.linear.n))
        # t = A u: the determinant in dt = |det A| du takes the one of the measure away.
        size = np.sum((u / reach) ** 2, axis=-1) / 2
        weight = weight * np.exp(size) * (np.sqrt(2 * np.pi) * reach) ** self.linear.n
        return self.motion(a, np.einsum("zij,zj->zi", a, u)), weight

    def sample_linear(
        self, rng: np.random.Generator, count: int, scale: float = 0.5
    ) -> tuple[Float[np.ndarray, "{count} m m"], Float[np.ndarray, "{count}"]]:
        """Elements A_i of the linear group and weights w_i with E[w f(A)] = ∫ f(A) dA.

        Args:
            rng: source of randomness.
            count: number of elements.
            scale: as in `Reductive.sample_weighted`; of no use to a compact group, whose weights
                are one.

        Raises:
            RepresentationError: the group is neither compact nor has polar coordinates.
        """
        if isinstance(self.linear, Reductive):
            return self.linear.sample_weighted(rng, count, scale)
        if self.linear.is_compact:
            return self.linear.sample(rng, count), np.ones(count)
        raise RepresentationError(
            f"no Haar measure is known for {self.linear}",
            expected="a compact group or one with polar coordinates",
        )

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        last = np.zeros(self.n)
        last[-1] = 1.0
        flat = np.all(np.abs(g[..., -1, :] - last) <= tolerance, axis=-1)
        real = np.all(np.abs(np.imag(g)) <= tolerance, axis=(-2, -1))
        return flat & real & self.linear.contains(g[..., :-1, :-1], tolerance)

    def inverse(self, g: Inexact[np.ndarray, "*batch n n"]) -> Inexact[np.ndarray, "*batch n n"]:
        back = self.linear.inverse(g[..., :-1, :-1])
        return self.motion(back, -(back @ g[..., :-1, -1:])[..., 0])

    def exponentials(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> list[tuple[Float[np.ndarray, "*batch k"], Int[np.ndarray, "*batch w"]]]:
        """The translation, then what the linear group makes of A."""
        self.require(g)
        m = self.linear.n
        still = np.zeros((*g.shape[:-2], self.linear.dim))
        found = [(np.concatenate([still, np.real(g)[..., :-1, -1]], -1), no_word(g.shape[:-2]))]
        for coordinates, word in self.linear.exponentials(np.real(g)[..., :-1, :-1]):
            fixed = np.zeros((*g.shape[:-2], m))
            found.append((np.concatenate([coordinates, fixed], -1), word))
        return found

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch k"], Int[np.ndarray, "*batch w"]]:
        self.require(g)
        coordinates, word = self.linear.factor(g[..., :-1, :-1])
        # exp([[X, v], [0, 0]]) translates by φ(X) v, φ(X) = ∫_0^1 exp(s X) ds, which the
        # exponential of [[X, 1], [0, 0]] holds. Eigenvalues of X off 2π i k leave it invertible.
        m = self.linear.n
        doubled = np.zeros((*g.shape[:-2], 2 * m, 2 * m))
        doubled[..., :m, :m] = self.linear.algebra(coordinates)
        doubled[..., :m, m:] = np.eye(m)
        phi = matrix_exponential(doubled)[..., :m, m:]
        v = np.linalg.solve(phi, np.real(g)[..., :-1, -1:])[..., 0]
        return np.concatenate([coordinates, v], axis=-1), word

    def __str__(self) -> str:
        match self.linear:
            case Orthogonal():
                return f"E({self.linear.n})"
            case SpecialOrthogonal():
                return f"SE({self.linear.n})"
        return f"Aff({self.linear})"


def Euclidean(n: int) -> Affine:
    """E(n): motions and reflections of n dimensions.

    Example:
        >>> str(Euclidean(3)), Euclidean(3).dim, len(Euclidean(3).discrete())
        ('E(3)', 6, 1)
    """
    return Affine(Orthogonal(n))
