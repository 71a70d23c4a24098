"""PONITA: complete invariants of pairs, a grid's symmetry, and the convolutions written out."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from schur.errors import NumberError
from schur.forms import cost
from schur.harmonics import harmonic_values
from schur.models.ponita import PONITA, PONITAConfig
from schur.models.ponita_layers import (
    DirectionNorm,
    PONITALayer,
    Way,
    ZonalConvolution,
    _convolution_program,
)
from schur.nn.chance import drawn_rotation
from schur.nn.position_orientation import icosahedral_directions, pair_invariants
from schur.nn.second_moment import second_moment_scale
from schur.tensors import Graph
from schur.testing import random_orthogonal

CUTOFF, NEIGHBOURS = 4.0, 5.0
CONFIG = PONITAConfig(
    cutoff=CUTOFF, layers=2, features=4, frequency=1, kernel_hidden=(6,), radial=4, readout=4
)
EPS = torch.finfo(torch.float64).eps


# --- invariants of two points with directions -----------------------------------------------------


def pairs(count: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors between the points, and unit directions."""
    d, a, b = torch.randn(
        3, count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    unit = torch.nn.functional.normalize
    return d, unit(a, dim=1), unit(b, dim=1)


def residual(one: tuple[Tensor, ...], other: tuple[Tensor, ...], improper: bool) -> float:
    """How far the best rotation (or rotation and reflection) leaves one pair from the other."""
    first, second = (torch.stack([part.reshape(3) for part in pair], 1) for pair in (one, other))
    U, _, V = torch.linalg.svd(second @ first.mT)
    D = torch.eye(3, dtype=torch.float64)
    if not improper:
        D[2, 2] = torch.linalg.det(U @ V)
    return float((U @ D @ V @ first - second).abs().max())


def test_rigid_motions_leave_the_invariants() -> None:
    parts, generator = pairs(50), torch.Generator().manual_seed(1)
    before = pair_invariants(*parts)
    for _ in range(20):
        R = random_orthogonal(generator, proper=True)
        after = pair_invariants(*(part @ R.T for part in parts))
        assert (after - before).abs().max() < 64 * EPS * before.abs().max()


def test_equal_invariants_mean_that_a_motion_exists_and_unequal_ones_that_none_does() -> None:
    parts, generator = pairs(20), torch.Generator().manual_seed(2)
    for k in range(20):
        one = tuple(part[k] for part in parts)
        R = random_orthogonal(generator, proper=True)
        same = tuple(R @ part for part in one)
        mirrored = tuple(part * torch.tensor([1, 1, -1]) for part in same)
        other = tuple(part[k - 1] for part in parts)
        base = pair_invariants(*one)
        assert (pair_invariants(*same) - base).abs().max() < 64 * EPS * base.abs().max()
        assert residual(one, same, improper=False) < 256 * EPS
        # The mirror image differs in the sign of the determinant alone, and needs a reflection.
        change = pair_invariants(*mirrored) - base
        assert change[:4].abs().max() < 64 * EPS * base.abs().max()
        assert abs(change[4] + 2 * base[4]) < 64 * EPS * base.abs().max()
        assert residual(one, mirrored, improper=True) < 256 * EPS
        assert residual(one, mirrored, improper=False) > 1e-3
        assert (pair_invariants(*other) - base).abs().max() > 1e-3
        assert residual(one, other, improper=True) > 1e-3


def test_the_usual_three_numbers_are_not_complete() -> None:
    """Turning the second direction about the first keeps (o₁·d, |d⊥|, o₁·o₂) and changes o₂·d."""
    d, o1 = torch.tensor([1.0, 0.0, 0.5]).double(), torch.tensor([0.0, 0.0, 1.0]).double()

    def second(angle: float) -> Tensor:
        return torch.tensor([0.8 * np.cos(angle), 0.8 * np.sin(angle), 0.6]).double()

    one, other = (pair_invariants(d, o1, second(angle)) for angle in (0.0, 1.5))

    def usual(numbers: Tensor) -> Tensor:
        length, along, _, cosine, _ = numbers
        return torch.stack([along, (length**2 - along**2).sqrt(), cosine])

    assert (usual(one) - usual(other)).abs().max() < 8 * EPS
    assert abs(one[2] - other[2]) > 0.7
    assert residual((d, o1, second(0.0)), (d, o1, second(1.5)), improper=True) > 0.1


# --- the grid -------------------------------------------------------------------------------------


def icosahedral_rotations() -> list[Tensor]:
    """Orthogonal matrices that take two neighbouring corners to two neighbouring corners."""
    corners = icosahedral_directions(1)[0]
    near = np.round(corners @ corners.T, 6)
    neighbours = np.argwhere(near == near[near < 0.9].max())
    first = np.stack([corners[neighbours[0][0]], corners[neighbours[0][1]]], 1)
    first = np.column_stack([first, np.cross(first[:, 0], first[:, 1])])
    found = []
    for (a, b), sign in product(neighbours, (1, -1)):
        second = np.column_stack([corners[a], corners[b], sign * np.cross(corners[a], corners[b])])
        found.append(torch.from_numpy(second @ np.linalg.inv(first)))
    return found


@pytest.mark.parametrize("frequency", [1, 2, 3])
def test_the_grid_has_the_symmetry_of_the_icosahedron_and_integrates(frequency: int) -> None:
    directions, weights = icosahedral_directions(frequency)
    count = len(directions)
    assert count == 10 * frequency**2 + 2 and (weights > 0).all()
    for matrix in icosahedral_rotations():
        turned = directions @ matrix.numpy().T
        match = np.abs(turned[:, None] - directions[None]).max(-1).argmin(1)
        assert sorted(match) == list(range(count))
        assert np.abs(directions[match] - turned).max() < 1e-12
        assert np.abs(weights[match] - weights).max() < 1e-12
    assert len(icosahedral_rotations()) == 120
    degree = int(count**0.5) - 1
    integrals = weights @ harmonic_values(degree, directions, "component")
    assert np.abs(integrals - np.eye(len(integrals))[0]).max() < 1e-12


def test_a_grid_of_nothing_is_refused() -> None:
    with pytest.raises(NumberError):
        icosahedral_directions(0)


# --- the model ------------------------------------------------------------------------------------


def model_of(**settings: object) -> PONITA:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PONITA(CONFIG.model_copy(update=settings), 2, NEIGHBOURS).double().eval()


def cloud(atoms: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors, species and the edges of all pairs, paired as a batch has them."""
    generator = torch.Generator().manual_seed(0)
    places = torch.randn(atoms, 3, generator=generator, dtype=torch.float64)
    half = torch.triu_indices(atoms, atoms, 1)
    edges = torch.cat([half, half.flip(0)], 1)
    return places[edges[1]] - places[edges[0]], torch.arange(atoms) % 2, edges


def turned_error(model: PONITA, matrices: list[Tensor]) -> float:
    """Largest change of an energy, as a share of how much the atoms' energies differ."""
    vectors, species, edges = cloud()
    with torch.no_grad():
        before = model(vectors, species, edges)
        after = torch.stack([model(vectors @ R.T, species, edges) for R in matrices])
    return float((after - before).abs().max() / (before - before.mean()).abs().max())


@pytest.mark.parametrize("kernel", ["separable", "joint"])
def test_the_group_of_the_grid_is_respected_exactly(kernel: str) -> None:
    assert turned_error(model_of(kernel=kernel), icosahedral_rotations()[::7]) < 1e-12


def test_the_error_under_other_rotations_falls_as_the_grid_grows() -> None:
    generator = torch.Generator().manual_seed(0)
    matrices = [random_orthogonal(generator) for _ in range(8)]
    errors = [turned_error(model_of(frequency=n), matrices) for n in (1, 2, 3)]
    assert errors[0] > 5 * errors[1] and errors[1] > 5 * errors[2] > 0


def test_a_joint_kernel_knows_left_from_right_where_it_may() -> None:
    mirror = [torch.diag(torch.tensor([1.0, 1.0, -1.0])).double()]  # of the grid's own group
    assert turned_error(model_of(kernel="joint"), mirror) < 1e-12
    assert turned_error(model_of(kernel="joint", handed=True), mirror) > 1e-3
    with pytest.raises(ValidationError, match="handed"):
        PONITAConfig(handed=True)


def test_the_cost_is_linear_in_the_directions() -> None:
    """Of the convolution over positions; a joint kernel costs the square."""
    sizes = {"rows": 100, "senders": 10, "receivers": 10}
    counts = {
        joint: [
            cost(_convolution_program(tuple(range(n)), 8, joint), sizes).operations
            for n in (12, 42)
        ]
        for joint in (False, True)
    }
    assert counts[False][1] / counts[False][0] == pytest.approx(42 / 12, rel=1e-3)
    assert counts[True][1] / counts[True][0] == pytest.approx((42 / 12) ** 2, rel=1e-3)


@pytest.mark.parametrize("kernel", ["separable", "joint"])
def test_paired_edges_change_nothing(kernel: str) -> None:
    model, (vectors, species, edges) = model_of(kernel=kernel, frequency=1), cloud()
    with torch.no_grad():
        exact = model(vectors, species, edges)
        paired = model(vectors, species, edges, paired=True)
    assert (paired - exact).abs().max() < 1024 * EPS * exact.abs().max()


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("kernel", ["separable", "joint"])
def test_a_layer_is_its_formula(kernel: str, norm: bool) -> None:
    """Sums over edges and directions one by one, with the model's own kernels."""
    model, (vectors, _, edges) = model_of(kernel=kernel, norm=norm), cloud(4)
    directions, w = (torch.from_numpy(x.copy()) for x in icosahedral_directions(1))
    layer = model.layers[0]
    assert isinstance(layer, PONITALayer)
    radial = model.radial(vectors.norm(dim=1))
    count, width = len(directions), CONFIG.features
    features = torch.randn(4, count, width, dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.mix.parameters():
            parameter.normal_()
        basis = model.kernels(vectors, radial)
        kernels = layer.kernel(basis)
        total = torch.zeros_like(features)
        for e, (j, i) in enumerate(edges.T.tolist()):
            for o in range(count):
                if kernel == "separable":
                    total[i, o] += kernels[e, o] * features[j, o]
                    continue
                for p in range(count):
                    total[i, o] += w[p] * kernels[e, o * count + p] * features[j, p]
        if kernel == "separable":
            cosines = directions @ directions.T
            zonal = [torch.ones_like(cosines), cosines * 3**0.5]
            zonal.append(5**0.5 * (1.5 * cosines**2 - 0.5))
            assert isinstance(layer.mix, ZonalConvolution)
            zonal_kernel = layer.mix.over_directions
            matrix = sum(
                z[..., None] * zonal_kernel[l]
                for l, z in enumerate(zonal)  # noqa: E741
            )
            total = torch.einsum("opu,p,npu->nou", matrix, w, total)
        if norm:
            direct = DirectionNorm(width, w.numpy()).double()
            direct.load_state_dict(layer.mix.state_dict(), strict=False)
            total = direct(total)
        elif isinstance(layer.mix, ZonalConvolution):
            total = total + layer.mix.bias
        expected = features + layer.network(total)
        graph = Graph(edges, 4)
        found = layer(features, basis, [Way(graph.senders, graph.receivers)])
    assert (found - expected).abs().max() < 1e-12 * expected.abs().max()


@pytest.mark.parametrize("hidden", [(6,), (6, 5)])
def test_a_basis_of_kernels_is_its_formula(hidden: tuple[int, ...]) -> None:
    model, (vectors, _, _) = model_of(kernel_hidden=hidden), cloud(4)
    directions = torch.from_numpy(icosahedral_directions(1)[0].copy())
    silu = torch.nn.functional.silu
    with torch.no_grad():
        radial = model.radial(vectors.norm(dim=1))
        cosines = (vectors / vectors.norm(dim=1, keepdim=True)) @ directions.T
        invariants = [torch.ones_like(cosines), 3**0.5 * cosines]
        invariants.append(5**0.5 * (1.5 * cosines**2 - 0.5))
        (W,) = model.kernels.of_length.parameters()
        parts = (radial @ W / CONFIG.radial**0.5).unflatten(1, (3, -1))
        expected = silu(torch.einsum("leo,elu->eou", torch.stack(invariants), parts) / 3**0.5)
        for W in () if model.kernels.rest is None else model.kernels.rest.parameters():
            # c² is one over the second moment of SiLU, so that what W reads has variance one.
            c = second_moment_scale(silu)
            expected = silu(c * expected @ W / len(W) ** 0.5)
        found = model.kernels(vectors, radial)
    assert (found - expected).abs().max() < 256 * EPS * expected.abs().max()


# --- what directions are for ----------------------------------------------------------------------


def clouds(count: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Clouds of four atoms: all pairs of each."""
    generator = torch.Generator().manual_seed(seed)
    places = torch.randn(count, 4, 3, generator=generator)
    one, other = torch.tensor([(i, j) for i in range(4) for j in range(4) if i != j]).T
    vectors = (places[:, other] - places[:, one]).flatten(0, 1)
    offsets = 4 * torch.arange(count)[:, None]
    edges = torch.stack([(offsets + one).flatten(), (offsets + other).flatten()])
    return vectors, torch.zeros(4 * count, dtype=torch.int64), edges


def three_body(vectors: Tensor, edges: Tensor) -> Tensor:
    """Σ_{j≠k} w_j w_k ((r̂_j·r̂_k)² - 1/3) of each atom, w = exp(-r²/8)."""
    length = vectors.norm(dim=1, keepdim=True)
    weight, unit = torch.exp(-(length**2) / 8), vectors / length
    squares = unit[:, :, None] * unit[:, None] - torch.eye(3) / 3
    atoms = int(edges.max()) + 1
    moment = torch.zeros(atoms, 3, 3).index_add(0, edges[1], weight[..., None] * squares)
    alone = torch.zeros(atoms).index_add(0, edges[1], weight[:, 0] ** 2 * 2 / 3)
    return moment.square().sum((1, 2)) - alone


def trained(vectors: Tensor, edges: Tensor, directions: bool = True, **settings: object) -> PONITA:
    """A model that has seen these clouds; without directions it knows distances alone."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shape = {"layers": 1, "features": 8, "kernel_hidden": (16,), **settings}
        model = PONITA(CONFIG.model_copy(update=shape), 1, 3.0)
    if not directions:  # the same network with kernels on positions only
        angular = model.kernels._of_one
        keep = torch.tensor([1.0, 0.0, 0.0])
        model.kernels._of_one = lambda vectors: angular(vectors) * keep
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    species, target = (
        torch.zeros(int(edges.max()) + 1, dtype=torch.int64),
        three_body(vectors, edges),
    )
    for _ in range(120):
        optimiser.zero_grad()
        (model(vectors, species, edges) - target).square().mean().backward()
        optimiser.step()
    return model.eval().requires_grad_(False)


def error_after_training(directions: bool) -> float:
    """Mean square error on clouds that were not trained on, as a share of the variance."""
    train, (vectors, species, edges) = clouds(60, 1), clouds(60, 2)
    target = three_body(vectors, edges)
    found = trained(train[0], train[2], directions)(vectors, species, edges)
    return float((found - target).square().mean() / target.var())


def test_directions_learn_of_angles_what_distances_cannot() -> None:
    assert error_after_training(True) < 0.4 < 0.9 < error_after_training(False)


# --- training turns the grid ----------------------------------------------------------------------


def test_training_turns_the_grid_anew_in_each_step_and_evaluation_does_not() -> None:
    model, (vectors, species, edges) = model_of(), cloud()
    weight = next(model.readout.parameters())
    with torch.no_grad():
        exact = model.eval()(vectors, species, edges)
        model.train()
        first = model(vectors, species, edges)
        R = drawn_rotation(weight)
        assert (first == model.eval()(vectors @ R, species, edges)).all()
        assert (first == model.train()(vectors, species, edges)).all()
        assert (first - exact).abs().max() > 1e-5 * exact.abs().max()
        weight.add_(1e-6)
        assert (drawn_rotation(weight) - R).abs().max() > 0.1
        still = model_of(turning=False).train()
        assert (still(vectors, species, edges) == exact).all()


def test_aligned_clouds_do_not_teach_one_orientation() -> None:
    """Trained along principal axes alone: what a turn of other clouds changes, with and without.

    With the norm; without it the grid's error is so small that turning has nothing to mend.
    """
    (vectors, _, edges), (others, species, _) = clouds(60, 1), clouds(60, 2)

    def aligned(vectors: Tensor) -> Tensor:
        each = vectors.view(60, 12, 3)
        axes = torch.linalg.eigh(each.mT @ each)[1]
        return (each @ axes).flatten(0, 1)

    changes = []
    for turning in (False, True):
        model = trained(aligned(vectors), edges, turning=turning, norm=True)
        one, other = (model(v, species, edges) for v in (aligned(others), others))
        changes.append(float((one - other).square().mean() / one.var()) ** 0.5)
    assert changes[1] < 0.85 * changes[0]


def test_drawn_rotations_are_uniform() -> None:
    """Means of the powers of the trace, which are 0, 1, 1, 3 by the characters of SO(3)."""
    weight, count, traces = torch.zeros(4, dtype=torch.float64), 4000, []
    for _ in range(count):
        weight.add_(1e-3)
        R = drawn_rotation(weight)
        traces.append(R.trace())
        assert (R @ R.T - torch.eye(3)).abs().max() < 16 * EPS
    trace = torch.stack(traces)
    # Variances of the powers are the means of their squares less the squares of their means.
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 1, 14), (4, 3, 82)):
        assert abs(float((trace**power).mean()) - mean) < 5 * (variance / count) ** 0.5
