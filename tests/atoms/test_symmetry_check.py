"""The measurement says rounding for a symmetric model, and sees each kind of asymmetry."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from schur.atoms.potential import Potential
from schur.atoms.symmetry_check import symmetry_errors
from schur.atoms.system import System

from .toy import PairModel


def systems(count: int = 4) -> list[System]:
    generator = np.random.default_rng(0)
    return [System([8, 1, 1, 6], generator.uniform(0, 2.2, (4, 3))) for _ in range(count)]


def potential(model: nn.Module) -> Potential:
    return Potential(model, (1, 6, 8), (-1.0, -2.0, -3.0), cutoff=3.0).to(torch.float64)


class Asymmetric(PairModel):
    """Adds one term to every atom's energy."""

    def __init__(self, term: str) -> None:
        super().__init__(3, 3.0)
        self.term = term

    def forward(
        self, vectors: Tensor, species: Tensor, edge_index: Tensor, paired: bool = False
    ) -> Tensor:
        """The energies of the pair model and the term."""
        receivers = edge_index[1]
        energies = super().forward(vectors, species, edge_index, paired)
        if self.term == "direction":
            extra = vectors[:, 2].square()
        else:  # triple products of edges change their sign in a mirror
            extra = (vectors.roll(1, 0).cross(vectors.roll(2, 0), dim=1) * vectors).sum(1)
            extra[len(extra) // 2 :] = 0.0  # the reversed edges would cancel them
        return energies.index_add(0, receivers, extra)


def test_a_symmetric_model_changes_by_rounding() -> None:
    found = symmetry_errors(potential(PairModel(3, 3.0)), systems())
    assert found.systems == 4 and len(found.changes) == 4
    assert found.largest.energy < 1e-12 and found.largest.forces < 1e-12


@pytest.mark.parametrize(("term", "kind"), [("direction", "rotation"), ("chiral", "reflection")])
def test_asymmetries_are_seen(term: str, kind: str) -> None:
    found = symmetry_errors(potential(Asymmetric(term)), systems())
    assert found.changes[kind].energy > 1e-4
    assert found.changes["translation"].energy < 1e-12
