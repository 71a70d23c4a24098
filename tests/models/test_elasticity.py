"""The elasticity network: a tensor, positive and bounded for any parameters, and trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from schur.errors import ShapeError
from schur.models.elasticity import ElasticityConfig, ElasticityNetwork, PositiveElasticity
from schur.reps.elasticity import mandel_rotation

from ..support.scripts import example

EPS = 2.3e-16
TRUSSES = example("elastic_tensors")
CELLS = [TRUSSES.truss(np.random.default_rng(seed)) for seed in range(3)]


def network(positive: Any, seed: int = 0, size: float = 1.0) -> ElasticityNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        shape = ElasticityConfig(cutoff=2.5, channels=3, radial_hidden=(4,), positive=positive)
        made = ElasticityNetwork(shape, 1, 12.0).double()
        for parameter in made.readout.parameters():
            parameter.data.normal_(0, size)
    return made


def say(made: ElasticityNetwork, cells: list[Any], bound: bool = False) -> np.ndarray:
    graph = TRUSSES.Trusses(cells)
    graph.bound = torch.from_numpy(np.array([cell.bound for cell in cells]))
    vectors = [cell.vectors for cell in cells]
    halves = [v[: len(v) // 2] for v in vectors]
    graph.vectors = torch.from_numpy(np.concatenate([*halves, *(-h for h in halves)]))
    graph.volumes = torch.tensor([cell.volume for cell in cells], dtype=torch.float64)
    return graph.say(made, bound).detach().numpy()


@pytest.mark.parametrize("positive", ["square", "exp"])
@pytest.mark.parametrize("bound", [False, True])
def test_a_tensor_of_fourth_order(positive: str, bound: bool) -> None:
    """Rotations and reflections; symmetric in all ways that a 6 x 6 matrix in Mandel form is."""
    made = network(positive)
    before = say(made, CELLS, bound)
    assert np.abs(before - before.transpose(0, 2, 1)).max() < 64 * EPS * np.abs(before).max()
    for seed in (0, 1):
        R = np.linalg.qr(np.random.default_rng(seed).standard_normal((3, 3)))[0]
        R = R * (np.sign(np.linalg.det(R)) if seed else -np.sign(np.linalg.det(R)))
        Q = mandel_rotation(R)
        after = say(made, [cell.turned(R) for cell in CELLS], bound)
        assert np.abs(after - Q @ before @ Q.T).max() < 1e-10 * np.abs(before).max()


@pytest.mark.parametrize("positive", ["square", "exp"])
@pytest.mark.parametrize("size", [0.1, 1.0, 3.0])
def test_positive_and_below_a_bound_for_any_parameters(positive: str, size: float) -> None:
    for seed in range(3):
        made = network(positive, seed, size)
        found = np.linalg.eigvalsh(say(made, CELLS))
        assert (found[:, 0] >= -64 * EPS * found[:, -1]).all()
        below = say(made, CELLS, bound=True)
        bounds = np.array([cell.bound for cell in CELLS])
        slack = 256 * EPS * np.abs(bounds).max()
        assert np.linalg.eigvalsh(below).min() >= -slack
        assert np.linalg.eigvalsh(bounds - below).min() >= -slack


def test_a_truss_of_two_cells_is_as_stiff() -> None:
    """Two copies side by side, the struts of each led to the other: the same C."""
    one = CELLS[0]
    half = one.edges.shape[1] // 2
    senders, receivers = one.edges[:, :half]
    # Any assignment of images to copies that is consistent: every strut to the other copy.
    ends = np.concatenate([[senders, receivers + one.joints], [senders + one.joints, receivers]], 1)
    vectors = np.concatenate([one.vectors[:half]] * 2)
    two = TRUSSES.Truss(
        np.concatenate([vectors, -vectors]), np.concatenate([ends, ends[::-1]], 1),
        2 * one.joints, 2 * one.volume, one.stiffness, one.bound,
    )  # fmt: skip
    made = network("square")
    single, double = say(made, [one]), say(made, [two])
    assert np.abs(single - double).max() < 64 * EPS * np.abs(single).max()


def test_trusses_are_homogenised_rightly() -> None:
    """Voigt's bound holds for all, and a cubic lattice of struts has the stiffness of books."""
    for seed in range(100):
        cell = TRUSSES.truss(np.random.default_rng(seed))
        scale = np.abs(cell.bound).max()
        assert np.linalg.eigvalsh(cell.stiffness).min() > -1e-12 * scale
        assert np.linalg.eigvalsh(cell.bound - cell.stiffness).min() > -1e-12 * scale
    eye = np.eye(3)
    vectors, edges = np.concatenate([eye, -eye]), np.zeros((2, 6), int)
    C, bound = TRUSSES.homogenised(vectors, edges, 1, 1.0)
    assert np.allclose(C, np.diag([1.0, 1, 1, 0, 0, 0])) and np.allclose(C, bound)
    # A joint in the middle of a strut gives way no more than the strut: in series they are one.
    r = 0.5 * np.repeat(eye, 2, 0)
    ends = np.array([[0, 1, 0, 2, 0, 3], [1, 0, 2, 0, 3, 0]])
    both = np.concatenate([r, -r]), np.concatenate([ends, ends[::-1]], 1)
    C, bound = TRUSSES.homogenised(*both, 4, 1.0)
    assert np.allclose(C, np.diag([1.0, 1, 1, 0, 0, 0]))


def test_training_beats_free_outputs_of_invariants_on_turned_trusses() -> None:
    found = TRUSSES.compare(60, 20, ("equivariant", "invariant"))
    assert found["equivariant"] < 0.75 * found["invariant"]
    assert found["equivariant"] == pytest.approx(found["equivariant; not turned"], rel=1e-3)


def test_settings_that_do_not_fit() -> None:
    with pytest.raises(ShapeError, match="no such map"):
        PositiveElasticity("cube")
    made, graph = network("square"), TRUSSES.Trusses(CELLS)
    graph.vectors, graph.volumes = graph.vectors.double(), torch.ones(4, dtype=torch.float64)
    with pytest.raises(ShapeError, match="do not fit"):
        graph.say(made)
