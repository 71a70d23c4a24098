"""The map between any representations: rank, equivariance, variance, types, derivatives."""

from __future__ import annotations

from math import comb, factorial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from schur.errors import RepresentationError, ShapeError
from schur.groups import (
    SU2,
    Affine,
    Euclidean,
    GeneralLinear,
    Group,
    Lorentz,
    MatrixGroup,
    Orthogonal,
    PermutationGroup,
    PseudoOrthogonal,
    SpecialLinear,
    SpecialOrthogonal,
    SpecialUnitary,
    Sym,
    Symplectic,
    Unitary,
)
from schur.nn import DiagramLinear, EquivariantLinear
from schur.products.diagrams import dimension
from schur.products.linear_maps import SolvedMaps, linear_maps, reduced
from schur.reps import Defining, Irreps, Representation, SO3Irrep, SU2Irrep, Trivial, intertwiners
from schur.testing import assert_derivatives
from tests.nn.laws import EPS, assert_close, in_double, normal


def power(group: Group, order: int, duals: int = 0) -> Representation:
    """V ⊗ … ⊗ V ⊗ V* ⊗ … ⊗ V*."""
    rep: Representation = Trivial(group)
    for factor in [Defining(group)] * order + [Defining(group).dual()] * duals:
        rep = factor if isinstance(rep, Trivial) else rep * factor
    return rep


def catalan(k: int) -> int:
    return comb(2 * k, k) // (k + 1)


# The dimension of Hom(V^k, V^l) by a formula that knows no null space.
RANKS: list[tuple[Group, int, int, int]] = [
    *((GeneralLinear(n), k, k, factorial(k)) for n, k in ((2, 1), (2, 2), (3, 3))),
    (GeneralLinear(2), 3, 3, 5),  # permutations without a decreasing row of three
    (GeneralLinear(2, positive=True), 2, 1, 0),
    *((SpecialLinear(2), k, k, catalan(k)) for k in (1, 2, 3)),
    (SpecialLinear(3), 3, 0, 1),  # the determinant
    (SpecialLinear(3), 2, 2, 2),
    *((Unitary(n), k, k, factorial(k)) for n, k in ((2, 2), (3, 2))),
    *((SpecialUnitary(2), k, k, catalan(k)) for k in (1, 2, 3)),
    *((PseudoOrthogonal(1, 2), k, k, dimension(Orthogonal(3), 2 * k)) for k in (1, 2)),
    *((Lorentz("O"), k, k, dimension(Orthogonal(4), 2 * k)) for k in (1, 2)),
    *((Lorentz(), k, k, dimension(SpecialOrthogonal(4), 2 * k)) for k in (1, 2, 3)),
    (Symplectic(4), 2, 2, 3),
    (Sym(4), 2, 2, 15),
    (Euclidean(2), 1, 1, 1),  # homogeneous coordinates: not a sum of irreps
    (Affine(GeneralLinear(2)), 1, 1, 1),
]


@pytest.mark.parametrize(("group", "k", "l", "rank"), RANKS, ids=str)
def test_ranks_are_those_of_the_formulas(group: Group, k: int, l: int, rank: int) -> None:  # noqa: E741
    assert linear_maps(power(group, k), power(group, l)).dimension == rank


def test_mixed_tensors_of_the_linear_group() -> None:
    # Hom(V^k ⊗ V*^l) to itself: (k + l)! for large n.
    group = GeneralLinear(3)
    assert linear_maps(power(group, 1, 1), power(group, 1, 1)).dimension == 2
    assert linear_maps(power(group, 2, 1), power(group, 2, 1)).dimension == 6
    assert linear_maps(power(group, 2), power(group, 1, 1)).dimension == 0


def test_ranks_are_means_of_characters() -> None:
    group = SpecialUnitary(3)
    v = Defining(group)
    rep_in, rep_out = v * v.dual(), v * v.dual() + v * v * v
    g = group.sample(np.random.default_rng(0), 20_000)
    products = np.conj(rep_in.character(g)) * rep_out.character(g)
    found = len(intertwiners(rep_in, rep_out))
    assert abs(products.mean() - found) < 4 * products.std() / 20_000**0.5 < 0.5


def test_the_unitary_trick_changes_no_solution() -> None:
    group = Lorentz("O")

    maps = intertwiners(power(group, 2), power(group, 2)).reshape(-1, 256)
    eta = group.metric()
    pairs = np.einsum("ij,kl->ijkl", eta, eta).reshape(16, 16)
    unit, swap = np.eye(16), np.einsum("ik,jl->jikl", np.eye(4), np.eye(4)).reshape(16, 16)
    for expected in (pairs, unit, swap):
        flat = expected.reshape(-1)
        np.testing.assert_allclose(flat @ maps.T @ maps, flat, rtol=0, atol=1e-12)


def test_reduction_keeps_the_space_and_makes_it_sparse() -> None:
    maps = intertwiners(power(Lorentz(), 2), power(Lorentz(), 2))
    sparse = reduced(maps)
    flat, kept = maps.reshape(4, -1), sparse.reshape(4, -1)
    np.testing.assert_allclose(kept @ flat.T @ flat, kept, rtol=0, atol=1e-12)
    assert np.linalg.matrix_rank(kept) == 4
    assert np.count_nonzero(sparse) <= 100 < np.count_nonzero(np.abs(maps) > 1e-12)


def mixed_case(group: Group) -> tuple[Representation, Representation]:
    v, s = Defining(group), Trivial(group)
    return 2 * s + 3 * v + v * v + s, v + 2 * s + 2 * (v * v) + v


REPS: dict[str, tuple[Representation, Representation]] = {
    str(group): mixed_case(group)
    for group in (Sym(3), Orthogonal(3), SpecialOrthogonal(2), Lorentz("O"), Symplectic(2))
}
REPS["SL(2) with duals"] = (
    2 * Defining(SpecialLinear(2)) + Defining(SpecialLinear(2)).dual(),
    Defining(SpecialLinear(2)).dual() * Defining(SpecialLinear(2)) + Defining(SpecialLinear(2)),
)
REPS["E(2)"] = (2 * Defining(Euclidean(2)), Defining(Euclidean(2)) + Trivial(Euclidean(2)))
REPS["irreps"] = (Irreps("2x0e+1o"), Irreps("1o").tensor("1o"))
REPS["spins"] = (2 * SU2Irrep(0.5) + SU2Irrep(1), SU2Irrep(0.5) + SU2Irrep(0.5) * SU2Irrep(0.5))
REPS["U(2)"] = mixed_case(Unitary(2))
REPS["square"] = mixed_case(PermutationGroup(((1, 2, 3, 0), (1, 0, 3, 2))))


def on(rep: Representation, x: Tensor, g: np.ndarray) -> Tensor:
    matrix = torch.from_numpy(np.asarray(rep.matrix(g)))
    return (
        x.to(torch.promote_types(x.dtype, matrix.dtype))
        @ matrix.to(torch.promote_types(x.dtype, matrix.dtype)).T
    )


def random_layer(name: str, backend: Any = "torch") -> EquivariantLinear:
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        layer = EquivariantLinear(*REPS[name], backend=backend)
    finally:
        torch.set_default_dtype(before)
    with torch.no_grad():
        for i, parameter in enumerate(layer.parameters()):
            parameter.copy_(normal(*parameter.shape, seed=i))
    return layer


def test_backends_agree() -> None:
    for name in ("SO(2)", "SL(2) with duals"):
        x = normal(3, REPS[name][0].dim)
        assert_close(random_layer(name, "auto")(x), random_layer(name)(x), 64 * EPS)


@pytest.mark.parametrize("name", REPS)
def test_equivariance(name: str) -> None:
    layer = random_layer(name)
    x = normal(4, layer.rep_in.dim)
    for g in [*layer.group.sample(np.random.default_rng(0), 4), *layer.group.discrete()]:
        size = max(1.0, float(np.abs(layer.rep_in.matrix(g)).max()) ** 2)
        moved, expected = layer(on(layer.rep_in, x, g)), on(layer.rep_out, layer(x), g)
        assert_close(moved.to(expected.dtype), expected, 1e4 * EPS * size)


@pytest.mark.parametrize("name", ["Sym(3)", "O(1,3)", "SL(2) with duals", "irreps", "spins"])
def test_the_dimension_is_that_of_the_null_space(name: str) -> None:
    layer = random_layer(name)
    rep_in, rep_out = REPS[name]
    assert layer.dimension == len(intertwiners(rep_in, rep_out))
    assert layer.bias_dimension == len(intertwiners(Trivial(layer.group), rep_out))
    # As a matrix it is a solution, and all solutions are reached: the layer is linear in weights.
    columns = layer(torch.eye(rep_in.dim, dtype=torch.float64)) - layer(
        torch.zeros(1, rep_in.dim, dtype=torch.float64)
    )
    assert columns.shape == (rep_in.dim, rep_out.dim)


def test_a_map_that_is_not_equivariant_is_caught() -> None:
    layer = random_layer("O(1,3)")
    g = layer.group.sample(np.random.default_rng(0), 1)[0]
    x = normal(4, layer.rep_in.dim)
    shift = normal(layer.rep_out.dim)
    with pytest.raises(AssertionError, match="relative error"):
        assert_close(
            layer(on(layer.rep_in, x, g)) + shift, on(layer.rep_out, layer(x) + shift, g), 1e-9
        )


def test_tensor_powers_are_the_layer_of_diagrams() -> None:
    group = Sym(4)
    v = Defining(group)
    layer = in_double(EquivariantLinear(2 * (v * v), 3 * v, backend="torch"))
    plain = in_double(DiagramLinear(group, 2, 1, 2, 3, backend="torch"))
    with torch.no_grad():
        plain.weight.copy_(layer.weights[0])
        plain.bias.copy_(layer.bias.reshape(3, 1).T)
    x = normal(5, 2, 16)
    expected = plain(x.transpose(1, 2).reshape(5, 4, 4, 2)).transpose(1, 2).reshape(5, -1)
    assert_close(layer(x.reshape(5, -1)), expected, 64 * EPS)


def test_summands_may_come_in_any_order() -> None:
    group = Orthogonal(2)
    v, s = Defining(group), Trivial(group)
    layer = in_double(EquivariantLinear(v + s + v, s + v + s, bias=False, backend="torch"))
    sorted_layer = EquivariantLinear(2 * v + s, 2 * s + v, bias=False, backend="torch").double()
    with torch.no_grad():
        for one, other in zip(sorted_layer.weights, layer.weights, strict=True):
            one.copy_(other)
    x = normal(3, 5)
    out = sorted_layer(x[:, [0, 1, 3, 4, 2]])
    assert_close(layer(x), out[:, [0, 2, 3, 1]], 64 * EPS)


@pytest.mark.parametrize("name", ["SL(2) with duals", "irreps"])
def test_derivatives(name: str) -> None:
    layer = random_layer(name)
    names = [key for key, _ in layer.named_parameters()]
    values = [parameter.detach() for parameter in layer.parameters()]

    def function(x: Tensor, *given: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(names, given, strict=True)), (x,))

    assert_derivatives(function, [normal(2, layer.rep_in.dim), *values], order=2, fast=True)


def test_outputs_have_variance_one() -> None:
    for name in ("O(1,3)", "O(3)"):
        rep_in, rep_out = REPS[name]
        squares = []
        for seed in range(15):
            torch.manual_seed(seed)
            layer = EquivariantLinear(rep_in, rep_out, backend="torch")
            x = normal(32, rep_in.dim, seed=seed, dtype=torch.float32)
            squares.append(layer(x).detach().square().mean())
        spread = float(torch.stack(squares).std()) / 15**0.5
        assert abs(float(torch.stack(squares).mean()) - 1) < 5 * spread


def test_types_shapes_and_words() -> None:
    group = Lorentz()
    v = Defining(group)
    layer = EquivariantLinear(2 * v, v * v)
    assert repr(layer) == "EquivariantLinear(SO+(1,3): 8 -> 16, 0 maps, 1 biases)"
    assert layer(torch.randn(2, 3, 8)).shape == (2, 3, 16) and layer(torch.randn(0, 8)).numel() == 0
    # A change of type starts from the exact numbers again.
    assert isinstance(linear_maps(v * v, v * v), SolvedMaps)
    third = EquivariantLinear(SO3Irrep(1) * SO3Irrep(1), SO3Irrep(2)).float().double()
    g = third.group.sample(np.random.default_rng(0), 1)[0]
    x = normal(2, 9)
    assert_close(third(on(third.rep_in, x, g)), on(third.rep_out, third(x), g), 1000 * EPS)
    complex_layer = EquivariantLinear(SU2Irrep(0.5), SU2Irrep(0.5))
    assert complex_layer.weights[0].dtype == torch.complex64
    state = layer.state_dict()
    assert set(state) == {"bias"}


def test_a_group_by_generators_gets_its_layers() -> None:
    screw = np.zeros((1, 4, 4))
    screw[0, 0, 1], screw[0, 1, 0], screw[0, 2, 3] = -1.0, 1.0, 0.5
    group = MatrixGroup(screw, name="screw")
    v = Defining(group)
    layer = EquivariantLinear(v, v, bias=False).double()
    g = group.exp(np.array([0.7]))
    x = normal(3, 4)
    assert_close(layer(on(v, x, g)), on(v, layer(x), g), 100 * EPS)
    assert layer.dimension == 4  # 1 and J on the plane, 1 and the nilpotent one on the rest


def test_errors() -> None:
    v = Defining(Orthogonal(3))
    with pytest.raises(RepresentationError, match="share an irrep"):
        EquivariantLinear(v, v * v, bias=False)
    with pytest.raises(RepresentationError, match="one group"):
        EquivariantLinear(v, Defining(Sym(3)))
    with pytest.raises(ShapeError, match="vectors"):
        EquivariantLinear(v, v)(torch.randn(2, 4))
    with pytest.raises(RepresentationError, match="real coefficients"):
        SolvedMaps(intertwiners(Defining(SU2()), Defining(SU2()))).program(1, 1)
