"""Canonical polyadic decomposition: a trilinear form as a sum of products of linear forms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from schur.decompositions.trilinear import Tensor, Trilinear, factored_program, trilinear
from schur.errors import FormError
from schur.forms import Form, Program

_ITERATIONS = 400
_STARTS = 6
# A step that lowers the error by less than this share, so often in a row, is the last.
_STALLED, _PATIENCE = 1e-5, 12
# Singular values below this share of the largest are zero.
_ZERO = 1e-11


@dataclass(frozen=True, eq=False)
class Canonical:
    """T_ijk ≈ Σ_r A_ir B_jr C_kr.

    Args:
        factors: A, B, C, each of `rank` columns.
        error: the Frobenius norm of the difference over that of T, measured, not estimated.  The
            program's output is off by at most error · |T| |x| |y|.
        program: the equivalent program: transform, multiply number by number, transform back.
    """

    factors: tuple[Float64[np.ndarray, "_ _"], ...]
    error: float
    program: Program

    @property
    def rank(self) -> int:
        """How many products there are."""
        return self.factors[0].shape[1]


def canonical(
    form: Form, rank: int, out: str = "out", tolerance: float = 1e-12, seed: int = 0
) -> Canonical:
    """Search for a canonical decomposition of given rank.

    Damped Gauss-Newton steps (Levenberg-Marquardt) from random factors, from several starts until
    one reaches the tolerance.  To find the exact rank of a tensor is hard in general; what is
    returned is the best that was found, with its error.

    Args:
        form: on three operands; weights belong on its operands, not inside.
        rank: how many products.
        out: which operand is open.
        tolerance: the relative error at which the search ends.
        seed: of the random starts; the same seed finds the same factors.

    Raises:
        FormError: if the form is not trilinear or the rank is not positive.

    Source: Tomasi and Bro, Comput. Stat. Data Anal. 50, 1709 (2006), section 3.

    Example:
        >>> from schur.products import gaunt
        >>> from schur.reps import Irreps
        >>> rep = Irreps("0e+1o")  # 10 terms, and 7 products
        >>> form = gaunt(rep, rep, rep, "coefficients", None).program.statements[2].form
        >>> found = canonical(form, 7, "algebra")
        >>> found.rank, found.error < 1e-12
        (7, True)
    """
    if rank < 1:
        raise FormError("a rank is at least one", got=rank)
    given = trilinear(form, out)
    rng = np.random.default_rng(seed)
    best, least = None, np.inf
    for _ in range(_STARTS):
        found = _descend(given.tensor, rank, rng, tolerance)
        error = _error(given.tensor, found)
        if error < least:
            best, least = found, error
        if least <= tolerance:
            break
    assert best is not None
    return _result(given, best)


def canonical_from(
    form: Form,
    candidates: Sequence[Float[np.ndarray, "_ _"]],
    out: str = "out",
    reduce: bool = False,
) -> Canonical:
    """The best decomposition whose products are taken from a list: T ≈ Σ_r w_r a_r ⊗ b_r ⊗ c_r.

    The weights w are found by least squares, so nothing is searched for.  With the values of
    spherical harmonics at the points of a grid as candidates for the Gaunt tensor, w are the
    weights of the grid's quadrature: the grid is a canonical decomposition.

    Args:
        form: on three operands.
        candidates: for each axis the columns a_r, b_r, c_r.
        out: which operand is open.
        reduce: leave out candidates, one after the other, as long as the others give the same
            (the theorem of Carathéodory), so that no more are left than are independent.

    Raises:
        FormError: if the form is not trilinear or the candidates do not fit it.

    Source: weights of a fixed set of points, as in Tchakaloff, Bull. Sci. Math. 81, 123 (1957).
    """
    given = trilinear(form, out)
    shapes = [columns.shape for columns in candidates]
    numbers = {shape[1] for shape in shapes}
    if tuple(shape[0] for shape in shapes) != given.tensor.shape or len(numbers) != 1:
        raise FormError(
            "the candidates do not fit the form",
            got=shapes,
            expected=[f"({n}, columns)" for n in given.tensor.shape],
        )
    products = np.einsum("ir,jr,kr->ijkr", *candidates).reshape(given.tensor.size, -1)
    # One triangular factor holds all that inner products of the candidates tell.
    stacked = np.column_stack([products, given.tensor.reshape(-1)])
    both = np.asarray(np.linalg.qr(stacked, mode="r"))
    system, right = both[:, :-1], both[:, -1]
    weights = np.linalg.lstsq(system, right, rcond=_ZERO)[0]
    kept = np.arange(len(weights))
    if reduce:
        kept, weights = _reduced(system, weights)
    A, B, C = (np.asarray(columns, np.float64)[:, kept] for columns in candidates)
    return _result(given, (A, B, C * weights))


def _reduced(
    system: Float64[np.ndarray, "rows n"], weights: Float64[np.ndarray, " n"]
) -> tuple[np.ndarray, np.ndarray]:
    """Move along the kernel of the system until weights vanish, one for each of its dimensions."""
    kept, target = np.arange(len(weights)), system @ weights
    _, values, right = np.linalg.svd(system, full_matrices=True)
    kernel = right[int((values > _ZERO * values[0]).sum()) :].T
    while kernel.shape[1]:
        direction = kernel[:, 0]
        # The weight that vanishes first, where positive ones stay positive.
        moving = np.abs(direction) > 1e-9 * np.abs(direction).max()
        ratios = np.where(moving, weights / np.where(moving, direction, 1.0), np.inf)
        place = int(np.argmin(np.abs(ratios)))
        weights = weights - ratios[place] * direction
        # What is left of the kernel has no share of that candidate.
        kernel = kernel[:, 1:] - np.outer(direction, kernel[place, 1:] / direction[place])
        rest = np.arange(len(kept)) != place
        kept, weights, kernel = kept[rest], weights[rest], kernel[rest]
        if kernel.shape[1]:
            kernel = np.linalg.qr(kernel)[0]
    # One more solve removes the rounding of the moves.
    return kept, np.linalg.lstsq(system[:, kept], target, rcond=_ZERO)[0]


def _result(given: Trilinear, factors: tuple[np.ndarray, ...]) -> Canonical:
    return Canonical(factors, _error(given.tensor, factors), factored_program(given, factors))


def _rebuilt(factors: Sequence[np.ndarray]) -> Tensor:
    return np.einsum("ir,jr,kr->ijk", *factors, optimize=True)


def _error(tensor: Tensor, factors: Sequence[np.ndarray]) -> float:
    size = float(np.linalg.norm(tensor))
    return float(np.linalg.norm(tensor - _rebuilt(factors))) / (size or 1.0)


def _descend(
    tensor: Tensor, rank: int, rng: np.random.Generator, tolerance: float
) -> tuple[np.ndarray, ...]:
    """Levenberg-Marquardt from random factors."""
    size = float(np.linalg.norm(tensor)) or 1.0
    scale = (size / (tensor.size * rank) ** 0.5) ** (1 / 3)
    factors = tuple(scale * rng.standard_normal((n, rank)) for n in tensor.shape)
    error, damping, stalled = _error(tensor, factors), 1.0, 0
    for _ in range(_ITERATIONS):
        gram, slope = _normal_equations(tensor, factors)
        mean = damping * np.trace(gram) / len(gram) + np.finfo(np.float64).tiny
        step = np.linalg.solve(gram + mean * np.eye(len(gram)), slope)
        tried = _moved(factors, step)
        new = _error(tensor, tried)
        if not new < error:
            damping, stalled = damping * 4, stalled + 1
        else:
            stalled = stalled + 1 if new > (1 - _STALLED) * error else 0
            # In proportion to the error, so that the last steps are undamped.
            factors, error, damping = tried, new, max(damping / 3, 1e-16)
        if error <= tolerance / 10 or stalled > _PATIENCE:
            break
    return factors


def _moved(
    factors: tuple[np.ndarray, ...], step: Float64[np.ndarray, " n"]
) -> tuple[np.ndarray, ...]:
    parts, start = [], 0
    for factor in factors:
        parts.append(factor + step[start : start + factor.size].reshape(factor.shape))
        start += factor.size
    return tuple(parts)


def _normal_equations(
    tensor: Tensor, factors: tuple[np.ndarray, ...]
) -> tuple[Float64[np.ndarray, "n n"], Float64[np.ndarray, " n"]]:
    """JᵀJ and Jᵀ(T - T̂) for the factors' entries, in closed form."""
    A, B, C = factors
    residual = tensor - _rebuilt(factors)
    slope = np.concatenate(
        [
            np.einsum("ijk,jr,kr->ir", residual, B, C, optimize=True).reshape(-1),
            np.einsum("ijk,ir,kr->jr", residual, A, C, optimize=True).reshape(-1),
            np.einsum("ijk,ir,jr->kr", residual, A, B, optimize=True).reshape(-1),
        ]
    )
    grams = [factor.T @ factor for factor in factors]
    blocks: list[list[np.ndarray]] = []
    for a in range(3):
        row = []
        for b in range(3):
            rest = [grams[c] for c in range(3) if c not in (a, b)]
            shape = (factors[a].size, factors[b].size)
            if a == b:
                block = np.einsum("ij,rs->irjs", np.eye(len(factors[a])), rest[0] * rest[1])
            else:
                block = np.einsum("is,jr,rs->irjs", factors[a], factors[b], rest[0])
            row.append(block.reshape(shape))
        blocks.append(row)
    return np.block(blocks), slope
