"""The planner: what is asked is what is got, and what falls short says so."""

from __future__ import annotations

import pytest

from schur.errors import RepresentationError
from schur.forms import Program
from schur.products import Needs, Plan, plan
from schur.reps import Irreps

NATURAL = Irreps("2x0e+2x1o+2x2e")
HARMONICS = Irreps("0e+1o+2e")


def obstacles(found: Plan) -> dict[str, str]:
    return {candidate.name: candidate.obstacle for candidate in found.candidates}


def test_everything_asked_is_within_reach_of_what_is_taken() -> None:
    for needs in (Needs(), Needs("even"), Needs("even", "term"), Needs("all", "term")):
        found = plan(NATURAL, NATURAL, None, needs)
        assert not found.chosen.obstacle
        assert found.chosen.reached == len(found.asked)
        if needs.weights == "path":
            assert found.chosen.freedom >= len(found.asked)


def test_fewer_weights_are_never_taken_for_free_ones() -> None:
    """Gaunt and Cartesian products are cheaper and are named, with what they lack."""
    why = obstacles(plan(NATURAL, NATURAL, NATURAL))
    assert why["Clebsch-Gordan"] == ""
    for name in ("Gaunt, grid", "Gaunt, Fourier", "matrix product", "Cartesian"):
        assert "for each term" in why[name]
    assert "direction" in why["SO(2)"]
    few = plan(NATURAL, NATURAL, NATURAL, Needs(weights="term"))
    assert not obstacles(few)["Cartesian"] and few.chosen.name == "Cartesian"


def test_a_cross_product_is_never_given_up() -> None:
    vectors = Irreps("2x1o")
    why = obstacles(plan(vectors, vectors, Irreps("2x0e+2x1e"), Needs(weights="term")))
    assert why["Gaunt, grid"] == "1e cannot come out of this product"
    assert why["matrix product"] == why["Cartesian"] == ""
    more = Irreps("2x0e+2x1o+2x1e")
    why = obstacles(plan(more, more, vectors, Needs(weights="term")))
    assert why["Gaunt, grid"] == "does not reach 1o x 1e -> 1o and 1 more"
    even = plan(vectors, vectors, Irreps("2x0e+2x2e"), Needs("even", "term"))
    assert obstacles(even)["Gaunt, grid"] == ""


def test_known_freedoms() -> None:
    """Vectors' couplings 4, 11, 23 and 4, 7, 10 weights of Gaunt products to l = 1, 2, 3."""
    for lmax, paths, gaunt in ((1, 4, 4), (2, 11, 7), (3, 23, 10)):
        rep = Irreps.spherical_harmonics(lmax)
        names = ["Clebsch-Gordan", "Gaunt, coefficients"]
        found = {c.name: c for c in plan(rep, rep, rep, methods=names).candidates}
        assert found["Clebsch-Gordan"].freedom == paths
        assert found["Gaunt, coefficients"].freedom == gaunt


def test_a_direction_opens_the_frame() -> None:
    found = plan(NATURAL, HARMONICS, NATURAL, Needs(second="direction"))
    (frame,) = [c for c in found.candidates if c.name == "SO(2)"]
    assert frame.obstacle == "" and frame.freedom == 14  # min(l, l') + 1, summed over pairs
    high = Irreps([(2, (degree, (-1) ** degree)) for degree in range(7)])
    needs, names = Needs(second="direction"), ["Clebsch-Gordan", "SO(2)"]
    chosen = plan(high, Irreps.spherical_harmonics(12), high, needs, methods=names).chosen
    assert chosen.name == "SO(2)"


def test_a_clock_decides() -> None:
    def clock(program: Program, rows: int) -> float:
        return 1.0 if len(program.statements) > 1 else 2.0 + len(program.inputs) + rows

    needs = Needs("all", "path", "direction")
    found = plan(NATURAL, HARMONICS, NATURAL, needs, 7, clock)
    assert found.chosen.name == "SO(2)" and "fastest here" in found.reason
    assert plan(NATURAL, HARMONICS, NATURAL, Needs(), 7, clock).chosen.name == "Clebsch-Gordan"


def test_every_irrep_comes_out_if_none_is_named() -> None:
    found = plan(Irreps("4x1o"), Irreps("4x1o"))
    assert found.rep_out == Irreps("4x0e+4x1e+4x2e") and len(found.asked) == 3


def test_errors() -> None:
    with pytest.raises(RepresentationError, match="couples"):
        plan(NATURAL, NATURAL, Irreps("2x5o"))
    with pytest.raises(RepresentationError, match="multiplicit"):
        plan(Irreps("2x0e+3x1o"), HARMONICS)
    with pytest.raises(RepresentationError, match="no such method"):
        plan(NATURAL, NATURAL, methods=["Gaunt"])
    with pytest.raises(RepresentationError, match="none of these"):
        plan(NATURAL, NATURAL, NATURAL, methods=["Cartesian"])
    with pytest.raises(RepresentationError, match="needs"):
        Needs(couplings="odd")
