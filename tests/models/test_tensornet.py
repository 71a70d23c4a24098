"""TensorNet is that of the paper, written out with 3 x 3 matrices."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import layer_norm, silu

from schur.models.tensornet import TensorNet, TensorNetConfig
from schur.models.tensornet_layers import _embedding_routine, matrices_of
from schur.nn.second_moment import second_moment_scale
from schur.reps import cartesian_basis
from schur.tensors import Graph
from schur.tensors.harmonics import spherical_harmonics
from schur.testing import assert_equivariant

CUTOFF, NEIGHBOURS, WIDTH = 4.0, 3.0, 5
CONFIG = TensorNetConfig(cutoff=CUTOFF, features=WIDTH, radial=4, radial_hidden=(6,), readout=4)
EPS = torch.finfo(torch.float64).eps


def model_of(config: TensorNetConfig = CONFIG) -> TensorNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return TensorNet(config, 2, NEIGHBOURS).double()


def cloud(atoms: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    """Places, species and the edges of all pairs, paired as a batch has them."""
    generator = torch.Generator().manual_seed(0)
    places = torch.randn(atoms, 3, generator=generator, dtype=torch.float64)
    half = torch.triu_indices(atoms, atoms, 1)
    return places, torch.arange(atoms) % 2, torch.cat([half, half.flip(0)], 1)


def network(net: torch.nn.Module, x: Tensor, gain: float = 1.0, last: bool = False) -> Tensor:
    """x W / √h and SiLU in turns, with the weights of a RadialMLP."""
    matrices = [p for _, p in sorted(net.named_parameters())]
    for k, matrix in enumerate(matrices):
        x = x @ matrix / len(matrix) ** 0.5
        if k < len(matrices) - 1 or last:
            x = second_moment_scale(silu) * silu(x)
    return gain * x


def decomposed(X: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    identity = torch.eye(3, dtype=X.dtype) * X.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None]
    antisymmetric = 0.5 * (X - X.mT)
    return identity, antisymmetric, 0.5 * (X + X.mT) - identity


def mixed(linear: torch.nn.Module, X: Tensor) -> Tensor:
    """W_I I + W_A A + W_S S of (atoms, channels, 3, 3)."""
    weight: Tensor = linear.weight  # pyright: ignore[reportAssignmentType]
    parts = zip(decomposed(X), weight.view(3, WIDTH, WIDTH), strict=True)
    return sum(torch.einsum("nuij,uw->nwij", part, W) for part, W in parts) / WIDTH**0.5  # type: ignore[return-value]


def square(X: Tensor) -> Tensor:
    return X.square().sum((-2, -1))


def normalised(norm: torch.nn.Module, x: Tensor) -> Tensor:
    return layer_norm(x, x.shape[-1:], norm.weight, norm.bias, 1e-5)  # type: ignore[arg-type]


def formulas(
    model: TensorNet, places: Tensor, species: Tensor, edges: Tensor, how: str = "paper"
) -> Tensor:
    """The energies by the paper's equations; `how` plants a fault."""
    j, i = edges
    r = places[i] - places[j]
    n = r / r.norm(dim=1, keepdim=True)
    radial = model.radial(r.norm(dim=1))
    zero = torch.zeros_like(n[:, 0])
    cross = torch.stack(
        [zero, -n[:, 2], n[:, 1], n[:, 2], zero, -n[:, 0], -n[:, 1], n[:, 0], zero], -1
    ).view(-1, 1, 3, 3)
    one = torch.eye(3, dtype=r.dtype).expand(len(n), 1, 3, 3)
    second = n[:, None, :, None] * n[:, None, None, :] - one / 3

    def weighted(net: torch.nn.Module, gain: float, parts: tuple[Tensor, ...]) -> Tensor:
        f = network(net, radial, gain).view(-1, 3, WIDTH, 1, 1).unbind(1)
        edge = sum(a * b for a, b in zip(f, parts, strict=True))
        assert isinstance(edge, Tensor)
        return torch.zeros(len(places), WIDTH, 3, 3, dtype=r.dtype).index_add(0, i, edge)

    start = model.embedding
    Z = start.at_receiver[species[i]] + start.at_sender[species[j]]
    by_pair = tuple(Z[:, :, None, None] * part for part in (one, -cross, second))
    X = weighted(start.weights, (0.5 / NEIGHBOURS) ** 0.5, by_pair)
    gates = network(start.gates, normalised(start.norm, square(X)), last=True)
    f = gates.view(-1, 3, WIDTH, 1, 1).unbind(1)
    parts = decomposed(mixed(start.mix, X))
    X = f[0] * parts[0] + f[1] * parts[1] + f[2] * parts[2]

    def tamed(X: Tensor) -> Tensor:
        return X if how == "untamed" else X / (square(X) + 1)[..., None, None]

    for layer in model.layers:
        X = tamed(X)
        Y = mixed(layer.up, X)  # type: ignore[arg-type]
        parts = tuple(part[j] for part in decomposed(Y))
        M = weighted(layer.weights, NEIGHBOURS**-0.5, parts)  # type: ignore[arg-type]
        product = 2 * Y @ M if how == "one order" else Y @ M + M @ Y
        change = mixed(layer.update, tamed(product))  # type: ignore[arg-type]
        X = X + change + change @ change
    parts = torch.cat([square(part) for part in decomposed(X)], 1)
    return network(model.readout, normalised(model.norm, parts))[:, 0]


@pytest.mark.parametrize("layers", [0, 1, 3])
@pytest.mark.parametrize("paired", [False, True])
def test_is_the_model_of_the_paper(layers: int, paired: bool) -> None:
    model = model_of(CONFIG.model_copy(update={"layers": layers}))
    places, species, edges = cloud()
    with torch.no_grad():
        found = model(places[edges[1]] - places[edges[0]], species, edges, paired)
        expected = formulas(model, places, species, edges)
    assert (found - expected).abs().max() < 1e-12 * expected.abs().max()


def mirror_fault(model: TensorNet, how: str) -> float:
    """How much the energies differ from those of the mirror image, relatively."""
    places, species, edges = cloud()
    with torch.no_grad():
        one, other = (
            formulas(model, places * torch.tensor([1, 1, sign]), species, edges, how)
            for sign in (1, -1)
        )
    return float((one - other).abs().max() / one.abs().max())


def test_both_orders_of_the_product_are_needed_for_reflections() -> None:
    """Y M alone keeps rotations and breaks reflections without a sign of it."""
    model = model_of()
    assert mirror_fault(model, "paper") < 1e-12
    assert mirror_fault(model, "one order") > 1e-2


@pytest.mark.parametrize("layers", [0, 2])
def test_matrices_transform_as_they_should(layers: int) -> None:
    """Scalars, vectors and degree 2, under reflections too."""
    model = model_of(CONFIG.model_copy(update={"layers": layers}))
    places, species, edges = cloud()

    def features(vectors: Tensor) -> Tensor:
        graph = Graph(edges, len(species))
        harmonics = spherical_harmonics("0e + 1o + 2e", vectors, True, "norm")
        radial = model.radial(vectors.norm(dim=1))
        matrices = model.embedding(species, harmonics, radial, graph)
        for layer in model.layers:
            matrices = layer(matrices, radial, graph)
        return matrices

    vectors = places[edges[1]] - places[edges[0]]
    rep = matrices_of(WIDTH)
    assert_equivariant(features, ["1o"], rep, [vectors], tolerance=256 * EPS)
    # Antisymmetric parts are those of polar vectors: read as axial ones they fail.
    axial = f"{WIDTH}x0e + {WIDTH}x1e + {WIDTH}x2e"
    with pytest.raises(AssertionError):
        assert_equivariant(features, ["1o"], axial, [vectors])


def test_the_embedding_is_the_identity_the_cross_and_the_second_moment() -> None:
    """One edge, one channel and weights of one: the matrix that the paper writes down."""
    n = torch.nn.functional.normalize(torch.randn(1, 3, dtype=torch.float64), dim=1)
    harmonics = spherical_harmonics("0e + 1o + 2e", n, True, "norm")
    graph = Graph(torch.tensor([[0], [1]]), 2)
    one, none = torch.ones(2, 1, dtype=torch.float64), torch.zeros(2, 1, dtype=torch.float64)
    indices = {"receivers": graph.receivers, "senders": graph.senders}
    weights = torch.ones(1, 3, dtype=torch.float64)
    found = _embedding_routine(1, False)(one, none, harmonics, weights, indices=indices)[1]
    Q = torch.from_numpy(cartesian_basis(2)[1].copy())
    matrix = (Q @ found).view(3, 3)
    cross = torch.linalg.cross(torch.eye(3, dtype=torch.float64), n.expand(3, 3))
    expected = torch.eye(3, dtype=torch.float64) * (2 / 3) + n.mT @ n
    assert (0.5 * (matrix + matrix.mT) - expected).abs().max() < 8 * EPS
    antisymmetric = 0.5 * (matrix - matrix.mT)
    assert min((antisymmetric - s * cross).abs().max() for s in (1, -1)) < 8 * EPS


def test_without_the_division_repeated_products_diverge() -> None:
    model = model_of(CONFIG.model_copy(update={"layers": 8}))
    for layer in model.layers:
        torch.nn.init.normal_(layer.update.weight, std=4.0)  # type: ignore[arg-type]
    places, species, edges = cloud()
    with torch.no_grad():
        kept = formulas(model, places, species, edges)
        lost = formulas(model, places, species, edges, "untamed")
    assert kept.abs().max() < 1e2
    assert not lost.isfinite().all()
