"""Any matrix group, by generators of its Lie algebra and further elements."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from jaxtyping import Inexact, Int

from schur.errors import NumberError, RepresentationError
from schur.groups.cartan import commutators, orthonormal, real_rows
from schur.groups.group import Answers
from schur.groups.matrix_exponential import matrix_exponential
from schur.groups.matrix_logarithm import matrix_logarithm
from schur.groups.reductive import Reductive, cartan_of

_STEPS = 32
# Products of discrete generators that are tried to reach an element's component.
_WORDS = 512


class MatrixGroup(Reductive):
    """The group of n x n matrices that exp(Σ_a c_a X_a) and elements h_j generate.

    Whether a matrix is an element cannot be read off generators in general. `contains` asks for
    all that is linear: it must keep the bilinear and sesquilinear forms that the generators keep,
    commute with all that commutes with them, take their algebra to itself, and have determinant
    one where they have. For the classical groups that decides up to the component; other groups
    may be smaller than what passes. A finite group of up to 512 elements is listed instead.

    Polar and Iwasawa coordinates need the algebra to hold X† with each X. `sample` multiplies 32
    random exponentials of antihermitian elements and discrete generators (of a compact group the
    Haar measure, up to terms that fall exponentially in the number of steps), then a hermitian
    one; where the algebra does not hold adjoints, one exponential of any element.

    Args:
        generators: X_a, shape (k, n, n); they must span a Lie algebra over the reals.
        discrete: h_j, shape (d, n, n).
        form: a matrix B that the group must keep, gᵀ B g = B; checked.
        name: for print.

    Raises:
        RepresentationError: the brackets of the generators leave their span, a form is not kept,
            or a discrete generator does not take the algebra to itself.

    Source: Finzi, Welling, Wilson, https://arxiv.org/abs/2104.09459, section 3, for the
    description by Lie and discrete generators.

    Example:
        >>> boost = np.array([[[0.0, 1.0], [1.0, 0.0]]])
        >>> group = MatrixGroup(boost, form=np.diag([1.0, -1.0]), name="SO+(1,1)")
        >>> c, s = np.cosh(2), np.sinh(2)
        >>> group, bool(group.contains(np.array([[c, s], [s, c]])))
        (MatrixGroup(SO+(1,1)), True)
    """

    def __init__(
        self,
        generators: Inexact[np.ndarray, "k n n"],
        discrete: Inexact[np.ndarray, "d n n"] | None = None,
        form: Inexact[np.ndarray, "n n"] | None = None,
        name: str | None = None,
    ) -> None:
        n = generators.shape[-1]
        given = np.zeros((0, n, n)) if discrete is None else discrete
        self.is_complex = bool(np.iscomplexobj(generators) or np.iscomplexobj(given))
        self._generators, self._discrete = _frozen(generators, self), _frozen(given, self)
        self._form = None if form is None else _frozen(form, self)
        self._name = name or f"{len(generators)} generators of {n} x {n}"
        self._check_algebra()
        self._check_form()
        unitary = all(np.allclose(h @ np.conj(h.T), np.eye(n)) for h in self._discrete)
        skew = self._generators + np.conj(np.swapaxes(self._generators, -1, -2))
        self.is_compact = unitary and bool(np.all(np.abs(skew) < 1e-12))

    @property
    def n(self) -> int:
        return self._generators.shape[-1]

    @property
    def form(self) -> np.ndarray | None:
        """The form that was said to be kept."""
        return self._form

    def generators(self) -> Inexact[np.ndarray, "k n n"]:
        return self._generators

    def discrete(self) -> Inexact[np.ndarray, "d n n"]:
        return self._discrete

    def sample(self, rng: np.random.Generator, count: int) -> Inexact[np.ndarray, "{count} n n"]:
        if self._is_self_adjoint:
            return super().sample(rng, count)
        c = rng.standard_normal((count, self.dim)) / (2 * max(self.dim, 1) ** 0.5)
        return self.exp(c) @ self._random_words(rng, count)

    def sample_compact(
        self, rng: np.random.Generator, count: int
    ) -> Inexact[np.ndarray, "{count} n n"]:
        compact = cartan_of(self).compact
        g = self._random_words(rng, count)
        for _ in range(_STEPS if len(compact) else 0):
            # Steps of a full turn on average.
            c = 2 * np.pi * rng.standard_normal((count, len(compact)))
            g = g @ matrix_exponential(np.tensordot(c, compact, axes=1))
            g = g @ self._random_words(rng, count, 1)
        return g

    def _random_words(
        self, rng: np.random.Generator, count: int, length: int = _STEPS
    ) -> np.ndarray:
        g = np.broadcast_to(self.identity(), (count, self.n, self.n))
        if not len(self._discrete):
            return g
        letters = np.concatenate([self._discrete, self.identity()[None]])
        for _ in range(length):
            g = g @ letters[rng.integers(0, len(letters), count)]
        return g

    def _is_member(self, g: np.ndarray, tolerance: float) -> Answers:
        if not self.dim and len(self._words) < _WORDS:
            found = np.array([matrix for _, matrix in self._words])
            gap = np.abs(g[..., None, :, :] - found).max(axis=(-2, -1))
            return np.any(gap <= tolerance, axis=-1)
        size = np.maximum(1.0, np.abs(g).max(axis=(-2, -1)))
        allowed = tolerance * self.n * size
        keeps = np.abs(np.linalg.slogdet(g)[1]) < np.inf
        for kind, fixed in self._invariants.items():
            for b in fixed:
                keeps = keeps & (_defect(kind, g, b) <= allowed)
        if self._is_special:
            keeps = keeps & (np.abs(np.linalg.det(g) - 1.0) <= allowed * size**self.n)
        if not self.is_complex:
            keeps = keeps & np.all(np.abs(np.imag(g)) <= tolerance, axis=(-2, -1))
        return keeps & self._keeps_algebra(g, tolerance)

    def _keeps_algebra(self, g: np.ndarray, tolerance: float) -> Answers:
        if not self.dim:
            return np.bool_(True)
        moved = real_rows(
            g[..., None, :, :] @ self._generators @ np.linalg.pinv(g)[..., None, :, :]
        )
        rest = moved - moved @ self._span.T @ self._span
        size = np.maximum(1.0, np.abs(moved).max(axis=(-2, -1)))
        return np.abs(rest).max(axis=(-2, -1)) <= tolerance * self.n * size

    def word(self, g: Inexact[np.ndarray, "*batch n n"]) -> Int[np.ndarray, "*batch w"]:
        """The first product of discrete generators after which a logarithm lies in the algebra.

        Raises:
            NumberError: there is none among the first 512.
        """
        flat = g.reshape(-1, self.n, self.n)
        words = [self._word(one) for one in flat]
        width = max((len(word) for word in words), default=0)
        filled = [word + [-1] * (width - len(word)) for word in words]
        return np.array(filled, dtype=np.int64).reshape(*g.shape[:-2], width)

    def _word(self, g: np.ndarray) -> list[int]:
        for word, matrix in self._words:
            rest = g @ np.linalg.inv(matrix)
            try:
                rows = real_rows(matrix_logarithm(rest.astype(self.dtype)))
            except NumberError:
                continue
            off = np.abs(rows - rows @ self._span.T @ self._span).max(initial=0.0)
            if off <= 1e-8 * max(1.0, np.abs(rows).max(initial=0.0)):
                return word
        raise NumberError(
            f"no logarithm of this element was found in the algebra of {self}",
            got=g,
            expected=f"exp(X) times one of the first {len(self._words)} products of generators",
            remedy="polar(g) splits the element into factors that need no logarithm",
        )

    @cached_property
    def _words(self) -> list[tuple[list[int], np.ndarray]]:
        found: list[tuple[list[int], np.ndarray]] = [([], self.identity())]
        for word, matrix in found:  # grows as it is read: shortest words first
            for place, h in enumerate(self._discrete):
                product = matrix @ h
                if len(found) < _WORDS and not any(np.allclose(product, m) for _, m in found):
                    found.append(([*word, place], product))
        return found

    @cached_property
    def _span(self) -> np.ndarray:
        return real_rows(orthonormal(self._generators))

    @cached_property
    def _is_self_adjoint(self) -> bool:
        try:
            return cartan_of(self) is not None
        except RepresentationError:
            return False

    @cached_property
    def _is_special(self) -> bool:
        traces = np.abs(np.trace(self._generators, axis1=-2, axis2=-1)).max(initial=0.0)
        volumes = np.abs(np.linalg.det(self._discrete) - 1.0).max(initial=0.0)
        return bool(traces < 1e-12 and volumes < 1e-12)

    @cached_property
    def _invariants(self) -> dict[str, np.ndarray]:
        """Bases of the matrices that gᵀ B g = B, g† B g = B and g B = B g leave."""
        return {kind: _kept(kind, self) for kind in ("bilinear", "sesquilinear", "commutant")}

    def _check_algebra(self) -> None:
        x = self._generators
        brackets = real_rows(commutators(x, x))
        rest = np.abs(brackets - brackets @ self._span.T @ self._span).max(initial=0.0)
        if rest > 1e-9 * max(1.0, np.abs(brackets).max(initial=0.0)):
            raise RepresentationError(
                "the brackets of the generators leave their span",
                got=f"[X_a, X_b] off by {rest:.1e}",
                expected="a Lie algebra",
                remedy="add the brackets to the generators",
            )
        if len(self._span) != self.dim:
            raise RepresentationError(
                "the generators are linearly dependent",
                got=f"{self.dim} generators that span {len(self._span)} dimensions",
                remedy="leave out those that depend on the others",
            )
        if not np.all(self._keeps_algebra(self._discrete, 1e-9)):
            raise RepresentationError(
                "a discrete generator does not take the Lie algebra to itself",
                expected="h X_a h^-1 in the span of the generators",
            )

    def _check_form(self) -> None:
        if self._form is None:
            return
        b = self._form
        lie = max((np.abs(x.T @ b + b @ x).max() for x in self._generators), default=0.0)
        rest = max((np.abs(h.T @ b @ h - b).max() for h in self._discrete), default=0.0)
        if max(lie, rest) > 1e-9 * max(1.0, np.abs(b).max()):
            raise RepresentationError(
                "the generators do not keep the form",
                got=f"Xᵀ B + B X up to {lie:.1e}, hᵀ B h - B up to {rest:.1e}",
                expected="zero",
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, MatrixGroup):
            return NotImplemented
        return np.array_equal(self._generators, other._generators) and np.array_equal(
            self._discrete, other._discrete
        )

    def __hash__(self) -> int:
        return hash((self._generators.tobytes(), self._discrete.tobytes()))

    def __str__(self) -> str:
        return self._name

    def __repr__(self) -> str:
        return f"MatrixGroup({self._name})"


def _frozen(a: np.ndarray, group: MatrixGroup) -> np.ndarray:
    out = np.array(a, dtype=np.complex128 if group.is_complex else np.float64)
    out.flags.writeable = False
    return out


def _defect(kind: str, g: np.ndarray, b: np.ndarray) -> np.ndarray | np.floating:
    transposed = np.swapaxes(g, -1, -2)
    off = {
        "bilinear": lambda: transposed @ b @ g - b,
        "sesquilinear": lambda: np.conj(transposed) @ b @ g - b,
        "commutant": lambda: g @ b - b @ g,
    }[kind]()
    return np.abs(off).max(axis=(-2, -1))


def _kept(kind: str, group: MatrixGroup) -> np.ndarray:
    n = group.n
    unit = np.eye(n * n).reshape(n * n, n, n).astype(group.dtype)
    system = [np.zeros((0, n * n), dtype=group.dtype)]
    for x in group.generators():
        left = {"bilinear": x.T, "sesquilinear": np.conj(x.T), "commutant": -x}[kind]
        system.append((left @ unit + unit @ x).reshape(n * n, n * n).T)
    for h in group.discrete():
        left = {"bilinear": h.T, "sesquilinear": np.conj(h.T), "commutant": np.linalg.inv(h)}[kind]
        system.append((left @ unit @ h - unit).reshape(n * n, n * n).T)
    _, values, right = np.linalg.svd(np.concatenate(system), full_matrices=True)
    small = np.concatenate([values, np.zeros(n * n - len(values))]) <= 1e-10
    return np.conj(right[small]).reshape(-1, n, n)
