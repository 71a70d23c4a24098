"""The published numbers of reachable maps, and maps whose number is known."""

from __future__ import annotations

import numpy as np
import pytest

from schur.decompositions import Expressivity, expressivity, interactions
from schur.decompositions.expressivity import _rank
from schur.errors import FormError, NumberError
from schur.products import convolution, fully_connected, gaunt, normalised, tensor_product
from schur.reps import Irreps

# Xie et al. (2025): all couplings to degree L, those of even degree sum, weights of a Gaunt
# product up to the two scalings that cancel.
PUBLISHED = [
    (1, 5, 4, 4),
    (2, 15, 11, 7),
    (3, 34, 23, 10),
    (4, 65, 42, 13),
    (5, 111, 69, 16),
    (6, 175, 106, 19),
]


@pytest.mark.parametrize(("lmax", "full", "even", "weights"), PUBLISHED)
def test_published_numbers(lmax: int, full: int, even: int, weights: int) -> None:
    harmonics = Irreps.spherical_harmonics(lmax)
    method = "grid" if lmax <= 3 else "coefficients"  # one map, and the second is quick to run
    product = gaunt(harmonics, harmonics, harmonics, method)
    assert expressivity(product.program) == Expressivity(even, weights)
    for rep, expected in ((Irreps.spherical_harmonics(lmax, 1), full), (harmonics, even)):
        lines = normalised(rep, rep, rep, fully_connected(rep, rep, rep))
        program = tensor_product(rep, rep, rep, lines)
        assert expressivity(program) == Expressivity(expected, expected)


def test_a_program_without_weights_is_one_map() -> None:
    rep = Irreps("1o")
    program = gaunt(rep, rep, Irreps("2e"), weight=None).program
    assert expressivity(program) == Expressivity(1, 0)
    table = interactions(program, rep, rep, Irreps("2e"))
    assert table.shape == (1, 1, 1) and table.all()


def test_gathered_operands_count_row_by_row() -> None:
    program, rep_out, lines = convolution(Irreps("2x0e+2x1o"), Irreps("0e+1o"), Irreps("0e+1o"))
    assert expressivity(program) == Expressivity(2 * len(lines), 2 * len(lines))
    table = interactions(program, Irreps("2x0e+2x1o"), Irreps("0e+1o"), rep_out)
    assert {tuple(triple) for triple in np.argwhere(table).tolist()} == {
        (line.i_in1, line.i_in2, line.i_out) for line in lines
    }


def test_unclear_ranks_and_names_are_refused() -> None:
    with pytest.raises(NumberError, match="not certain"):
        _rank(np.array([[1.0, 0.0], [1.0, 1e-9]]))
    assert _rank(np.array([[1.0, 0.0], [1.0, 1e-6]])) == 2
    assert _rank(np.zeros((3, 2))) == 0
    with pytest.raises(FormError, match="no input"):
        expressivity(gaunt(Irreps("0e"), Irreps("0e"), Irreps("0e")).program, ("x", "z"))
