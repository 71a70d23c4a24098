"""C_n and D_n: their laws, and that lattice turns are exact."""

from __future__ import annotations

import numpy as np
import pytest

from schur.errors import NumberError, RepresentationError
from schur.groups import O2, Cyclic, Dihedral, Group


@pytest.mark.parametrize(
    ("group", "order"),
    [(Cyclic(1), 1), (Cyclic(4), 4), (Cyclic(5), 5), (Dihedral(1), 2), (Dihedral(4), 8)],
    ids=str,
)
def test_laws(group: Cyclic | Dihedral, order: int) -> None:
    elements = group.elements()
    assert elements.shape == (order, 2, 2)
    assert group.contains(elements).all() and O2().contains(elements).all()
    products = (elements[:, None] @ elements).reshape(-1, 2, 2)
    assert group.contains(products, 1e-14).all() and group.contains(group.inverse(elements)).all()
    apart = np.abs(elements[:, None] - elements).max((-2, -1))
    assert (apart + np.eye(order) > 1e-3).all()
    assert group.contains(group.sample(np.random.default_rng(0), 10)).all()
    assert not group.contains(O2().sample(np.random.default_rng(0), 10)).any()


@pytest.mark.parametrize("group", [Cyclic(5), Dihedral(6), Cyclic(1)], ids=str)
def test_words_of_generators(group: Group) -> None:
    for g in group.sample(np.random.default_rng(1), 10):
        out = np.eye(2)
        for letter in group.factor(g)[1]:
            out = out @ (group.discrete()[letter] if letter >= 0 else np.eye(2))
        np.testing.assert_allclose(out, g, atol=1e-14)


def test_quarter_turns_are_exact() -> None:
    assert set(Dihedral(4).elements().ravel().tolist()) == {-1.0, 0.0, 1.0}


def test_errors() -> None:
    with pytest.raises(RepresentationError, match="turn by 2π/n"):
        Cyclic(0)
    with pytest.raises(NumberError, match="no element"):
        Cyclic(4).factor(np.diag([1.0, -1.0]))
