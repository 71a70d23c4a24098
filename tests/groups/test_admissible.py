"""The theorem's verdicts against brute force over functions, inputs and elements."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from schur.groups import (
    O3,
    SO2,
    SU2,
    Alt,
    GeneralLinear,
    MatrixGroup,
    SpecialOrthogonal,
    Sym,
    admissible_activations,
)
from schur.reps import (
    Defining,
    GeneratedRepresentation,
    Irreps,
    Representation,
    SO3Irrep,
    Trivial,
)

Function = Callable[[np.ndarray], np.ndarray]
FUNCTIONS: dict[str, Function] = {
    "relu": lambda t: np.maximum(t, 0.0),
    "leaky relu": lambda t: np.where(t > 0, t, 0.1 * t),
    "abs": np.abs,
    "tanh": np.tanh,
    "sine": np.sin,
    "softplus": lambda t: np.log1p(np.exp(t)),
    "square": np.square,
    "identity": lambda t: t,
    "affine": lambda t: 2.0 * t + 1.0,
}
HOMOGENEOUS = {"relu", "leaky relu", "abs"}
ODD = {"tanh", "sine"}


def allowed(activations: str, affine: bool) -> set[str]:
    found = {"identity"} | ({"affine"} if affine else set())
    return (
        found
        | {
            "all": set(FUNCTIONS),
            "odd": ODD,
            "positively homogeneous": HOMOGENEOUS,
            "odd and homogeneous": set(),
            "linear": set(),
        }[activations]
    )


SIGNED = MatrixGroup(
    np.zeros((0, 3, 3)),
    np.array([np.diag([-1.0, 1, 1]), np.eye(3)[[1, 2, 0]], np.eye(3)[[1, 0, 2]]]),
    name="signed permutations",
)
SCALED = MatrixGroup(np.diag([1.0, 2.0])[None], name="positive diagonals")
SCALED_SWAPPED = MatrixGroup(
    np.array([np.diag([1.0, 0.0]), np.diag([0.0, 1.0])]),
    np.array([[[0.0, 1.0], [1.0, 0.0]]]),
    name="positive monomial",
)
BOTH = MatrixGroup(np.diag([1.0, 2.0])[None], np.diag([-1.0, 1.0])[None], name="signed diagonals")
# The regular representation of three turns in a basis of waves: a turn by 120 degrees. (Of four
# turns it would be signed permutations.)
ANGLES = 2 * np.pi / 3 * np.arange(3)
WAVES = np.sqrt(2 / 3) * np.array([np.ones(3) / np.sqrt(2), np.cos(ANGLES), np.sin(ANGLES)])
TURNED = MatrixGroup(np.zeros((0, 3, 3)), (WAVES @ np.roll(np.eye(3), 1, 0) @ WAVES.T)[None])
CASES: list[tuple[Representation, str, bool]] = [
    (Defining(Sym(4)), "all", True),
    (Defining(Sym(3)) * Defining(Sym(3)), "all", True),
    (Defining(Alt(4)) + Trivial(Alt(4)), "all", True),
    (Trivial(SO2(), 3), "all", True),
    (Defining(SIGNED), "odd", False),
    (Irreps("2x0o + 0e"), "odd", False),
    (Defining(SCALED), "positively homogeneous", False),
    (Defining(SCALED_SWAPPED), "positively homogeneous", False),
    (Defining(BOTH), "odd and homogeneous", False),
    (Defining(SO2()), "linear", False),
    (SO3Irrep(1), "linear", False),
    (Irreps("0e + 1o"), "linear", False),
    (Defining(GeneralLinear(2)), "linear", False),
    (Defining(TURNED), "linear", False),
]


@pytest.mark.parametrize(("rep", "activations", "affine"), CASES, ids=lambda case: str(case)[:40])
def test_the_verdict_is_what_brute_force_finds(
    rep: Representation, activations: str, affine: bool
) -> None:
    found = admissible_activations(rep)
    assert (found.activations, found.affine) == (activations, affine)
    rng = np.random.default_rng(3)
    matrices = np.concatenate([rep.matrix(rep.group.sample(rng, 30)), rep.discrete()])
    x = rng.standard_normal((200, rep.dim))
    for name, f in FUNCTIONS.items():
        left = f(np.einsum("gij,xj->gxi", matrices, x))
        right = np.einsum("gij,xj->gxi", matrices, f(x))
        error = np.abs(left - right).max() / max(1.0, np.abs(right).max())
        if name in allowed(activations, affine):
            assert error < 1e-14, name
        else:
            assert error > (0.05 if activations == "linear" else 0.02), name


def test_a_change_of_basis_moves_a_representation() -> None:
    cyclic = MatrixGroup(np.zeros((0, 3, 3)), np.roll(np.eye(3), 1, 0)[None])
    assert admissible_activations(Defining(cyclic)).activations == "all"
    assert admissible_activations(Defining(TURNED)).activations == "linear"


def test_connected_compact_groups_allow_more_only_on_the_trivial_part() -> None:
    rng = np.random.default_rng(0)
    for group, irrep in ((SO2(), Defining(SO2())), (SpecialOrthogonal(4), None)):
        rep = irrep or Defining(group)
        q, _ = np.linalg.qr(rng.standard_normal((rep.dim, rep.dim)))
        turned = GeneratedRepresentation(group, q @ rep.generators() @ q.T)
        assert admissible_activations(turned).activations == "linear"
    assert admissible_activations(Defining(SU2())).activations == "linear"
    assert "mixes" in str(admissible_activations(Defining(O3())))
