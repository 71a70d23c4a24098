"""Tucker decompositions: exact where nothing is cut off, and within the known bounds elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

from schur.decompositions import trilinear, tucker
from schur.errors import FormError
from schur.forms import Block, Factor, Form, Operand, Path, evaluate
from schur.products import gaunt
from schur.reps import Irreps
from schur.testing import assert_agrees_with_oracle

EPS = float(np.finfo(np.float64).eps)


def dense(tensor: np.ndarray) -> Form:
    operands = tuple(
        Operand(name, (Block(n),)) for name, n in zip(("x", "y", "out"), tensor.shape, strict=True)
    )
    return Form(operands, (Path.dense([Factor(o.name) for o in operands], tensor),))


def planted(ranks: tuple[int, int, int], noise: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(0)
    factors = [rng.standard_normal((n, r)) for n, r in zip((6, 5, 7), ranks, strict=True)]
    core = rng.standard_normal(ranks)
    tensor = np.einsum("rst,ir,js,kt->ijk", core, *factors, optimize=True)
    return tensor + noise * rng.standard_normal(tensor.shape)


@pytest.mark.parametrize("ranks", [(1, 1, 1), (2, 3, 4), (6, 5, 7), (2, 2, 3)])
def test_planted_ranks_are_found(ranks: tuple[int, int, int]) -> None:
    found = tucker(dense(planted(ranks)))
    assert found.ranks == ranks
    assert found.error <= 32 * EPS
    for factor in found.factors:
        assert np.abs(factor.T @ factor - np.eye(factor.shape[1])).max() <= 32 * EPS


@pytest.mark.parametrize("tolerance", [1e-1, 1e-2, 1e-3])
def test_the_tolerance_is_kept(tolerance: float) -> None:
    tensor = planted((2, 3, 4), noise=1e-2)
    assert tucker(dense(tensor), tolerance=tolerance).error <= tolerance


def test_given_ranks_are_between_the_known_bounds() -> None:
    """No better than any unfolding's own truncation, no worse than all three together."""
    tensor = planted((3, 3, 4), noise=0.5)
    ranks = (2, 3, 2)
    tails = []
    for axis, rank in enumerate(ranks):
        unfolded = np.moveaxis(tensor, axis, 0).reshape(tensor.shape[axis], -1)
        tails.append(np.linalg.norm(np.linalg.svd(unfolded, compute_uv=False)[rank:]))
    error = tucker(dense(tensor), ranks=ranks).error * np.linalg.norm(tensor)
    assert max(tails) <= error <= np.linalg.norm(tails)


def test_the_program_has_the_stated_error() -> None:
    tensor = planted((2, 3, 4), noise=1e-2)
    for ranks in ((2, 3, 4), (1, 2, 2)):
        found = tucker(dense(tensor), ranks=ranks)
        i, j = (index.reshape(-1) for index in np.indices(tensor.shape[:2]))
        values = {"x": np.eye(6)[i], "y": np.eye(5)[j]}
        made = evaluate(found.program, values)["out"].reshape(tensor.shape)
        error = np.linalg.norm(made - tensor) / np.linalg.norm(tensor)
        assert error == pytest.approx(found.error, rel=1e-9)
        assert_agrees_with_oracle(found.program, "torch", order=1)


def test_parts_of_a_gaunt_product_that_are_not_read_drop_out() -> None:
    """Two functions of degree 1 and 2 make a number from nothing but their common degrees."""
    rep1, rep2 = Irreps("0e+1o"), Irreps("0e+1o+2e")
    product = gaunt(rep1, rep2, Irreps("0e"), "coefficients", None)
    form = next(s.form for s in product.program.statements if s.target == "algebra")
    assert trilinear(form, "algebra").tensor.shape == (4, 9, 1)
    assert tucker(form, "algebra").ranks == (4, 4, 1)


def test_ranks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(FormError, match="ranks do not fit"):
        tucker(dense(np.ones((2, 2, 2))), ranks=(1, 3, 1))
