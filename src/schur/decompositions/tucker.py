"""Tucker decomposition: a small core tensor between orthonormal factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from schur.decompositions.trilinear import Tensor, factored_program, trilinear
from schur.errors import FormError
from schur.forms import Factor, Form, Path, Program

# Below this share of the norm a core entry is rounding; it is set to zero and costs no term.
_ROUNDING = 1e-15
_SWEEPS = 20


@dataclass(frozen=True, eq=False)
class Tucker:
    """T_ijk ≈ Σ_rst G_rst A_ir B_js C_kt.

    Args:
        core: G.
        factors: A, B, C, of orthonormal columns.
        error: the Frobenius norm of the difference over that of T, measured, not estimated.
        program: the equivalent program: transform, multiply by the core, transform back.
    """

    core: Float64[np.ndarray, "r s t"]
    factors: tuple[Float64[np.ndarray, "_ _"], ...]
    error: float
    program: Program

    @property
    def ranks(self) -> tuple[int, ...]:
        """The dimensions of the core."""
        return self.core.shape


def tucker(
    form: Form,
    out: str = "out",
    ranks: tuple[int, int, int] | None = None,
    tolerance: float = 1e-12,
) -> Tucker:
    """The Tucker decomposition of a trilinear form.

    Columns of the factors are leading singular vectors of the three unfoldings; where they are
    cut off they are improved in turn, each the best for the other two.

    Args:
        form: on three operands; weights belong on its operands, not inside.
        out: which operand is open.
        ranks: dimensions of the core; if not given the smallest for which each unfolding keeps all
            but a share of the norm that adds up to `tolerance` at most.
        tolerance: the error allowed if no ranks are given.

    Raises:
        FormError: if the form is not trilinear or ranks do not fit it.

    Source: De Lathauwer, De Moor, Vandewalle, SIAM J. Matrix Anal. Appl. 21, 1253 (2000), for the
    singular vectors, and 21, 1324 (2000), for the iteration.

    Example:
        >>> from schur.products import gaunt
        >>> from schur.reps import Irreps
        >>> rep = Irreps("0e+1o")
        >>> product = gaunt(rep, rep, Irreps("0e"), "coefficients", None)
        >>> tucker(product.program.statements[2].form, "algebra").ranks
        (4, 4, 1)
    """
    given = trilinear(form, out)
    size = float(np.linalg.norm(given.tensor))
    factors = [_leading(given.tensor, axis, None, size * tolerance / 3**0.5) for axis in range(3)]
    if ranks is not None:
        if any(not 1 <= r <= n for r, n in zip(ranks, given.tensor.shape, strict=True)):
            raise FormError("ranks do not fit", got=ranks, expected=f"up to {given.tensor.shape}")
        factors = [_leading(given.tensor, axis, ranks[axis], 0.0) for axis in range(3)]
        for _ in range(_SWEEPS):
            for axis in range(3):
                others = [None if k == axis else factors[k] for k in range(3)]
                factors[axis] = _leading(_contracted(given.tensor, others), axis, ranks[axis], 0.0)
    core = _contracted(given.tensor, factors)
    core = np.where(np.abs(core) > _ROUNDING * size, core, 0.0)
    A, B, C = factors
    rebuilt = np.einsum("rst,ir,js,kt->ijk", core, A, B, C, optimize=True)
    error = float(np.linalg.norm(given.tensor - rebuilt)) / (size or 1.0)
    where = np.argwhere(core)
    path = Path([Factor(name) for name in "abc"], where, core[tuple(where.T)])
    return Tucker(core, tuple(factors), error, factored_program(given, factors, path))


def _leading(
    tensor: Tensor, axis: int, rank: int | None, allowed: float
) -> Float64[np.ndarray, "n rank"]:
    """Leading left singular vectors of an unfolding: so many, or until the rest is small."""
    unfolded = np.moveaxis(tensor, axis, 0).reshape(tensor.shape[axis], -1)
    vectors, values, _ = np.linalg.svd(unfolded, full_matrices=False)
    if rank is None:
        rest = np.sqrt(np.cumsum(values[::-1] ** 2))[::-1]
        rank = max(1, int((rest > allowed).sum()))
    if vectors.shape[1] < rank:  # an unfolding of fewer columns than the rank: fill up
        vectors = np.linalg.svd(unfolded, full_matrices=True)[0]
    return vectors[:, :rank]


def _contracted(tensor: Tensor, factors: Sequence[np.ndarray | None]) -> Tensor:
    """The tensor times the transpose of each factor that is given."""
    for axis, factor in enumerate(factors):
        if factor is not None:
            tensor = np.moveaxis(np.tensordot(factor.T, tensor, (1, axis)), 0, axis)
    return tensor
