"""Products of vector fields: against quadrature, equivariant, and complete where functions fail."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import lebedev_rule

from schur.engine import Routine
from schur.errors import RepresentationError
from schur.forms import evaluate
from schur.harmonics import harmonic_values
from schur.products import gaunt, vector_gaunt
from schur.products.field_product import Spins
from schur.reps import Irreps, clebsch_gordan
from schur.testing import assert_agrees_with_oracle, assert_derivatives, assert_equivariant

SPINS: tuple[Spins, ...] = ((0, 1, 1), (1, 0, 1), (1, 1, 0), (1, 1, 1))
BOTH = Irreps("0e+1o+2e+0o+1e+2o")
EPS = float(np.finfo(np.float64).eps)


def field(j: int, degree: int, spin: int, points: np.ndarray) -> np.ndarray:
    """Y^l_jm(p)_σ by the definition: shape (points, m, σ)."""
    harmonics = harmonic_values([degree], points, "integral")
    return np.sqrt(2 * j + 1) * np.einsum("asm,pa->pms", clebsch_gordan(degree, spin, j), harmonics)


@pytest.mark.parametrize("spins", SPINS)
def test_against_lebedev_quadrature(spins: Spins) -> None:
    """One triple of irreps, all orbital degrees, on points that the library does not use."""
    degrees, reps = (2, 1, 2), (Irreps("2e"), Irreps("1o"), Irreps("2o"))
    program = vector_gaunt(*reps, spins).program
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((1, 5)), rng.standard_normal((1, 3))
    weight = rng.standard_normal(program.values["weight"].size)
    points, quadrature = lebedev_rule(17)
    fields, start = [], 0
    for j, spin in zip(degrees, spins, strict=True):
        orbital = range(abs(j - spin), j + spin + 1)
        fields.append(
            [
                (w, field(j, ell, spin, points.T))
                for w, ell in zip(weight[start:], orbital, strict=False)
            ]
        )
        start += len(orbital)
    coupling = clebsch_gordan(*spins) / np.abs(clebsch_gordan(*spins)).max()
    expected = np.zeros((1, 5))
    for k1, (w1, f1) in enumerate(fields[0]):
        for k2, (w2, f2) in enumerate(fields[1]):
            for k3, (w3, f3) in enumerate(fields[2]):
                # Fields of 2e, 1o, 2o: classes p (-1)^l, which must multiply to one.
                first = [
                    abs(j - s) + k for j, s, k in zip(degrees, spins, (k1, k2, k3), strict=True)
                ]
                if sum(first) % 2 == 0:
                    expected += (
                        w1
                        * w2
                        * w3
                        * np.einsum(
                            "p,zi,pia,zj,pjb,pkc,abc->zk",
                            quadrature,
                            x,
                            f1,
                            y,
                            f2,
                            f3,
                            coupling,
                            optimize=True,
                        )
                    )
    found = evaluate(program, {"x": x, "y": y, "weight": weight})["out"]
    assert np.abs(expected).max() > 1e-3
    assert np.abs(found - expected).max() <= 500 * EPS * np.abs(expected).max()


@pytest.mark.parametrize("spins", SPINS)
def test_methods_agree(spins: Spins) -> None:
    rng = np.random.default_rng(0)
    programs = [
        vector_gaunt(BOTH, BOTH, BOTH, spins, m).program
        for m in ("coefficients", "grid", "fourier")
    ]
    values = {
        o.name: rng.standard_normal((o.size,) if o.mode == "shared" else (2, o.size))
        for o in programs[0].inputs
    }
    exact, *others = [evaluate(program, values)["out"] for program in programs]
    for found in others:
        assert np.abs(found - exact).max() <= 64 * EPS * np.abs(exact).max()


@pytest.mark.parametrize("spins", SPINS)
def test_laws(spins: Spins) -> None:
    generator = torch.Generator().manual_seed(0)
    rep = Irreps("2x0e+2x1o+2x1e")
    program = vector_gaunt(rep, rep, rep, spins, "coefficients").program
    routine = Routine(program, "torch")
    x, y = torch.randn(2, 2, rep.dim, dtype=torch.float64, generator=generator)
    weight = torch.randn(program.values["weight"].size, dtype=torch.float64, generator=generator)
    assert_equivariant(lambda x, y: routine(x, y, weight), [rep, rep], rep, [x, y])
    assert_derivatives(routine, [x[:1], y[:1], weight], order=2, fast=True)
    assert_agrees_with_oracle(program, "torch", order=1)


def test_what_each_can_couple() -> None:
    """Functions miss every odd sum; scalar times vector misses nothing; (1, 1, 1) scalars only."""
    assert gaunt(BOTH, BOTH, BOTH).missing
    for spins in SPINS[:3]:
        assert not vector_gaunt(BOTH, BOTH, BOTH, spins).missing
    left = vector_gaunt(BOTH, BOTH, BOTH, (1, 1, 1)).missing
    assert left and all(a.l == b.l == c.l == 0 for a, b, c in left)


def test_the_cross_product_is_within_reach() -> None:
    vectors = Irreps("1o")
    program = vector_gaunt(vectors, vectors, Irreps("1e")).program
    x, y = np.random.default_rng(0).standard_normal((2, 4, 3))
    # Equal weights would give the product of the symmetric sum of both fields, which is zero.
    weight = 1.0 + np.arange(program.values["weight"].size)
    out = evaluate(program, {"x": x, "y": y, "weight": weight})["out"]
    cross = np.cross(x, y)
    factor = (out * cross).sum() / (cross**2).sum()
    assert abs(factor) > 0.1
    np.testing.assert_allclose(out, factor * cross, atol=64 * EPS * abs(factor))


def test_spins_without_a_vector_field_are_refused() -> None:
    rep = Irreps("0e")
    with pytest.raises(RepresentationError, match="use gaunt"):
        vector_gaunt(rep, rep, rep, (0, 0, 0))
    with pytest.raises(RepresentationError, match="do not couple"):
        vector_gaunt(rep, rep, rep, (0, 0, 1))
