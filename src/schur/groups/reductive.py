"""Groups that are closed under the adjoint: polar and Iwasawa coordinates, Haar integrals."""

from __future__ import annotations

from abc import abstractmethod
from functools import lru_cache
from typing import Literal

import numpy as np
from jaxtyping import Float, Inexact, Int

from schur.errors import NumberError, ShapeError
from schur.groups.cartan import Cartan, Iwasawa, cartan, iwasawa, real_rows
from schur.groups.group import Group, no_word
from schur.groups.matrix_exponential import matrix_exponential
from schur.groups.matrix_logarithm import matrix_logarithm

Decomposition = Literal["polar", "iwasawa"]


class Reductive(Group):
    """A group of matrices that holds the adjoint g† of each element g.

    Such a group is K exp(p): K are its unitary elements, p the hermitian elements of its Lie
    algebra. Every element is reached as g = k exp(S), also where it is no exponential: -diag(1, 2)
    in GL+(2) is a half turn times exp(diag(0, log 2)).

    The Haar measure dg is normalised by dg = J(S) dk dS: K has mass one, dS is Lebesgue measure
    in coordinates that are orthonormal for Re tr(X† Y), and J is `polar_density`. It is left and
    right invariant, and infinite where the group is not compact: integrals are for functions that
    fall off. Without J the measure is not invariant, and integrals are off by factors.

    A new group says `sample_compact` and `word` on top of what every group says.

    Source: Mironenco and Forré, "Lie group decompositions for equivariant neural networks",
    https://arxiv.org/abs/2310.11366, section 3; Knapp, "Lie Groups Beyond an Introduction"
    (2002), theorems 6.31 and 6.46.
    """

    @abstractmethod
    def sample_compact(
        self, rng: np.random.Generator, count: int
    ) -> Inexact[np.ndarray, "{count} n n"]:
        """Independent elements of K, distributed by its Haar measure."""

    def word(self, g: Inexact[np.ndarray, "*batch n n"]) -> Int[np.ndarray, "*batch w"]:
        """Indices into `discrete()` that lead to each element's component; -1 for none."""
        return no_word(g.shape[:-2])

    def sample(self, rng: np.random.Generator, count: int) -> Inexact[np.ndarray, "{count} n n"]:
        """k exp(S): k by Haar's measure, S normal of length about one half."""
        rank = len(cartan_of(self).hermitian)
        s = rng.standard_normal((count, rank)) / (2.0 * max(rank, 1) ** 0.5)
        return self.from_polar(self.sample_compact(rng, count), s)

    def sample_weighted(
        self,
        rng: np.random.Generator,
        count: int,
        scale: float = 0.5,
        through: Decomposition = "polar",
    ) -> tuple[Inexact[np.ndarray, "{count} n n"], Float[np.ndarray, "{count}"]]:
        """Elements g_i and weights w_i with E[w f(g)] = ∫ f(g) dg.

        k is drawn from K; the coordinates of S, or of a and n, from N(0, scale²). The weight is
        the density of the Haar measure over that of the normal distribution.

        Args:
            rng: source of randomness.
            count: number of elements.
            scale: spread of the normal coordinates; larger than where f has fallen off.
            through: the coordinates, `"polar"` or `"iwasawa"`.

        Example:
            >>> from schur.groups import GeneralLinear
            >>> g, w = GeneralLinear(2).sample_weighted(np.random.default_rng(0), 1000)
            >>> g.shape, bool((w > 0).all())
            ((1000, 2, 2), True)
        """
        if not scale > 0:
            raise NumberError("the spread of a normal distribution", got=scale, expected="> 0")
        k = self.sample_compact(rng, count)
        if through == "polar":
            s = scale * rng.standard_normal((count, len(cartan_of(self).hermitian)))
            density = cartan_of(self).log_density(s)
            return self.from_polar(k, s), np.exp(density - _log_normal(s, scale))
        parts = iwasawa_of(self)
        a = scale * rng.standard_normal((count, len(parts.abelian)))
        x = scale * rng.standard_normal((count, len(parts.nilpotent)))
        log_weight = parts.log_density(a) - _log_normal(a, scale) - _log_normal(x, scale)
        return self.from_iwasawa(k, a, x), np.exp(log_weight)

    def polar(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Inexact[np.ndarray, "*batch n n"], Float[np.ndarray, "*batch r"]]:
        """k in K and coordinates s with g = k exp(Σ_b s_b P_b).

        Example:
            >>> from schur.groups import GeneralLinear
            >>> k, s = GeneralLinear(2, positive=True).polar(-np.diag([1.0, 2.0]))
            >>> k
            array([[-1.,  0.],
                   [ 0., -1.]])
        """
        self.require(g)
        left, values, right = np.linalg.svd(g)
        log = (np.conj(np.swapaxes(right, -1, -2)) * np.log(values)[..., None, :]) @ right
        return left @ right + 0.0, _coordinates(cartan_of(self).hermitian, log)

    def from_polar(
        self, k: Inexact[np.ndarray, "*batch n n"], s: Float[np.ndarray, "*batch r"]
    ) -> Inexact[np.ndarray, "*batch n n"]:
        """k exp(Σ_b s_b P_b)."""
        return k @ _exponential(cartan_of(self).hermitian, s)

    def polar_density(self, s: Float[np.ndarray, "*batch r"]) -> Float[np.ndarray, "*batch"]:
        """J(S), the density of the Haar measure against dk dS; 1 at S = 0.

        Example:
            >>> from schur.groups import GeneralLinear
            >>> float(GeneralLinear(2).polar_density(np.zeros(3)))
            1.0
        """
        return np.asarray(np.exp(cartan_of(self).log_density(s)))

    def iwasawa(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[
        Inexact[np.ndarray, "*batch n n"],
        Float[np.ndarray, "*batch a"],
        Float[np.ndarray, "*batch m"],
    ]:
        """k in K and coordinates a, x with g = k exp(Σ a_b A_b) exp(Σ x_c N_c).

        For GL(n) with the diagonal and the strictly upper triangular matrices: QR.
        """
        self.require(g)
        parts = iwasawa_of(self)
        q, r = np.linalg.qr(g @ parts.frame)
        diagonal = np.diagonal(r, axis1=-2, axis2=-1)
        phase = diagonal / np.abs(diagonal)
        back = np.conj(parts.frame.T)
        k = (q * phase[..., None, :]) @ back
        log_a = (parts.frame * np.log(np.abs(diagonal))[..., None, :]) @ back
        # Unipotent: the series of the logarithm ends.
        rest = r / diagonal[..., :, None] - np.eye(self.n)
        power, log = rest, rest
        for i in range(2, self.n):
            power = power @ rest
            log = log - (-1) ** i * power / i
        a = _coordinates(parts.abelian, log_a)
        return k, a, _coordinates(parts.nilpotent, parts.frame @ log @ back)

    def from_iwasawa(
        self,
        k: Inexact[np.ndarray, "*batch n n"],
        a: Float[np.ndarray, "*batch a"],
        x: Float[np.ndarray, "*batch m"],
    ) -> Inexact[np.ndarray, "*batch n n"]:
        """k exp(Σ a_b A_b) exp(Σ x_c N_c)."""
        parts = iwasawa_of(self)
        return k @ _exponential(parts.abelian, a) @ _exponential(parts.nilpotent, x)

    def factor(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> tuple[Float[np.ndarray, "*batch k"], Int[np.ndarray, "*batch w"]]:
        """Coordinates of the principal logarithm, and the word of the component.

        Raises:
            NumberError: a matrix is no element, or has no principal logarithm in its component;
                `polar` serves these too.
        """
        self.require(g)
        word = self.word(g)
        rest = np.asarray(g, dtype=self.dtype)
        letters = np.concatenate([self.discrete(), self.identity()[None]])  # -1 is the unit
        for place in reversed(range(word.shape[-1])):
            rest = rest @ np.linalg.inv(letters[word[..., place]])
        return self._algebra_coordinates(self._logarithm(rest)), word

    def exponentials(
        self, g: Inexact[np.ndarray, "*batch n n"]
    ) -> list[tuple[Float[np.ndarray, "*batch k"], Int[np.ndarray, "*batch w"]]]:
        """The polar factors: that in K as `factor` has it, then the exponential of S."""
        k, s = self.polar(g)
        hermitian = np.tensordot(s, cartan_of(self).hermitian, axes=1)
        return [self.factor(k), (self._algebra_coordinates(hermitian), no_word(g.shape[:-2]))]

    def _logarithm(self, g: np.ndarray) -> np.ndarray:
        return matrix_logarithm(g)

    def _algebra_coordinates(self, x: np.ndarray) -> np.ndarray:
        columns = real_rows(self.generators()).T
        return real_rows(x) @ np.linalg.pinv(columns).T


@lru_cache(maxsize=64)
def cartan_of(group: Group) -> Cartan:
    """The Cartan decomposition of a group's Lie algebra."""
    return cartan(group.generators())


@lru_cache(maxsize=64)
def iwasawa_of(group: Group) -> Iwasawa:
    """The Iwasawa decomposition of a group's Lie algebra."""
    return iwasawa(cartan_of(group))


def _coordinates(basis: np.ndarray, x: np.ndarray) -> np.ndarray:
    return real_rows(x) @ real_rows(basis).T


def _exponential(basis: np.ndarray, coordinates: np.ndarray) -> np.ndarray:
    if coordinates.shape[-1:] != (len(basis),):
        raise ShapeError(
            "one coordinate for each basis element",
            got=coordinates.shape,
            expected=f"(…, {len(basis)})",
        )
    return matrix_exponential(np.tensordot(coordinates, basis, axes=1))


def _log_normal(x: np.ndarray, scale: float) -> np.ndarray:
    """log of the density of N(0, scale²) in each coordinate."""
    size = x.shape[-1] * np.log(scale * np.sqrt(2 * np.pi))
    return -0.5 * np.sum((x / scale) ** 2, axis=-1) - size
