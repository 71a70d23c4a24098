"""Products of 3 x 3 matrices: TensorNet's, written out, and what they reach."""

from __future__ import annotations

import numpy as np
import pytest

from schur.decompositions import expressivity
from schur.errors import RepresentationError
from schur.forms import evaluate
from schur.products import cartesian, normalised, tensor_product
from schur.reps import Irreps, clebsch_gordan

EPS = np.finfo(float).eps
NATURAL = Irreps("2x0e+2x1o+2x2e")
EVERY = Irreps("2x0e+2x0o+2x1o+2x1e+2x2e+2x2o")


def matrices(rep: Irreps, x: np.ndarray) -> np.ndarray:
    """I + A + S from scalars, vectors and degree 2, in formulas of their own: (rows, 2, 3, 3)."""
    scalar, vector, second = (
        x[:, where].reshape(len(x), -1, 2).transpose(0, 2, 1) for where in rep.slices()
    )
    cross = np.zeros((*vector.shape[:2], 3, 3))
    for i, j, k in [(0, 1, 2), (1, 2, 0), (2, 0, 1)]:
        cross[..., i, j], cross[..., j, i] = vector[..., k], -vector[..., k]
    # xz, xy, 2y²-x²-z², yz, z²-x² : e3nn's order of degree 2
    a, b, c, d, e = np.moveaxis(second, -1, 0)
    third = c / np.sqrt(6)
    h = 1 / np.sqrt(2)
    symmetric = np.stack(
        [
            np.stack([-third - h * e, h * b, h * a], -1),
            np.stack([h * b, 2 * third, h * d], -1),
            np.stack([h * a, h * d, h * e - third], -1),
        ],
        -2,
    )
    return scalar[..., None] * np.eye(3) / np.sqrt(3) + h * cross + symmetric


def given(seed: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = np.random.default_rng(seed).standard_normal((2, 5, NATURAL.dim))
    return x, y


def test_is_the_symmetrised_matrix_product() -> None:
    x, y = given(0)
    product = cartesian(NATURAL, NATURAL, NATURAL, weight=None)
    out = evaluate(product.program, {"x": x, "y": y})["out"]
    X, Y, found = matrices(NATURAL, x), matrices(NATURAL, y), matrices(NATURAL, out)
    expected = X @ Y + Y @ X
    error = np.abs(found - expected).max()
    assert error <= 32 * EPS * np.abs(expected).max()


def test_one_order_alone_breaks_reflections() -> None:
    """Transposition stands for inversion: X Y + Y X commutes with it, X Y does not at all."""
    x, y = given(1)
    X, Y = matrices(NATURAL, x), matrices(NATURAL, y)

    def error(product: np.ndarray, mirrored: np.ndarray) -> float:
        return float(np.abs(np.swapaxes(product, -1, -2) - mirrored).max() / np.abs(product).max())

    XT, YT = np.swapaxes(X, -1, -2), np.swapaxes(Y, -1, -2)
    assert error(X @ Y + Y @ X, XT @ YT + YT @ XT) <= 8 * EPS
    assert error(X @ Y, XT @ YT) > 0.5


@pytest.mark.parametrize("rep", [NATURAL, Irreps("2x0e+2x1e+2x2e"), EVERY], ids=str)
@pytest.mark.parametrize("sign", [1, -1])
def test_equivariance(rep: Irreps, sign: int) -> None:
    product = cartesian(rep, rep, rep)
    rng = np.random.default_rng(2)
    R = np.linalg.qr(rng.standard_normal((3, 3)))[0]
    D = rep.matrix(R * np.sign(np.linalg.det(R)) * sign)
    x, y = rng.standard_normal((2, 4, rep.dim))
    weight = rng.standard_normal(product.program.values["weight"].size)
    before = evaluate(product.program, {"x": x, "y": y, "weight": weight})["out"]
    moved = {"x": x @ D.T, "y": y @ D.T, "weight": weight}
    after = evaluate(product.program, moved)["out"]
    assert np.abs(after - before @ D.T).max() <= 64 * EPS * np.abs(before).max()


def test_each_coupling_is_a_multiple_of_the_only_one() -> None:
    """Schur's lemma: single paths are Clebsch-Gordan paths; the factor is nowhere zero."""
    rng = np.random.default_rng(3)
    for a in EVERY:
        for b in EVERY:
            for c in [term for term in EVERY if term.ir in tuple(a.ir * b.ir)]:
                reps = [Irreps([(1, term.ir)]) for term in (a, b, c)]
                x, y = rng.standard_normal((3, a.ir.dim)), rng.standard_normal((3, b.ir.dim))
                program = cartesian(*reps, weight=None).program
                out = evaluate(program, {"x": x, "y": y})["out"]
                C = clebsch_gordan(a.ir.l, b.ir.l, c.ir.l)
                expected = np.einsum("ijk,zi,zj->zk", C, x, y)
                factor = (out * expected).sum() / (expected**2).sum()
                assert abs(factor) > 0.5
                error = np.abs(out - factor * expected).max()
                assert error <= 32 * EPS * abs(factor) * np.abs(expected).max()


def test_what_it_expresses() -> None:
    """The even couplings of degree 2 with vectors, all of them where pseudovectors may come out."""
    rep = Irreps("0e+1o+2e")
    counted = expressivity(cartesian(rep, rep, rep).program)
    assert (counted.span, counted.freedom) == (11, 7)
    assert cartesian(rep, rep, rep).missing == ()
    odd = Irreps("1e+2o")
    assert expressivity(cartesian(rep, rep, odd).program).span == 4
    assert cartesian(rep, rep, odd).missing == ()
    paths = [(i, j, k, "uuu", True) for i in range(3) for j in range(3) for k in range(3)]
    coupled = [p for p in paths if rep[p[2]].ir in tuple(rep[p[0]].ir * rep[p[1]].ir)]
    full = tensor_product(rep, rep, rep, normalised(rep, rep, rep, coupled))
    assert expressivity(full).span == 11


def test_two_vectors_have_no_vector_product_among_vectors() -> None:
    vectors = Irreps("4x1o")
    with pytest.raises(RepresentationError, match="degrees up to 2"):
        cartesian(vectors, vectors, Irreps("4x3o"))
    x, y = np.random.default_rng(4).standard_normal((2, 3, 3))
    single = Irreps("1o"), Irreps("1o"), Irreps("1e")
    out = evaluate(cartesian(*single, weight=None).program, {"x": x, "y": y})["out"]
    ratio = out / np.cross(x, y)
    assert np.abs(ratio - ratio[0, 0]).max() <= 64 * EPS and abs(ratio[0, 0]) > 0.5


def test_errors() -> None:
    with pytest.raises(RepresentationError, match="channel by channel"):
        cartesian(Irreps("2x0e+3x1o"), NATURAL, NATURAL)
    with pytest.raises(RepresentationError, match="several"):
        cartesian(NATURAL, NATURAL, Irreps("0e"))
