"""Irreps as values: notation, arithmetic and layout, held against e3nn 0.6."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from e3nn import o3 as typed_o3
from hypothesis import given
from hypothesis import strategies as st

from schur.errors import RepresentationError, ShapeError
from schur.forms import Block
from schur.reps import Irrep, Irreps, MulIrrep

# The annotations of e3nn's constructors name types that they do not return.
o3: Any = typed_o3

irrep_pairs = st.tuples(st.integers(0, 6), st.sampled_from([-1, 1]))
term_lists = st.lists(st.tuples(st.integers(0, 5), irrep_pairs), max_size=6)


def both(terms: list) -> tuple[Irreps, Any]:
    return Irreps(terms), o3.Irreps(terms)


class TestAgainstE3nn:
    @given(term_lists)
    def test_notation_and_numbers(self, terms: list) -> None:
        ours, theirs = both(terms)
        assert str(ours) == str(theirs) and Irreps(str(theirs)) == ours == Irreps(theirs)
        assert ours.dim == theirs.dim and ours.num_irreps == theirs.num_irreps
        assert ours.ls == theirs.ls and ours.slices() == theirs.slices()
        if ours.num_irreps:
            assert ours.lmax == theirs.lmax

    @given(term_lists)
    def test_rearrangements(self, terms: list) -> None:
        ours, theirs = both(terms)
        assert str(ours.simplify()) == str(theirs.simplify())
        assert str(ours.regroup()) == str(theirs.regroup())
        assert str(ours.remove_zero_multiplicities()) == str(theirs.remove_zero_multiplicities())
        mine, reference = ours.sort(), theirs.sort()
        assert (str(mine.irreps), mine.p, mine.inv) == (
            str(reference.irreps),
            tuple(reference.p),
            tuple(reference.inv),
        )

    @given(term_lists, irrep_pairs, st.integers(0, 6))
    def test_queries_and_filters(self, terms: list, ir: tuple, lmax: int) -> None:
        ours, theirs = both(terms)
        name = str(Irrep(ir))
        assert ours.count(name) == theirs.count(name) and (name in ours) == (name in theirs)
        # As a list: given a string, e3nn 0.6.0 compares irreps with degrees and keeps nothing.
        listed = [o3.Irrep(name)]
        for kept in (name, Irrep(name), [name], MulIrrep(1, name), Irreps(name)):
            assert str(ours.filter(keep=kept)) == str(theirs.filter(keep=listed))
            assert str(ours.filter(drop=kept)) == str(theirs.filter(drop=listed))
        assert str(ours.filter(lmax=lmax)) == str(theirs.filter(lmax=lmax))
        even = ours.filter(lambda term: term.ir.p == 1)
        assert str(even) == str(theirs.filter(lambda term: term.ir.p == 1))

    @given(term_lists, term_lists, st.integers(0, 3))
    def test_arithmetic(self, terms: list, others: list, times: int) -> None:
        ours, theirs = both(terms)
        more, theirs_more = both(others)
        assert str(ours + more) == str(theirs + theirs_more)
        assert str(ours * times) == str(theirs * times) == str(times * ours)
        assert str(ours[1:]) == str(theirs[1:])

    @given(irrep_pairs, irrep_pairs)
    def test_products_of_irreps(self, first: tuple, second: tuple) -> None:
        theirs = list(map(str, o3.Irrep(*first) * o3.Irrep(*second)))
        assert list(map(str, Irrep(first) * Irrep(second))) == theirs

    @given(term_lists)
    def test_layout(self, terms: list) -> None:
        # The meaning of the layouts: e3nn's blocks are (mul, 2l+1), ours are (2l+1, mul).
        ours, _ = both(terms)
        x = np.random.default_rng(0).standard_normal((2, ours.dim))
        blocks = [
            np.swapaxes(x[:, where].reshape(2, term.mul, term.ir.dim), 1, 2).reshape(2, -1)
            for term, where in zip(ours, ours.slices(), strict=True)
        ]
        expected = np.concatenate([np.zeros((2, 0)), *blocks], axis=1)
        np.testing.assert_array_equal(ours.from_e3nn(x), expected)
        np.testing.assert_array_equal(ours.to_e3nn(expected), x)

    def test_layout_of_torch_tensors(self) -> None:
        x = torch.arange(6.0)
        assert torch.equal(Irreps("2x1o").from_e3nn(x), x.reshape(2, 3).T.reshape(-1))

    def test_spherical_harmonics(self) -> None:
        for p in (1, -1):
            theirs = o3.Irreps.spherical_harmonics(5, p)
            assert str(Irreps.spherical_harmonics(5, p)) == str(theirs)


class TestValues:
    def test_every_way_of_writing(self) -> None:
        rep = Irreps("64x0e + 32x1o")
        same = [
            Irreps([(64, (0, 1)), (32, (1, -1))]),
            Irreps(["64x0e", (32, "1o")]),
            Irreps([MulIrrep(64, "0e"), (32, Irrep(1, -1))]),
            Irreps(" 64 x 0e+32x1y "),
            Irreps(rep),
        ]
        assert all(other == rep and hash(other) == hash(rep) for other in same)
        assert rep == "64x0e+32x1o" and rep != "64x0e" and rep != "nonsense" and rep != 3
        assert Irreps(Irrep("1o")) == Irreps("1o") == Irrep("1o") and Irreps() == "" == Irreps(None)

    def test_unpacking(self) -> None:
        assert [(mul, degree, p) for mul, (degree, p) in Irreps("2x0e+3x1o")] == [
            (2, 0, 1),
            (3, 1, -1),
        ]
        assert Irreps("2x0e+3x1o")[-1] == MulIrrep(3, "1o") == (3, Irrep("1o"))

    def test_operators_of_single_irreps(self) -> None:
        assert 3 * Irrep("1o") == "3x1o" and Irrep("1o") + "2e" == "1o+2e"
        assert "0e" + Irreps("1o") == "0e+1o"
        assert Irrep("0e") < Irrep("1o") and Irrep("1o") == (1, -1) and Irrep("1o") == "1o"
        assert Irrep("1o") != "1e"
        assert Irrep("0e").is_scalar() and not Irrep("0o").is_scalar()

    @given(term_lists)
    def test_copies_and_pickles_are_equal(self, terms: list) -> None:
        rep = Irreps(terms)
        assert copy.deepcopy(rep) == rep == pickle.loads(pickle.dumps(rep))
        assert pickle.loads(pickle.dumps(tuple(rep))) == tuple(rep)

    def test_nothing_can_be_assigned(self) -> None:
        for value in (Irreps("1o"), Irrep("1o"), MulIrrep(1, "1o")):
            with pytest.raises(AttributeError):
                value.l = 2  # type: ignore[union-attr]

    def test_blocks(self) -> None:
        expected = (Block(1, (64,), "0e"), Block(3, (32,), "1o"))
        assert Irreps("64x0e + 32x1o").blocks() == expected


MALFORMED = [
    *("1", "x1o", "-2x1o", "2x-1o", "1o+", "1o 2e", "1.5x1o", "2x3x1o", "1ö"),
    *([(-1, "0e")], [(True, "0e")], [(1.0, "0e")], [(1, (0, 2))], [(1, (-1, 1))]),
    *(3, [None], [(1, 2, 3)]),
]


@pytest.mark.parametrize("wrong", MALFORMED, ids=repr)
def test_malformed_descriptions_are_refused(wrong: object) -> None:
    with pytest.raises(RepresentationError, match=r"got: .*\n *expected: "):
        Irreps(wrong)


def test_misuse_is_refused() -> None:
    with pytest.raises(RepresentationError):
        Irrep("vector")
    with pytest.raises(RepresentationError):
        _ = Irreps("0x1o").lmax
    with pytest.raises(RepresentationError, match="one criterion"):
        Irreps("1o").filter(keep="1o", lmax=1)
    with pytest.raises(ShapeError):
        Irreps("1o").to_e3nn(np.zeros(4))
