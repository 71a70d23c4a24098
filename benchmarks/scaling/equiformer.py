"""A step of EquiformerV2 against the highest degree of its features.

    python -m benchmarks.scaling.equiformer

Energy, forces and the gradient of a loss of both by all parameters, on 16 atoms that all see each
other: one block of 16 channels with grids of degree 4 l, with all orders |m| and with orders up to
2. float32, one core, seconds of the processor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict

import torch

from benchmarks.scaling.curves import Curve, draw, one_core, parser, shortest, table, write
from schur.models.equiformer_v2 import EquiformerV2, EquiformerV2Config

ATOMS, CHANNELS, DEGREES, FITTED = 16, 16, range(1, 7), 3
ORDERS = {"all orders": None, "orders to 2": 2}


def step_of(degree: int, order: int | None) -> Callable[[], object]:
    """A step of a model of this degree."""
    torch.manual_seed(0)
    places = torch.rand(ATOMS, 3) * 3.0
    half = torch.triu_indices(ATOMS, ATOMS, 1)
    edges = torch.cat([half, half.flip(0)], 1)
    config = EquiformerV2Config(
        cutoff=6.0, layers=1, lmax=degree, order=order, channels=CHANNELS, grid=4 * degree
    )
    model = EquiformerV2(config, 1, float(ATOMS - 1))
    vectors = (places[edges[1]] - places[edges[0]]).requires_grad_()
    species, parameters = torch.zeros(ATOMS, dtype=torch.int64), list(model.parameters())

    def step() -> object:
        energy = model(vectors, species, edges, True).sum()
        (slope,) = torch.autograd.grad(energy, vectors, create_graph=True)
        loss = energy.square() + slope.square().mean()
        return torch.autograd.grad(loss, parameters, allow_unused=True)

    return step


def measured(name: str, degrees: Sequence[int] = DEGREES) -> Curve:
    """Seconds of a step at each degree that has these orders."""
    curve, order = Curve(name), ORDERS[name]
    for degree in degrees:
        if order is None or order <= degree:
            curve.points[degree] = shortest(step_of(degree, order))
    return curve


def main() -> None:
    """Measure, print, draw."""
    options = parser(__doc__, "equiformer_scaling").parse_args()
    one_core()
    torch.set_num_threads(1)
    curves = [measured(name) for name in ORDERS]
    print("\n".join(table(curves, "l", FITTED, shift=1)))
    drawn = [(curve.name, {n: 1e3 * t for n, t in curve.points.items()}) for curve in curves]
    draw(options.picture, [("EquiformerV2", "degree l", "ms a step", drawn)], logarithmic=False)
    write(options.json, [asdict(curve) for curve in curves])


if __name__ == "__main__":
    main()
