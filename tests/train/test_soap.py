"""SOAP: the same path in rotated coordinates, Adam where there is nothing to decorrelate."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from schur.errors import DtypeError, NumberError
from schur.models.registry import build_model, parse_config
from schur.nn import FullyConnectedTensorProduct, Linear, SymmetricContraction
from schur.nn.edge_frame_convolution import EdgeFrameConvolution
from schur.train.matrices import matrix_places
from schur.train.soap import Soap

RNG = np.random.default_rng(0)


def orthogonal(n: int) -> Tensor:
    return torch.from_numpy(np.linalg.qr(RNG.standard_normal((n, n)))[0])


def holding(weight: Tensor) -> nn.Module:
    return nn.ParameterDict({"weight": nn.Parameter(weight.clone())})


def follow(
    start: Tensor, gradients: list[Tensor], make: Callable[[nn.Module], torch.optim.Optimizer]
) -> Tensor:
    model = holding(start)
    (weight,) = model.parameters()
    optimiser = make(model)
    for gradient in gradients:
        weight.grad = gradient
        optimiser.step()
    return weight.detach()


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.AdamW(model.parameters(), 0.1, weight_decay=0.01, eps=1e-12)


def soap(model: nn.Module) -> torch.optim.Optimizer:
    return Soap(model, 0.1, weight_decay=0.01, basis_every=3)


def test_rotated_gradients_give_the_rotated_path() -> None:
    """W -> A W Bᵀ for all gradients: SOAP's path turns along, that of Adam does not."""
    left, right = orthogonal(6), orthogonal(6)
    spread = orthogonal(6) @ torch.diag(3.0 ** -torch.arange(6.0).double()) @ orthogonal(6)
    gradients = [spread, *(torch.from_numpy(RNG.standard_normal((6, 6))) for _ in range(20))]
    turned = [left @ gradient @ right.T for gradient in gradients]
    start = torch.from_numpy(RNG.standard_normal((6, 6)))

    def difference(make: Callable[[nn.Module], torch.optim.Optimizer]) -> float:
        plain = follow(start, gradients, make)
        other = follow(left @ start @ right.T, turned, make)
        return float((left @ plain @ right.T - other).abs().max())

    assert difference(soap) < 1e-8
    assert difference(adam) > 1e-2


def test_single_numbers_and_vectors_get_adam() -> None:
    """Nothing to decorrelate: the steps of torch's Adam, a matrix's one step later."""
    gradients = [torch.from_numpy(RNG.standard_normal(4)) for _ in range(12)]
    start = torch.from_numpy(RNG.standard_normal(4))
    expected = follow(start, gradients, adam)
    assert torch.allclose(follow(start, gradients, soap), expected, rtol=0, atol=1e-8)
    # The first gradient of a matrix decides its bases; here any bases are the same but for signs.
    stacked = start.view(4, 1, 1)
    got = follow(stacked, [g.view(4, 1, 1) for g in gradients], soap).view(4)
    decayed = follow(start * (1 - 0.1 * 0.01), gradients[1:], adam)
    assert torch.allclose(got, decayed, rtol=0, atol=1e-8)


def test_goes_down_a_narrow_valley() -> None:
    """|A W - B|² with singular values from 1 to 100 of A: what Adam leaves, SOAP does not."""
    scales = torch.logspace(0, -2, 12, dtype=torch.float64)
    matrix = orthogonal(12) @ torch.diag(scales) @ orthogonal(12)
    target = torch.from_numpy(RNG.standard_normal((12, 12)))

    def left_after(make: Callable[[nn.Module], torch.optim.Optimizer]) -> float:
        model = holding(torch.zeros(12, 12, dtype=torch.float64))
        (weight,) = model.parameters()
        optimiser, steps = make(model), 400
        for step in range(steps):
            optimiser.param_groups[0]["lr"] = 0.3 * (1 - step / steps)
            optimiser.zero_grad()
            loss = (matrix @ (weight - target)).square().sum()
            loss.backward()
            optimiser.step()
        return float((matrix @ (weight.detach() - target)).square().sum())

    assert left_after(lambda model: Soap(model)) < 0.01 * left_after(
        lambda model: torch.optim.AdamW(model.parameters(), weight_decay=0.0)
    )


def test_state_goes_through_a_state_dict() -> None:
    """A copy that is loaded half way ends in the same bits."""
    model = nn.Sequential(nn.Linear(6, 200), nn.Tanh(), nn.Linear(200, 1))
    inputs = torch.from_numpy(RNG.standard_normal((30, 6))).float()
    other = copy.deepcopy(model)

    def run(of: nn.Module, optimiser: Soap, steps: int) -> None:
        for _ in range(steps):
            optimiser.zero_grad()
            (of(inputs) - inputs[:, :1].sin()).square().mean().backward()
            optimiser.step()

    optimiser = Soap(model, 0.01)
    run(model, optimiser, 27)
    first = Soap(other, 0.01)
    run(other, first, 13)
    second = Soap(other, 0.01)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    run(other, second, 14)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


LAYERS: dict[str, Callable[[], nn.Module]] = {
    "linear": lambda: Linear("1x0e + 4x0o + 3x1o", "2x0e + 1x0o + 5x1o + 2x1o"),
    "by species": lambda: Linear("4x0e + 3x1o", "2x0e + 5x1o", species=3),
    "contraction": lambda: SymmetricContraction("4x0e + 4x1o", "4x0e + 4x1o", 3, species=2),
    "product": lambda: FullyConnectedTensorProduct("2x0e + 3x1o", "1x0e + 1x1o", "4x0e + 2x1o"),
    "edge frames": lambda: EdgeFrameConvolution("4x0e + 3x1o", "2x0e + 5x1o"),
    "long sides": lambda: nn.Linear(300, 129),
    "stacked": lambda: holding(torch.randn(3, 4, 5)),
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS)
def test_every_number_is_in_one_place(layer: Callable[[], nn.Module]) -> None:
    model = layer()
    places = matrix_places(model)
    found = torch.cat([place.flatten() for place in places.values()])
    numel = sum(parameter.numel() for parameter in model.parameters())
    assert torch.equal(found.sort().values, torch.arange(numel))
    for shape, place in places.items():
        assert tuple(place.shape[1:]) == shape or not shape
        assert max(shape, default=0) <= 128 and list(shape) == sorted(shape)


def test_the_matrices_of_a_linear_layer_are_its_maps() -> None:
    """A piece, transposed where it is tall, is what takes the channels of its path."""
    layer = Linear("2x0e + 3x1o", "4x0e + 2x1o")
    (weight,) = layer.parameters()
    places = matrix_places(layer)
    x = torch.from_numpy(RNG.standard_normal((1, 2))).float()
    padded = torch.cat([x, torch.zeros(1, 9)], 1)
    scalars = weight.detach()[places[2, 4][0]]
    assert torch.allclose(layer(padded)[:, :4], x @ scalars / 2**0.5, atol=1e-6)
    assert list(places) == [(2, 4), (2, 3)]


def test_shapes_that_do_not_fit() -> None:
    layer = SymmetricContraction("4x0e", "4x0e", 2)
    layer.weight_shapes = ((1, 4),)
    with pytest.raises(ValueError, match="are not 8 weights"):
        matrix_places(layer)


@pytest.mark.parametrize("name", ["mace", "nequip", "escn", "tensornet"])
def test_the_weights_of_models_are_matrices(name: str) -> None:
    model = build_model(parse_config({"architecture": name}), 2, 2.0, [1, 8])
    places = matrix_places(model)
    total = sum(place.numel() for place in places.values())
    assert total == sum(parameter.numel() for parameter in model.parameters())
    assert places.get((), torch.empty(0)).numel() < 0.05 * total


def test_parameters_of_two_kinds() -> None:
    with pytest.raises(DtypeError, match="one dtype on one device"):
        Soap(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()))


def test_settings_out_of_range() -> None:
    with pytest.raises(NumberError, match=r"betas=\(1\.0, 0\.9\)"):
        Soap(nn.Linear(2, 2), betas=(1.0, 0.9))
