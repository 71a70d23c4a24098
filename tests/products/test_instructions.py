"""Paths, shapes and coefficients against e3nn, and errors for what does not couple."""

from __future__ import annotations

from typing import Any

import e3nn.o3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schur.errors import RepresentationError
from schur.products import channelwise, cut_columns, elementwise, full, fully_connected, normalised
from schur.reps import Irreps

o3: Any = e3nn.o3  # whose annotations do not allow strings, as its functions do

Terms = list[tuple[int, tuple[int, int]]]
terms = st.lists(
    st.tuples(st.integers(0, 4), st.tuples(st.integers(0, 3), st.sampled_from([1, -1]))),
    min_size=1,
    max_size=4,
)

A, B, OUT = Irreps("3x0e+3x1o+2x2e"), Irreps("3x1o+2x0e"), Irreps("3x1o+3x0e+9x1o+3x1e+1x0e+5x2o")
CASES: list[tuple[int, int, int, Any, bool, float]] = [
    (0, 0, 0, "uvu", True, 1.0),
    (0, 0, 0, "uvv", True, 2.0),
    (1, 0, 1, "uuu", False, 1.0),
    (0, 0, 2, "uvuv", True, 1.0),
    (1, 0, 3, "uvu<v", True, 0.5),
    (1, 0, 4, "uuw", False, 1.0),
    (2, 0, 5, "uvw", True, 1.0),
    (1, 1, 0, "uvu", True, 1.0),
]


@pytest.mark.parametrize("irrep", ["component", "norm", "none"])
@pytest.mark.parametrize("path", ["element", "path", "none"])
@pytest.mark.parametrize("variances", [False, True])
def test_coefficients_are_those_of_e3nn(irrep: Any, path: Any, variances: bool) -> None:
    cases = [case for case in CASES if case[3] != "uvw"] + [(2, 1, 5, "uvw", True, 1.0)]
    out = Irreps([*OUT[:5], (5, "2e")])
    given: dict[str, Any] = {}
    if variances:
        given = {"in1_var": [1.0, 2.0, 0.5], "in2_var": [3.0, 1.0], "out_var": [0.3] * 6}
    ours = normalised(A, B, out, cases, irrep_normalization=irrep, path_normalization=path, **given)
    theirs = o3.TensorProduct(
        str(A), str(B), str(out), cases, irrep_normalization=irrep, path_normalization=path, **given
    )
    for one, other in zip(ours, theirs.instructions, strict=True):
        assert one.path_shape == tuple(other.path_shape)
        assert one.path_weight == pytest.approx(other.path_weight, rel=4e-16)


@given(terms, terms, terms)
def test_fully_connected_paths_are_those_of_e3nn(a: Terms, b: Terms, c: Terms) -> None:
    first, second, out = Irreps(a), Irreps(b), Irreps(c)
    theirs = o3.FullyConnectedTensorProduct(
        str(first), str(second), str(out), compile_left_right=False
    )
    ours = normalised(first, second, out, fully_connected(first, second, out))
    # e3nn drops what has no channels only when it generates code.
    assert [line[:5] for line in ours] == [tuple(line)[:5] for line in theirs.instructions]
    assert np.allclose(
        [line.path_weight for line in ours],
        [line.path_weight for line in theirs.instructions],
        rtol=1e-15,
    )


@given(terms, terms)
def test_full_and_elementwise_outputs_are_those_of_e3nn(a: Terms, b: Terms) -> None:
    first, second = Irreps(a).simplify(), Irreps(b).simplify()
    theirs = o3.FullTensorProduct(str(first), str(second), compile_left_right=False)
    rep, lines = full(first, second)
    assert str(rep) == str(theirs.irreps_out)
    assert [line[:3] for line in lines] == [tuple(line)[:3] for line in theirs.instructions]
    if first.num_irreps == second.num_irreps:
        other = o3.ElementwiseTensorProduct(str(first), str(second), compile_left_right=False)
        assert str(elementwise(first, second)[2]) == str(other.irreps_out)


@given(terms, terms)
def test_full_keeps_dimension(a: Terms, b: Terms) -> None:
    first, second = Irreps(a), Irreps(b)
    assert full(first, second)[0].dim == first.dim * second.dim


def test_channelwise_order_is_in1_in2_degree() -> None:
    rep, lines = channelwise(Irreps("4x0e+4x1o"), Irreps("0e+1o"), Irreps("0e+1o+1e+2e"))
    assert str(rep) == "4x0e+4x1o+4x1o+4x0e+4x1e+4x2e"
    assert [line[:3] for line in lines] == [
        (0, 0, 0),
        (0, 1, 1),
        (1, 0, 2),
        (1, 1, 3),
        (1, 1, 4),
        (1, 1, 5),
    ]


@given(terms)
def test_cut_columns_undo_the_joining(division: Terms) -> None:
    cut = Irreps(division)
    rep = cut.simplify()
    columns = cut_columns(rep, cut)
    assert sorted(columns) == list(range(rep.dim))
    # Each irrep stays whole: in e3nn's layout a finer division changes nothing.
    x = np.arange(rep.dim)
    assert np.array_equal(cut.to_e3nn(x[columns]), rep.to_e3nn(x))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ((0, 0, 1, "uvw", True), "do not couple"),
        ((5, 0, 0, "uvw", True), "i_in1"),
        ((0, -1, 0, "uvw", True), "i_in2"),
        ((0, 0, 9, "uvw", True), "i_out"),
        ((0, 0, 0, "uwv", True), "connection_mode"),
        ((2, 0, 0, "uuu", True), "multiplicit"),
        ((1, 1, 0, "uvu", True, -1.0), "negative"),
        ((1, 1, 0, "uvw", False), "needs weights"),
        ((0, 0, 0), "five or six"),
    ],
)
def test_errors(line: tuple[Any, ...], message: str) -> None:
    with pytest.raises(RepresentationError, match=message):
        normalised(A, B, OUT, [line])


def test_errors_of_options() -> None:
    line = [(1, 1, 0, "uvu", True)]
    with pytest.raises(RepresentationError, match="irrep_normalization"):
        normalised(A, B, OUT, line, irrep_normalization="integral")
    with pytest.raises(RepresentationError, match="in1_var"):
        normalised(A, B, OUT, line, in1_var=[1.0])
    with pytest.raises(RepresentationError, match="as many irreps"):
        elementwise(Irreps("2x0e"), Irreps("3x0e"))
    with pytest.raises(RepresentationError, match="divide"):
        cut_columns(Irreps("2x0e"), Irreps("3x0e"))
