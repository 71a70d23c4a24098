"""The polar and Iwasawa decompositions of a matrix group, found from its generators alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Inexact

from schur.errors import RepresentationError

# What is smaller, on unit vectors of the algebra, counts as zero.
_ZERO = 1e-9


@dataclass(frozen=True, eq=False)
class Cartan:
    """g = k + p: the antihermitian and the hermitian elements of a Lie algebra.

    Args:
        compact: basis of k, orthonormal for ⟨X, Y⟩ = Re tr(X† Y).
        hermitian: basis of p, likewise.
    """

    compact: Inexact[np.ndarray, "c n n"]
    hermitian: Inexact[np.ndarray, "r n n"]

    def log_density(self, s: Float[np.ndarray, "*batch r"]) -> Float[np.ndarray, "*batch"]:
        """log of Π_λ sinh(√λ)/√λ over the eigenvalues λ of ad_S² on p, with S = Σ_b s_b P_b.

        This is the density of the Haar measure in g = k exp(S) against dk dS. For GL(n) it is
        Π_{i<j} sinh(σ_i - σ_j)/(σ_i - σ_j) of the eigenvalues σ of S.
        """
        p = self.hermitian
        if not len(p):
            return np.zeros(s.shape[:-1])
        # [S, P_b] for each b; as S is hermitian, ⟨P_b, ad_S² P_c⟩ = ⟨[S, P_b], [S, P_c]⟩.
        brackets = np.tensordot(s, commutators(p, p), axes=1)
        flat = real_rows(brackets)
        values = np.linalg.eigvalsh(flat @ np.swapaxes(flat, -1, -2))
        return np.asarray(np.sum(_log_sinhc(np.sqrt(np.maximum(values, 0.0))), axis=-1))


@dataclass(frozen=True, eq=False)
class Iwasawa:
    """g = k + a + n: a maximal abelian part of p, and the nilpotent sum of its positive roots.

    Args:
        frame: unitary, the eigenvectors of a regular element of a, by falling eigenvalue; in it
            a is diagonal and n strictly upper triangular.
        abelian: basis of a, orthonormal.
        nilpotent: basis of n, orthonormal.
        twice_rho: for each basis element of a the trace of its adjoint action on n.
    """

    frame: Inexact[np.ndarray, "n n"]
    abelian: Inexact[np.ndarray, "a n n"]
    nilpotent: Inexact[np.ndarray, "m n n"]
    twice_rho: Float[np.ndarray, " a"]

    def log_density(self, a: Float[np.ndarray, "*batch a"]) -> Float[np.ndarray, "*batch"]:
        """log of e^{2ρ(a)} 2^(-dim n / 2).

        The density of the Haar measure in g = k exp(Σ a_b A_b) exp(Σ x_c N_c) against dk da dx,
        in the normalisation of `Cartan.log_density`: N_c is 2^(-1/2) times as long in p.
        """
        return np.asarray(a @ self.twice_rho) - 0.5 * np.log(2.0) * len(self.nilpotent)


def cartan(generators: Inexact[np.ndarray, "k n n"]) -> Cartan:
    """The Cartan decomposition of a Lie algebra that holds X† with each X.

    Raises:
        RepresentationError: it does not.
    """
    adjoint = np.conj(np.swapaxes(generators, -1, -2))
    compact, hermitian = orthonormal(generators - adjoint), orthonormal(generators + adjoint)
    if len(compact) + len(hermitian) != len(orthonormal(generators)):
        raise RepresentationError(
            "the Lie algebra does not hold the adjoint X† of each of its elements X",
            got=f"{len(generators)} generators, whose parts span {len(compact)} + {len(hermitian)}",
            remedy="change to a basis in which it does; for translations use Affine(linear group)",
        )
    return Cartan(compact, hermitian)


def iwasawa(parts: Cartan) -> Iwasawa:
    """The Iwasawa decomposition that belongs to a Cartan decomposition.

    a grows from the diagonal matrices of p, so that for GL(n) it is the diagonal ones, n the
    strictly upper triangular ones, and the decomposition of an element that by QR.

    Source: Knapp, "Lie Groups Beyond an Introduction" (2002), theorem 6.46; the measure is
    proposition 8.43.
    """
    a = _maximal_abelian(parts.hermitian)
    regular = np.tensordot(_coefficients(a), a, axes=1)
    whole = np.concatenate([parts.compact, parts.hermitian])
    flat = real_rows(whole)
    adjoint = flat @ real_rows(regular @ whole - whole @ regular).T
    values, vectors = np.linalg.eigh((adjoint + adjoint.T) / 2)
    nilpotent = np.tensordot(vectors[:, values > 1e-6].T, whole, axes=1)
    _, frame = np.linalg.eigh(regular)
    moved = np.einsum("aij,mjk->amik", a, nilpotent) - np.einsum("mij,ajk->amik", nilpotent, a)
    twice_rho = np.real(np.einsum("mij,amij->a", np.conj(nilpotent), moved))
    return Iwasawa(frame[:, ::-1], a, nilpotent, twice_rho)


def orthonormal(x: Inexact[np.ndarray, "k n n"]) -> Inexact[np.ndarray, "r n n"]:
    """An orthonormal basis of the real span, in the given order, without what is dependent."""
    kept: list[np.ndarray] = []
    for one in real_rows(x):
        size, rest = np.linalg.norm(one), one
        for _ in range(2):  # twice is enough to lose no digit
            rest = rest - sum((np.dot(b, rest) * b for b in kept), np.zeros_like(rest))
        if np.linalg.norm(rest) > _ZERO * max(size, 1.0):
            kept.append(rest / np.linalg.norm(rest))
    rows = np.array(kept).reshape(len(kept), real_rows(x).shape[-1])
    return matrices_of_rows(rows, x.shape[-1], np.iscomplexobj(x))


def real_rows(x: Inexact[np.ndarray, "*batch n n"]) -> Float[np.ndarray, "*batch entries"]:
    """Matrices as real vectors with ⟨X, Y⟩ = Re tr(X† Y): real parts, then imaginary ones."""
    flat = x.reshape(*x.shape[:-2], x.shape[-1] ** 2)
    return np.concatenate([np.real(flat), np.imag(flat)], axis=-1) if np.iscomplexobj(x) else flat


def matrices_of_rows(
    rows: Float[np.ndarray, "*batch entries"], n: int, is_complex: bool
) -> Inexact[np.ndarray, "*batch n n"]:
    """The inverse of `real_rows`."""
    rows = rows.reshape(*rows.shape[:-1], (1 + is_complex) * n * n)
    flat = rows[..., : n * n] + 1j * rows[..., n * n :] if is_complex else rows
    return flat.reshape(*rows.shape[:-1], n, n)


def commutators(
    x: Inexact[np.ndarray, "k n n"], y: Inexact[np.ndarray, "m n n"]
) -> Inexact[np.ndarray, "k m n n"]:
    """[X_a, Y_b] for all pairs."""
    return np.einsum("aij,bjk->abik", x, y) - np.einsum("bij,ajk->abik", y, x)


def _maximal_abelian(p: np.ndarray) -> np.ndarray:
    diagonal = p * np.eye(p.shape[-1])
    a = _kernel(p, real_rows(p - diagonal))
    while True:
        fixed = _kernel(p, real_rows(commutators(p, a)).reshape(len(p), -1)) if len(a) else p
        more = orthonormal(np.concatenate([a, fixed]))[len(a) :]
        if not len(more):
            return a
        a = np.concatenate([a, more[:1]])


def _kernel(p: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The combinations Σ_b c_b P_b for which Σ_b c_b rows_b is zero."""
    if not len(p):
        return p
    left, values, _ = np.linalg.svd(rows, full_matrices=True)
    small = np.concatenate([values, np.zeros(len(p) - len(values))]) <= _ZERO
    # In reduced echelon order, so that diagonal units come out as they are.
    return orthonormal(np.tensordot(left[:, small] @ left[:, small].T, p, axes=1))


def _coefficients(a: np.ndarray) -> np.ndarray:
    # Falling diagonals first, as for upper triangular matrices; the square roots of primes of
    # which no root is orthogonal to all.
    falling = np.arange(a.shape[-1], 0, -1.0) if len(a) else np.zeros(0)
    wanted = np.real(np.einsum("aii,i->a", a, falling)) if len(a) else falling
    return wanted + 0.1 * np.sqrt(2.0 + np.arange(len(a)) ** 2) % 0.1


def _log_sinhc(x: np.ndarray) -> np.ndarray:
    """log(sinh(x)/x), without overflow and exact at zero."""
    safe = np.where(x < 1e-4, 1.0, x)
    large = safe + np.log1p(-np.exp(-2 * safe)) - np.log(2 * safe)
    return np.where(x < 1e-4, x**2 / 6, large)
