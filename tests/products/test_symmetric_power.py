"""Bases of equivariant polynomials: dimension, equivariance, orthonormality, MACE's tensors."""

from __future__ import annotations

from itertools import combinations_with_replacement

import e3nn.o3
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import block_diag

from schur.errors import RepresentationError, ShapeError
from schur.forms import evaluate
from schur.harmonics.wigner import wigner_d
from schur.products import SymmetricBasis, symmetric_basis, symmetric_contraction
from schur.reps import Irrep, Irreps

SH3 = Irreps("0e+1o+2e+3o")
EPS = np.finfo(float).eps

single = st.lists(
    st.tuples(st.just(1), st.tuples(st.integers(0, 2), st.sampled_from([1, -1]))),
    min_size=1,
    max_size=3,
)


def multiplicity(rep: Irreps, irrep: Irrep, degree: int) -> int:
    """How often an irrep is contained in the symmetric power, by counting weights.

    The weights m of Sym^n are sums of the weights of the chosen basis vectors; an irrep of degree
    l has highest weight l, so its number is #(m = l) - #(m = l + 1).
    """
    vectors = [(m, ir.p) for _, ir in rep for m in range(-ir.l, ir.l + 1)]
    count = {irrep.l: 0, irrep.l + 1: 0}
    for chosen in combinations_with_replacement(vectors, degree):
        weight = sum(m for m, _ in chosen)
        parity = int(np.prod([p for _, p in chosen]))
        if parity == irrep.p and weight in count:
            count[weight] += 1
    return count[irrep.l] - count[irrep.l + 1]


def values(basis: SymmetricBasis, x: np.ndarray) -> np.ndarray:
    """All polynomials at one x, shape (basis, components)."""
    out = np.zeros((len(basis), basis.irrep_out.dim))
    for p, q in enumerate(basis.polynomials):
        np.add.at(out[p], q.components, q.coefficients * x[q.monomials].prod(1))
    return out


@given(single, st.integers(0, 2), st.sampled_from([1, -1]), st.integers(1, 3))
def test_the_basis_is_complete(
    terms: list[tuple[int, tuple[int, int]]], degree_out: int, parity: int, degree: int
) -> None:
    rep, irrep = Irreps(terms), Irrep(degree_out, parity)
    assert len(symmetric_basis(rep, irrep, degree)) == multiplicity(rep, irrep, degree)


@pytest.mark.parametrize("irrep", ["0e", "1o", "2e", "3o"])
@pytest.mark.parametrize("degree", [1, 2, 3])
def test_of_harmonics_to_degree_three(irrep: str, degree: int) -> None:
    basis = symmetric_basis(SH3, Irrep(irrep), degree)
    assert len(basis) == multiplicity(SH3, Irrep(irrep), degree)
    rng = np.random.default_rng(0)
    angles = rng.uniform(0, 3, 3)
    D_in = np.asarray(block_diag(*(wigner_d(ir.l, *angles) for _, ir in SH3)))
    D_out = wigner_d(Irrep(irrep).l, *angles)
    x = rng.standard_normal(SH3.dim)
    before, after = values(basis, x), values(basis, D_in @ x)
    size = np.abs(before).max()
    assert np.abs(after - before @ D_out.T).max() < 128 * EPS * size
    # The companion: without the rotation of the output it fails (but for scalars).
    if irrep != "0e":
        assert np.abs(after - before).max() > 1e-3 * size


@pytest.mark.parametrize("irrep", ["0e", "1o", "1e"])
def test_orthonormal_under_normal_numbers(irrep: str) -> None:
    """Fischer's product is that of the polynomials' leading parts: full contractions of U."""
    for degree in (1, 2, 3):
        basis = symmetric_basis(SH3, Irrep(irrep), degree)
        U = basis.dense().reshape(basis.irrep_out.dim * SH3.dim**degree, len(basis))
        gram = U.T @ U * [1, 1, 2, 6][degree] / basis.irrep_out.dim
        assert np.abs(gram - np.eye(len(basis))).max(initial=0) < 64 * EPS


def test_dense_gives_the_polynomials_back() -> None:
    basis = symmetric_basis(SH3, Irrep("1o"), 3)
    x = np.random.default_rng(1).standard_normal(SH3.dim)
    expected = np.einsum("mijkp,i,j,k->pm", basis.dense(), x, x, x)
    assert np.abs(values(basis, x) - expected).max() < 64 * EPS * np.abs(expected).max()


def mace_tensors(irrep: str, degree: int) -> np.ndarray:
    """The U tensors as MACE makes them: all ordered couplings, redundant and not symmetric."""
    found: list[np.ndarray] = []
    slices = SH3.slices()

    def couple(tensor: np.ndarray, reached: e3nn.o3.Irrep, left: int) -> None:
        if left == 0:
            if str(reached) == irrep:
                found.append(tensor)
            return
        for (_, ir), place in zip(e3nn.o3.Irreps(str(SH3)), slices, strict=True):
            for out in reached * ir:
                C = e3nn.o3.wigner_3j(reached.l, ir.l, out.l, dtype=torch.float64).numpy()
                wide = np.zeros((2 * reached.l + 1, SH3.dim, 2 * out.l + 1))
                wide[:, place] = C * out.dim**0.5
                couple(np.tensordot(tensor, wide, 1), out, left - 1)

    for (_, ir), place in zip(e3nn.o3.Irreps(str(SH3)), slices, strict=True):
        start = np.zeros((SH3.dim, ir.dim))
        start[place] = np.eye(ir.dim)
        couple(start, ir, degree - 1)
    return np.moveaxis(np.stack(found, -1), -2, 0)


@pytest.mark.parametrize(("irrep", "columns"), [("0e", 23), ("1o", 51)])
def test_change_of_basis_from_mace(irrep: str, columns: int) -> None:
    """The same function of x for weights of MACE and of this basis; MACE's span is the whole."""
    U = mace_tensors(irrep, 3)
    assert U.shape[-1] == columns
    basis = symmetric_basis(SH3, Irrep(irrep), 3)
    A = basis.coordinates(U)
    assert np.linalg.matrix_rank(A) == len(basis)
    rng = np.random.default_rng(2)
    x, w = rng.standard_normal(SH3.dim), rng.standard_normal(columns)
    theirs = np.einsum("mijkp,i,j,k,p->m", U, x, x, x, w)
    ours = (A @ w) @ values(basis, x)
    assert np.abs(theirs - ours).max() < 1e-12 * np.abs(theirs).max()


def test_terms_of_the_contraction_of_mace() -> None:
    """The dense U tensors of W8 hold 726,592 numbers."""
    rep = Irreps("128x0e+128x1o+128x2e+128x3o")
    program = symmetric_contraction(rep, Irreps("128x0e+128x1o"), 3)
    assert program.statements[0].form.terms == 500


def test_the_program_is_the_weighted_sum() -> None:
    rep, out = Irreps("2x0e+2x1o"), Irreps("2x0e+2x1o")
    program = symmetric_contraction(rep, out, 2)
    rng = np.random.default_rng(3)
    x, which = rng.standard_normal((4, 4, 2)), np.array([0, 2, 2, 1])
    weight = rng.standard_normal((3, program.values["weight"].size))
    found = evaluate(program, {"x": x.reshape(4, -1), "weight": weight}, {"species": which})[
        "out"
    ].reshape(4, 4, 2)
    single = Irreps("0e+1o")
    expected = np.zeros((4, 4, 2))
    for n in range(4):
        for u in range(2):
            taken = 0
            for irrep, rows in (("0e", slice(0, 1)), ("1o", slice(1, 4))):
                for degree in (1, 2):
                    basis = symmetric_basis(single, Irrep(irrep), degree)
                    w = weight[which[n], taken : taken + 2 * len(basis)].reshape(-1, 2)[:, u]
                    expected[n, rows, u] += w @ values(basis, x[n, :, u])
                    taken += 2 * len(basis)
    assert np.abs(found - expected).max() < 64 * EPS * np.abs(expected).max()


def test_errors() -> None:
    basis = symmetric_basis(SH3, Irrep("1o"), 2)
    with pytest.raises(RepresentationError, match="at least 1"):
        symmetric_basis(SH3, Irrep("0e"), 0)
    with pytest.raises(ShapeError, match="U has"):
        basis.coordinates(np.zeros((3, 4, 4, 1)))
    with pytest.raises(RepresentationError, match="not an equivariant map"):
        basis.coordinates(np.random.default_rng(0).standard_normal((3, 16, 16, 2)))
    with pytest.raises(RepresentationError, match="channel by channel"):
        symmetric_contraction(Irreps("2x0e+3x1o"), Irreps("2x0e"), 2)
    with pytest.raises(RepresentationError, match="no product"):
        symmetric_contraction(Irreps("2x0e"), Irreps("2x1o"), 3)
